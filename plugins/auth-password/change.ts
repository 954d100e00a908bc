import {
  type AuthStore,
  beginTry,
  createOpaqueSecret,
  endSessions,
  hashSecret,
  isOpaqueSecret,
  lockUser,
  putPassword,
  readPrincipal,
  readUser,
  type Tables,
  toTime,
  writeStore,
} from '@bugless/auth-sql';
import {
  type CallContext,
  type ChangePasswordRequest,
  invalidField,
  type Principal,
  type ResetPasswordRequest,
  ServiceError,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import { badCredentials, comparePassword, type PasswordChecker, withdrawOnError } from './login.ts';

type Setter = NonNullable<AuthStore['passwords']>;

const badCode = () => new ServiceError('BAD_CREDENTIALS', 'the code is not valid any more; ask for a new one');

/** Answers ChangePassword. Guesses at the old one count as guesses at the login do. */
export async function changePassword(
  store: AuthStore,
  checker: PasswordChecker,
  setter: Setter,
  request: ChangePasswordRequest,
  context: CallContext,
): Promise<object> {
  const k = store.database.kysely<Tables>();
  const user = await readUser(k, context.user);
  const address = request.client?.address ?? '';
  const attempt = await beginTry(store, { username: user.username, address }, context);
  const stored = await k
    .selectFrom('auth_password')
    .select(['user_id as user', 'hash', 'cost'])
    .where('user_id', '=', user.id)
    .executeTakeFirst();
  const comparison = comparePassword(checker, request.oldPassword, stored, context);
  if (!(await withdrawOnError(attempt, comparison)) || !stored) throw badCredentials();
  await attempt.succeed();
  const password = await setter.hash(request.newPassword, user.username, 'new_password', context);
  await writeStore(store, context, async (work) => {
    const swapped = await work.k
      .updateTable('auth_password')
      .set({ hash: password.hash, cost: password.cost, changed: work.now })
      .where('user_id', '=', user.id)
      .where('hash', '=', stored.hash)
      .returning('user_id')
      .executeTakeFirst();
    if (!swapped) throw new ServiceError('CONFLICT', 'the password was changed at the same time; log in again');
    await endSessions(work, user.id, request.sessionSecret);
    await work.k.deleteFrom('auth_code').where('kind', '=', 'reset').where('user_id', '=', user.id).execute();
    await work.audit({ kind: 'password_changed', user: user.id, address, details: { by: 'change' } });
  });
  return {};
}

/** Answers CreatePasswordReset. */
export async function createPasswordReset(
  store: AuthStore,
  lifetimeMillis: number,
  request: { user: string },
  context: CallContext,
): Promise<{ code: string; expires: string }> {
  const code = createOpaqueSecret();
  const expires = await writeStore(
    store,
    context,
    async (work) => {
      const user = await lockUser(work.k, request.user);
      if (user.kind !== UserKind.PERSON) throw invalidField('user', 'is a bot; bots have no password, make a token');
      if (user.state !== UserState.ACTIVE) throw new ServiceError('USER_INACTIVE', 'user: this user cannot log in');
      const ends = toTime(Date.parse(work.now) + lifetimeMillis);
      await work.k.deleteFrom('auth_code').where('kind', '=', 'reset').where('user_id', '=', user.id).execute();
      await work.k
        .insertInto('auth_code')
        .values({ hash: hashSecret(code), kind: 'reset', user_id: user.id, created: work.now, expires: ends })
        .execute();
      await work.audit({ kind: 'reset_created', user: user.id });
      return ends;
    },
    { keepPrincipals: true },
  );
  return { code, expires };
}

async function findReset(k: Kysely<Tables>, code: string, now: string): Promise<{ user: string; username: string }> {
  const row = isOpaqueSecret(code)
    ? await k
        .selectFrom('auth_code as c')
        .innerJoin('auth_user as u', 'u.id', 'c.user_id')
        .select(['u.id as user', 'u.username'])
        .where('c.hash', '=', hashSecret(code))
        .where('c.kind', '=', 'reset')
        .where('c.expires', '>', now)
        .where('u.state', '=', UserState.ACTIVE)
        .executeTakeFirst()
    : undefined;
  if (!row) throw badCode();
  return row;
}

/** Answers ResetPassword: with the code, once. */
export async function resetPassword(
  store: AuthStore,
  setter: Setter,
  request: ResetPasswordRequest,
  context: CallContext,
): Promise<{ principal: Principal }> {
  const { user, username } = await findReset(store.database.kysely<Tables>(), request.code, toTime(store.now()));
  const password = await setter.hash(request.newPassword, username, 'new_password', context);
  await writeStore(store, context, async (work) => {
    const used = await work.k
      .deleteFrom('auth_code')
      .where('hash', '=', hashSecret(request.code))
      .where('expires', '>', work.now)
      .returning('user_id')
      .executeTakeFirst();
    if (!used) throw badCode();
    await putPassword(work, user, password);
    await endSessions(work, user);
    const address = request.client?.address ?? '';
    await work.audit({ kind: 'password_changed', author: user, user, address, details: { by: 'reset' } });
  });
  const principal = await readPrincipal(store, user, ['password']);
  if (!principal) throw badCode();
  return { principal };
}
