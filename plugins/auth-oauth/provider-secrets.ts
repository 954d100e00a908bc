import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type AuthStore, type ExternalAccount, readKey } from '@bugless/auth-sql';
import type { Connection } from './connection.ts';

/** What a provider gave for later, kept with the link to an account. */
export interface ProviderSecrets {
  /** Names the login when it is to end at the provider too. */
  readonly idToken?: string | undefined;
  /** For asking whether the account is still there. */
  readonly refreshToken?: string | undefined;
}

const KEY_NAME = 'auth-oauth';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Longer ones are not kept: the login goes on without. */
const MAX_LENGTH = 16_000;

/** Bound to its account: moved to another row it cannot be opened. */
function getOwner({ issuer, subject }: { issuer: string; subject: string }): Buffer {
  return Buffer.from(JSON.stringify([issuer, subject]));
}

/**
 * Seals (AES-256-GCM) what the connection needs again, under a key of the store: a leaked table
 * of links alone gives nothing. Empty: nothing is needed.
 */
export async function sealSecrets(
  store: AuthStore,
  connection: Connection,
  account: ExternalAccount,
  secrets: ProviderSecrets,
): Promise<string> {
  const kept: ProviderSecrets = {
    idToken: connection.logout ? secrets.idToken : undefined,
    refreshToken: connection.recheckMillis === undefined ? undefined : secrets.refreshToken,
  };
  if (kept.idToken === undefined && kept.refreshToken === undefined) return '';
  const text = JSON.stringify(kept);
  if (text.length > MAX_LENGTH) {
    store.log.warn(
      { connection: connection.id, length: text.length },
      'the tokens of the provider are too long to be kept',
    );
    return '';
  }
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', await readKey(store, KEY_NAME), nonce);
  cipher.setAAD(getOwner(account));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
}

/** Opens what {@link sealSecrets} sealed; what cannot be opened (another key, another account) is nothing. */
export async function openSecrets(
  store: AuthStore,
  account: { issuer: string; subject: string },
  sealed: string,
): Promise<ProviderSecrets> {
  if (sealed === '') return {};
  const bytes = Buffer.from(sealed, 'base64url');
  try {
    const decipher = createDecipheriv('aes-256-gcm', await readKey(store, KEY_NAME), bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(getOwner(account));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    return JSON.parse(text.toString()) as ProviderSecrets;
  } catch (error) {
    store.log.warn({ code: (error as NodeJS.ErrnoException).code }, 'sealed tokens of a provider cannot be opened');
    return {};
  }
}
