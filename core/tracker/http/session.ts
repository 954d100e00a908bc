import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Session } from '@bugless/kit/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Services } from './services.ts';

/** How long a person may take at a provider; its state ends after ten minutes. */
const LOGIN_SECONDS = 660;

/** Names and flags of the cookies; `__Host-` and Secure as soon as people come by https. */
function describeCookies(services: Services) {
  const secure = services.getPublicUrl().startsWith('https:');
  const prefix = secure ? '__Host-' : '';
  return {
    session: `${prefix}bugless_session`,
    guest: `${prefix}bugless_guest`,
    binding: `${prefix}bugless_login`,
    flags: { path: '/', httpOnly: true, sameSite: 'lax', secure } as const,
  };
}

/** Secret of the session cookie; undefined: none was sent. */
export function readSessionCookie(request: FastifyRequest, services: Services): string | undefined {
  if (request.headers.cookie === undefined) return undefined;
  return request.cookies[describeCookies(services).session] || undefined;
}

/** Lets the browser keep a session after a login. */
export function setSessionCookie(
  reply: FastifyReply,
  services: Services,
  login: { readonly secret: string; readonly session: Session },
): void {
  const { session, guest, flags } = describeCookies(services);
  const expires = login.session.expires === undefined ? undefined : new Date(login.session.expires);
  reply.setCookie(session, login.secret, expires === undefined ? flags : { ...flags, expires });
  reply.clearCookie(guest, flags);
}

/** Takes the session away from the browser. */
export function clearSessionCookie(reply: FastifyReply, services: Services): void {
  const { session, flags } = describeCookies(services);
  reply.clearCookie(session, flags);
}

/**
 * Secret that binds a login at a provider to this browser. Logins begun in several tabs share it. Lax, as the
 * browser has to send it when the provider sends it back.
 */
export function prepareLoginBinding(request: FastifyRequest, reply: FastifyReply, services: Services): string {
  const { binding, flags } = describeCookies(services);
  const known = request.cookies[binding];
  const secret = known !== undefined && /^[\w-]{32}$/.test(known) ? known : randomBytes(24).toString('base64url');
  reply.setCookie(binding, secret, { ...flags, maxAge: LOGIN_SECONDS });
  return secret;
}

/** The same at the end of a login; '': another browser, or too late. */
export function readLoginBinding(request: FastifyRequest, services: Services): string {
  return request.cookies[describeCookies(services).binding] ?? '';
}

/** Ends it, after a login. */
export function clearLoginBinding(reply: FastifyReply, services: Services): void {
  const { binding, flags } = describeCookies(services);
  reply.clearCookie(binding, flags);
}

/**
 * What a form puts into its hidden field `_csrf` and a script into the header `X-CSRF-Token`.
 * It follows from the session's secret, so every core makes the same one. A visitor without a session
 * gets a cookie of its own for it.
 */
export function getCsrfToken(request: FastifyRequest, reply: FastifyReply, services: Services): string {
  const { guest, flags } = describeCookies(services);
  let secret = request.caller.credential === 'cookie' ? request.caller.sessionSecret : request.cookies[guest];
  if (secret === undefined || secret === '') {
    secret = randomBytes(24).toString('base64url');
    request.cookies[guest] = secret;
    reply.setCookie(guest, secret, flags);
  }
  return deriveCsrfToken(secret);
}

/** Whether a token is the one that {@link getCsrfToken} gave to the same browser. */
export function checkCsrfToken(request: FastifyRequest, services: Services, token: unknown): boolean {
  const { caller } = request;
  const secret =
    caller.credential === 'cookie' ? caller.sessionSecret : request.cookies[describeCookies(services).guest];
  if (typeof token !== 'string' || secret === undefined || secret === '') return false;
  const expected = Buffer.from(deriveCsrfToken(secret));
  const given = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function deriveCsrfToken(secret: string): string {
  return createHmac('sha256', secret).update('bugless csrf').digest('base64url');
}
