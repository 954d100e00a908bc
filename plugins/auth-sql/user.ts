import {
  type CallContext,
  type DeepPartial,
  invalidField,
  ServiceError,
  type User,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { CompiledQuery, type Kysely, type Selectable } from 'kysely';
import { readPageToken, takePage } from './page.ts';
import { checkSubject } from './permission.ts';
import type { AuthStore } from './store.ts';
import type { Tables, UserTable } from './tables.ts';
import { isPlain, MAX_NAME_WORDS, splitPrefix, toUsernameKey } from './username.ts';

/** A row of auth_user. */
export type UserRow = Selectable<UserTable>;

const MAX_BATCH = 500;
const MAX_FOUND = 20;
/** Above every text that begins with what stands before it, in the order of bytes. */
const LAST_CHARACTER = '\u{10FFFF}';

/** Whether the caller may see the e-mail address and other private facts of a user. */
function seesPrivate(context: CallContext, row: UserRow): boolean {
  if (context.system || context.admin) return true;
  return context.user !== '' && (row.id === context.user || row.owner === context.user);
}

/** A user as a caller may see it. A tombstone has its id and state alone. */
export function toUser(row: UserRow, context: CallContext): DeepPartial<User> {
  if (row.state === UserState.DELETED) return { id: row.id, state: UserState.DELETED };
  const open = seesPrivate(context, row);
  return {
    id: row.id,
    version: row.version,
    kind: row.kind as UserKind,
    state: row.state as UserState,
    username: row.username,
    displayName: row.display_name,
    email: open ? row.email : '',
    emailVerified: open && row.email_verified,
    avatar: row.avatar,
    admin: row.admin,
    owner: row.owner,
    created: row.created,
    modified: row.modified,
    lastSeen: context.system || context.admin ? (row.last_seen ?? undefined) : undefined,
  };
}

/** Reads a user for a change, its row locked. Throws USER_NOT_FOUND, also for a tombstone. */
export async function lockUser(k: Kysely<Tables>, id: string): Promise<UserRow> {
  const row = isPlain(id)
    ? await k.selectFrom('auth_user').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
    : undefined;
  if (!row || row.state === UserState.DELETED) throw userNotFound();
  return row;
}

/** Reads a user. Throws USER_NOT_FOUND, also for a tombstone. */
export async function readUser(k: Kysely<Tables>, id: string): Promise<UserRow> {
  const row = isPlain(id)
    ? await k.selectFrom('auth_user').selectAll().where('id', '=', id).executeTakeFirst()
    : undefined;
  if (!row || row.state === UserState.DELETED) throw userNotFound();
  return row;
}

/** The failure of an id that no user has. */
export function userNotFound(): ServiceError {
  return new ServiceError('USER_NOT_FOUND', 'there is no user with this id');
}

/** Text by which a statement is prepared once per connection. */
const BATCH_SQL = 'select * from auth_user where id = any($1)';
const RESOLVE_SQL = 'select * from auth_user where username_key = any($1)';

async function readRows(k: Kysely<Tables>, sql: string, values: readonly string[]): Promise<UserRow[]> {
  if (values.length === 0) return [];
  const { rows } = await k.executeQuery(CompiledQuery.raw(sql, [values]) as CompiledQuery<UserRow>);
  return rows;
}

function checkCount(values: readonly string[], field: string): void {
  if (values.length === 0 || values.length > MAX_BATCH) {
    throw invalidField(field, `has ${values.length} entries; 1 to ${MAX_BATCH}`);
  }
}

/**
 * Reads users by id. A claimed placeholder has the visible side of who claimed it, under its
 * own id; an id that nobody has is left out.
 */
export async function readUsersById(k: Kysely<Tables>, ids: readonly string[]): Promise<Map<string, UserRow>> {
  const rows = await readRows(k, BATCH_SQL, [...new Set(ids.filter((id) => id !== '' && isPlain(id)))]);
  const found = new Map(rows.map((row) => [row.id, row]));
  const claimed = rows.filter((row) => row.claimed_by !== '');
  if (claimed.length > 0) {
    const owners = await readRows(k, BATCH_SQL, [...new Set(claimed.map((row) => row.claimed_by))]);
    const byId = new Map(owners.map((row) => [row.id, row]));
    for (const row of claimed) {
      const real = byId.get(row.claimed_by);
      if (real) found.set(row.id, { ...real, id: row.id });
    }
  }
  return found;
}

/** Answers BatchGetUsers. */
export async function batchGetUsers(
  store: AuthStore,
  request: { ids: string[] },
  context: CallContext,
): Promise<{ users: DeepPartial<User>[] }> {
  checkCount(request.ids, 'ids');
  const found = await readUsersById(store.database.kysely<Tables>(), request.ids);
  return {
    users: request.ids.map((id) => {
      const row = found.get(id);
      return row ? toUser(row, context) : { id, state: UserState.DELETED };
    }),
  };
}

/** Answers ResolveUsernames. */
export async function resolveUsernames(
  store: AuthStore,
  request: { usernames: string[] },
  context: CallContext,
): Promise<{ results: { username: string; user?: DeepPartial<User> }[] }> {
  checkCount(request.usernames, 'usernames');
  const keys = request.usernames.map((username) => (/\p{Cc}/u.test(username) ? '' : toUsernameKey(username)));
  const rows = await readRows(store.database.kysely<Tables>(), RESOLVE_SQL, [
    ...new Set(keys.filter((key) => key !== '')),
  ]);
  const byKey = new Map(rows.map((row) => [row.username_key, row]));
  return {
    results: request.usernames.map((username, index) => {
      const row = byKey.get(keys[index]!);
      return row ? { username, user: toUser(row, context) } : { username };
    }),
  };
}

/**
 * Answers FindUsers: the best twenty whose words begin with what was typed, shortest match
 * first. The longest part leads over the index; the others are looked up per user.
 */
export async function findUsers(
  store: AuthStore,
  request: { prefix: string; count: number },
  context: CallContext,
): Promise<{ users: DeepPartial<User>[] }> {
  const length = [...request.prefix].length;
  if (length === 0 || length > 100) throw invalidField('prefix', `has ${length} characters; 1 to 100`);
  if (request.count < 0) throw invalidField('count', 'is negative; 0 means 20');
  const count = Math.min(request.count || MAX_FOUND, MAX_FOUND);
  const [lead, ...others] = /\p{Cc}/u.test(request.prefix) ? [] : splitPrefix(request.prefix);
  if (lead === undefined) return { users: [] };
  const k = store.database.kysely<Tables>();
  let query = k
    .selectFrom('auth_user_word as w')
    .select(['w.user_id', 'w.word'])
    .where('w.word', '>=', lead)
    .where('w.word', '<', lead + LAST_CHARACTER);
  for (const other of others) {
    query = query.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('auth_user_word as o')
          .select('o.word')
          .whereRef('o.user_id', '=', 'w.user_id')
          .where('o.word', '>=', other)
          .where('o.word', '<', other + LAST_CHARACTER),
      ),
    );
  }
  // One user may match by every word it has: so many rows hold enough different users.
  const matches = await query
    .orderBy('w.word')
    .orderBy('w.user_id')
    .limit(count * MAX_NAME_WORDS)
    .execute();
  const ids = [...new Set(matches.map((match) => match.user_id))].slice(0, count);
  const rows = new Map((await readRows(k, BATCH_SQL, ids)).map((row) => [row.id, row]));
  return { users: ids.flatMap((id) => (rows.has(id) ? [toUser(rows.get(id)!, context)] : [])) };
}

