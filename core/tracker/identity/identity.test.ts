import {
  type AuthenticatorCapability,
  type AuthenticatorImplementation,
  AuthenticatorServiceDefinition,
  createContext,
  ServiceError,
  UserState,
} from '@bugless/kit/service';
import { connectInProcess } from '@bugless/kit/transport';
import t from 'tap';
import { createIdentity } from './facade.ts';
import type { AuthenticatorLink } from './identity.ts';

const client = { address: '192.0.2.1', userAgent: 'test' };
const context = createContext();

/** The failure that a promise ends in. */
const catchFailure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error) => error,
  );

/** An authenticator over plain tables, that counts what it is asked. */
function makeAuthenticator(
  people: Record<string, { id: string; password: string }>,
  values: { dataId?: string; absent?: AuthenticatorCapability[]; fails?: ServiceError; connection?: string } = {},
) {
  const calls: Record<string, number> = {};
  const sessions = new Map<string, string>();
  const count = (name: string) => {
    calls[name] = (calls[name] ?? 0) + 1;
  };
  const findById = (id: string) => Object.entries(people).find(([, person]) => person.id === id);
  const implementation: AuthenticatorImplementation = {
    async authenticatePassword({ username, password }) {
      count('password');
      if (values.fails !== undefined) throw values.fails;
      const person = people[username];
      if (person?.password !== password) throw new ServiceError('BAD_CREDENTIALS', 'wrong');
      return { principal: { user: { id: person.id, username }, methods: ['password'] } };
    },
    async createSession({ user }) {
      const secret = `secret-of-${user}`;
      sessions.set(secret, user);
      return { secret, session: { id: `session-${user}`, user } };
    },
    async verifySession({ secret }) {
      count('session');
      const user = sessions.get(secret);
      if (user === undefined) throw new ServiceError('SESSION_EXPIRED', 'gone');
      return { principal: { user: { id: user }, methods: ['session'] } };
    },
    async authenticateToken({ token }) {
      count('token');
      if (!/^(bl_good|eyJ)/.test(token)) throw new ServiceError('BAD_CREDENTIALS', 'wrong');
      return { principal: { user: { id: 'bot' }, methods: ['token'] } };
    },
    async revokeSessions({ secret, afterLogoutUri }) {
      const ended = sessions.delete(secret);
      const { connection } = values;
      return {
        count: ended ? 1 : 0,
        logoutUrl: ended && connection ? `https://${connection}.example/end?${afterLogoutUri}` : '',
      };
    },
    async beginBrowserLogin({ connection }) {
      count('begin');
      if (connection !== values.connection) throw new ServiceError('CONNECTION_NOT_FOUND', 'none');
      return { url: `https://${connection}.example/` };
    },
    async completeBrowserLogin({ connection, binding }) {
      if (connection !== values.connection) throw new ServiceError('CONNECTION_NOT_FOUND', 'none');
      if (binding !== 'mine') throw new ServiceError('STATE_MISMATCH', 'another browser');
      return { principal: { user: { id: connection }, methods: [`browser:${connection}`] }, returnTo: '/7' };
    },
    async batchGetUsers({ ids }) {
      count('users');
      return {
        users: ids.map((id) => {
          const [username] = findById(id) ?? [];
          return username === undefined
            ? { id, state: UserState.DELETED }
            : { id, username, state: UserState.ACTIVE, email: 'private@example.org' };
        }),
      };
    },
    async resolveUsernames({ usernames }) {
      return {
        results: usernames.map((username) => ({
          username,
          user: people[username] && { id: people[username].id, username },
        })),
      };
    },
    async listLoginMethods() {
      return { methods: [{ kind: 'password', name: 'Password' }] };
    },
  };
  const all = ['login.password', 'login.browser', 'login.token', 'sessions', 'directory'] as const;
  const absent: readonly string[] = [...(values.absent ?? []), ...(values.connection ? [] : ['login.browser'])];
  const link: AuthenticatorLink = {
    authenticator: connectInProcess(AuthenticatorServiceDefinition, implementation),
    capabilities: new Set(all.filter((name) => !absent.includes(name))),
    reasons: new Map([['groups', 'this one has none']]),
    dataId: values.dataId ?? Math.random().toString(),
  };
  return { link, calls };
}

t.test('several authenticators: each in order, its own sessions', async (t) => {
  const local = makeAuthenticator({ admin: { id: 'a', password: 'one' } });
  const company = makeAuthenticator({ ann: { id: 'b', password: 'two' } });
  const identity = createIdentity([local.link, company.link]);
  const login = await identity.loginWithPassword({ username: 'ann', password: 'two', client }, context);
  t.match(login, { secret: 'secret-of-b', principal: { user: { id: 'b' } } });
  t.match(await identity.verifySession(login.secret, client, context), { user: { id: 'b' } });
  t.same(local.calls, { password: 1, session: 1 });
  t.match(await catchFailure(identity.loginWithPassword({ username: 'ann', password: 'no', client }, context)), {
    reason: 'BAD_CREDENTIALS',
  });
  t.match(await identity.listLoginMethods(context), [{ kind: 'password' }], 'one form for all');
  t.equal((await identity.listLoginMethods(context)).length, 1);
});

t.test('a throttle or a failure is told, unless another one knows the person', async (t) => {
  const throttled = makeAuthenticator(
    {},
    { fails: new ServiceError('THROTTLED', 'slow down', { retryAfterMillis: 5000 }) },
  );
  const other = makeAuthenticator({ ann: { id: 'b', password: 'two' } });
  const identity = createIdentity([throttled.link, other.link]);
  t.match(await identity.loginWithPassword({ username: 'ann', password: 'two', client }, context), {
    secret: 'secret-of-b',
  });
  t.match(await catchFailure(identity.loginWithPassword({ username: 'ann', password: 'x', client }, context)), {
    reason: 'THROTTLED',
    retryAfterMillis: 5000,
  });
});

