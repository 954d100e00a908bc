import { WORDS } from '@bugless/kit/domain';
import { type Principal, ServiceError, type User, UserKind, type UserState } from '@bugless/kit/service';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../json-schema.ts';
import type { RouteOptions } from '../services.ts';
import { getCsrfToken } from '../session.ts';
import { resolveUserReference } from '../user-reference.ts';
import { readWord, toSnake } from './issue-input.ts';
import { formatETag, readIdempotencyKey, readIfMatch } from './precondition.ts';
import { nextPageToken, OptionalText, PageQuery, strict, Time, UserReference, Word } from './schema.ts';

/** A user as it is answered. `email` only to itself and to administrators. */
export const UserJson = Type.Object(
  {
    id: Type.String(),
    version: Type.String(),
    kind: Word(WORDS.userKind),
    state: Word(WORDS.userState),
    username: Type.String(),
    displayName: Type.String(),
    email: OptionalText,
    avatar: OptionalText,
    admin: Type.Boolean(),
    owner: OptionalText,
    created: Time,
    modified: Time,
    lastSeen: Time,
  },
  { title: 'User' },
);

const ByUser = Type.Object({ id: UserReference });

/** /users: the directory, and the caller itself. */
export const userRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const { identity } = services;

  app.get(
    '/users',
    {
      schema: {
        summary: 'Find users, or list them all',
        description:
          'With `prefix`: up to 20 users whose username or display name begins with it. Without: all, page by page, for administrators.',
        querystring: Type.Object(
          {
            prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
            kind: Type.Optional(Word(WORDS.userKind)),
            state: Type.Optional(Word(WORDS.userState)),
            ...PageQuery,
          },
          strict,
        ),
        response: { 200: Type.Object({ users: Type.Array(UserJson), nextPageToken }) },
      },
    },
    async (request) => {
      const { prefix, kind, state, pageSize, pageToken } = request.query;
      const { context } = request.caller;
      if (prefix !== undefined) {
        const users = await identity.directory.findUsers(prefix, Math.min(pageSize || 20, 20), context);
        return { users: users.map(formatUser), nextPageToken: '' } as never;
      }
      const answer = await identity.withCapability('directory').listUsers(
        {
          kind: readWord(WORDS.userKind, kind, 'kind') as UserKind,
          state: readWord(WORDS.userState, state, 'state') as UserState,
          pageSize: pageSize ?? 0,
          pageToken: pageToken ?? '',
        },
        context,
      );
      return { users: answer.users.map(formatUser), nextPageToken: answer.nextPageToken } as never;
    },
  );

  app.post(
    '/users',
    {
      schema: {
        summary: 'Create a person',
        body: Type.Object(
          {
            username: Type.String(),
            displayName: Type.Optional(Type.String()),
            email: Type.Optional(Type.String()),
            admin: Type.Optional(Type.Boolean()),
            password: Type.Optional(Type.String({ description: 'Its first one; absent: none yet.' })),
          },
          { ...strict, title: 'NewUser' },
        ),
        response: { 201: UserJson },
      },
    },
    async (request, reply) => {
      const { password, ...user } = request.body;
      const answer = await identity.withCapability('directory').createUser(
        {
          user: { ...user, kind: UserKind.PERSON },
          password: password ?? '',
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      return reply
        .code(201)
        .header('Location', `/api/v1/users/${answer.user!.id}`)
        .send(formatUser(answer.user!) as never);
    },
  );

  app.get(
    '/users/me',
    {
      schema: {
        summary: 'Who the credential belongs to',
        response: {
          200: Type.Object({
            ...UserJson.properties,
            groups: Type.Array(Type.String()),
            methods: Type.Array(Type.String()),
            scopes: Type.Array(Word(WORDS.tokenScope), { description: 'Empty: no bounds.' }),
            components: Type.Array(Type.String(), { description: 'Empty: all.' }),
            expires: Time,
            csrfToken: Type.Optional(Type.String({ description: 'With a session cookie only.' })),
          }),
        },
      },
    },
    async (request, reply) => {
      const principal: Principal = request.caller.principal!;
      return {
        ...formatUser(request.caller.user!),
        groups: principal.groups,
        methods: principal.methods,
        scopes: principal.scopes.map((scope) => WORDS.tokenScope.format(scope)),
        components: principal.scopeComponents,
        expires: principal.expires ?? null,
        ...(request.caller.credential === 'cookie' && { csrfToken: getCsrfToken(request, reply, services) }),
      } as never;
    },
  );

  app.get(
    '/users/:id',
    { schema: { summary: 'Read a user', params: ByUser, response: { 200: UserJson } } },
    async (request, reply) => {
      const id = await findUser(request.params.id, request, services);
      const { users } = await identity.withCapability('directory').batchGetUsers({ ids: [id] }, request.caller.context);
      const [user] = users;
      if (user === undefined) throw new ServiceError('USER_NOT_FOUND', 'There is no such user.');
      return reply.header('ETag', formatETag(user.version)).send(formatUser(user) as never);
    },
  );

  app.patch(
    '/users/:id',
    {
      schema: {
        summary: 'Change a user',
        description: 'Yourself (display name, e-mail, avatar), your bots, or anyone for administrators.',
        params: ByUser,
        body: Type.Object(
          {
            username: Type.Optional(Type.String()),
            displayName: Type.Optional(Type.String()),
            email: Type.Optional(OptionalText),
            avatar: Type.Optional(OptionalText),
            admin: Type.Optional(Type.Boolean()),
            state: Type.Optional(Word(WORDS.userState)),
          },
          { ...strict, title: 'UserChanges' },
        ),
        response: { 200: UserJson },
      },
    },
    async (request, reply) => {
      const { state, email, avatar, ...rest } = request.body;
      const { user } = await identity.withCapability('directory').updateUser(
        {
          id: await findUser(request.params.id, request, services),
          expectedVersion: readIfMatch(request),
          user: {
            ...rest,
            email: email ?? '',
            avatar: avatar ?? '',
            state: readWord(WORDS.userState, state, 'state') as UserState,
          },
          updateMask: Object.keys(request.body).map(toSnake),
        },
        request.caller.context,
      );
      identity.forgetCredentials();
      return reply.header('ETag', formatETag(user!.version)).send(formatUser(user!) as never);
    },
  );

  app.get(
    '/bots',
    {
      schema: {
        summary: 'List your bots',
        querystring: Type.Object(PageQuery, strict),
        response: { 200: Type.Object({ bots: Type.Array(UserJson), nextPageToken }) },
      },
    },
    async (request) => {
      const answer = await identity.withCapability('directory').listUsers(
        {
          kind: UserKind.BOT,
          owner: request.caller.user!.id,
          pageSize: request.query.pageSize ?? 0,
          pageToken: request.query.pageToken ?? '',
        },
        request.caller.context,
      );
      return { bots: answer.users.map(formatUser), nextPageToken: answer.nextPageToken } as never;
    },
  );

  app.post(
    '/bots',
    {
      schema: {
        summary: 'Create a bot that you own',
        body: Type.Object(
          { username: Type.String(), displayName: Type.Optional(Type.String()) },
          { ...strict, title: 'NewBot' },
        ),
        response: { 201: UserJson },
      },
    },
    async (request, reply) => {
      const { user } = await identity
        .withCapability('directory')
        .createUser(
          { user: { ...request.body, kind: UserKind.BOT }, requestId: readIdempotencyKey(request) },
          request.caller.context,
        );
      return reply
        .code(201)
        .header('Location', `/api/v1/users/${user!.id}`)
        .send(formatUser(user!) as never);
    },
  );
};

/** A user of an address. @throws ServiceError USER_NOT_FOUND instead of INVALID_FIELD. */
async function findUser(text: string, ...rest: [Parameters<typeof resolveUserReference>[1], RouteOptions['services']]) {
  try {
    return await resolveUserReference(text, ...rest, 'id');
  } catch (error) {
    if ((error as Partial<ServiceError>).reason !== 'INVALID_FIELD') throw error;
    throw new ServiceError('USER_NOT_FOUND', `There is no user ${JSON.stringify(text.slice(0, 64))}.`);
  }
}

/** A user as plain data. */
export function formatUser(user: User): object {
  return {
    id: user.id,
    version: user.version,
    kind: WORDS.userKind.format(user.kind),
    state: WORDS.userState.format(user.state),
    username: user.username,
    displayName: user.displayName || user.username,
    email: user.email || null,
    avatar: user.avatar || null,
    admin: user.admin,
    owner: user.owner || null,
    created: user.created ?? null,
    modified: user.modified ?? null,
    lastSeen: user.lastSeen ?? null,
  };
}
