import { type CallContext, invalidField, ServiceError } from '@bugless/kit/service';
import { type Environment, requireLogin } from './environment.ts';

/**
 * Does a write in one transaction, and once per request id: a repeat gets the
 * first answer. The claim of the id is part of the transaction, so there is no
 * moment in which one is kept without the other.
 */
export function writeOnce<Request extends { readonly requestId: string }, Answer>(
  { store }: Environment,
  context: CallContext,
  method: string,
  request: Request,
  write: () => Answer,
): Answer {
  requireLogin(context);
  const { requestId } = request;
  if (requestId === '') return store.transact(write);
  if (!/^[\x21-\x7e]{1,128}$/.test(requestId))
    throw invalidField('request_id', 'takes 1 to 128 visible ASCII characters');

  const key = JSON.stringify([context.user, requestId]);
  const body = JSON.stringify([method, request]);
  const done = store.requests.get(key);
  if (done && done.body !== body)
    throw new ServiceError(
      'REQUEST_ID_REUSED',
      `request_id: ${requestId} belongs to another request; choose a new one`,
    );
  if (done) return done.answer as Answer;
  return store.transact(() => {
    const answer = write();
    store.put(store.requests, key, { body, answer });
    return answer;
  });
}
