/** Logins at a real OpenID provider in its own process. */
import { randomBytes } from 'node:crypto';
import type { Tables } from '@bugless/auth-sql';
import {
  addPerson,
  rejectsWith,
  startTestAuthenticator,
  type TestAuthenticator,
  toContext,
} from '@bugless/auth-sql/testing';
import {
  AuthenticatorServiceDefinition,
  createContext,
  createSystemContext,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { connectInProcess } from '@bugless/kit/transport';
import t from 'tap';
import type { ConnectionConfiguration } from './configuration.ts';
import { createAuthOauth } from './instance.ts';
import { type Behaviour, Browser } from './testing/browser.ts';
import { startOpenidProvider } from './testing/openid-provider.ts';

const anonymous = createContext();
const system = createSystemContext();
const client = { address: '192.0.2.7', userAgent: 'test' };
const ORIGIN = 'http://localhost:8080';
const AUDIENCE = 'https://bugless.example/';
const SECRET = 'client-secret-that-nobody-may-log';
const callbackOf = (connection: string) => `${ORIGIN}/login/${connection}/callback`;

const CONNECTIONS = ['main', 'strict', 'closed', 'joining', 'managed', 'lasting'] as const;
const provider = await startOpenidProvider(t, {
  audience: AUDIENCE,
  clients: [
    {
      client_id: 'bugless',
      client_secret: SECRET,
      redirect_uris: CONNECTIONS.map(callbackOf),
      post_logout_redirect_uris: [`${ORIGIN}/login`],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    {
      client_id: 'robot',
      client_secret: 'robot-secret',
      redirect_uris: [],
      grant_types: ['client_credentials'],
      response_types: [],
    },
  ],
});

const connect = (id: string, more: Partial<ConnectionConfiguration> = {}): ConnectionConfiguration => ({
  id,
  name: `The ${id} one`,
  type: 'oidc',
  issuer: provider.issuer,
  clientId: 'bugless',
  clientSecret: SECRET,
  allowInsecure: true,
  timeout: '2s',
  ...more,
});

const start = () =>
  startTestAuthenticator(t, (environment, database) =>
    createAuthOauth(
      {
        connections: [
          connect('main', { allowCreate: true, icon: 'key' }),
          connect('strict', { allowCreate: true, allowedDomains: ['Example.org'], allowedGroups: ['staff'] }),
          connect('closed'),
          connect('joining', { linkByVerifiedEmail: true }),
          connect('managed', {
            allowCreate: true,
            adminGroups: ['admins'],
            groupMapping: { ops: ['operators', 'watchers'], dev: 'watchers' },
          }),
          connect('lasting', {
            allowCreate: true,
            allowedGroups: ['here'],
            scopes: ['openid', 'profile', 'offline_access'],
            parameters: { prompt: 'consent' },
            logout: true,
            recheck: '20s',
            groupMapping: { ops: 'lasting-ops' },
          }),
        ],
      },
      environment,
      database,
    ),
  );

const main = await start();
const createBinding = () => randomBytes(24).toString('base64url');

/** A login up to the callback, by one browser. */
async function visit(
  { authenticator }: TestAuthenticator,
  connection: string,
  behaviour: Behaviour & { browser?: Browser; returnTo?: string } = {},
) {
  const { browser = new Browser(), returnTo = '/issues/7' } = behaviour;
  const binding = createBinding();
  const redirectUri = callbackOf(connection);
  const { url, expires } = await authenticator.beginBrowserLogin(
    { connection, redirectUri, returnTo, binding, client },
    anonymous,
  );
  const callbackUrl = await browser.logIn(url, redirectUri, behaviour);
  return { connection, binding, callbackUrl, client, url: new URL(url), expires };
}

type Visit = Awaited<ReturnType<typeof visit>>;
const complete = (
  { authenticator }: TestAuthenticator,
  { connection, binding, callbackUrl }: Pick<Visit, 'connection' | 'binding' | 'callbackUrl'>,
) => authenticator.completeBrowserLogin({ connection, binding, callbackUrl, client }, anonymous);

const logIn = async (started: TestAuthenticator, connection: string, login: string) =>
  (await complete(started, await visit(started, connection, { login }))).principal!;

t.test('a login and a second one', async (t) => {
  await provider.setAccount('sub-ann', {
    preferred_username: 'ann',
    name: 'Ann Example',
    email: 'ann@example.org',
    email_verified: true,
    picture: 'https://images.example/ann.png',
  });
  const { methods } = await main.authenticator.listLoginMethods({}, anonymous);
  t.strictSame(methods[0], { kind: 'browser', connection: 'main', name: 'The main one', icon: 'key' });
  t.equal(methods.length, CONNECTIONS.length);

  const browser = new Browser();
  const first = await visit(main, 'main', { login: 'sub-ann', browser });
  const { searchParams } = first.url;
  t.equal(searchParams.get('code_challenge_method'), 'S256');
  t.equal(searchParams.get('redirect_uri'), callbackOf('main'));
  t.ok(searchParams.get('nonce'));
  t.notMatch(first.url.href, /issues/, 'where to go afterwards is not shown to the provider');
  t.equal(Date.parse(first.expires!) - main.clock.now(), 600_000);

  const { principal, returnTo } = await complete(main, first);
  t.equal(returnTo, '/issues/7');
  t.match(principal, {
    methods: ['browser:main'],
    user: {
      username: 'ann',
      displayName: 'Ann Example',
      email: 'ann@example.org',
      emailVerified: true,
      avatar: 'https://images.example/ann.png',
      admin: false,
      kind: UserKind.PERSON,
    },
  });

  await provider.setAccount('sub-ann', {
    preferred_username: 'renamed',
    email: 'other@example.org',
    email_verified: true,
  });
  const again = (await complete(main, await visit(main, 'main', { browser }))).principal!;
  t.equal(again.user!.id, principal!.user!.id, 'the same user whatever the provider calls it by now');
  t.equal(again.user!.username, 'ann', 'the name here is its own');

  const { secret } = await main.authenticator.createSession(
    { user: again.user!.id, methods: again.methods, client },
    system,
  );
  const verified = (await main.authenticator.verifySession({ secret, client }, anonymous)).principal!;
  t.strictSame(verified.methods, ['browser:main', 'session']);
});

t.test('a name that is taken', async (t) => {
  await addPerson(main.authenticator, 'bob', { email: 'bob@example.org' });
  await provider.setAccount('sub-bob', { preferred_username: 'bob', email: 'bob@example.org', email_verified: true });
  const { user } = await logIn(main, 'main', 'sub-bob');
  t.equal(user!.username, 'bob-2', 'a new user, not the one of the same name and address');
});

t.test('a callback counts once, in its browser, for its connection', async (t) => {
  await provider.setAccount('sub-cat', { preferred_username: 'cat' });
  const used = await visit(main, 'main', { login: 'sub-cat' });
  await complete(main, used);
  await rejectsWith(t, complete(main, used), 'STATE_MISMATCH', 'a second time');

  const stolen = await visit(main, 'main', { login: 'sub-cat' });
  await rejectsWith(t, complete(main, { ...stolen, binding: createBinding() }), 'STATE_MISMATCH', 'in another browser');
  await rejectsWith(t, complete(main, stolen), 'STATE_MISMATCH', 'and never after that');

  const other = await visit(main, 'main', { login: 'sub-cat' });
  const moved = other.callbackUrl.replace('/main/', '/closed/');
  await rejectsWith(
    t,
    complete(main, { ...other, connection: 'closed', callbackUrl: moved }),
    'STATE_MISMATCH',
    'of another connection',
  );

  const elsewhere = await visit(main, 'main', { login: 'sub-cat' });
  const callbackUrl = elsewhere.callbackUrl.replace(ORIGIN, 'http://evil.example');
  await rejectsWith(t, complete(main, { ...elsewhere, callbackUrl }), 'STATE_MISMATCH', 'at another address');

  const change = (address: string, name: string, value: string | undefined) => {
    const url = new URL(address);
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
    return url.href;
  };
  const forged: [string, string, string | undefined][] = [
    ['another issuer', 'iss', 'https://evil.example'],
    ['no issuer', 'iss', undefined],
    ['no state', 'state', undefined],
    ['another state', 'state', 'x'.repeat(43)],
  ];
  for (const [what, name, value] of forged) {
    const seen = await visit(main, 'main', { login: 'sub-cat' });
    const request = { ...seen, callbackUrl: change(seen.callbackUrl, name, value) };
    await rejectsWith(t, complete(main, request), 'STATE_MISMATCH', what);
  }
  const twice = await visit(main, 'main', { login: 'sub-cat' });
  await rejectsWith(
    t,
    complete(main, { ...twice, callbackUrl: `${twice.callbackUrl}&state=x` }),
    'STATE_MISMATCH',
    'two states',
  );

  const swapped = await visit(main, 'main', { login: 'sub-cat' });
  const foreign = new URL((await visit(main, 'main', { login: 'sub-ann' })).callbackUrl).searchParams.get('code')!;
  await rejectsWith(
    t,
    complete(main, { ...swapped, callbackUrl: change(swapped.callbackUrl, 'code', foreign) }),
    'BAD_CREDENTIALS',
    'the code of another login',
  );
  const garbled = await visit(main, 'main', { login: 'sub-cat' });
  await rejectsWith(
    t,
    complete(main, { ...garbled, callbackUrl: change(garbled.callbackUrl, 'code', 'nonsense') }),
    'BAD_CREDENTIALS',
    'no code of the provider',
  );
  await rejectsWith(t, complete(main, { ...garbled, callbackUrl: 'nonsense' }), 'INVALID_FIELD', 'no address');
});

t.test('a login takes ten minutes at most, and may end at another core', async (t) => {
  const another = await main.startAnother();
  const begun = await visit(main, 'main', { login: 'sub-cat' });
  const { principal } = await complete(another, begun);
  t.equal(principal!.user!.username, 'cat');
  const late = await visit(main, 'main', { login: 'sub-cat' });
  main.clock.advance(600_000);
  await rejectsWith(t, complete(main, late), 'STATE_MISMATCH');
  main.clock.advance(-600_000);
});

t.test('what begins a login is checked', async (t) => {
  const request = {
    connection: 'main',
    redirectUri: callbackOf('main'),
    returnTo: '/',
    binding: createBinding(),
    client,
  };
  const begin = (change: object) => main.authenticator.beginBrowserLogin({ ...request, ...change }, anonymous);
  await rejectsWith(t, begin({ connection: 'nowhere' }), 'CONNECTION_NOT_FOUND');
  await rejectsWith(t, begin({ redirectUri: '/login' }), 'INVALID_FIELD');
  await rejectsWith(t, begin({ redirectUri: `${callbackOf('main')}?x=1` }), 'INVALID_FIELD');
  await rejectsWith(t, begin({ binding: 'short' }), 'INVALID_FIELD');
  await rejectsWith(t, begin({ returnTo: `/${'x'.repeat(2000)}` }), 'INVALID_FIELD');
  const { url } = await begin({ redirectUri: 'http://localhost:8080/elsewhere' });
  const response = await new Browser().request(url);
  t.match(await response.text(), /redirect_uri/, 'the provider keeps to the exact address');
});

t.test('consent denied', async (t) => {
  const denied = await visit(main, 'main', { denies: true });
  t.match(denied.callbackUrl, /error=access_denied/);
  await rejectsWith(t, complete(main, denied), 'LOGIN_DENIED');
  await rejectsWith(t, complete(main, denied), 'STATE_MISMATCH', 'used up as well');
});

t.test('who may come in', async (t) => {
  const set = (values: object) => provider.setAccount('sub-dan', { preferred_username: 'dan', ...values });
  await rejectsWith(t, logIn(main, 'closed', 'sub-dan'), 'NOT_ALLOWED', 'nobody new');
  const staff = { email: 'dan@EXAMPLE.org', email_verified: true, groups: ['staff'] };
  const refused: [string, object][] = [
    ['no address', { groups: ['staff'] }],
    ['another domain', { ...staff, email: 'dan@evil-example.org' }],
    ['an unverified address', { ...staff, email_verified: false }],
    ['no group', { ...staff, groups: [] }],
    ['a group of another name', { ...staff, groups: 'staffers' }],
  ];
  for (const [what, claims] of refused) {
    await set(claims);
    await rejectsWith(t, logIn(main, 'strict', 'sub-dan'), 'NOT_ALLOWED', what);
  }
  await set(staff);
  const { user } = await logIn(main, 'strict', 'sub-dan');
  t.equal(user!.email, 'dan@EXAMPLE.org');
  await set({ ...staff, groups: ['former'] });
  await rejectsWith(t, logIn(main, 'strict', 'sub-dan'), 'NOT_ALLOWED', 'asked again at each login');
  t.equal(
    (await logIn(main, 'closed', 'sub-dan')).user!.id,
    user!.id,
    'known here by whatever connection to the same issuer',
  );
});

t.test('an address joins nobody unless it is verified at both ends and the administrator opted in', async (t) => {
  const root = await addPerson(main.authenticator, 'root-eve', { admin: true });
  const eve = await addPerson(main.authenticator, 'eve', { email: 'Eve@example.org' });
  await provider.setAccount('sub-eve', { preferred_username: 'eve', email: 'eve@example.org', email_verified: true });
  await rejectsWith(t, logIn(main, 'joining', 'sub-eve'), 'NOT_ALLOWED', 'unverified here');
  const mark = (user: string) =>
    main.authenticator.updateUser(
      { id: user, expectedVersion: '0', user: { emailVerified: true }, updateMask: ['email_verified'] },
      root,
    );
  await mark(eve.user);
  await rejectsWith(t, logIn(main, 'closed', 'sub-eve'), 'NOT_ALLOWED', 'not opted in');
  await provider.setAccount('sub-eve-2', { email: 'eve@example.org', email_verified: false });
  await rejectsWith(t, logIn(main, 'joining', 'sub-eve-2'), 'NOT_ALLOWED', 'unverified there');
  const twin = await addPerson(main.authenticator, 'eve-twin', { email: 'eve@example.org' });
  await mark(twin.user);
  await rejectsWith(t, logIn(main, 'joining', 'sub-eve'), 'NOT_ALLOWED', 'two users have it');
  await main.authenticator.updateUser(
    { id: twin.user, expectedVersion: '0', user: { email: '' }, updateMask: ['email'] },
    root,
  );
  const { user } = await logIn(main, 'joining', 'sub-eve');
  t.equal(user!.id, eve.user, 'joined');
  await provider.setAccount('sub-eve', { email: 'new@example.org', email_verified: false });
  t.equal((await logIn(main, 'joining', 'sub-eve')).user!.id, eve.user, 'and linked for good, by the account alone');
});

t.test('groups and administration by claims', async (t) => {
  const root = await addPerson(main.authenticator, 'root-fay', { admin: true });
  const make = async (name: string) => (await main.authenticator.createGroup({ group: { name } }, root)).group!.id;
  const [operators, watchers, own] = [await make('operators'), await make('watchers'), await make('own')];
  const set = (groups: string[]) => provider.setAccount('sub-fay', { preferred_username: 'fay', groups });
  await set(['ops', 'admins', 'unmapped']);
  const first = await logIn(main, 'managed', 'sub-fay');
  t.strictSame(new Set(first.groups), new Set([operators, watchers]));
  t.equal(first.user!.admin, true);

  await main.authenticator.changeGroupMembers(
    { group: own, add: [{ member: { $case: 'user', value: first.user!.id } }] },
    root,
  );
  await set(['dev']);
  const second = await logIn(main, 'managed', 'sub-fay');
  t.strictSame(new Set(second.groups), new Set([watchers, own]), 'only its own groups are set');
  t.equal(second.user!.admin, false);

  await set(['ops', 'admins']);
  const other = await logIn(main, 'main', 'sub-fay');
  t.strictSame(new Set(other.groups), new Set([watchers, own]), 'another connection decides nothing');
  t.equal(other.user!.admin, false);
});

t.test('the last administrator stays', async (t) => {
  const alone = await start();
  const set = (groups: string[]) => provider.setAccount('sub-gil', { preferred_username: 'gil', groups });
  await set(['admins']);
  t.equal((await logIn(alone, 'managed', 'sub-gil')).user!.admin, true, 'the first one comes by claims');
  await set([]);
  t.equal((await logIn(alone, 'managed', 'sub-gil')).user!.admin, true);
  t.ok(alone.logged.some((line) => line.includes('last administrator')));
});

t.test('deactivated here', async (t) => {
  const root = await addPerson(main.authenticator, 'root-hal', { admin: true });
  await provider.setAccount('sub-hal', { preferred_username: 'hal' });
  const { user } = await logIn(main, 'main', 'sub-hal');
  const setState = (state: UserState) =>
    main.authenticator.updateUser({ id: user!.id, expectedVersion: '0', user: { state }, updateMask: ['state'] }, root);
  await setState(UserState.DEACTIVATED);
  await rejectsWith(t, logIn(main, 'main', 'sub-hal'), 'NOT_ALLOWED');
  const logins = await main.authenticator.listAuditEvents({ kind: 'login', user: user!.id }, root);
  t.equal(logins.events.length, 1, 'no login is written down');
  await setState(UserState.ACTIVE);
  t.equal((await logIn(main, 'main', 'sub-hal')).user!.id, user!.id);
  await setState(UserState.DELETED);
  t.not((await logIn(main, 'main', 'sub-hal')).user!.id, user!.id, 'a deleted user is never anybody again');
});

t.test('a logout here is one at the provider', async (t) => {
  await provider.setAccount('sub-lea', { preferred_username: 'lea', groups: ['here'] });
  const browser = new Browser();
  const begin = async (connection: string, login?: string) => {
    const { principal } = await complete(main, await visit(main, connection, { browser, ...(login && { login }) }));
    const request = { user: principal!.user!.id, methods: principal!.methods, client };
    return (await main.authenticator.createSession(request, system)).secret;
  };
  const end = (secret: string, afterLogoutUri = '') =>
    main.authenticator.revokeSessions({ secret, afterLogoutUri }, anonymous);
  const first = await begin('lasting', 'sub-lea');
  await rejectsWith(t, end(first, '/login'), 'INVALID_FIELD');
  const { count, logoutUrl } = await end(first, `${ORIGIN}/login`);
  t.equal(count, 1);
  await rejectsWith(t, main.authenticator.verifySession({ secret: first, client }, anonymous), 'SESSION_EXPIRED');
  t.match(logoutUrl, /id_token_hint=eyJ/);
  const page = await (await browser.request(logoutUrl)).text();
  const xsrf = /name="xsrf" value="(\w+)"/.exec(page)?.[1] ?? '';
  const left = await browser.request(`${provider.issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
  t.equal(left.headers.get('location'), `${ORIGIN}/login`);
  await t.rejects(visit(main, 'main', { browser, login: '' }), 'the provider asks who it is again');

  t.equal((await end(await begin('main', 'sub-lea'), `${ORIGIN}/login`)).logoutUrl, '', 'another connection does not');
  t.equal((await end(await begin('lasting'))).logoutUrl, '', 'not asked for');
  t.strictSame(await end('x'.repeat(43), `${ORIGIN}/login`), { count: 0, logoutUrl: '' }, 'no session');
  const rows = await main.database
    .kysely<Tables>()
    .selectFrom('auth_identity')
    .select('sealed')
    .where('sealed', '<>', '')
    .execute();
  t.ok(
    rows.length > 0 && rows.every(({ sealed }) => !/eyJ|refresh/.test(sealed)),
    'tokens of the provider are sealed at rest',
  );
});

t.test('an account that goes at the provider goes here', async (t) => {
  const root = await addPerson(main.authenticator, 'root-mia', { admin: true });
  const group = (await main.authenticator.createGroup({ group: { name: 'lasting-ops' } }, root)).group!.id;
  const set = (groups: string[]) => provider.setAccount('sub-mia', { preferred_username: 'mia', groups });
  await set(['here']);
  const started = await main.startAnother();
  const principal = await logIn(started, 'lasting', 'sub-mia');
  const create = async (methods: string[]) =>
    (await started.authenticator.createSession({ user: principal.user!.id, methods, client }, system)).secret;
  const [browser, password] = [await create(principal.methods), await create(['password'])];
  const verify = (secret: string) => started.authenticator.verifySession({ secret, client }, anonymous);
  // The provider is asked in the background, and drained here as at the end of a process.
  const look = async () => {
    await verify(browser);
    await started.instance.drain();
  };
  await set(['here', 'ops']);
  await look();
  t.strictSame((await verify(browser)).principal!.groups, [], 'not asked before it is due');
  main.clock.advance(25_000);
  await look();
  t.strictSame((await verify(browser)).principal!.groups, [group], 'groups follow');
  await set(['gone']);
  main.clock.advance(25_000);
  await look();
  await rejectsWith(t, verify(browser), 'SESSION_EXPIRED', 'it may not log in any more');
  await verify(password);
  const events = (await main.authenticator.listAuditEvents({ kind: 'session_revoked', user: principal.user!.id }, root))
    .events;
  t.match(events[0]!.details, { by: 'provider', connection: 'lasting' });
  await set(['here']);
  const again = await create((await logIn(started, 'lasting', 'sub-mia')).methods);
  await provider.removeAccount('sub-mia');
  main.clock.advance(25_000);
  await verify(again);
  await started.instance.drain();
  await rejectsWith(t, verify(again), 'SESSION_EXPIRED', 'the provider does not know its refresh token any more');
  main.clock.advance(-75_000);
});

t.test('two first logins at once make one user', async (t) => {
  await provider.setAccount('sub-ivy', { preferred_username: 'ivy' });
  const visits = await Promise.all([1, 2, 3].map(() => visit(main, 'main', { login: 'sub-ivy' })));
  const answers = await Promise.all(visits.map((seen) => complete(main, seen)));
  t.equal(new Set(answers.map(({ principal }) => principal!.user!.id)).size, 1);
});

t.test('the provider changes its keys', async (t) => {
  await provider.setAccount('sub-jan', { preferred_username: 'jan' });
  const before = await logIn(main, 'main', 'sub-jan');
  await provider.changeKeys();
  t.equal((await logIn(main, 'main', 'sub-jan')).user!.id, before.user!.id);
  await provider.changeKeys({ secretly: true });
  await rejectsWith(t, logIn(main, 'main', 'sub-jan'), 'BAD_CREDENTIALS', 'signed by a key that it does not publish');
  await provider.changeKeys();
  t.equal((await logIn(main, 'main', 'sub-jan')).user!.id, before.user!.id);
});

t.test('the clock of the provider is off', async (t) => {
  // Its ID tokens last 30 s.
  const refused: [string, number, boolean][] = [
    ['50 s ahead', 50_000, true],
    ['80 s behind', -80_000, true],
    ['two minutes behind', -120_000, false],
  ];
  for (const [what, millis, goes] of refused) {
    await provider.shiftClock(millis);
    const attempt = logIn(main, 'main', 'sub-jan');
    if (goes) t.equal((await attempt).user!.username, 'jan', what);
    else await rejectsWith(t, attempt, 'BAD_CREDENTIALS', what);
  }
  await provider.shiftClock(0);
});

t.test('bots with tokens of the provider', async (t) => {
  const { authenticator } = main;
  const owner = await addPerson(authenticator, 'owner-kim');
  const makeBot = async (username: string) =>
    (await authenticator.createUser({ user: { username, kind: UserKind.BOT } }, owner)).user!.id;
  const bot = await makeBot('robot-kim');
  const bots = { audience: AUDIENCE, accounts: { robot: bot }, scope: 'comment' as const };
  const started = await startBeside([connect('robots', { bots })]);
  const getToken = async (parameters: object = {}, user = 'robot', secret = 'robot-secret') => {
    const response = await fetch(`${provider.issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE, scope: 'bots', ...parameters }),
    });
    return ((await response.json()) as { access_token: string }).access_token;
  };
  const authenticate = (token: string) => started.authenticator.authenticateToken({ token, client }, anonymous);
  const token = await getToken();
  const { principal } = await authenticate(token);
  t.match(principal, { user: { id: bot }, methods: ['token'], scopes: [2] });
  t.ok(Date.parse(principal!.expires!) > Date.now());

  const [head, body, signature] = token.split('.') as [string, string, string];
  const changed = Buffer.from(JSON.stringify({ ...JSON.parse(String(Buffer.from(body, 'base64url'))), sub: 'x' }));
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url');
  const wrong: [string, string][] = [
    ['changed', `${head}.${changed.toString('base64url')}.${signature}`],
    ['unsigned', `${unsigned}.${body}.`],
    ['opaque', await getToken({ resource: [] })],
    ['cut', token.slice(0, -2)],
    ['no token', 'eyJ.eyJ.x'],
  ];
  for (const [what, value] of wrong) await rejectsWith(t, authenticate(value), 'BAD_CREDENTIALS', what);
  await rejectsWith(
    t,
    main.authenticator.authenticateToken({ token, client }, anonymous),
    'BAD_CREDENTIALS',
    'not configured',
  );

  const people = { ...bots, accounts: { robot: owner.user } };
  const wide = await startBeside([connect('robots', { bots: people })]);
  await rejectsWith(
    t,
    wide.authenticator.authenticateToken({ token, client }, anonymous),
    'BAD_CREDENTIALS',
    'of a person',
  );

  started.clock.advance(400_000);
  await rejectsWith(t, authenticate(token), 'BAD_CREDENTIALS', 'over');
  started.clock.advance(-400_000);
  const own = await started.authenticator.createToken({ user: bot, name: 'own', scopes: [1] }, system);
  t.equal((await authenticate(own.secret)).principal!.user!.id, bot, 'tokens of Bugless itself go on working');
  await started.authenticator.updateUser(
    { id: owner.user, expectedVersion: '0', user: { state: UserState.DEACTIVATED }, updateMask: ['state'] },
    system,
  );
  await rejectsWith(t, authenticate(token), 'BAD_CREDENTIALS', 'its owner was deactivated');
});

