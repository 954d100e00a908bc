import { BadRequest, ErrorInfo, RetryInfo, RpcStatus } from '@bugless/proto';
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { ERRORS, type ErrorReason, ServiceError, STATUS_CODES } from '../../service/error.ts';
import { createAbortError } from '../failure.ts';

/** google.rpc.ErrorInfo.domain of every error of Bugless. */
const DOMAIN = 'bugless';
const DETAILS = 'grpc-status-details-bin';
const TYPE = 'type.googleapis.com/google.rpc.';

/** A failed call, told apart by whether its server said why. */
export interface CallFailure {
  readonly error: ServiceError;
  /** The link failed, not the service: the call may or may not have been carried out. */
  readonly link: boolean;
}

/** What a server answers while it is emptied: nothing was done, and its successor will answer. */
export function createStoppingError(): ServiceError {
  return new ServiceError('NOT_READY', 'the server is stopping', { metadata: { stopping: 'true' } });
}

const isStopping = (error: ServiceError): boolean => error.reason === 'NOT_READY' && error.metadata.stopping === 'true';

/** A ServiceError as a gRPC status: google.rpc.Status in `grpc-status-details-bin`. */
export function toStatus(error: ServiceError): StatusObject {
  const code = STATUS_CODES[error.code];
  const details = [
    detail('ErrorInfo', ErrorInfo, { reason: error.reason, domain: DOMAIN, metadata: { ...error.metadata } }),
  ];
  if (error.violations.length > 0) {
    details.push(detail('BadRequest', BadRequest, { fieldViolations: [...error.violations] }));
  }
  if (error.retryAfterMillis !== undefined) {
    const seconds = Math.floor(error.retryAfterMillis / 1_000);
    const nanos = Math.round(error.retryAfterMillis % 1_000) * 1_000_000;
    details.push(detail('RetryInfo', RetryInfo, { retryDelay: { seconds: String(seconds), nanos } }));
  }
  const metadata = new Metadata();
  const message = RpcStatus.encode({ code, message: error.message, details }).finish();
  metadata.set(DETAILS, Buffer.from(message));
  return { code, details: error.message, metadata };
}

function detail<T>(name: string, codec: { encode(message: T): { finish(): Uint8Array } }, message: T) {
  return { typeUrl: TYPE + name, value: Buffer.from(codec.encode(message).finish()) };
}

/** The ServiceError that a status stands for; one of a server that sends no details is mapped by its code. */
export function fromStatus(
  failed: Pick<StatusObject, 'code' | 'details' | 'metadata'>,
  method: string,
  deadline: number | undefined,
): CallFailure {
  const documented = readDetails(failed, method);
  if (documented !== undefined) return { error: documented, link: isStopping(documented) };
  const cause = new Error(`${status[failed.code] ?? failed.code}: ${failed.details}`);
  const wrap = (reason: ErrorReason, message: string, link = false): CallFailure => ({
    error: new ServiceError(reason, message, { cause }),
    link,
  });
  switch (failed.code) {
    case status.CANCELLED:
      return { error: createAbortError(method, { deadline }), link: false };
    case status.DEADLINE_EXCEEDED:
      return { error: createAbortError(method, { deadline: 0 }), link: false };
    case status.UNAVAILABLE:
      return wrap('BACKEND_UNAVAILABLE', `the plugin that serves ${method} cannot be reached`, true);
    case status.INTERNAL:
      // How grpc-js reports a stream that the other side's end cut off.
      if (/RST_STREAM|GOAWAY|ECONNRESET|EPIPE/.test(failed.details)) {
        return wrap('BACKEND_UNAVAILABLE', `the link to the plugin broke during ${method}`, true);
      }
      return wrap('INTERNAL', `${method} failed in its plugin`);
    case status.RESOURCE_EXHAUSTED:
      return /larger than max/i.test(failed.details)
        ? wrap('TOO_LARGE', `a message of ${method} is larger than the link allows`)
        : wrap('OVERLOADED', failed.details);
    default:
      return wrap(mapCode(failed.code, method), failed.details || `${method} failed in its plugin`);
  }
}

