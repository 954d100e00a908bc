import { hash } from 'node:crypto';
import {
  type CallContext,
  type CreateUserRequest,
  type DeepPartial,
  invalidField,
  ServiceError,
  type User,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { type Kysely, sql } from 'kysely';
import { checkSubject } from './permission.ts';
import { replayRequest, saveRequest } from './request-log.ts';
import { type AuthStore, type HashedPassword, type Work, writeStore } from './store.ts';
import type { Tables } from './tables.ts';
import { readUser, toUser, type UserRow } from './user.ts';
import {
  bendUsername,
  checkAvatar,
  checkDisplayName,
  checkEmail,
  checkUsername,
  splitNameWords,
  toUsernameKey,
} from './username.ts';

/** The visible side of a user to be made, checked. */
export interface NewUser {
  readonly kind: UserKind;
  readonly state: UserState;
  readonly username: string;
  readonly displayName: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly avatar: string;
  readonly admin: boolean;
  readonly owner: string;
}

/** The failure of a name that somebody else has. */
export function nameTaken(name: string, field: string): ServiceError {
  return new ServiceError('NAME_TAKEN', `${field}: ${JSON.stringify(name)} is taken`, {
    violations: [{ field, description: 'is taken' }],
  });
}

/** Throws NAME_TAKEN when another user has the name. The unique index decides races: see writeStore. */
export async function checkUsernameFree(
  k: Kysely<Tables>,
  username: string,
  field: string,
  except = '',
): Promise<void> {
  const other = await k
    .selectFrom('auth_user')
    .select('id')
    .where('username_key', '=', toUsernameKey(username))
    .executeTakeFirst();
  if (other && other.id !== except) throw nameTaken(username, field);
}

/** Whether pickers offer users of this state. */
export function isFindable(state: UserState): boolean {
  return state === UserState.ACTIVE || state === UserState.PLACEHOLDER;
}

/** Writes new users with their names and words, in few statements. */
export async function insertUsers(store: AuthStore, work: Work, users: readonly NewUser[]): Promise<UserRow[]> {
  const rows: UserRow[] = users.map((user) => ({
    id: store.createId(),
    version: '1',
    kind: user.kind,
    state: user.state,
    username: user.username,
    username_key: toUsernameKey(user.username),
    display_name: user.displayName,
    email: user.email,
    email_verified: user.emailVerified,
    avatar: user.avatar,
    admin: user.admin,
    owner: user.owner,
    created: work.now,
    modified: work.now,
    last_seen: null,
    claimed_by: '',
  }));
  if (rows.length === 0) return rows;
  await work.k.insertInto('auth_user').values(rows).execute();
  await work.k
    .insertInto('auth_user_name')
    .values(rows.map((row) => ({ user_id: row.id, since: work.now, username: row.username, ended: null })))
    .execute();
  await work.k
    .insertInto('auth_user_word')
    .values(
      rows.flatMap((row) => splitNameWords(row.username, row.display_name).map((word) => ({ user_id: row.id, word }))),
    )
    .execute();
  return rows;
}

/** Brings what pickers find a user by up to date. */
export async function replaceWords(work: Work, row: UserRow): Promise<void> {
  await work.k.deleteFrom('auth_user_word').where('user_id', '=', row.id).execute();
  if (!isFindable(row.state as UserState) || row.username_key === null) return;
  await work.k
    .insertInto('auth_user_word')
    .values(splitNameWords(row.username, row.display_name).map((word) => ({ user_id: row.id, word })))
    .execute();
}

/**
 * Finds usernames that nobody has, each as near to the wanted one as can be: bent into a valid
 * one, with a number behind it where it is taken, by others or earlier in the same list.
 */
export async function chooseUsernames(k: Kysely<Tables>, wanted: readonly string[]): Promise<string[]> {
  const chosen: (string | undefined)[] = wanted.map(() => undefined);
  const mine = new Set<string>();
  const bent = wanted.map(bendUsername);
  const numbers = wanted.map(() => 1);
  for (;;) {
    const open = chosen.flatMap((name, index) => (name === undefined ? [index] : []));
    if (open.length === 0) return chosen as string[];
    // Several candidates per round, so that a common name does not take a query per number.
    const candidates = open.map((index) =>
      Array.from({ length: 16 }, (_, step) => {
        const number = numbers[index]! + step;
        return number === 1 ? bent[index]! : `${bent[index]}-${number}`;
      }),
    );
    const taken = new Set(
      (
        await k
          .selectFrom('auth_user')
          .select('username_key')
          .where(sql<boolean>`username_key = any(${[...new Set(candidates.flat().map(toUsernameKey))]})`)
          .execute()
      ).map((row) => row.username_key),
    );
    open.forEach((index, position) => {
      const name = candidates[position]!.find((candidate) => {
        const key = toUsernameKey(candidate);
        return !taken.has(key) && !mine.has(key);
      });
      if (name === undefined) {
        numbers[index]! += 16;
        return;
      }
      mine.add(toUsernameKey(name));
      chosen[index] = name;
    });
  }
}

/** Stores the first password of a user, or another one instead of it. */
export async function putPassword(work: Work, user: string, password: HashedPassword): Promise<void> {
  const values = { hash: password.hash, cost: password.cost, changed: work.now };
  await work.k
    .insertInto('auth_password')
    .values({ user_id: user, ...values })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(values))
    .execute();
}

