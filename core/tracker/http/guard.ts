import { type CallContext, type Principal, ServiceError, type TokenScope } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Identity, LoginClient } from '../identity/identity.ts';
import { type Caller, describeClient } from './caller.ts';
import { type ClientCertificate, makeCertificateReader } from './client-certificate.ts';
import { makeCsrfCheck } from './csrf.ts';
import { RateLimit } from './rate-limit.ts';
import { RequestContext } from './request-context.ts';
import { ROUTES, type RouteRule, type Surface } from './route-table.ts';
import { makeSecurityHeaders } from './security-headers.ts';
import type { RouteOptions, Services } from './services.ts';
import { clearSessionCookie, readSessionCookie } from './session.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's row of the table; absent only where nothing was found. */
    rule?: RouteRule;
  }
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The row of a route; a route without one cannot be registered. */
export function findRule(method: string, url: string): RouteRule {
  const key = `${method === 'HEAD' ? 'GET' : method} ${url.replaceAll('::', ':')}`;
  const rule = ROUTES[key];
  if (rule === undefined) throw new Error(`${key}: not in http/route-table.ts; say there who may use it`);
  return rule;
}

/**
 * What happens to every request before its handler, in this order: headers that every answer carries,
 * who calls, how often, and whether the route table lets them.
 */
export const guard = fp(
  async (app: FastifyInstance, { services }: RouteOptions) => {
    const checkCsrf = makeCsrfCheck(services);
    app.addHook('onRoute', (route) => {
      const methods = ([] as string[]).concat(route.method);
      const rules = methods.map((method) => findRule(method, route.url));
      route.config = { ...route.config, rule: rules[0]! };
      if (!methods.every((method) => SAFE.has(method))) {
        route.preValidation = [checkCsrf, ...([] as never[]).concat((route.preValidation ?? []) as never)];
      }
    });

    const headers = makeSecurityHeaders(services.getPublicUrl().startsWith('https:'));
    app.decorateRequest('caller');
    app.addHook('onRequest', (request, reply, done) => {
      reply.headers(headers[getSurface(request)]);
      reply.header('X-Request-Id', request.id);
      done();
    });

    const { window, user, address } = services.config.rateLimit;
    const limits = { user: new RateLimit(user, window * 1000), address: new RateLimit(address, window * 1000) };
    const countByAddress = (request: FastifyRequest, reply: FastifyReply) =>
      spend(limits.address, request.ip, reply, services.now());
    const countByCredential = ({ credential, user: owner }: Principal, reply: FastifyReply) =>
      spend(limits.user, credential || (owner?.id ?? ''), reply, services.now());

    const readCertificate = makeCertificateReader(services);
    app.addHook('onRequest', (request, reply, done) => {
      const surface = getSurface(request);
      const deadline = services.now() + services.config.http.requestTimeout * 1000;
      request.caller = describeCaller(request, undefined, undefined, deadline);
      const secret = surface === 'system' ? undefined : readSecret(request, services, readCertificate);
      const known = secret === undefined ? undefined : peek(services, secret);
      try {
        if (secret !== undefined && known === undefined) {
          // Checking a credential costs a plugin something: until it is known, its sender pays by address.
          countByAddress(request, reply);
          verifyCaller(request, reply, services, secret, deadline)
            .then((caller) => {
              request.caller = caller;
              if (caller.principal !== undefined) countByCredential(caller.principal, reply);
              checkRule(request.routeOptions.config.rule, caller);
            })
            .then(() => done(), done);
          return;
        }
        if (known !== undefined) {
          request.caller = describeCaller(request, secret, known, deadline);
          countByCredential(known, reply);
        } else if (surface !== 'system') countByAddress(request, reply);
        checkRule(request.routeOptions.config.rule, request.caller);
        done();
      } catch (error) {
        done(error as Error);
      }
    });
  },
  { name: 'guard', fastify: '5.x', dependencies: ['@fastify/cookie'] },
);

function getSurface(request: FastifyRequest): Surface {
  return request.routeOptions.config.rule?.surface ?? (request.url.startsWith('/api/') ? 'api' : 'page');
}

/** What proves who calls. */
type Secret =
  | { readonly value: string; readonly from: 'cookie' }
  | { readonly value: string; readonly from: 'bearer' }
  | { readonly value: ClientCertificate; readonly from: 'certificate' };

