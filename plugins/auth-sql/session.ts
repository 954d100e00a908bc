import {
  type CallContext,
  type CreateSessionRequest,
  type DeepPartial,
  type RevokeSessionsRequest,
  ServiceError,
  type Session,
  UserState,
} from '@bugless/kit/service';
import { type Selectable, sql } from 'kysely';
import { checkSubject } from './permission.ts';
import { createOpaqueSecret, hashSecret, isOpaqueSecret } from './secret.ts';
import { type AuthStore, toTime, type Work, writeStore } from './store.ts';
import type { SessionTable, Tables } from './tables.ts';
import { lockUser } from './user.ts';
import { cutText, isPlain } from './username.ts';

/** Sessions of one user; a login beyond them ends the oldest. */
const MAX_SESSIONS = 200;
const MAX_USER_AGENT_LENGTH = 300;

function toSession(store: AuthStore, row: Selectable<SessionTable>): DeepPartial<Session> {
  const idle = Date.parse(row.used) + store.settings.sessionIdleMillis;
  return {
    id: row.id,
    user: row.user_id,
    created: row.created,
    used: row.used,
    expires: toTime(Math.min(idle, Date.parse(row.expires))),
    userAgent: row.user_agent,
    address: row.address,
    methods: row.methods,
  };
}

/** Answers CreateSession. Every login gets a secret of its own, so none can be planted before it. */
export async function createSession(
  store: AuthStore,
  request: CreateSessionRequest,
  context: CallContext,
): Promise<{ secret: string; session: DeepPartial<Session> }> {
  const secret = createOpaqueSecret();
  const row = await writeStore(
    store,
    context,
    async (work) => {
      const user = await lockUser(work.k, request.user);
      if (user.state !== UserState.ACTIVE) throw new ServiceError('USER_INACTIVE', 'user: this user cannot log in');
      const surplus = await work.k
        .selectFrom('auth_session')
        .select('hash')
        .where('user_id', '=', user.id)
        .orderBy('created', 'desc')
        .offset(MAX_SESSIONS - 1)
        .execute();
      if (surplus.length > 0) {
        const hashes = surplus.map(({ hash }) => hash);
        await work.k.deleteFrom('auth_session').where('hash', 'in', hashes).execute();
      }
      const created: SessionTable = {
        hash: hashSecret(secret),
        id: store.createId(),
        user_id: user.id,
        created: work.now,
        used: work.now,
        expires: toTime(Date.parse(work.now) + store.settings.sessionAbsoluteMillis),
        user_agent: cutText(request.client?.userAgent ?? '', MAX_USER_AGENT_LENGTH),
        address: cutText(request.client?.address ?? '', 100),
        methods: request.methods,
      };
      await work.k.insertInto('auth_session').values(created).execute();
      // By day: who logs in when is nobody's business, whether an account is still used is.
      const day = `${work.now.slice(0, 10)}T00:00:00.000Z`;
      if (user.last_seen !== day) {
        await work.k.updateTable('auth_user').set({ last_seen: day }).where('id', '=', user.id).execute();
      }
      return created;
    },
    { keepPrincipals: true },
  );
  return { secret, session: toSession(store, row) };
}

/** Answers ListSessions: those that have not ended. */
export async function listSessions(
  store: AuthStore,
  request: { user: string },
  context: CallContext,
): Promise<{ sessions: DeepPartial<Session>[] }> {
  const id = request.user || context.user;
  checkSubject('listSessions', context, { id, owner: '' });
  if (!isPlain(id)) return { sessions: [] };
  const now = store.now();
  const rows = await store.database
    .kysely<Tables>()
    .selectFrom('auth_session')
    .selectAll()
    .where('user_id', '=', id)
    .where('expires', '>', toTime(now))
    .where('used', '>', toTime(now - store.settings.sessionIdleMillis))
    .orderBy('created', 'desc')
    .orderBy('id', 'desc')
    .limit(MAX_SESSIONS)
    .execute();
  return { sessions: rows.map((row) => toSession(store, row)) };
}

/** Ends all sessions of a user within a transaction, but for one that may stay. Answers how many. */
export async function endSessions(work: Work, user: string, keepSecret = ''): Promise<number> {
  let query = work.k.deleteFrom('auth_session').where('user_id', '=', user);
  if (isOpaqueSecret(keepSecret)) query = query.where('hash', '<>', hashSecret(keepSecret));
  return (await query.returning('id').execute()).length;
}

/** Answers RevokeSessions: by secret, by ids, or all of a user; each that is named. */
export async function revokeSessions(
  store: AuthStore,
  request: RevokeSessionsRequest,
  context: CallContext,
): Promise<{ count: number }> {
  const count = await writeStore(store, context, async (work) => {
    let ended = 0;
    if (isOpaqueSecret(request.secret)) {
      const row = await work.k
        .deleteFrom('auth_session')
        .where('hash', '=', hashSecret(request.secret))
        .returning(['user_id', 'id'])
        .executeTakeFirst();
      if (row) {
        ended += 1;
        await work.audit({ kind: 'logout', author: row.user_id, user: row.user_id, details: { session: row.id } });
      }
    }
    const ids = request.ids.filter((id) => id !== '' && isPlain(id));
    if (ids.length > 0) {
      const rows = await work.k
        .selectFrom('auth_session')
        .select(['id', 'user_id'])
        .where(sql<boolean>`id = any(${ids})`)
        .execute();
      for (const row of rows) {
        checkSubject('revokeSessions', context, { id: row.user_id, owner: '' });
        await work.k.deleteFrom('auth_session').where('id', '=', row.id).execute();
        await work.audit({ kind: 'session_revoked', user: row.user_id, details: { session: row.id } });
      }
      ended += rows.length;
    }
    if (request.user !== '') {
      checkSubject('revokeSessions', context, { id: request.user, owner: '' });
      const all = isPlain(request.user) ? await endSessions(work, request.user) : 0;
      if (all > 0) {
        await work.audit({ kind: 'session_revoked', user: request.user, details: { count: String(all) } });
      }
      ended += all;
    }
    return ended;
  });
  return { count };
}