/** The plugin with other connections on the database of the first. */
async function startBeside(connections: readonly ConnectionConfiguration[]): Promise<TestAuthenticator> {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const environment = { log, dataDirectory: '/nonexistent', now: main.clock.now };
  const instance = createAuthOauth({ connections }, environment, main.database);
  t.teardown(() => instance.stop());
  await instance.start();
  return {
    ...main,
    instance,
    authenticator: connectInProcess(AuthenticatorServiceDefinition, instance.authenticator!),
  };
}

t.test('the log of security events, and what was logged', async (t) => {
  const root = await addPerson(main.authenticator, 'root-log', { admin: true });
  const list = async (kind: string) => (await main.authenticator.listAuditEvents({ kind, pageSize: 100 }, root)).events;
  t.ok(
    (await list('login')).some(({ details, address }) => details.connection === 'main' && address === client.address),
  );
  t.ok((await list('identity_linked')).some(({ details }) => details.connection === 'joining'));
  const reasons = new Set((await list('login_failed')).map(({ details }) => details.reason));
  t.strictSame(reasons, new Set(['LOGIN_DENIED', 'NOT_ALLOWED', 'BAD_CREDENTIALS', 'STATE_MISMATCH']));
  t.notMatch(main.logged.join('\n'), new RegExp(`${SECRET}|eyJ|code=|access_token`), 'no secret');
  t.equal(toContext(await logIn(main, 'main', 'sub-jan')).admin, false);
});

t.test('the provider is away', async (t) => {
  const begun = await visit(main, 'main', { login: 'sub-jan' });
  const fresh = await main.startAnother();
  await provider.kill();
  const started = Date.now();
  await rejectsWith(t, complete(main, begun), 'PROVIDER_UNAVAILABLE');
  const request = {
    connection: 'main',
    redirectUri: callbackOf('main'),
    returnTo: '/',
    binding: createBinding(),
    client,
  };
  await rejectsWith(
    t,
    fresh.authenticator.beginBrowserLogin(request, anonymous),
    'PROVIDER_UNAVAILABLE',
    'without metadata',
  );
  t.ok(Date.now() - started < 5000, 'soon');
});
