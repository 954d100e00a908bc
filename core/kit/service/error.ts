/**
 * The one table of errors: reason → gRPC status → HTTP status → what the caller
 * should do. Reasons are stable and documented at the RPCs (proto comments);
 * the wire and HTTP layers only read this table.
 */

/** Canonical status codes of gRPC (google.rpc.Code), as far as Bugless answers them, with their numbers. */
export const STATUS_CODES = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** Name of a canonical status code. */
export type StatusCode = keyof typeof STATUS_CODES;

interface ErrorRow {
  readonly code: StatusCode;
  /** RFC 9110 status that the HTTP surfaces answer. */
  readonly http: number;
  /** What the caller should do, for the reference. */
  readonly recovery: string;
}

const row = (code: StatusCode, http: number, recovery: string): ErrorRow => ({ code, http, recovery });

/** Every reason that a Bugless service answers. */
export const ERRORS = {
  // The request
  INVALID_FIELD: row('INVALID_ARGUMENT', 400, 'Change the fields named in the violations.'),
  INVALID_JSON: row('INVALID_ARGUMENT', 400, 'Send a well-formed JSON body.'),
  BAD_FILTER: row('INVALID_ARGUMENT', 400, 'Change the query at the column named.'),
  BAD_ORDER: row('INVALID_ARGUMENT', 400, 'Order by fields that can be ordered by.'),
  BAD_PAGE_TOKEN: row('INVALID_ARGUMENT', 400, 'Start again from the first page.'),
  BAD_CURSOR: row('INVALID_ARGUMENT', 400, 'Use a cursor as it was given, or none.'),
  WEAK_PASSWORD: row('INVALID_ARGUMENT', 400, 'Choose another password.'),
  BODY_TOO_LARGE: row('RESOURCE_EXHAUSTED', 413, 'Send less.'),
  UNSUPPORTED_MEDIA_TYPE: row('INVALID_ARGUMENT', 415, 'Send a supported content type.'),
  BAD_CSRF_TOKEN: row('PERMISSION_DENIED', 403, 'Reload the page and send the form again.'),
  // Who acts
  LOGIN_REQUIRED: row('UNAUTHENTICATED', 401, 'Log in, or send a token.'),
  BAD_CREDENTIALS: row('UNAUTHENTICATED', 401, 'Check the credential.'),
  SESSION_EXPIRED: row('UNAUTHENTICATED', 401, 'Log in again.'),
  STATE_MISMATCH: row('UNAUTHENTICATED', 401, 'Begin the login again, in the same browser.'),
  LOGIN_DENIED: row('UNAUTHENTICATED', 401, 'Begin the login again and allow it at the provider.'),
  NOT_ALLOWED: row('UNAUTHENTICATED', 401, 'Ask an administrator for access.'),
  FORBIDDEN: row('PERMISSION_DENIED', 403, 'Ask an administrator for the permission named.'),
  SCOPE_EXCEEDED: row('PERMISSION_DENIED', 403, 'Use a token with the scope named.'),
  // What is not there
  ISSUE_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id; it may not exist or not be visible to you.'),
  UPDATE_NOT_FOUND: row('NOT_FOUND', 404, 'Check the sequence number.'),
  COMPONENT_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id; it may not exist or not be visible to you.'),
  HOTLIST_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id; it may not exist or not be visible to you.'),
  ATTACHMENT_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id.'),
  WEBHOOK_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id.'),
  DELIVERY_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id.'),
  USER_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id or the username.'),
  GROUP_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id.'),
  TOKEN_NOT_FOUND: row('NOT_FOUND', 404, 'Check the id.'),
  CONNECTION_NOT_FOUND: row('NOT_FOUND', 404, 'Use a connection that the login page lists.'),
  ROUTE_NOT_FOUND: row('NOT_FOUND', 404, 'Check the address.'),
  METHOD_NOT_ALLOWED: row('UNIMPLEMENTED', 405, 'Use a method that the address allows.'),
  // What stands in the way
  NAME_TAKEN: row('ALREADY_EXISTS', 409, 'Choose another name.'),
  ID_TAKEN: row('ALREADY_EXISTS', 409, 'Let the Model choose the id.'),
  REQUEST_ID_REUSED: row('ALREADY_EXISTS', 409, 'Use a new request id for a new request.'),
  VERSION_MISMATCH: row('ABORTED', 412, 'Read again, merge, and send the new version.'),
  CONFLICT: row('ABORTED', 409, 'Try the whole request again.'),
  VERSION_REQUIRED: row('FAILED_PRECONDITION', 428, 'Send the version that you saw.'),
  BAD_TRANSITION: row('FAILED_PRECONDITION', 409, 'Choose a status that follows from the present one.'),
  CYCLE: row('FAILED_PRECONDITION', 409, 'Choose another issue or component: this one would close a loop.'),
  DUPLICATE_NEEDS_CANONICAL: row('FAILED_PRECONDITION', 409, 'Name the issue that this one duplicates.'),
  COMPONENT_ARCHIVED: row('FAILED_PRECONDITION', 409, 'Choose a component that is not archived.'),
  TREE_TOO_DEEP: row('FAILED_PRECONDITION', 409, 'Choose a place nearer to the root.'),
  FIELD_IN_USE: row('FAILED_PRECONDITION', 409, 'Leave the field as it is: issues use it.'),
  REDACTED: row('FAILED_PRECONDITION', 409, 'Write a new comment: this one was withdrawn.'),
  TOO_MANY: row('FAILED_PRECONDITION', 409, 'Delete some first.'),
  ALREADY_SET_UP: row('FAILED_PRECONDITION', 409, 'Log in as the administrator.'),
  LAST_ADMIN: row('FAILED_PRECONDITION', 409, 'Make another administrator first.'),
  USER_INACTIVE: row('FAILED_PRECONDITION', 409, 'Reactivate the user first.'),
  NOT_A_PLACEHOLDER: row('FAILED_PRECONDITION', 409, 'Choose a placeholder.'),
  LEASE_LOST: row('FAILED_PRECONDITION', 409, 'Drop the work: somebody else has it.'),
  PLUGIN_INCOMPATIBLE: row('FAILED_PRECONDITION', 500, 'Install matching versions of core and plugin.'),
  CURSOR_EXPIRED: row('OUT_OF_RANGE', 410, 'Read the state anew, then watch from the empty cursor.'),
  CAPABILITY_ABSENT: row('UNIMPLEMENTED', 501, 'Use a plugin with the capability named.'),
  // Limits and faults
  TOO_LARGE: row('RESOURCE_EXHAUSTED', 413, 'Send less.'),
  RATE_LIMITED: row('RESOURCE_EXHAUSTED', 429, 'Wait as long as the answer says.'),
  THROTTLED: row('RESOURCE_EXHAUSTED', 429, 'Wait as long as the answer says.'),
  OVERLOADED: row('RESOURCE_EXHAUSTED', 503, 'Wait as long as the answer says.'),
  CHECKSUM_MISMATCH: row('DATA_LOSS', 400, 'Send the file again.'),
  CANCELLED: row('CANCELLED', 499, 'Nothing: the caller went away.'),
  DEADLINE_EXCEEDED: row('DEADLINE_EXCEEDED', 504, 'Repeat reads; repeat writes with the same request id.'),
  BACKEND_UNAVAILABLE: row('UNAVAILABLE', 503, 'Repeat reads; repeat writes with the same request id.'),
  PROVIDER_UNAVAILABLE: row('UNAVAILABLE', 503, 'Try again later, or log in another way.'),
  NOT_READY: row('UNAVAILABLE', 503, 'Try again in a moment.'),
  INTERNAL: row('INTERNAL', 500, 'Tell the operator the request id.'),
} as const satisfies Record<string, ErrorRow>;

