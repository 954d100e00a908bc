import { type ErrorReason, ServiceError } from '@bugless/kit/service';
import { SQL_STATE, sqlState } from './sql-state.ts';

/**
 * The connection was lost while COMMIT was under way: the transaction may be stored or
 * not. Find out by the request id before trying again; runTransaction does with `settle`.
 */
export class AmbiguousCommitError extends Error {
  override readonly name = 'AmbiguousCommitError';
  readonly code = SQL_STATE.commitUnknown;

  constructor(cause: unknown) {
    super('the connection was lost during COMMIT: the transaction may be stored or not', { cause });
  }
}

/** SQLSTATE by prefix, the first that fits: what callers of a plugin are told. */
const TABLE: readonly (readonly [prefix: string, reason: ErrorReason, message: string])[] = [
  [
    SQL_STATE.commitUnknown,
    'BACKEND_UNAVAILABLE',
    'the connection to the database was lost while the change was stored: it may be there or not; repeat it with the same request id',
  ],
  ['40', 'CONFLICT', 'somebody else changed the same data at the same time: try the whole request again'],
  [SQL_STATE.lockTimeout, 'CONFLICT', 'somebody else is changing the same data: try the whole request again'],
  ['53', 'OVERLOADED', 'the database is out of connections, memory or space: try again later'],
  [SQL_STATE.cancelled, 'DEADLINE_EXCEEDED', 'the database did not finish within the time that one statement may take'],
  ['08', 'BACKEND_UNAVAILABLE', 'the database cannot be reached: try again in a moment'],
  ['57P', 'BACKEND_UNAVAILABLE', 'the database is stopping or starting: try again in a moment'],
  ['25006', 'BACKEND_UNAVAILABLE', 'the database only allows reading at the moment: try again later'],
];

/**
 * Turns whatever was thrown into the one error that may leave a plugin. ServiceErrors
 * pass; the driver's words stay in `cause`, for the log.
 */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  if (isPoolExhausted(error)) {
    const message = 'all connections to the database are busy: try again in a moment';
    return new ServiceError('OVERLOADED', message, { cause: error, retryAfterMillis: 1_000 });
  }
  const state = sqlState(error) ?? (isConnectTimeout(error) ? SQL_STATE.connectionNotMade : undefined);
  const row = state === undefined ? undefined : TABLE.find(([prefix]) => state.startsWith(prefix));
  if (!row) return new ServiceError('INTERNAL', 'the request failed inside the server', { cause: error });
  const [, reason, message] = row;
  return new ServiceError(reason, message, {
    cause: error,
    ...(reason === 'OVERLOADED' ? { retryAfterMillis: 1_000 } : {}),
  });
}

/** The pool has no code of its own for these two, and makes them where no client sees them. */
export function isPoolExhausted(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect';
}

export function isConnectTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Connection terminated due to connection timeout';
}
