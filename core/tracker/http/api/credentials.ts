import { WORDS } from '@bugless/kit/domain';
import type { Session, Token, TokenScope } from '@bugless/kit/service';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../json-schema.ts';
import { describeClient } from '../caller.ts';
import type { RouteOptions } from '../services.ts';
import { resolveUserReference } from '../user-reference.ts';
import { readWord } from './issue-input.ts';
import { Ids, OptionalText, strict, Time, toId, UserReference, Word } from './schema.ts';
import { formatUser, UserJson } from './users.ts';

const TokenJson = Type.Object(
  {
    id: Type.String(),
    user: Type.String(),
    name: Type.String(),
    hint: Type.String({ description: 'The first characters of the secret.' }),
    scopes: Type.Array(Word(WORDS.tokenScope)),
    components: Type.Array(Type.String()),
    created: Time,
    expires: Time,
    used: Time,
    creator: OptionalText,
    secret: Type.Optional(Type.String({ description: 'Only in the answer that creates it.' })),
  },
  { title: 'Token' },
);
const SessionJson = Type.Object(
  {
    id: Type.String(),
    user: Type.String(),
    created: Time,
    used: Time,
    expires: Time,
    userAgent: Type.String(),
    address: Type.String(),
    methods: Type.Array(Type.String()),
  },
  { title: 'Session' },
);
const ById = Type.Object({ id: Type.String({ minLength: 1, maxLength: 128 }) });

/** /sessions and /tokens: what proves who calls. */
export const credentialRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const { identity } = services;

  app.post(
    '/sessions',
    {
      schema: {
        summary: 'Log in',
        description:
          'Name and password → a token that works as `Authorization: Bearer` until it expires or is deleted.',
        body: Type.Object(
          { username: Type.String({ maxLength: 300 }), password: Type.String({ maxLength: 4000 }) },
          { ...strict, title: 'Login' },
        ),
        response: {
          201: Type.Object({ token: Type.String(), session: SessionJson, user: UserJson, expires: Time }),
        },
      },
    },
    async (request, reply) => {
      const { username, password } = request.body;
      const login = await identity.loginWithPassword(
        { username, password, client: describeClient(request) },
        request.caller.context,
      );
      return reply.code(201).send({
        token: login.secret,
        expires: login.session.expires ?? null,
        session: formatSession(login.session),
        user: formatUser(login.principal.user!),
      } as never);
    },
  );

  app.get(
    '/sessions',
    {
      schema: {
        summary: 'List your sessions',
        response: { 200: Type.Object({ sessions: Type.Array(SessionJson) }) },
      },
    },
    async (request) => {
      const { sessions } = await identity.withCapability('sessions').listSessions({}, request.caller.context);
      return { sessions: sessions.map(formatSession) } as never;
    },
  );

  app.delete(
    '/sessions/:id',
    {
      schema: {
        summary: 'End a session',
        description: '`current` is the one that this request came with.',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { caller } = request;
      if (request.params.id === 'current') {
        if (caller.sessionSecret !== undefined) await identity.logout(caller.sessionSecret, caller.context);
      } else {
        await identity.withCapability('sessions').revokeSessions({ ids: [request.params.id] }, caller.context);
        identity.forgetCredentials();
      }
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/tokens',
    {
      schema: {
        summary: 'List tokens, of yourself and your bots',
        querystring: Type.Object({ user: Type.Optional(UserReference) }, strict),
        response: { 200: Type.Object({ tokens: Type.Array(TokenJson) }) },
      },
    },
    async (request) => {
      const user = await resolveUserReference(request.query.user ?? '', request, services);
      const { tokens } = await identity.withCapability('tokens').listTokens({ user }, request.caller.context);
      return { tokens: tokens.map((token) => formatToken(token)) } as never;
    },
  );

  app.post(
    '/tokens',
    {
      schema: {
        summary: 'Create a token',
        description: 'For yourself, or for a bot that you own. The secret is shown this once.',
        body: Type.Object(
          {
            name: Type.String(),
            scopes: Type.Array(Word(WORDS.tokenScope), { minItems: 1, maxItems: 4 }),
            user: Type.Optional(UserReference),
            components: Type.Optional(Ids),
            expires: Type.Optional(Time),
          },
          { ...strict, title: 'NewToken' },
        ),
        response: { 201: TokenJson },
      },
    },
    async (request, reply) => {
      const { name, scopes, user, components, expires } = request.body;
      const answer = await identity.withCapability('tokens').createToken(
        {
          user: await resolveUserReference(user ?? '', request, services),
          name,
          scopes: scopes.map((word, index) => readWord(WORDS.tokenScope, word, `scopes[${index}]`) as TokenScope),
          components: (components ?? []).map(toId),
          expires: expires ? new Date(expires).toISOString() : undefined,
        },
        request.caller.context,
      );
      return reply.code(201).send(formatToken(answer.token!, answer.secret) as never);
    },
  );

  app.delete(
    '/tokens/:id',
    { schema: { summary: 'Revoke a token', params: ById, response: { 204: Type.Null() } } },
    async (request, reply) => {
      await identity.withCapability('tokens').revokeToken({ id: request.params.id }, request.caller.context);
      identity.forgetCredentials();
      return reply.code(204).send(null);
    },
  );
};

function formatSession(session: Session): object {
  return {
    id: session.id,
    user: session.user,
    created: session.created ?? null,
    used: session.used ?? null,
    expires: session.expires ?? null,
    userAgent: session.userAgent,
    address: session.address,
    methods: session.methods,
  };
}

function formatToken(token: Token, secret?: string): object {
  return {
    id: token.id,
    user: token.user,
    name: token.name,
    hint: token.hint,
    scopes: token.scopes.map((scope) => WORDS.tokenScope.format(scope)),
    components: token.components,
    created: token.created ?? null,
    expires: token.expires ?? null,
    used: token.used ?? null,
    creator: token.creator || null,
    ...(secret !== undefined && { secret }),
  };
}