/** A reason of the table. */
export type ErrorReason = keyof typeof ERRORS;

/** One wrong field of a request. */
export interface FieldViolation {
  /** Path from the request message, in the proto's snake_case: `issue.title`, `labels[3]`. Empty: the whole. */
  readonly field: string;
  /** What is wrong and what is expected. */
  readonly description: string;
}

/** Details of a ServiceError. */
export interface ServiceErrorOptions {
  readonly violations?: readonly FieldViolation[];
  /** Facts for programs, as the reason documents. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Wait at least so long before trying again. */
  readonly retryAfterMillis?: number;
  /** For the log alone; never leaves the process. */
  readonly cause?: unknown;
}

/** The one failure that crosses a port: a documented reason with one clear line for people. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly reason: ErrorReason;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMillis: number | undefined;

  constructor(reason: ErrorReason, message: string, options: ServiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.violations = options.violations ?? [];
    this.metadata = options.metadata ?? {};
    this.retryAfterMillis = options.retryAfterMillis;
  }

  /** The status code that the reason stands under. */
  get code(): StatusCode {
    return ERRORS[this.reason].code;
  }
}

/** INVALID_ARGUMENT for one field, its path as in FieldViolation. */
export function invalidField(field: string, description: string): ServiceError {
  return new ServiceError('INVALID_FIELD', `${field}: ${description}`, { violations: [{ field, description }] });
}
