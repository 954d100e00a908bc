import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/*
 * Secrets are made of chance alone, so one SHA-256 at rest is enough: there is nothing to
 * guess that a slow hash would protect. Passwords, which people choose, are another matter.
 */

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TOKEN_PREFIX = 'bl_';
const TOKEN_BODY = 43;
const TOKEN_CHECKSUM = 6;
const TOKEN_FORM = /^bl_[0-9A-Za-z]{49}$/;
const OPAQUE_FORM = /^[0-9A-Za-z_-]{43}$/;

/** Characters of a token that lists show, to recognise it by. */
export const TOKEN_HINT_LENGTH = 12;

function formatBase62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = BASE62[Number(rest % 62n)] + text;
  return text;
}

function computeChecksum(text: string): string {
  return formatBase62(BigInt(crc32(text)), TOKEN_CHECKSUM);
}

/** Makes an API token: `bl_`, 256 bits of chance in 43 characters, and the CRC-32 of both in 6. */
export function createTokenSecret(): string {
  const body = TOKEN_PREFIX + formatBase62(BigInt(`0x${randomBytes(32).toString('hex')}`), TOKEN_BODY);
  return body + computeChecksum(body);
}

/**
 * Tells whether a text can be a token at all. Needs no query: a mistyped or cut token, or
 * a secret of something else, ends here; scanners for leaked secrets use the same form.
 */
export function isTokenSecret(text: string): boolean {
  if (!TOKEN_FORM.test(text)) return false;
  const end = TOKEN_PREFIX.length + TOKEN_BODY;
  return computeChecksum(text.slice(0, end)) === text.slice(end);
}

/** Makes the secret of a session or a one-time code: 256 bits in 43 characters that fit a URL. */
export function createOpaqueSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** Tells whether a text has the form of {@link createOpaqueSecret}. */
export function isOpaqueSecret(text: string): boolean {
  return OPAQUE_FORM.test(text);
}

/** SHA-256 of a secret: all of it that is ever stored. */
export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** The same as text, for the keys of caches and throttles. */
export function fingerprintSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}
