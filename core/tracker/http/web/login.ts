import { createContext, ServiceError } from '@bugless/kit/service';
import type { FastifyInstance } from 'fastify';
import { prepareFirstComponent } from '../../first-component.ts';
import { LoginPage, LogoutPage, ResetPage, SetupPage } from '../../web/pages/login.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { describeClient } from '../caller.ts';
import { toServiceError } from '../problem.ts';
import { clearSessionCookie, setSessionCookie } from '../session.ts';
import { explainErrors, readFields, readQuery, readRaw, readReturn, readText } from './body.ts';
import type { Pages } from './page.ts';
import { THEME_COOKIE } from './page.ts';

/** Login, logout, setup, new password by link, and the choice of colours. */
export function loginRoutes(app: FastifyInstance, pages: Pages): void {
  const { services } = pages;
  const { identity } = services;

  app.get('/login', async (request, reply) => {
    const returnTo = readReturn(readQuery(request, 'return_to'));
    if (request.caller.user) return reply.redirect(returnTo, 303);
    const [shell, methods] = await Promise.all([
      pages.createShell(request, reply),
      identity.listLoginMethods(request.caller.context),
    ]);
    return pages.send(reply, LoginPage({ shell, methods, returnTo }));
  });

  app.post('/login', async (request, reply) => {
    const returnTo = readReturn(readText(request, 'return_to'));
    const username = readText(request, 'username');
    try {
      const login = await identity.loginWithPassword(
        { username, password: readRaw(request, 'password'), client: describeClient(request) },
        request.caller.context,
      );
      setSessionCookie(reply, services, login);
      return reply.redirect(returnTo, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.reason !== 'BAD_CREDENTIALS' && failure.reason !== 'THROTTLED') throw error;
      const [shell, methods] = await Promise.all([
        pages.createShell(request, reply),
        identity.listLoginMethods(request.caller.context),
      ]);
      const message = failure.reason === 'BAD_CREDENTIALS' ? 'Username or password is wrong.' : failure.message;
      return pages.send(
        reply,
        LoginPage({ shell, methods, returnTo, username, errors: { '': message } }),
        failure.reason === 'THROTTLED' ? 429 : 401,
      );
    }
  });

  app.post('/logout', async (request, reply) => {
    const { sessionSecret, context } = request.caller;
    const afterwards = `${services.getPublicUrl()}/login`;
    const logoutUrl = sessionSecret === undefined ? '' : await identity.logout(sessionSecret, context, afterwards);
    clearSessionCookie(reply, services);
    if (logoutUrl === '') return reply.redirect('/login', 303);
    // No redirect: browsers let a form lead to other sites only as far as form-action says, and that is here alone.
    reply.header('Refresh', `0; url=${logoutUrl}`);
    const shell = await pages.createShell(request, reply);
    return pages.send(reply, LogoutPage({ shell: { ...shell, viewer: undefined }, logoutUrl }));
  });

  app.get('/setup', async (request, reply) => {
    if (!(await identity.isSetupNeeded(request.caller.context))) return reply.redirect('/login', 303);
    const shell = await pages.createShell(request, reply);
    return pages.send(reply, SetupPage({ shell, code: readQuery(request, 'code') }));
  });

  app.post('/setup', async (request, reply) => {
    const values = readFields(request);
    const code = readText(request, 'code');
    try {
      const login = await identity.completeSetup(
        {
          code,
          username: readText(request, 'username'),
          displayName: readText(request, 'display_name'),
          email: readText(request, 'email'),
          password: readRaw(request, 'password'),
          client: describeClient(request),
        },
        request.caller.context,
      );
      await prepareFirstComponent(services.model, createContext({ user: login.principal.user?.id ?? '', admin: true }));
      setSessionCookie(reply, services, login);
      return reply.redirect('/', 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code === 'INTERNAL') throw error;
      if (failure.reason === 'ALREADY_SET_UP') return reply.redirect('/login', 303);
      const errors =
        failure.reason === 'BAD_CREDENTIALS'
          ? { code: 'Setup code: this one is not valid any more; the server prints a new link when it starts.' }
          : failure.reason === 'WEAK_PASSWORD'
            ? { password: failure.message }
            : explainErrors(failure);
      const shell = await pages.createShell(request, reply);
      return pages.send(reply, SetupPage({ shell, code, values, errors }), 400);
    }
  });

  app.get('/reset', async (request, reply) => {
    const shell = await pages.createShell(request, reply);
    return pages.send(reply, ResetPage({ shell, code: readQuery(request, 'code') }));
  });

  app.post('/reset', async (request, reply) => {
    const code = readText(request, 'code');
    const authenticator = identity.withCapability('passwords');
    const client = describeClient(request);
    try {
      const { principal } = await authenticator.resetPassword(
        { code, newPassword: readRaw(request, 'password'), client },
        request.caller.context,
      );
      identity.forgetCredentials();
      if (principal === undefined) throw new ServiceError('INTERNAL', 'The login answered without a user.');
      const login = await identity.beginSession(principal, client, request.caller.context, authenticator);
      setSessionCookie(reply, services, login);
      return reply.redirect('/', 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.reason !== 'BAD_CREDENTIALS' && failure.reason !== 'WEAK_PASSWORD') throw error;
      const shell = await pages.createShell(request, reply);
      const errors: FormErrors =
        failure.reason === 'WEAK_PASSWORD'
          ? { password: failure.message }
          : { '': 'This link is not valid any more; ask an administrator for a new one.' };
      return pages.send(reply, ResetPage({ shell, code, errors }), 400);
    }
  });

  app.post('/theme', async (request, reply) => {
    const theme = readText(request, 'theme');
    const chosen = theme === 'light' || theme === 'dark' ? theme : 'auto';
    const secure = services.getPublicUrl().startsWith('https:');
    reply.setCookie(THEME_COOKIE, chosen, { path: '/', maxAge: 31_536_000, sameSite: 'lax', httpOnly: false, secure });
    return reply.redirect(readReturn(readText(request, 'return_to')), 303);
  });
}
