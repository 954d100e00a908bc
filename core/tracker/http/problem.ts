import { findNearest } from '@bugless/kit/domain';
import { ERRORS, type ErrorReason, type FieldViolation, ServiceError } from '@bugless/kit/service';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

/** The body of a failure: RFC 9457, with the reason of the error table. */
export interface Problem {
  /** Where the reason is documented, relative to this server. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly reason: ErrorReason;
  readonly requestId: string;
  readonly violations?: readonly { readonly field: string; readonly description: string }[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Any throw as a documented failure; what is not one becomes INTERNAL, its cause kept for the log. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const { code, statusCode, validation } = error as Partial<FastifyError>;
  const known = typeof code === 'string' ? FRAMEWORK_ERRORS[code] : undefined;
  if (known !== undefined) return new ServiceError(known[0], known[1], { cause: error });
  if (validation !== undefined) return fromValidation(error as FastifyError);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new ServiceError('INVALID_FIELD', 'The request cannot be understood.', { cause: error });
  }
  return new ServiceError('INTERNAL', 'Something went wrong on our side; the request id names it in the log.', {
    cause: error,
  });
}

/** What the HTTP framework throws by itself. */
const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [ErrorReason, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['BODY_TOO_LARGE', 'The request body is larger than this server takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'Send the body with Content-Type: application/json.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['INVALID_JSON', 'The body is empty; send JSON, or no Content-Type.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['INVALID_JSON', 'The body is not well-formed JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['INVALID_JSON', 'The body is not as long as Content-Length says.'],
  FST_ERR_BAD_URL: ['ROUTE_NOT_FOUND', 'The address is not well-formed.'],
  FST_ERR_ASYNC_CONSTRAINT: ['ROUTE_NOT_FOUND', 'There is nothing at this address.'],
};

interface ValidationIssue {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
  readonly parentSchema?: { readonly properties?: object };
}

function fromValidation(error: FastifyError): ServiceError {
  const where = (error as { validationContext?: string }).validationContext ?? 'body';
  const violations: FieldViolation[] = [];
  const issues = (error.validation ?? []) as unknown as ValidationIssue[];
  // A misspelt field explains the one that is missing.
  const unknownFirst = issues.toSorted(
    (a, b) => Number(b.keyword === 'additionalProperties') - Number(a.keyword === 'additionalProperties'),
  );
  for (const issue of unknownFirst) {
    if (violations.length === 20) break;
    const violation = describeIssue(issue, where);
    if (!violations.some((other) => other.field === violation.field)) violations.push(violation);
  }
  const first = violations[0] ?? { field: '', description: 'the request is malformed' };
  return new ServiceError(
    'INVALID_FIELD',
    first.field === '' ? first.description : `${first.field}: ${first.description}`,
    {
      violations,
    },
  );
}

function describeIssue(issue: ValidationIssue, where: string): FieldViolation {
  const path = issue.instancePath
    .slice(1)
    .split('/')
    .filter((step) => step !== '')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((text, step) => (/^\d+$/.test(step) ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`), '');
  const below = (key: unknown) => (path === '' ? String(key) : `${path}.${key}`);
  switch (issue.keyword) {
    case 'additionalProperties':
      return { field: below(issue.params.additionalProperty), description: describeUnknown(issue) };
    case 'required':
      return { field: below(issue.params.missingProperty), description: 'is required' };
    case 'enum':
      return { field: path, description: `expected one of: ${(issue.params.allowedValues as unknown[]).join(', ')}` };
    case 'type':
      if (path === '' && where === 'body') return { field: '', description: 'send a JSON object as the body' };
      return { field: path, description: `expected ${([] as unknown[]).concat(issue.params.type).join(' or ')}` };
    default:
      return { field: path, description: issue.message ?? 'is not valid' };
  }
}

function describeUnknown({ params, parentSchema }: ValidationIssue): string {
  const near = findNearest(String(params.additionalProperty), Object.keys(parentSchema?.properties ?? {}));
  return near === undefined ? 'unknown field' : `unknown field; did you mean "${near}"?`;
}

/** The status, headers and body that a failure is answered with on the API. */
export function formatProblem(error: ServiceError, requestId: string): Problem {
  const row = ERRORS[error.reason];
  return {
    type: `/api/docs#${error.reason}`,
    title: row.recovery,
    status: row.http,
    detail: error.message,
    reason: error.reason,
    requestId,
    ...(error.violations.length > 0 && {
      violations: error.violations.map(({ field, description }) => ({ field: toCamelPath(field), description })),
    }),
    ...(Object.keys(error.metadata).length > 0 && { metadata: error.metadata }),
  };
}

/** `issue.found_in[3]` → `foundIn[3]`: paths in the proto's request to paths in the JSON body. */
export function toCamelPath(path: string): string {
  return path
    .replace(/^(issue|component|hotlist|user)\./, '')
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Answers a failure as problem+json and logs what is our fault. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = toServiceError(error);
  logFailure(failure, request);
  setFailureHeaders(failure, reply);
  const problem = formatProblem(failure, request.id);
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** Headers that go with a failure on every surface. */
export function setFailureHeaders(failure: ServiceError, reply: FastifyReply): void {
  if (failure.code === 'UNAUTHENTICATED') reply.header('WWW-Authenticate', 'Bearer realm="bugless"');
  if (failure.retryAfterMillis !== undefined) {
    reply.header('Retry-After', String(Math.max(1, Math.ceil(failure.retryAfterMillis / 1000))));
  }
}

/** Logs failures that an operator has to know of, with their cause; others only as a fact of debugging. */
export function logFailure(failure: ServiceError, request: FastifyRequest): void {
  const status = ERRORS[failure.reason].http;
  const facts = { requestId: request.id, reason: failure.reason, err: failure.cause ?? failure };
  if (status >= 500 && failure.reason !== 'CAPABILITY_ABSENT') request.log.error(facts, failure.message);
  else request.log.debug({ requestId: request.id, reason: failure.reason }, failure.message);
}

/** What is not there, on the API. */
export function refuseUnknownRoute(method: string, url: string): ServiceError {
  return new ServiceError('ROUTE_NOT_FOUND', `There is no ${method} ${url.split('?', 1)[0]} here.`);
}
