import {
  type CallContext,
  type Principal,
  ServiceError,
  type TokenScope,
  type User,
  type UserKind,
  UserState,
} from '@bugless/kit/service';
import { CompiledQuery } from 'kysely';
import { fingerprintSecret, hashSecret, isOpaqueSecret, isTokenSecret } from './secret.ts';
import { type AuthStore, toTime } from './store.ts';
import type { Tables } from './tables.ts';
import type { UserRow } from './user.ts';

/** Uses within so long of the noted one are not noted. */
export const USE_MILLIS = 60_000;

/*
 * The hot path: every page view verifies. One statement per credential, its text constant so
 * that each connection prepares it once; every part an equality on an index. A bot acts only
 * while the person who owns it is active.
 */
const USER_SQL = `u.id, u.version, u.kind, u.state, u.username, u.display_name, u.email, u.email_verified, u.avatar,
  u.admin, u.owner, u.created, u.modified, u.last_seen, o.state as owner_state,
  array(select m.group_id from auth_group_member m where m.member = u.id) as groups,
  array(select p.group_id from auth_group_member m join auth_group_member p on p.member = m.group_id
    where m.member = u.id) as outer_groups`;
export const SESSION_SQL = `select ${USER_SQL}, s.id as credential, s.created as authenticated, s.used, s.expires, s.methods
  from auth_session s join auth_user u on u.id = s.user_id left join auth_user o on o.id = u.owner
  where s.hash = $1`;
export const TOKEN_SQL = `select ${USER_SQL}, t.id as credential, t.used, t.expires, t.scopes, t.components
  from auth_token t join auth_user u on u.id = t.user_id left join auth_user o on o.id = u.owner
  where t.hash = $1`;
export const PRINCIPAL_SQL = `select ${USER_SQL} from auth_user u left join auth_user o on o.id = u.owner where u.id = $1`;

interface PrincipalRow extends UserRow {
  readonly owner_state: number | null;
  readonly groups: string[];
  readonly outer_groups: string[];
}

interface SessionPrincipalRow extends PrincipalRow {
  readonly credential: string;
  readonly authenticated: string;
  readonly used: string;
  readonly expires: string;
  readonly methods: string[];
}

interface TokenPrincipalRow extends PrincipalRow {
  readonly credential: string;
  readonly used: string | null;
  readonly expires: string | null;
  readonly scopes: number[];
  readonly components: string[];
}

async function readOne<Row>(store: AuthStore, sql: string, key: Buffer | string): Promise<Row | undefined> {
  const { rows } = await store.database
    .kysely<Tables>()
    .executeQuery(CompiledQuery.raw(sql, [key]) as CompiledQuery<Row>);
  return rows[0];
}

function isActive(row: PrincipalRow): boolean {
  return row.state === UserState.ACTIVE && (row.owner === '' || row.owner_state === UserState.ACTIVE);
}

/** The user as it sees itself. */
function toOwnUser(row: PrincipalRow): User {
  return {
    id: row.id,
    version: row.version,
    kind: row.kind as UserKind,
    state: row.state as UserState,
    username: row.username,
    displayName: row.display_name,
    email: row.email,
    emailVerified: row.email_verified,
    avatar: row.avatar,
    admin: row.admin,
    owner: row.owner,
    created: row.created,
    modified: row.modified,
    lastSeen: undefined,
  };
}

function toPrincipal(row: PrincipalRow, values: Partial<Principal>): Principal {
  return {
    user: toOwnUser(row),
    groups: [...new Set([...row.groups, ...row.outer_groups])],
    methods: [],
    authenticated: undefined,
    expires: undefined,
    scopes: [],
    scopeComponents: [],
    credential: '',
    ...values,
  };
}

/**
 * The principal of a user who has just proved who it is, or undefined when it may not act
 * (deactivated, a placeholder, a bot of somebody deactivated, nobody).
 */
export async function readPrincipal(
  store: AuthStore,
  user: string,
  methods: readonly string[],
): Promise<Principal | undefined> {
  const row = await readOne<PrincipalRow>(store, PRINCIPAL_SQL, user);
  if (!row || !isActive(row)) return undefined;
  return toPrincipal(row, { methods: [...methods], authenticated: toTime(store.now()) });
}

/** Notes a use, at most once a minute; a failure to do so spoils no login. */
async function noteUse(
  store: AuthStore,
  table: 'auth_session' | 'auth_token',
  hash: Buffer,
  used: string | null,
): Promise<void> {
  const now = store.now();
  if (used !== null && now - Date.parse(used) < USE_MILLIS) return;
  try {
    await store.database
      .kysely<Tables>()
      .updateTable(table)
      .set({ used: toTime(now) })
      .where('hash', '=', hash)
      .where((expression) =>
        expression.or([expression('used', 'is', null), expression('used', '<=', toTime(now - USE_MILLIS))]),
      )
      .execute();
  } catch (error) {
    store.log.warn({ err: error }, 'the use of a credential could not be noted');
  }
}

const sessionExpired = () => new ServiceError('SESSION_EXPIRED', 'the session has ended; log in again');

/** Answers VerifySession. */
export async function verifySession(
  store: AuthStore,
  request: { secret: string },
  _context: CallContext,
): Promise<{ principal: Principal }> {
  if (!isOpaqueSecret(request.secret)) throw sessionExpired();
  const key = fingerprintSecret(request.secret);
  const cached = store.principals.get(key);
  if (cached) return { principal: cached };
  const begun = store.principals.begin();
  const hash = hashSecret(request.secret);
  const row = await readOne<SessionPrincipalRow>(store, SESSION_SQL, hash);
  if (!row || !isActive(row)) throw sessionExpired();
  const now = store.now();
  const absolute = Date.parse(row.expires);
  if (now >= Math.min(absolute, Date.parse(row.used) + store.settings.sessionIdleMillis)) throw sessionExpired();
  await noteUse(store, 'auth_session', hash, row.used);
  const principal = toPrincipal(row, {
    methods: [...row.methods, 'session'],
    authenticated: row.authenticated,
    expires: toTime(Math.min(absolute, now + store.settings.sessionIdleMillis)),
    credential: row.credential,
  });
  store.principals.put(key, principal, begun);
  return { principal };
}

const badToken = () => new ServiceError('BAD_CREDENTIALS', 'the token is not valid');

/** Answers AuthenticateToken. */
export async function authenticateToken(
  store: AuthStore,
  request: { token: string },
  _context: CallContext,
): Promise<{ principal: Principal }> {
  const key = fingerprintSecret(request.token);
  const cached = store.principals.get(key);
  if (cached) return { principal: cached };
  if (!isTokenSecret(request.token)) throw badToken();
  const begun = store.principals.begin();
  const hash = hashSecret(request.token);
  const row = await readOne<TokenPrincipalRow>(store, TOKEN_SQL, hash);
  if (!row || !isActive(row)) throw badToken();
  const now = store.now();
  if (row.expires !== null && now >= Date.parse(row.expires)) throw badToken();
  await noteUse(store, 'auth_token', hash, row.used);
  const principal = toPrincipal(row, {
    methods: ['token'],
    authenticated: toTime(now),
    expires: row.expires ?? undefined,
    scopes: row.scopes as TokenScope[],
    scopeComponents: row.components,
    credential: row.credential,
  });
  store.principals.put(key, principal, begun);
  return { principal };
}
