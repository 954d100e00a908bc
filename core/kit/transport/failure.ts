import { randomUUID } from 'node:crypto';
import type { CallContext } from '../service/context.ts';
import { ERRORS, type ErrorReason, ServiceError } from '../service/error.ts';

/** Where the layers below say what callers must not see. Pino's form: facts first. */
export interface FailureLog {
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** Bounds of what an error carries: on gRPC it has to fit into the trailers of HTTP/2. */
const MAX_MESSAGE_LENGTH = 2_000;
const MAX_VIOLATIONS = 32;
const MAX_TEXT_LENGTH = 400;
const MAX_METADATA = 16;

/** Whether it is a ServiceError, of this copy of the kit or of another one that a plugin brought. */
export function isServiceError(error: unknown): error is ServiceError {
  if (error instanceof ServiceError) return true;
  return (
    error instanceof Error && error.name === 'ServiceError' && Object.hasOwn(ERRORS, (error as ServiceError).reason)
  );
}

/**
 * What leaves an implementation for whatever it threw: a documented reason, cut to what every transport
 * carries, without its cause. A cause goes to the log; so does anything undocumented, which leaves as INTERNAL
 * with the correlation id under which it was logged.
 */
export function exposeFailure(error: unknown, method: string, context: CallContext, log: FailureLog): ServiceError {
  if (isServiceError(error)) {
    // Nobody waits for the answer of a cancelled call, and no operator can do anything about it.
    if (error.cause !== undefined && error.reason !== 'CANCELLED') {
      log.warn({ method, requestId: context.requestId, reason: error.reason, err: error.cause }, error.message);
    }
    return copyError(error);
  }
  if (isAbort(error) && context.signal?.aborted) return createAbortError(method, context);
  const correlationId = randomUUID();
  log.error({ method, requestId: context.requestId, correlationId, err: error }, `${method} failed unexpectedly`);
  return new ServiceError('INTERNAL', `internal error; the log has it under ${correlationId}`, {
    metadata: { correlation_id: correlationId },
  });
}

/** The same error, bounded and without its cause. */
export function copyError(error: ServiceError): ServiceError {
  const violations = (error.violations ?? []).slice(0, MAX_VIOLATIONS).map(({ field, description }) => ({
    field: cut(field, MAX_TEXT_LENGTH),
    description: cut(description, MAX_TEXT_LENGTH),
  }));
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(error.metadata ?? {}).slice(0, MAX_METADATA)) {
    metadata[cut(key, 64)] = cut(String(value), MAX_TEXT_LENGTH);
  }
  const wait = error.retryAfterMillis;
  return new ServiceError(error.reason as ErrorReason, cut(error.message, MAX_MESSAGE_LENGTH), {
    violations,
    metadata,
    ...(wait === undefined ? {} : { retryAfterMillis: Math.max(0, Math.ceil(wait)) }),
  });
}

/** Why a call ended early: its deadline passed, or its caller went away. */
export function createAbortError(method: string, context: Pick<CallContext, 'deadline'>): ServiceError {
  return context.deadline !== undefined && Date.now() >= context.deadline
    ? new ServiceError('DEADLINE_EXCEEDED', `${method} took longer than its deadline allows`)
    : new ServiceError('CANCELLED', `${method} was cancelled by its caller`);
}

/** The answer to an RPC that an implementation left out. */
export function createAbsentError(method: string): ServiceError {
  return new ServiceError('CAPABILITY_ABSENT', `${method} is not implemented by this plugin`, { metadata: { method } });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

function cut(text: string, length: number): string {
  const whole = text.length > length ? `${text.slice(0, length - 1)}…` : text;
  return whole.isWellFormed() ? whole : whole.toWellFormed();
}
