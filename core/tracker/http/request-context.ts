import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { CallContext, Principal, TokenScope } from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';

const prefix = randomBytes(6).toString('base64url');
let counter = 0;

/** Unique among all cores: chance of this process, and a counter. */
export function makeRequestId(): string {
  counter += 1;
  return `${prefix}-${counter.toString(36)}`;
}

/** An id that a proxy in front gave: 1 to 128 visible ASCII characters; anything else is not one. */
export function isRequestId(text: unknown): text is string {
  return typeof text === 'string' && /^[\x21-\x7e]{1,128}$/.test(text);
}

/** A W3C traceparent, or ''. */
function readTrace(header: unknown): string {
  return typeof header === 'string' && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(header) ? header : '';
}

const NONE: readonly never[] = [];

/** The context of one HTTP request. */
export class RequestContext implements CallContext {
  readonly user: string;
  readonly groups: readonly string[];
  readonly admin: boolean;
  readonly system = false;
  readonly scopes: readonly TokenScope[];
  readonly scopeComponents: readonly string[];
  readonly requestId: string;
  readonly trace: string;
  readonly deadline: number;
  readonly #socket: Socket;

  constructor(request: FastifyRequest, principal: Principal | undefined, deadline: number) {
    this.user = principal?.user?.id ?? '';
    this.groups = principal?.groups ?? NONE;
    this.admin = principal?.user?.admin ?? false;
    this.scopes = principal?.scopes ?? NONE;
    this.scopeComponents = principal?.scopeComponents ?? NONE;
    this.requestId = request.id;
    this.trace = readTrace(request.headers.traceparent);
    this.deadline = deadline;
    this.#socket = request.raw.socket;
  }

  /** Aborts when the client goes away. */
  get signal(): AbortSignal {
    return getSocketSignal(this.#socket);
  }
}

const signals = new WeakMap<Socket, AbortSignal>();

/** One signal for all requests of a connection: it aborts when the connection closes. */
function getSocketSignal(socket: Socket): AbortSignal {
  let signal = signals.get(socket);
  if (signal === undefined) {
    const controller = new AbortController();
    signal = controller.signal;
    signals.set(socket, signal);
    if (socket.destroyed) controller.abort();
    else socket.once('close', () => controller.abort());
  }
  return signal;
}
