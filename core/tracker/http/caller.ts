import type { CallContext, Principal, User } from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';

/** Who sent a request, as its credential says. */
export interface Caller {
  /** What is passed to every port: `services.model.getIssue({ id }, request.caller.context)`. */
  readonly context: CallContext;
  /** Undefined: an anonymous visitor. */
  readonly principal: Principal | undefined;
  /** The signed-in user; undefined: an anonymous visitor. */
  readonly user: User | undefined;
  /**
   * How the request proved who it is. `cookie`: by the session cookie, so forms need a CSRF token.
   * `certificate`: of the TLS client; browsers show it to whatever page asks, as they do with cookies.
   */
  readonly credential: 'none' | 'cookie' | 'bearer' | 'certificate';
  /** Secret of the session (cookie or bearer); undefined without one. */
  readonly sessionSecret: string | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any handler runs. */
    caller: Caller;
  }
}

/** Where a request comes from, as the Authenticator wants to know it. */
export function describeClient(request: FastifyRequest): { address: string; userAgent: string } {
  return { address: request.ip, userAgent: (request.headers['user-agent'] ?? '').slice(0, 300) };
}
