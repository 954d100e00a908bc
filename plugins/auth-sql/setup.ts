import {
  type CallContext,
  type CompleteSetupRequest,
  type Principal,
  ServiceError,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import {
  checkUsernameFree,
  chooseUsernames,
  insertUsers,
  type NewUser,
  putPassword,
  requirePasswords,
} from './account.ts';
import { hasOtherAdmin, lockAdmins } from './admin.ts';
import { createOpaqueSecret, hashSecret, isOpaqueSecret } from './secret.ts';
import { type AuthStore, type HashedPassword, toTime, type Work, writeStore } from './store.ts';
import type { Tables } from './tables.ts';
import { checkDisplayName, checkEmail, checkUsername } from './username.ts';
import { readPrincipal } from './verification.ts';

/** How long a setup code lasts. */
const SETUP_CODE_MILLIS = 24 * 3_600_000;
const DEFAULT_ADMIN = 'admin';

const alreadySetUp = () => new ServiceError('ALREADY_SET_UP', 'there is an administrator already; log in');
const badCode = () => new ServiceError('BAD_CREDENTIALS', 'the setup code is not valid any more; make a new one');

/** Answers GetSetup. */
export async function getSetup(store: AuthStore): Promise<{ needed: boolean }> {
  return { needed: !(await hasOtherAdmin(store.database.kysely<Tables>())) };
}

function toAdmin(username: string, displayName: string, email: string): NewUser {
  return {
    kind: UserKind.PERSON,
    state: UserState.ACTIVE,
    username,
    displayName,
    email,
    emailVerified: false,
    avatar: '',
    admin: true,
    owner: '',
  };
}

async function insertAdmin(
  store: AuthStore,
  work: Work,
  admin: NewUser,
  password: HashedPassword,
  address: string,
): Promise<string> {
  const [row] = await insertUsers(store, work, [admin]);
  await putPassword(work, row!.id, password);
  await work.k.deleteFrom('auth_code').where('kind', '=', 'setup').execute();
  await work.audit({
    kind: 'setup',
    author: row!.id,
    user: row!.id,
    address,
    details: { username: admin.username },
  });
  return row!.id;
}

/** Answers CreateSetupCode: a new code, or the administrator at once. */
export async function createSetupCode(
  store: AuthStore,
  request: { password: string },
  context: CallContext,
): Promise<{ code: string }> {
  if (await hasOtherAdmin(store.database.kysely<Tables>())) throw alreadySetUp();
  const passwords = requirePasswords(store);
  if (request.password !== '') {
    const password = await passwords.hash(request.password, DEFAULT_ADMIN, 'password', context);
    await writeStore(store, context, async (work) => {
      await lockAdmins(work.k);
      if (await hasOtherAdmin(work.k)) throw alreadySetUp();
      // An import may have come first and brought somebody of that name.
      const [username] = await chooseUsernames(work.k, [DEFAULT_ADMIN]);
      await insertAdmin(store, work, toAdmin(username!, username!, ''), password, '');
    });
    return { code: '' };
  }
  const code = createOpaqueSecret();
  await writeStore(store, context, async (work) => {
    await lockAdmins(work.k);
    if (await hasOtherAdmin(work.k)) throw alreadySetUp();
    await work.k.deleteFrom('auth_code').where('kind', '=', 'setup').execute();
    const expires = toTime(Date.parse(work.now) + SETUP_CODE_MILLIS);
    await work.k
      .insertInto('auth_code')
      .values({ hash: hashSecret(code), kind: 'setup', user_id: '', created: work.now, expires })
      .execute();
  });
  return { code };
}

async function checkCode(k: Kysely<Tables>, code: string, now: string): Promise<void> {
  const row = isOpaqueSecret(code)
    ? await k
        .selectFrom('auth_code')
        .select('kind')
        .where('hash', '=', hashSecret(code))
        .where('kind', '=', 'setup')
        .where('expires', '>', now)
        .executeTakeFirst()
    : undefined;
  if (!row) throw badCode();
}

/** Answers CompleteSetup. Of several at once, one makes the administrator. */
export async function completeSetup(
  store: AuthStore,
  request: CompleteSetupRequest,
  context: CallContext,
): Promise<{ principal: Principal }> {
  const k = store.database.kysely<Tables>();
  if (await hasOtherAdmin(k)) throw alreadySetUp();
  // Before anything costly: only who holds the code makes us hash.
  try {
    await checkCode(k, request.code, toTime(store.now()));
  } catch (error) {
    // Somebody completed it between the two questions, and the code ended with that.
    if (await hasOtherAdmin(k)) throw alreadySetUp();
    throw error;
  }
  const username = checkUsername(request.username, 'username');
  const admin = toAdmin(
    username,
    checkDisplayName(request.displayName, username, 'display_name'),
    checkEmail(request.email, 'email'),
  );
  const password = await requirePasswords(store).hash(request.password, username, 'password', context);
  const id = await writeStore(store, context, async (work) => {
    await lockAdmins(work.k);
    if (await hasOtherAdmin(work.k)) throw alreadySetUp();
    await checkCode(work.k, request.code, work.now);
    await checkUsernameFree(work.k, username, 'username');
    return insertAdmin(store, work, admin, password, request.client?.address ?? '');
  });
  const principal = await readPrincipal(store, id, ['setup']);
  if (!principal) throw alreadySetUp();
  return { principal };
}
