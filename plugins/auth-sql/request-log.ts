import { type CallContext, invalidField, ServiceError } from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import type { Work } from './store.ts';
import type { Tables } from './tables.ts';

/** How long a write may be repeated with its request id. */
export const REQUEST_RETENTION_MILLIS = 48 * 3_600_000;

const REQUEST_ID_FORM = /^[\x21-\x7e]{1,128}$/;

/** Callers without an id of their own (core itself) share one. */
function toCaller(context: CallContext): string {
  return context.user;
}

/**
 * Looks for the answer to an earlier write with the same request id: the id of what it made,
 * or undefined. Throws REQUEST_ID_REUSED when that was another request.
 */
export async function replayRequest(
  k: Kysely<Tables>,
  context: CallContext,
  requestId: string,
  fingerprint: Buffer,
): Promise<string | undefined> {
  if (requestId === '') return undefined;
  if (!REQUEST_ID_FORM.test(requestId)) throw invalidField('request_id', 'is not 1 to 128 visible ASCII characters');
  const row = await k
    .selectFrom('auth_request')
    .select(['fingerprint', 'result'])
    .where('caller', '=', toCaller(context))
    .where('request_id', '=', requestId)
    .executeTakeFirst();
  if (!row) return undefined;
  if (!row.fingerprint.equals(fingerprint)) {
    throw new ServiceError('REQUEST_ID_REUSED', 'request_id: another request was made with it; choose a new one');
  }
  return row.result;
}

/** Remembers the answer in the same transaction as the write; the key decides races. */
export async function saveRequest(
  work: Work,
  context: CallContext,
  requestId: string,
  fingerprint: Buffer,
  result: string,
): Promise<void> {
  if (requestId === '') return;
  await work.k
    .insertInto('auth_request')
    .values({ caller: toCaller(context), request_id: requestId, fingerprint, result, created: work.now })
    .execute();
}