t.test('credentials are asked for once in 5 seconds, and forgotten at logout', async (t) => {
  let now = Date.now();
  const { link, calls } = makeAuthenticator({ ann: { id: 'b', password: 'two' } });
  const identity = createIdentity([link], () => now);
  const { secret } = await identity.loginWithPassword({ username: 'ann', password: 'two', client }, context);
  t.equal(identity.peek(secret), undefined);
  await identity.verifySession(secret, client, context);
  await identity.verifySession(secret, client, context);
  t.equal(calls.session, 1);
  t.match(identity.peek(secret), { user: { id: 'b' } });
  now += 5000;
  t.equal(identity.peek(secret), undefined, 'not after 5 s');
  await identity.verifySession(secret, client, context);
  t.equal(calls.session, 2);
  await identity.logout(secret, context);
  t.match(await catchFailure(identity.verifySession(secret, client, context)), { reason: 'SESSION_EXPIRED' });
  t.equal(identity.peek(secret), undefined, 'refusals are not kept');
});

t.test('a bearer may be a token or a session', async (t) => {
  const { link, calls } = makeAuthenticator({ ann: { id: 'b', password: 'two' } });
  const identity = createIdentity([link]);
  const { secret } = await identity.loginWithPassword({ username: 'ann', password: 'two', client }, context);
  t.match(await identity.verifyBearer('bl_good', client, context), { user: { id: 'bot' } });
  t.equal(calls.session, undefined, 'a token is not tried as a session');
  t.match(await identity.verifyBearer(secret, client, context), { user: { id: 'b' } });
  for (const wrong of ['bl_bad', 'x', '', 'y'.repeat(10_000)]) {
    t.match(await catchFailure(identity.verifyBearer(wrong, client, context)), { reason: 'BAD_CREDENTIALS' });
  }
});

t.test('an access token of a provider is longer than those of Bugless', async (t) => {
  const identity = createIdentity([makeAuthenticator({}).link]);
  const token = `eyJ${'x'.repeat(2000)}`;
  t.match(await identity.verifyBearer(token, client, context), { user: { id: 'bot' } });
});

t.test('logins in the browser: the authenticator that has the connection', async (t) => {
  const local = makeAuthenticator({});
  const [one, two] = [makeAuthenticator({}, { connection: 'one' }), makeAuthenticator({}, { connection: 'two' })];
  const identity = createIdentity([local.link, one.link, two.link]);
  const begin = (connection: string, via = identity) =>
    via.beginBrowserLogin({ connection, redirectUri: 'x', returnTo: '/7', binding: 'mine', client }, context);
  const complete = (connection: string, binding = 'mine') =>
    identity.completeBrowserLogin({ connection, callbackUrl: 'x', binding, client }, context);
  t.match(await begin('two'), { url: 'https://two.example/' });
  t.equal(local.calls.begin, undefined, 'who has no such logins is not asked');
  t.match(await catchFailure(begin('three')), { reason: 'CONNECTION_NOT_FOUND' });
  t.match(await catchFailure(complete('two', 'other')), { reason: 'STATE_MISMATCH' });
  const { login, returnTo } = await complete('two');
  t.equal(returnTo, '/7');
  t.match(login, { secret: 'secret-of-two', principal: { methods: ['browser:two'] } });
  t.match(await identity.verifySession(login.secret, client, context), { user: { id: 'two' } });
  t.equal(await identity.logout(login.secret, context, '/login'), 'https://two.example/end?/login');
  t.equal(await identity.logout(login.secret, context, '/login'), '', 'it has ended');
  t.match(await catchFailure(begin('two', createIdentity([local.link]))), { reason: 'CAPABILITY_ABSENT' });
});

t.test('the directory: batches, caches, merges, hides addresses', async (t) => {
  let now = Date.now();
  const one = makeAuthenticator({ ann: { id: 'a', password: '' } }, { dataId: 'same' });
  const twin = makeAuthenticator({ ann: { id: 'a', password: '' } }, { dataId: 'same' });
  const other = makeAuthenticator({ bob: { id: 'b', password: '' } });
  const { directory } = createIdentity([one.link, twin.link, other.link], () => now);
  const [first, second] = await Promise.all([directory.getUsers(['a', 'b', '']), directory.getUsers(['b', 'gone'])]);
  t.same([...first.keys()].sort(), ['a', 'b']);
  t.match(first.get('a'), { username: 'ann', email: '' });
  t.match(second.get('b'), { username: 'bob' });
  t.match(second.get('gone'), { state: UserState.DELETED });
  t.same([one.calls.users, twin.calls.users, other.calls.users], [1, undefined, 1], 'one call each, none to the twin');
  await directory.getUsers(['a', 'b']);
  t.equal(one.calls.users, 1, 'from the cache');
  now += 2000;
  await directory.getUsers(['a']);
  t.equal(one.calls.users, 2, 'not after 2 s');
  t.same(
    [...(await directory.resolveUsernames(['ann', 'bob', 'nobody'])).values()].map(({ id }) => id),
    ['a', 'b'],
  );
});

t.test('what nobody can do is told with the reason', async (t) => {
  const { link } = makeAuthenticator({}, { absent: ['login.password'] });
  const identity = createIdentity([link]);
  t.throws(() => identity.withCapability('groups'), /this one has none/);
  t.match(await catchFailure(identity.loginWithPassword({ username: 'a', password: 'b', client }, context)), {
    reason: 'CAPABILITY_ABSENT',
  });
  t.equal(await identity.isSetupNeeded(context), false);
});
