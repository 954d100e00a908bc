import { randomUUID } from 'node:crypto';
import { type Authenticator, createSystemContext, ServiceError } from '../../service/index.ts';
import { everything, instead, type Mutant } from './mutant.ts';

/** Authenticators that break one rule each. */
export const AUTHENTICATOR_MUTANTS: readonly Mutant<Authenticator>[] = [
  {
    name: 'tells which names exist',
    caughtBy: 'login: whatever is wrong, the answer is the same',
    change: (good) => ({
      authenticatePassword: (request, context) =>
        instead(good.authenticatePassword(request, context), 'BAD_CREDENTIALS', async () => {
          const usernames = [request.username || 'x'];
          const { results } = await good.resolveUsernames({ usernames }, everything(context));
          throw new ServiceError('BAD_CREDENTIALS', results[0]?.user ? 'wrong password' : 'no such user');
        }),
    }),
  },
  {
    name: 'never slows guessing down',
    caughtBy: 'login: guessing is slowed down, and nobody else with it',
    change: (good) => ({
      authenticatePassword: (request, context) =>
        instead(good.authenticatePassword(request, context), 'THROTTLED', async () => {
          throw new ServiceError('BAD_CREDENTIALS', 'wrong name or password');
        }),
    }),
  },
  {
    name: 'keeps sessions that were ended',
    caughtBy: 'sessions: ended by secret, by id, all of a user',
    change: () => ({ revokeSessions: async (request) => ({ count: request.ids?.length || 1, logoutUrl: '' }) }),
  },
  {
    name: 'makes sessions for anyone who asks',
    caughtBy: 'sessions: made by core alone, for users who can act',
    change: (good) => ({ createSession: (request, context) => good.createSession(request, everything(context)) }),
  },
  {
    name: 'lists the sessions of others',
    caughtBy: 'sessions: listed for their user, without secrets',
    change: (good) => ({
      listSessions: (request, context) => good.listSessions(request, request.user ? everything(context) : context),
    }),
  },
  {
    name: 'lists secrets of sessions',
    caughtBy: 'sessions: listed for their user, without secrets',
    change: (good) => {
      const secrets = new Map<string, string>();
      return {
        createSession: async (request, context) => {
          const answer = await good.createSession(request, context);
          secrets.set(answer.session!.id, answer.secret);
          return answer;
        },
        listSessions: async (request, context) => {
          const { sessions } = await good.listSessions(request, context);
          return { sessions: sessions.map((session) => ({ ...session, methods: [secrets.get(session.id) ?? ''] })) };
        },
      };
    },
  },
  {
    name: 'accepts a token after it was revoked',
    caughtBy: 'tokens: revoked is revoked',
    change: (good) => {
      const known = new Map<string, ReturnType<Authenticator['authenticateToken']>>();
      return {
        authenticateToken: (request, context) => {
          const token = request.token ?? '';
          const answer = known.get(token) ?? good.authenticateToken(request, context);
          known.set(token, answer);
          return answer;
        },
      };
    },
  },
  {
    name: 'compares only the beginning of a token',
    caughtBy: 'tokens: a wrong secret is a wrong secret',
    change: (good) => {
      const secrets = new Map<string, string>();
      return {
        createToken: async (request, context) => {
          const answer = await good.createToken(request, context);
          secrets.set(answer.secret.slice(0, 20), answer.secret);
          return answer;
        },
        authenticateToken: (request, context) => {
          const token = secrets.get((request.token ?? '').slice(0, 20)) ?? request.token;
          return good.authenticateToken({ ...request, token }, context);
        },
      };
    },
  },
  {
    name: 'lets tokens live for ever',
    caughtBy: 'tokens: an end is an end',
    change: (good) => {
      const ends = new Map<string, string>();
      return {
        createToken: async (request, context) => {
          const answer = await good.createToken({ ...request, expires: undefined }, context);
          if (request.expires) ends.set(answer.secret, request.expires);
          return answer;
        },
        authenticateToken: async (request, context) => {
          const { principal } = await good.authenticateToken(request, context);
          return { principal: principal && { ...principal, expires: ends.get(request.token ?? '') } };
        },
      };
    },
  },
  {
    name: 'forgets the bounds of a token',
    caughtBy: 'tokens: a secret answers for its user, within its bounds',
    change: (good) => ({
      authenticateToken: async (request, context) => {
        const { principal } = await good.authenticateToken(request, context);
        return { principal: principal && { ...principal, scopes: [], scopeComponents: [] } };
      },
    }),
  },
  {
    name: 'gives out wider tokens than the caller has',
    caughtBy: 'tokens: bounds are checked when it is made',
    change: (good) => ({ createToken: (request, context) => good.createToken(request, { ...context, scopes: [] }) }),
  },
  {
    name: 'makes tokens for the bots of others',
    caughtBy: 'tokens: for bots that the caller owns, for nobody else',
    change: (good) => ({ createToken: (request, context) => good.createToken(request, { ...context, admin: true }) }),
  },
  {
    name: 'changes the id with the name',
    caughtBy: 'users: a rename keeps the id',
    change: (good) => ({
      updateUser: async (request, context) => {
        const { user } = await good.updateUser(request, context);
        return { user: user && { ...user, id: request.updateMask?.includes('username') ? randomUUID() : user.id } };
      },
    }),
  },
  {
    name: 'leaves unknown ids out',
    caughtBy: 'users: many at once, in the order of the request',
    change: (good) => ({
      batchGetUsers: async (request, context) => {
        const { users } = await good.batchGetUsers(request, context);
        return { users: users.filter(({ username }) => username !== '') };
      },
    }),
  },
  {
    name: 'shows addresses to everybody',
    caughtBy: 'users: addresses are private',
    change: (good) => ({ batchGetUsers: (request, context) => good.batchGetUsers(request, everything(context)) }),
  },
  {
    name: 'lets users make themselves administrators',
    caughtBy: 'users: who may change what',
    change: (good) => ({
      updateUser: (request, context) =>
        good.updateUser(request, request.id === context.user ? everything(context) : context),
    }),
  },
  {
    name: 'does a repeated request again',
    caughtBy: 'users: made once per request id',
    change: (good) => ({ createUser: (request, context) => good.createUser({ ...request, requestId: '' }, context) }),
  },
  {
    name: 'finds users for anonymous callers',
    caughtBy: 'users: found by the beginning of a name',
    change: (good) => ({ findUsers: (request, context) => good.findUsers(request, everything(context)) }),
  },
  {
    name: 'makes placeholders again',
    caughtBy: 'placeholders: made once for each key of a source',
    change: (good) => ({
      createPlaceholders: (request, context) => good.createPlaceholders({ ...request, source: randomUUID() }, context),
    }),
  },
  {
    name: 'claims placeholders for anybody',
    caughtBy: 'placeholders: claimed by the real person',
    change: (good) => ({ claimPlaceholder: (request, context) => good.claimPlaceholder(request, everything(context)) }),
  },
  {
    name: 'accepts a reset code again',
    caughtBy: 'passwords: a reset code is good once',
    change: (good) => {
      const used = new Map<string, string>();
      return {
        resetPassword: async (request, context) => {
          const user = used.get(request.code ?? '');
          const code = user ? (await good.createPasswordReset({ user }, createSystemContext())).code : request.code;
          const answer = await good.resetPassword({ ...request, code }, context);
          used.set(request.code ?? '', answer.principal!.user!.id);
          return answer;
        },
      };
    },
  },
  {
    name: 'says that a password was changed, and keeps the old one',
    caughtBy: 'passwords: changed by proving the old one',
    change: () => ({ changePassword: async () => ({}) }),
  },
  {
    name: 'makes reset codes for anybody',
    caughtBy: 'passwords: reset codes are for administrators',
    change: (good) => ({
      createPasswordReset: (request, context) => good.createPasswordReset(request, everything(context)),
    }),
  },
  {
    name: 'forgets nested groups',
    caughtBy: 'groups: nested once',
    change: (good) => ({
      verifySession: async (request, context) => {
        const { principal } = await good.verifySession(request, context);
        return { principal: principal && { ...principal, groups: principal.groups.slice(0, 1) } };
      },
    }),
  },
  {
    name: 'lets anybody into a group',
    caughtBy: 'groups: members come and go',
    change: (good) => ({
      changeGroupMembers: (request, context) => good.changeGroupMembers(request, everything(context)),
    }),
  },
  {
    name: 'writes passwords into the audit log',
    caughtBy: 'audit: what happened stands there, and no secret',
    change: (good) => {
      let last = '';
      return {
        authenticatePassword: (request, context) => {
          last = request.password ?? '';
          return good.authenticatePassword(request, context);
        },
        listAuditEvents: async (request, context) => {
          const answer = await good.listAuditEvents(request, context);
          return {
            ...answer,
            events: answer.events.map((event) => ({ ...event, details: { ...event.details, password: last } })),
          };
        },
      };
    },
  },
  {
    name: 'shows the audit log to everybody',
    caughtBy: 'audit: for administrators, by kind',
    change: (good) => ({ listAuditEvents: (request, context) => good.listAuditEvents(request, everything(context)) }),
  },
];
