/**
 * SQLSTATE codes (PostgreSQL manual, appendix A) are what decides here, never an
 * exception's class or text: the ORM wraps the same code differently in the body and at
 * COMMIT. The client gives a lost connection, which has no code, `08006`, and one
 * that could not be made `08001`.
 */
export const SQL_STATE = {
  connectionNotMade: '08001',
  connectionLost: '08006',
  abortedTransaction: '25P02',
  serializationFailure: '40001',
  commitUnknown: '40003',
  deadlock: '40P01',
  uniqueViolation: '23505',
  lockTimeout: '55P03',
  cancelled: '57014',
} as const;

/** The error's SQLSTATE; undefined when it has none. A system's `EPIPE` also has five letters, and is none. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return typeof code === 'string' && syscall === undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** The connection is gone, or could not be made: classes 08 and 57P (the server is going, gone or starting), too many clients. */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && (/^08|^57P/.test(state) || state === '53300');
}

/** The whole transaction may be run again at once: the engine chose it as the victim of a conflict. */
export function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state === SQL_STATE.serializationFailure || state === SQL_STATE.deadlock;
}

/** A prepared statement that the schema has outgrown, or that a pooler forgot; the client does not name it again. */
export function isStaleStatement(error: unknown): boolean {
  const state = sqlState(error);
  if (state === '26000') return true;
  const { routine, message } = error as { routine?: string; message?: string };
  return state === '0A000' && (routine === 'RevalidateCachedQuery' || /cached plan/.test(message ?? ''));
}

/** Worth another try of the whole transaction, provided that COMMIT had not been sent. */
export function isRetryable(error: unknown): boolean {
  return isConflict(error) || isConnectionLoss(error) || isStaleStatement(error);
}

/** A unique key is taken; optionally only if it is that constraint or index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlState(error) !== SQL_STATE.uniqueViolation) return false;
  return constraint === undefined || (error as { constraint?: string }).constraint === constraint;
}
