import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createOpaqueSecret, hashSecret, isOpaqueSecret } from './secret.ts';
import { type AuthStore, toTime } from './store.ts';
import type { Tables } from './tables.ts';

/*
 * A login under way in a browser: begun at one core, completed at any, once. What comes back
 * from the provider is the state's secret alone; the store has its hash, and the hash of the
 * secret in the browser's cookie.
 */

/** A login under way. */
export interface LoginState {
  readonly connection: string;
  /** Secret of the browser's binding cookie. */
  readonly binding: string;
  /** What the plugin needs at the end (nonce, PKCE verifier, return address): a JSON value. */
  readonly data: unknown;
}

/** Keeps a state and answers its secret: the `state` parameter (RFC 6749, section 4.1.1). */
export async function putLoginState(
  store: AuthStore,
  state: LoginState,
  lifetimeMillis: number,
): Promise<{ secret: string; expires: string }> {
  const secret = createOpaqueSecret();
  const expires = toTime(store.now() + lifetimeMillis);
  await store.database
    .kysely<Tables>()
    .insertInto('auth_login_state')
    .values({
      hash: hashSecret(secret),
      connection: state.connection,
      binding: hashSecret(state.binding),
      data: JSON.stringify(state.data),
      expires,
    })
    .execute();
  return { secret, expires };
}

/**
 * Takes a state: a second time it is not there. Undefined when it is unknown, used, over, of
 * another connection, or of another browser; in every one of these cases it is gone.
 */
export async function takeLoginState(
  store: AuthStore,
  request: { secret: string; connection: string; binding: string },
): Promise<unknown> {
  if (!isOpaqueSecret(request.secret)) return undefined;
  // One statement: of two callbacks at once, one gets the row.
  const row = await store.database
    .kysely<Tables>()
    .deleteFrom('auth_login_state')
    .where('hash', '=', hashSecret(request.secret))
    .returningAll()
    .executeTakeFirst();
  if (!row || row.connection !== request.connection || Date.parse(row.expires) <= store.now()) return undefined;
  if (!timingSafeEqual(row.binding, hashSecret(request.binding))) return undefined;
  return JSON.parse(row.data);
}

/**
 * A key made by the store on first use and the same for every process on it: for sealing what
 * has to be read again (refresh tokens). 32 bytes.
 */
export async function readKey(store: AuthStore, name: string): Promise<Buffer> {
  const k = store.database.kysely<Tables>();
  const read = () => k.selectFrom('auth_key').select('value').where('name', '=', name).executeTakeFirst();
  const found = await read();
  if (found) return found.value;
  await k
    .insertInto('auth_key')
    .values({ name, value: randomBytes(32) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return (await read())!.value;
}
