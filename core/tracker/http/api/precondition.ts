import { invalidField, ServiceError } from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';
import { isRequestId } from '../request-context.ts';

/**
 * The version that `If-Match` names (RFC 9110, 13.1.1); "0" without the header, or with `*`: do not compare.
 *
 * @throws ServiceError INVALID_FIELD when it is no ETag of ours; VERSION_MISMATCH for a weak one, which never matches.
 */
export function readIfMatch(request: FastifyRequest): string {
  const header = request.headers['if-match'];
  if (header === undefined || header === '*') return '0';
  const match = /^(W\/)?"?([1-9]\d{0,18})"?$/.exec(header.trim());
  if (match === null) throw invalidField('If-Match', 'expected the ETag of the last answer, as "7"');
  if (match[1] !== undefined) {
    throw new ServiceError('VERSION_MISMATCH', 'If-Match needs a strong ETag, as "7" without W/.');
  }
  return match[2]!;
}

/** The ETag of a version. */
export function formatETag(version: string): string {
  return `"${version}"`;
}

/**
 * The caller's name for this write, by which a repeated one is known: `Idempotency-Key`; '' without.
 *
 * @throws ServiceError INVALID_FIELD.
 */
export function readIdempotencyKey(request: FastifyRequest): string {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return '';
  // The draft standard writes it as a quoted string; both forms are the same key.
  const key = typeof header === 'string' ? header.replace(/^"(.*)"$/, '$1') : '';
  if (!isRequestId(key)) throw invalidField('Idempotency-Key', 'expected 1 to 128 visible ASCII characters');
  return key;
}