/** Answers ListUsers: by username, tombstones and claimed placeholders left out. */
export async function listUsers(
  store: AuthStore,
  request: { kind: UserKind; state: UserState; owner: string; pageSize: number; pageToken: string },
  context: CallContext,
): Promise<{ users: DeepPartial<User>[]; nextPageToken: string }> {
  checkSubject('listUsers', context, { id: '', owner: request.owner });
  const page = readPageToken(request, ['users', request.kind, request.state, request.owner]);
  if (!isPlain(request.owner)) return { users: [], nextPageToken: '' };
  let query = store.database.kysely<Tables>().selectFrom('auth_user').selectAll().where('username_key', 'is not', null);
  if (request.kind !== UserKind.UNSPECIFIED) query = query.where('kind', '=', request.kind);
  if (request.state !== UserState.UNSPECIFIED) query = query.where('state', '=', request.state);
  if (request.owner !== '') query = query.where('owner', '=', request.owner).where('owner', '<>', '');
  if (page.after !== undefined) query = query.where('username_key', '>', page.after);
  const rows = await query
    .orderBy('username_key')
    .limit(page.size + 1)
    .execute();
  const { shown, nextPageToken } = takePage(page, rows, (row) => row.username_key!);
  return { users: shown.map((row) => toUser(row, context)), nextPageToken };
}
