import type { ServiceError } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LoginPage } from '../../web/pages/login.ts';
import { describeClient } from '../caller.ts';
import { setFailureHeaders, toServiceError } from '../problem.ts';
import { clearLoginBinding, prepareLoginBinding, readLoginBinding, setSessionCookie } from '../session.ts';
import { readQuery, readReturn } from './body.ts';
import type { Pages } from './page.ts';

/** What went wrong with a login, in the words of the login page. */
const MESSAGES: Readonly<Record<string, { readonly text: string; readonly status: number }>> = {
  STATE_MISMATCH: { text: 'This login was begun elsewhere or took too long. Begin it again.', status: 401 },
  LOGIN_DENIED: { text: 'The login was not allowed there. Begin it again, and allow it.', status: 401 },
  BAD_CREDENTIALS: { text: 'The provider did not confirm the login. Begin it again.', status: 401 },
  NOT_ALLOWED: { text: '', status: 401 },
  PROVIDER_UNAVAILABLE: { text: '', status: 503 },
};

/** Login at a provider: away to it, and back from it. */
export function browserLoginRoutes(app: FastifyInstance, pages: Pages): void {
  const { services } = pages;
  const { identity } = services;

  const readConnection = (request: FastifyRequest): string => (request.params as { connection: string }).connection;

  /** The login page with what went wrong; failures that are not about this login have a page of their own. */
  async function sendLoginPage(error: unknown, request: FastifyRequest, reply: FastifyReply, returnTo: string) {
    const failure = toServiceError(error);
    const message = Object.hasOwn(MESSAGES, failure.reason) ? MESSAGES[failure.reason] : undefined;
    if (message === undefined) throw error;
    setFailureHeaders(failure, reply);
    reply.removeHeader('WWW-Authenticate');
    const [shell, methods] = await Promise.all([
      pages.createShell(request, reply),
      identity.listLoginMethods(request.caller.context),
    ]);
    const errors = { '': message.text || sayAsSentence(failure) };
    return pages.send(reply, LoginPage({ shell, methods, returnTo, errors }), message.status);
  }

  app.get('/login/:connection', async (request, reply) => {
    const connection = readConnection(request);
    const returnTo = readReturn(readQuery(request, 'return_to'));
    const binding = prepareLoginBinding(request, reply, services);
    const redirectUri = `${services.getPublicUrl()}/login/${encodeURIComponent(connection)}/callback`;
    try {
      const { url } = await identity.beginBrowserLogin(
        { connection, redirectUri, returnTo, binding, client: describeClient(request) },
        request.caller.context,
      );
      return reply.redirect(url, 303);
    } catch (error) {
      return sendLoginPage(error, request, reply, returnTo);
    }
  });

  app.get('/login/:connection/callback', async (request, reply) => {
    const connection = readConnection(request);
    // As the provider was told, whatever proxies made of it on the way here.
    const callbackUrl = `${services.getPublicUrl()}${request.url}`;
    const { context, sessionSecret } = request.caller;
    try {
      const { login, returnTo } = await identity.completeBrowserLogin(
        { connection, callbackUrl, binding: readLoginBinding(request, services), client: describeClient(request) },
        context,
      );
      // Nobody could end it any more: the browser forgets its secret now.
      if (sessionSecret !== undefined) await identity.logout(sessionSecret, context);
      setSessionCookie(reply, services, login);
      clearLoginBinding(reply, services);
      return reply.redirect(readReturn(returnTo), 303);
    } catch (error) {
      return sendLoginPage(error, request, reply, '/');
    }
  });
}

function sayAsSentence({ message }: ServiceError): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith('.') ? '' : '.'}`;
}