/** Throws unless the id is that of an active person. */
export async function checkOwner(k: Kysely<Tables>, owner: string): Promise<void> {
  const row = await readUser(k, owner);
  if (row.kind !== UserKind.PERSON) throw invalidField('user.owner', 'is a bot; bots are owned by people');
  if (row.state !== UserState.ACTIVE) throw new ServiceError('USER_INACTIVE', 'user.owner: this user is not active');
}

function readNewUser(request: CreateUserRequest, context: CallContext): NewUser {
  const user = request.user;
  if (!user) throw invalidField('user', 'is missing');
  const kind = user.kind === UserKind.UNSPECIFIED ? UserKind.PERSON : user.kind;
  if (kind !== UserKind.PERSON && kind !== UserKind.BOT) throw invalidField('user.kind', 'is neither person nor bot');
  const owner = kind === UserKind.BOT ? user.owner || context.user : '';
  if (kind === UserKind.PERSON && user.owner !== '') throw invalidField('user.owner', 'people have no owner');
  if (kind === UserKind.BOT && owner === '') throw invalidField('user.owner', 'is empty; a bot is owned by a person');
  if (kind === UserKind.BOT && request.password !== '')
    throw invalidField('password', 'bots have no password; make a token');
  checkSubject('createUser', context, { id: '', owner });
  if (user.admin && !context.admin && !context.system) {
    throw new ServiceError('FORBIDDEN', 'user.admin: only an administrator makes administrators');
  }
  const username = checkUsername(user.username, 'user.username');
  return {
    kind,
    state: UserState.ACTIVE,
    username,
    displayName: checkDisplayName(user.displayName, username, 'user.display_name'),
    email: checkEmail(user.email, 'user.email'),
    emailVerified: false,
    avatar: checkAvatar(user.avatar, 'user.avatar'),
    admin: user.admin,
    owner,
  };
}

/** Answers CreateUser. */
export async function createUser(
  store: AuthStore,
  request: CreateUserRequest,
  context: CallContext,
): Promise<{ user: DeepPartial<User> }> {
  const wanted = readNewUser(request, context);
  // The password stays out: its hash at rest would be a quick one.
  const fingerprint = hash('sha256', JSON.stringify(['createUser', wanted, request.password !== '']), 'buffer');
  const replay = (k: Kysely<Tables>) => replayRequest(k, context, request.requestId, fingerprint);
  const earlier = await replay(store.database.kysely<Tables>());
  if (earlier !== undefined) return { user: toUser(await readUser(store.database.kysely<Tables>(), earlier), context) };
  const password =
    request.password === ''
      ? undefined
      : await requirePasswords(store).hash(request.password, wanted.username, 'password', context);
  const row = await writeStore(
    store,
    context,
    async (work) => {
      const done = await replay(work.k);
      if (done !== undefined) return readUser(work.k, done);
      if (wanted.owner !== '') await checkOwner(work.k, wanted.owner);
      await checkUsernameFree(work.k, wanted.username, 'user.username');
      const [created] = await insertUsers(store, work, [wanted]);
      if (password) await putPassword(work, created!.id, password);
      await saveRequest(work, context, request.requestId, fingerprint, created!.id);
      await work.audit({
        kind: 'user_created',
        user: created!.id,
        details: { username: wanted.username, kind: wanted.kind === UserKind.BOT ? 'bot' : 'person' },
      });
      return created!;
    },
    {
      // Without a request id nobody can tell whether a lost commit took place: it must not be repeated.
      settle:
        request.requestId === ''
          ? undefined
          : async (k) => {
              const done = await replay(k);
              return done === undefined ? undefined : readUser(k, done);
            },
    },
  );
  return { user: toUser(row, context) };
}

/** The plugin's passwords, or the failure of having none. */
export function requirePasswords(store: AuthStore): NonNullable<AuthStore['passwords']> {
  if (store.passwords) return store.passwords;
  throw new ServiceError('CAPABILITY_ABSENT', 'this plugin keeps no passwords; use @bugless/auth-password', {
    metadata: { capability: 'passwords' },
  });
}
