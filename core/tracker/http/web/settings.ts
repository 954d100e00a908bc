import type { TokenScope, User } from '@bugless/kit/service';
import { invalidField, UserKind } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BotsPage, ProfilePage, SessionsPage, TokensPage } from '../../web/pages/settings.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { describeClient } from '../caller.ts';
import { toServiceError } from '../problem.ts';
import { clearSessionCookie } from '../session.ts';
import { explainErrors, readFields, readQuery, readRaw, readText } from './body.ts';
import type { Pages } from './page.ts';

const NOTICES: Readonly<Record<string, string>> = {
  saved: 'Saved.',
  password: 'The password is changed; your other sessions have ended.',
};

/** What users set for themselves. */
export function settingsRoutes(app: FastifyInstance, pages: Pages): void {
  const { services } = pages;
  const { identity } = services;

  app.get('/settings', (request, reply) => sendProfile(request, reply));

  async function sendProfile(request: FastifyRequest, reply: FastifyReply, errors?: FormErrors): Promise<FastifyReply> {
    const shell = await pages.createShell(request, reply);
    const { user } = request.caller as { user: User };
    // The session's own copy may be some seconds old.
    const { users } = await identity
      .withCapability('directory')
      .batchGetUsers({ ids: [user.id] }, request.caller.context);
    return pages.send(
      reply,
      ProfilePage({ shell, user: users[0] ?? user, errors, notice: NOTICES[readQuery(request, 'done')] }),
      errors ? 400 : 200,
    );
  }

  app.post('/settings', async (request, reply) => {
    try {
      await identity.withCapability('directory').updateUser(
        {
          id: request.caller.context.user,
          expectedVersion: readText(request, 'version'),
          user: { displayName: readText(request, 'display_name'), email: readText(request, 'email') },
          updateMask: ['display_name', 'email'],
        },
        request.caller.context,
      );
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code !== 'INVALID_ARGUMENT' && failure.code !== 'ABORTED') throw error;
      return sendProfile(request, reply, explainErrors(failure));
    }
    identity.forgetCredentials();
    return reply.redirect('/settings?done=saved', 303);
  });

  app.post('/settings/password', async (request, reply) => {
    try {
      await identity.withCapability('passwords').changePassword(
        {
          oldPassword: readRaw(request, 'old_password'),
          newPassword: readRaw(request, 'new_password'),
          sessionSecret: request.caller.sessionSecret ?? '',
          client: describeClient(request),
        },
        request.caller.context,
      );
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.reason === 'BAD_CREDENTIALS')
        return sendProfile(request, reply, { old_password: 'Present password: it is not this one.' });
      if (failure.reason !== 'WEAK_PASSWORD' && failure.code !== 'INVALID_ARGUMENT' && failure.reason !== 'THROTTLED')
        throw error;
      return sendProfile(request, reply, { new_password: failure.message });
    }
    identity.forgetCredentials();
    return reply.redirect('/settings?done=password', 303);
  });

  app.get('/settings/sessions', async (request, reply) => {
    const shell = await pages.createShell(request, reply);
    const { sessions } = await identity.withCapability('sessions').listSessions({}, request.caller.context);
    return pages.send(reply, SessionsPage({ shell, sessions, current: request.caller.principal?.credential ?? '' }));
  });

  app.post('/settings/sessions', async (request, reply) => {
    const id = readText(request, 'id');
    await identity.withCapability('sessions').revokeSessions({ ids: [id] }, request.caller.context);
    identity.forgetCredentials();
    if (id === request.caller.principal?.credential) {
      clearSessionCookie(reply, services);
      return reply.redirect('/login', 303);
    }
    return reply.redirect('/settings/sessions', 303);
  });

  app.get('/settings/tokens', (request, reply) => sendTokens(request, reply, {}));

  async function sendTokens(
    request: FastifyRequest,
    reply: FastifyReply,
    more: { secret?: string; values?: Record<string, string>; errors?: FormErrors },
  ): Promise<FastifyReply> {
    const { context } = request.caller;
    const [shell, { tokens }, bots] = await Promise.all([
      pages.createShell(request, reply),
      identity.withCapability('tokens').listTokens({}, context),
      listBots(request),
    ]);
    const people = await identity.directory.getUsers(new Set(tokens.map(({ user }) => user)));
    return pages.send(reply, TokensPage({ shell, tokens, bots, people, ...more }), more.errors ? 400 : 200);
  }

  async function listBots(request: FastifyRequest): Promise<User[]> {
    const { users } = await identity
      .withCapability('directory')
      .listUsers({ kind: UserKind.BOT, owner: request.caller.context.user, pageSize: 200 }, request.caller.context);
    return users;
  }

  app.post('/settings/tokens', async (request, reply) => {
    try {
      const { secret } = await identity.withCapability('tokens').createToken(
        {
          user: readText(request, 'user'),
          name: readText(request, 'name'),
          scopes: [Number(readText(request, 'scope')) as TokenScope],
          expires: readDate(readText(request, 'expires')),
        },
        request.caller.context,
      );
      // No redirect: the secret is shown in this answer alone, and stands in no address.
      return sendTokens(request, reply, { secret });
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code !== 'INVALID_ARGUMENT' && failure.reason !== 'SCOPE_EXCEEDED') throw error;
      return sendTokens(request, reply, { values: readFields(request), errors: explainErrors(failure) });
    }
  });

  app.post('/settings/tokens/revoke', async (request, reply) => {
    await identity.withCapability('tokens').revokeToken({ id: readText(request, 'id') }, request.caller.context);
    identity.forgetCredentials();
    return reply.redirect('/settings/tokens', 303);
  });

  app.get('/settings/bots', (request, reply) => sendBots(request, reply));

  async function sendBots(
    request: FastifyRequest,
    reply: FastifyReply,
    values?: Record<string, string>,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const [shell, bots] = await Promise.all([pages.createShell(request, reply), listBots(request)]);
    return pages.send(reply, BotsPage({ shell, bots, ...(values && { values }), errors }), errors ? 400 : 200);
  }

  app.post('/settings/bots', async (request, reply) => {
    try {
      await identity.withCapability('directory').createUser(
        {
          user: {
            kind: UserKind.BOT,
            username: readText(request, 'username'),
            displayName: readText(request, 'display_name'),
          },
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code !== 'INVALID_ARGUMENT' && failure.reason !== 'NAME_TAKEN') throw error;
      return sendBots(
        request,
        reply,
        readFields(request),
        failure.reason === 'NAME_TAKEN' ? { username: failure.message } : explainErrors(failure),
      );
    }
    return reply.redirect('/settings/bots', 303);
  });
}

function readDate(text: string): string | undefined {
  if (text === '') return undefined;
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(Date.parse(text)))
    throw invalidField('expires', 'expected a day, as 2027-01-31');
  return `${text}T23:59:59.000Z`;
}