function readDetails(failed: Pick<StatusObject, 'code' | 'details' | 'metadata'>, method: string) {
  const bytes = failed.metadata?.get(DETAILS)[0];
  if (!(bytes instanceof Uint8Array)) return undefined;
  let info: ErrorInfo | undefined;
  let retryAfterMillis: number | undefined;
  let violations: BadRequest['fieldViolations'] = [];
  let message = failed.details;
  try {
    const decoded = RpcStatus.decode(bytes);
    message = decoded.message || message;
    for (const { typeUrl, value } of decoded.details) {
      if (typeUrl === `${TYPE}ErrorInfo`) info = ErrorInfo.decode(value);
      else if (typeUrl === `${TYPE}BadRequest`) violations = BadRequest.decode(value).fieldViolations;
      else if (typeUrl === `${TYPE}RetryInfo`) {
        const delay = RetryInfo.decode(value).retryDelay;
        if (delay !== undefined) retryAfterMillis = Number(delay.seconds) * 1_000 + Math.round(delay.nanos / 1e6);
      }
    }
  } catch {
    return undefined;
  }
  if (info === undefined) return undefined;
  const { reason } = info;
  // A newer or foreign server may know reasons that this table does not: its code says the rest.
  const known = info.domain === DOMAIN && Object.hasOwn(ERRORS, reason);
  return new ServiceError(known ? (reason as ErrorReason) : mapCode(failed.code, method), message, {
    violations,
    metadata: known ? info.metadata : { ...info.metadata, reason },
    ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }),
  });
}

/** What NOT_FOUND means when the server does not say: the noun in the RPC's name. */
const NOT_FOUND: readonly (readonly [RegExp, ErrorReason])[] = [
  [/Hotlist/, 'HOTLIST_NOT_FOUND'],
  [/Component/, 'COMPONENT_NOT_FOUND'],
  [/Attachment/, 'ATTACHMENT_NOT_FOUND'],
  [/Webhook|Deliver/, 'WEBHOOK_NOT_FOUND'],
  [/Comment/, 'UPDATE_NOT_FOUND'],
  [/Group/, 'GROUP_NOT_FOUND'],
  [/Token/, 'TOKEN_NOT_FOUND'],
  [/BrowserLogin/, 'CONNECTION_NOT_FOUND'],
  [/^AuthenticatorService/, 'USER_NOT_FOUND'],
];

function mapCode(code: number, method: string): ErrorReason {
  switch (code) {
    case status.INVALID_ARGUMENT:
      return 'INVALID_FIELD';
    case status.NOT_FOUND:
      return NOT_FOUND.find(([name]) => name.test(method))?.[1] ?? 'ISSUE_NOT_FOUND';
    case status.ALREADY_EXISTS:
      return 'NAME_TAKEN';
    case status.PERMISSION_DENIED:
      return 'FORBIDDEN';
    case status.ABORTED:
      return 'CONFLICT';
    case status.OUT_OF_RANGE:
      return 'CURSOR_EXPIRED';
    case status.UNIMPLEMENTED:
      return 'CAPABILITY_ABSENT';
    case status.UNAUTHENTICATED:
      return 'LOGIN_REQUIRED';
    case status.RESOURCE_EXHAUSTED:
      return 'OVERLOADED';
    case status.UNAVAILABLE:
      return 'BACKEND_UNAVAILABLE';
    case status.DEADLINE_EXCEEDED:
      return 'DEADLINE_EXCEEDED';
    case status.CANCELLED:
      return 'CANCELLED';
    default:
      // FAILED_PRECONDITION without a documented reason, UNKNOWN, INTERNAL, DATA_LOSS: nothing a caller can mend.
      return 'INTERNAL';
  }
}
