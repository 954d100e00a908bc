/**
 * Page tokens: where the last page ended. Opaque to callers, without authority: a
 * token names values to go on behind, and what may be seen is decided anew.
 */
import { ServiceError } from '../service/error.ts';
import { isId } from './check.ts';

/** A value that a list is ordered by; null: the row has none. Times as ISO, numbers and enums as numbers, all else as text. */
export type OrderValue = string | number | null;

/** The place behind which a page begins. */
export interface PagePosition {
  /** Values of the last row, one for each key of the order. */
  readonly keys: readonly OrderValue[];
  /** Its id, which breaks ties; empty where keys are unique. */
  readonly id: string;
}

const FORM = 1;
const MAX_LENGTH = 8192;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * A short name of a request's other fields (filter, order, parent …): a token is
 * good only for the request that it came from. Guards against mistakes, not malice:
 * two 32-bit FNV-1a hashes of the JSON. Messages have to be whole (fromPartial), so that their fields come in one order.
 */
export function fingerprintRequest(...parts: readonly unknown[]): string {
  const text = JSON.stringify(parts);
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ (unit + index), 0x01000193);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36);
}

/** Makes the token of a place, for a request of this fingerprint. */
export function encodePageToken(position: PagePosition, fingerprint: string): string {
  return Buffer.from(JSON.stringify([FORM, fingerprint, position.id, ...position.keys])).toString('base64url');
}

/**
 * The place that a token names; undefined of the empty token: the first page.
 * BAD_PAGE_TOKEN when malformed or of another request.
 */
export function decodePageToken(token: string, fingerprint: string, keyCount?: number): PagePosition | undefined {
  if (token === '') return undefined;
  const parts = readParts(token);
  if (parts === undefined) throw refuseToken('is not one that was given out');
  const [form, made, id, ...keys] = parts;
  if (form !== FORM || typeof made !== 'string' || typeof id !== 'string' || (id !== '' && !isId(id))) {
    throw refuseToken('is not one that was given out');
  }
  if (made !== fingerprint) throw refuseToken('belongs to another request: filter, order or parent differ');
  const whole = keys.every((key) => key === null || typeof key === 'string' || typeof key === 'number');
  if (!whole || (keyCount !== undefined && keys.length !== keyCount))
    throw refuseToken('is not one that was given out');
  return { keys: keys as OrderValue[], id };
}

function readParts(token: string): unknown[] | undefined {
  if (token.length > MAX_LENGTH || !/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  try {
    const parts: unknown = JSON.parse(decoder.decode(Buffer.from(token, 'base64url')));
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    return undefined;
  }
}

function refuseToken(problem: string): ServiceError {
  const description = `${problem}; start again from the first page`;
  return new ServiceError('BAD_PAGE_TOKEN', `page_token: ${description}`, {
    violations: [{ field: 'page_token', description }],
  });
}
