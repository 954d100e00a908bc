import { randomBytes } from 'node:crypto';
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

/** The context of one HTTP request. Its signal is made only when somebody asks for it. */
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
  readonly #request: FastifyRequest;
  #signal: AbortSignal | undefined;

  constructor(request: FastifyRequest, principal: Principal | undefined, deadline: number) {
    this.user = principal?.user?.id ?? '';
    this.groups = principal?.groups ?? NONE;
    this.admin = principal?.user?.admin ?? false;
    this.scopes = principal?.scopes ?? NONE;
    this.scopeComponents = principal?.scopeComponents ?? NONE;
    this.requestId = request.id;
    this.trace = readTrace(request.headers.traceparent);
    this.deadline = deadline;
    this.#request = request;
  }

  /** Aborts when the client goes away. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      const { socket } = this.#request.raw;
      if (socket.destroyed) controller.abort();
      else {
        const abort = () => controller.abort();
        socket.once('close', abort);
        // Kept-alive sockets outlive their requests: leave no listener behind.
        this.#request.raw.once('close', () => {
          if (!socket.destroyed) socket.removeListener('close', abort);
        });
      }
    }
    return this.#signal;
  }
}