function readSecret(
  request: FastifyRequest,
  services: Services,
  readCertificate: ReturnType<typeof makeCertificateReader>,
): Secret | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined && /^bearer /i.test(authorization)) {
    return { value: authorization.slice(7).trim(), from: 'bearer' };
  }
  const value = readSessionCookie(request, services);
  if (value !== undefined) return { value, from: 'cookie' };
  const certificate = readCertificate?.(request);
  // One that is nobody's is as good as none: browsers show what they have.
  if (certificate === undefined || services.identity.peekCertificate(certificate.key) === null) return undefined;
  return { value: certificate, from: 'certificate' };
}

function peek({ identity }: Services, secret: Secret): Principal | undefined {
  return secret.from === 'certificate'
    ? (identity.peekCertificate(secret.value.key) ?? undefined)
    : identity.peek(secret.value);
}

function verify(identity: Identity, secret: Secret, client: LoginClient, context: CallContext): Promise<Principal> {
  if (secret.from === 'certificate') return identity.verifyCertificate(secret.value, client, context);
  if (secret.from === 'cookie') return identity.verifySession(secret.value, client, context);
  return identity.verifyBearer(secret.value, client, context);
}

async function verifyCaller(
  request: FastifyRequest,
  reply: FastifyReply,
  services: Services,
  secret: Secret,
  deadline: number,
): Promise<Caller> {
  const { identity } = services;
  const anonymous = request.caller;
  const client: LoginClient = describeClient(request);
  try {
    const principal = await verify(identity, secret, client, anonymous.context);
    return describeCaller(request, secret, principal, deadline);
  } catch (error) {
    const reason = (error as Partial<ServiceError>).reason;
    if (secret.from === 'cookie' && (reason === 'SESSION_EXPIRED' || reason === 'BAD_CREDENTIALS')) {
      clearSessionCookie(reply, services);
      // A page is shown as to any visitor, and asks to log in where it must; a program has to be told.
      if (getSurface(request) !== 'api') return anonymous;
    }
    if (secret.from === 'certificate' && reason === 'BAD_CREDENTIALS') return anonymous;
    throw error;
  }
}

function describeCaller(
  request: FastifyRequest,
  secret: Secret | undefined,
  principal: Caller['principal'],
  deadline: number,
): Caller {
  const isSession = secret !== undefined && secret.from !== 'certificate' && !principal?.methods.includes('token');
  return {
    context: new RequestContext(request, principal, deadline),
    principal,
    user: principal?.user,
    credential: principal === undefined || secret === undefined ? 'none' : secret.from,
    sessionSecret: principal !== undefined && isSession ? secret.value : undefined,
  };
}

const SCOPE_WORDS: Readonly<Record<TokenScope, string>> = { 0: '', 1: 'read', 2: 'comment', 3: 'edit', 4: 'admin' };

function checkRule(rule: RouteRule | undefined, caller: Caller): void {
  if (rule === undefined) return;
  if (rule.who !== 'anyone' && caller.user === undefined) {
    throw new ServiceError('LOGIN_REQUIRED', 'Log in, or send a token as Authorization: Bearer.');
  }
  if (rule.who === 'admin' && !caller.context.admin) {
    throw new ServiceError('FORBIDDEN', 'Only administrators may do this.');
  }
  const { scopes } = caller.context;
  if (scopes.length > 0 && !scopes.some((scope) => scope >= rule.scope)) {
    throw new ServiceError('SCOPE_EXCEEDED', `The token needs the scope ${SCOPE_WORDS[rule.scope]}.`, {
      metadata: { scope: SCOPE_WORDS[rule.scope] },
    });
  }
}

/**
 * Takes one request from an allowance and tells what is left of it.
 *
 * @throws ServiceError RATE_LIMITED when nothing is.
 */
function spend(limit: RateLimit, key: string, reply: FastifyReply, now: number): void {
  const allowance = limit.take(key, now);
  if (allowance === undefined) return;
  reply.header('RateLimit-Limit', allowance.limit);
  reply.header('RateLimit-Remaining', Math.max(0, allowance.remaining));
  reply.header('RateLimit-Reset', Math.max(0, Math.ceil((allowance.resets - now) / 1000)));
  if (allowance.remaining < 0) {
    throw new ServiceError('RATE_LIMITED', 'Too many requests; slow down.', {
      retryAfterMillis: allowance.resets - now,
    });
  }
}
