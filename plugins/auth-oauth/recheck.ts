import { type AuthStore, type Tables, toTime, writeStore } from '@bugless/auth-sql';
import { createSystemContext, type Principal, ServiceError } from '@bugless/kit/service';
import * as oauth from 'openid-client';
import { refreshAccount } from './account.ts';
import { findRefusal, readProfile } from './claims.ts';
import { toLoginError } from './failure.ts';
import type { Provider } from './provider.ts';
import { readClaims } from './provider-claims.ts';
import { openSecrets, sealSecrets } from './provider-secrets.ts';

/** One process looks at the same user so often at most. */
const LOOK_MILLIS = 60_000;
const MAX_NOTED = 10_000;

interface DueIdentity {
  readonly user: string;
  readonly issuer: string;
  readonly subject: string;
  readonly label: string;
  readonly sealed: string;
}

/**
 * Asks the provider now and then, with the refresh token of the login, whether an account whose
 * session is in use is still there. One that is not, or may not log in any more, loses the
 * sessions that were begun through this connection; of one that is, groups and the admin bit
 * follow. In the background: no request waits for it.
 */
export class Rechecker {
  readonly #getStore: () => AuthStore;
  readonly #providers: ReadonlyMap<string, Provider>;
  /** `connection user` → when to look again, milliseconds since the epoch. */
  readonly #looks = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();

  constructor(getStore: () => AuthStore, providers: ReadonlyMap<string, Provider>) {
    this.#getStore = getStore;
    this.#providers = providers;
  }

  /** Notes that a session is in use. */
  note(principal: Principal): void {
    for (const method of principal.methods) {
      if (!method.startsWith('browser:')) continue;
      const provider = this.#providers.get(method.slice('browser:'.length));
      const interval = provider?.connection.recheckMillis;
      if (!provider || interval === undefined) continue;
      const store = this.#getStore();
      const user = principal.user?.id ?? '';
      const key = `${provider.connection.id} ${user}`;
      if (store.now() < (this.#looks.get(key) ?? 0)) continue;
      if (this.#looks.size >= MAX_NOTED) this.#looks.clear();
      this.#looks.set(key, store.now() + Math.min(interval, LOOK_MILLIS));
      const run = recheckUser(store, provider, user, interval).finally(() => this.#running.delete(run));
      this.#running.add(run);
    }
  }

  /** Waits for what is under way. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** Never rejects: whoever is rechecked has a session, and keeps it unless the provider says no. */
async function recheckUser(store: AuthStore, provider: Provider, user: string, interval: number): Promise<void> {
  const { connection } = provider;
  try {
    for (const identity of await claimDue(store, connection.id, user, interval)) {
      if (await isStillWelcome(store, provider, identity)) continue;
      await endProviderSessions(store, connection.id, user);
    }
  } catch (error) {
    const failure = toLoginError(error, connection, store.log);
    const facts = failure instanceof ServiceError ? { code: failure.reason } : { err: failure };
    store.log.warn(
      { ...facts, connection: connection.id, user },
      'the provider could not be asked whether an account is still there',
    );
  }
}

/** The links that are due. Of several processes one gets each. */
async function claimDue(store: AuthStore, connection: string, user: string, interval: number): Promise<DueIdentity[]> {
  const now = store.now();
  return store.database
    .kysely<Tables>()
    .updateTable('auth_identity')
    .set({ used: toTime(now) })
    .where('user_id', '=', user)
    .where('connection', '=', connection)
    .where('sealed', '<>', '')
    .where('used', '<=', toTime(now - interval))
    .returning(['user_id as user', 'issuer', 'subject', 'label', 'sealed'])
    .execute();
}

async function isStillWelcome(store: AuthStore, provider: Provider, identity: DueIdentity): Promise<boolean> {
  const { connection } = provider;
  const { refreshToken, idToken } = await openSecrets(store, identity, identity.sealed);
  if (refreshToken === undefined) return true;
  const context = createSystemContext();
  const metadata = await provider.getMetadata();
  const client = provider.createClient(metadata, context);
  let tokens: Awaited<ReturnType<typeof oauth.refreshTokenGrant>>;
  try {
    tokens = await oauth.refreshTokenGrant(client, refreshToken);
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant') return false;
    throw error;
  }
  const { claims } = await readClaims(provider, metadata, client, tokens, identity.subject);
  const profile = readProfile(claims, connection.claims);
  if (profile.subject !== identity.subject || findRefusal(connection, profile) !== undefined) return false;
  const account = { ...identity, connection: connection.id };
  // A provider that rotates refresh tokens ends the old one with this answer.
  const kept = { refreshToken: tokens.refresh_token ?? refreshToken, idToken: tokens.id_token ?? idToken };
  const sealed = await sealSecrets(store, connection, account, kept);
  await refreshAccount(store, { connection, account, profile, sealed, address: '' }, context);
  return true;
}

async function endProviderSessions(store: AuthStore, connection: string, user: string): Promise<void> {
  await writeStore(store, createSystemContext(), async (work) => {
    const ended = await work.k
      .deleteFrom('auth_session')
      .where('user_id', '=', user)
      .where((expression) => expression(expression.val(`browser:${connection}`), '=', expression.fn.any('methods')))
      .returning('id')
      .execute();
    await work.k
      .updateTable('auth_identity')
      .set({ sealed: '' })
      .where('user_id', '=', user)
      .where('connection', '=', connection)
      .execute();
    const details = { count: String(ended.length), connection, by: 'provider' };
    await work.audit({ kind: 'session_revoked', user, details });
  });
}
