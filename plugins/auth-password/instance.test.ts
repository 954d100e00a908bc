import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { readSettings, type Tables } from '@bugless/auth-sql';
import { addPerson, rejectsWith, startTestAuthenticator, toContext } from '@bugless/auth-sql/testing';
import {
  AUTHENTICATOR_CAPABILITIES,
  AuthenticatorServiceDefinition,
  createContext,
  createSystemContext,
  type ServiceError,
  TokenScope,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { connectInProcess } from '@bugless/kit/transport';
import bcrypt from 'bcrypt';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import type { AuthPasswordConfiguration } from './configuration.ts';
import plugin from './index.ts';
import { createAuthPassword } from './instance.ts';

const SYSTEM = createSystemContext();
const NOBODY = createContext();
const SECRET = 'correct horse';

function start(t: Test, configuration: AuthPasswordConfiguration = {}) {
  return startTestAuthenticator(t, (environment, database) =>
    createAuthPassword({ bcryptCost: 4, ...configuration }, environment, database),
  );
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => '-',
    (error: ServiceError) => error.reason,
  );
}

t.test('what the plugin says of itself', async (t) => {
  const { instance } = await start(t);
  const { capabilities, dataId } = instance.getDetails();
  t.same(Object.keys(capabilities).sort(), Object.keys(AUTHENTICATOR_CAPABILITIES).sort());
  t.type(capabilities['login.browser'], 'string');
  t.type(capabilities['login.certificate'], 'string');
  t.match(dataId, /^[0-9a-f-]{36}$/);
  const absent = ['beginBrowserLogin', 'completeBrowserLogin', 'authenticateCertificate'];
  t.same(
    Object.keys(AuthenticatorServiceDefinition.methods).filter((name) => !(name in instance.authenticator!)),
    absent,
  );
  await instance.checkReady();
  t.equal(plugin.id, '@bugless/auth-password');
  const fresh = plugin.create({}, { log: console, dataDirectory: '/nonexistent', now: Date.now });
  await rejectsWith(t, fresh.checkReady(), 'NOT_READY');
  await fresh.stop();
  t.same(readSettings({ sessionIdle: '1h' }).sessionIdleMillis, 3_600_000);
});

t.test('without any configuration: embedded Postgres in the data directory', async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'bugless-auth-'));
  t.teardown(() => rm(dataDirectory, { recursive: true, force: true }));
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const instance = plugin.create({}, { log, dataDirectory, now: Date.now });
  await instance.start();
  const auth = connectInProcess(AuthenticatorServiceDefinition, instance.authenticator!);
  t.same(await auth.getSetup({}, NOBODY), { needed: true });
  await instance.checkReady();
  await instance.drain();
  await instance.stop();
  const misplaced = plugin.create({ engine: 'cockroachdb' }, { log, dataDirectory, now: Date.now });
  await t.rejects(misplaced.start(), { message: /^url: is missing; engine cockroachdb/ } as unknown as Error);
  await misplaced.stop();
});

t.test('the first administrator', async (t) => {
  const { authenticator: auth, clock } = await start(t, { bcryptConcurrency: 4 });
  t.same(await auth.getSetup({}, NOBODY), { needed: true });
  await rejectsWith(t, auth.createSetupCode({}, NOBODY), 'LOGIN_REQUIRED');
  const old = await auth.createSetupCode({}, SYSTEM);
  const { code } = await auth.createSetupCode({}, SYSTEM);
  const setup = (username: string, values: object = {}) =>
    auth.completeSetup({ code, username, password: SECRET, client: { address: '192.0.2.9' }, ...values }, NOBODY);
  await rejectsWith(t, setup('root', { code: old.code }), 'BAD_CREDENTIALS', 'an earlier code has ended');
  await rejectsWith(t, setup('root', { code: 'x' }), 'BAD_CREDENTIALS');
  await rejectsWith(t, setup('root', { password: 'short' }), 'WEAK_PASSWORD');
  await rejectsWith(t, setup('a b'), 'INVALID_FIELD');
  clock.advance(24 * 3_600_000);
  await rejectsWith(t, setup('root'), 'BAD_CREDENTIALS', 'over after a day');
  const latest = await auth.createSetupCode({}, SYSTEM);
  const racing = await Promise.allSettled(['one', 'two', 'three', 'four'].map((name) => setup(name, latest)));
  t.equal(racing.filter(({ status }) => status === 'fulfilled').length, 1, 'four at once: one wins');
  for (const lost of racing) {
    if (lost.status === 'rejected') t.equal((lost.reason as ServiceError).reason, 'ALREADY_SET_UP');
  }
  t.same(await auth.getSetup({}, NOBODY), { needed: false });
  await rejectsWith(t, setup('five', latest), 'ALREADY_SET_UP');
  await rejectsWith(t, auth.createSetupCode({}, SYSTEM), 'ALREADY_SET_UP');
  const won = racing.find(({ status }) => status === 'fulfilled') as PromiseFulfilledResult<
    Awaited<ReturnType<typeof setup>>
  >;
  const { principal } = won.value;
  t.match(principal, { user: { admin: true, state: UserState.ACTIVE }, methods: ['setup'] });
  const events = (await auth.listAuditEvents({ kind: 'setup' }, toContext(principal!))).events;
  t.match(events, [{ address: '192.0.2.9', user: principal!.user!.id }]);
});

t.test('the first administrator by a password given at start', async (t) => {
  const { authenticator: auth } = await start(t);
  await auth.createPlaceholders({ source: 's', placeholders: [{ key: 'k', username: 'admin' }] }, SYSTEM);
  await rejectsWith(t, auth.createSetupCode({ password: 'admin' }, SYSTEM), 'WEAK_PASSWORD');
  t.same(await auth.createSetupCode({ password: SECRET }, SYSTEM), { code: '' });
  await rejectsWith(t, auth.createSetupCode({ password: SECRET }, SYSTEM), 'ALREADY_SET_UP');
  const { principal } = await auth.authenticatePassword({ username: 'admin-2', password: SECRET }, NOBODY);
  t.equal(principal!.user!.admin, true);
});

t.test('login', async (t) => {
  const { authenticator: auth, database, logged } = await start(t, { minLength: 10 });
  const root = await addPerson(auth, 'root', { admin: true, password: SECRET });
  const ann = await addPerson(auth, 'Ann', { password: 'passwörter!', email: 'ann@example.org' });
  const client = { address: '192.0.2.1', userAgent: 'x' };
  const login = (username: string, password: string) =>
    auth.authenticatePassword({ username, password, client }, NOBODY);
  t.same((await auth.listLoginMethods({}, NOBODY)).methods, [
    { kind: 'password', connection: '', name: 'Password', icon: '' },
  ]);
  const { principal } = await login('ANN', 'passwo\u0308rter!');
  t.match(principal, { user: { id: ann.user, email: 'ann@example.org' }, methods: ['password'], scopes: [] });

  // One failure for all
  const placeholder = await auth.createPlaceholders({ source: 's', placeholders: [{ key: 'ph' }] }, root);
  await auth.createUser({ user: { username: 'bot', kind: UserKind.BOT } }, root);
  await addPerson(auth, 'nopass');
  const gone = await addPerson(auth, 'gone', { password: SECRET });
  await auth.updateUser({ id: gone.user, user: { state: UserState.DEACTIVATED }, updateMask: ['state'] }, root);
  const long = await addPerson(auth, 'long', { password: 'x'.repeat(72) });
  const messages = new Set<string>();
  for (const [username, password] of [
    ['ann', 'wrong'],
    ['nobody', SECRET],
    ['nopass', SECRET],
    ['bot', SECRET],
    [placeholder.users[0]!.username, SECRET],
    ['gone', SECRET],
    ['long', 'x'.repeat(73)],
    ['long', `${'x'.repeat(72)}\0`],
    ['ann', ''],
    ['', SECRET],
    ['a\0b', SECRET],
    ['ann', 'x'.repeat(1001)],
  ] as const) {
    await login(username, password).then(
      () => t.fail(username),
      (error: ServiceError) => messages.add(`${error.reason} ${error.message}`),
    );
  }
  t.same([...messages], ['BAD_CREDENTIALS the username or the password is wrong']);
  t.equal((await login('long', 'x'.repeat(72))).principal!.user!.id, long.user);

  // The log of events knows no secret, nor what was typed as a name
  await rejectsWith(t, login('my-password-typed-here', 'x'), 'BAD_CREDENTIALS');
  const dump = await sql<{ text: string }>`select (t.*)::text as text from auth_audit t
    union all select (h.*)::text from auth_throttle h union all select (p.*)::text from auth_password p`.execute(
    database.kysely<Tables>(),
  );
  const seen = [...dump.rows.map(({ text }) => text), ...logged].join('\n');
  for (const secret of [SECRET, 'passwörter!', 'my-password-typed-here', 'x'.repeat(72)]) {
    t.notOk(seen.includes(secret), 'stored or logged in the clear');
  }
  const { events } = await auth.listAuditEvents({ user: ann.user }, root);
  t.same(
    events.map(({ kind, author, address }) => [kind, author, address]),
    [
      ['login_failed', '', '192.0.2.1'],
      ['login_failed', '', '192.0.2.1'],
      ['login', ann.user, '192.0.2.1'],
      ['user_created', '', ''],
    ],
    'what is too long to be anybody’s is not looked up',
  );
});

t.test('a name that nobody has takes as long as a wrong password', async (t) => {
  // Half of the hashes are of a lower cost, as before the setting grew; dummies make up for it.
  const { authenticator: auth, database } = await start(t, { bcryptCost: 6, bcryptConcurrency: 1 });
  await addPerson(auth, 'present', { password: SECRET });
  await addPerson(auth, 'cheap', { password: SECRET });
  const cheap = { hash: await bcrypt.hash(SECRET, 4), cost: 4 };
  const k = database.kysely<Tables>();
  const { id } = (await auth.resolveUsernames({ usernames: ['cheap'] }, NOBODY)).results[0]!.user!;
  await k.updateTable('auth_password').set(cheap).where('user_id', '=', id).execute();
  const names = ['present', 'cheap', 'absent'];
  const lowerQuartile = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 4)]!;
  const measure = async () => {
    const times = new Map(names.map((name) => [name, [] as number[]]));
    for (let n = 0; n < 32; n += 1) {
      // Interleaved, so that whatever else the machine does meets all alike.
      for (const name of n % 2 === 0 ? names : [...names].reverse()) {
        await k.deleteFrom('auth_throttle').execute();
        const began = performance.now();
        await auth.authenticatePassword({ username: name, password: 'wrong one' }, NOBODY).catch(() => {});
        times.get(name)!.push(performance.now() - began);
      }
    }
    return names.map((name) => lowerQuartile(times.get(name)!));
  };
  // A shortcut would show in every round (a third of the time or less), a busy machine in some.
  let alike = false;
  for (let round = 1; round <= 4 && !alike; round += 1) {
    const quartiles = await measure();
    t.comment(`lower quartiles, ms: ${names.map((name, n) => `${name} ${quartiles[n]!.toFixed(2)}`).join(', ')}`);
    alike = Math.max(...quartiles) < 1.3 * Math.min(...quartiles);
  }
  t.ok(alike, 'all three within 30 %');
});

t.test('a hash follows the setting', async (t) => {
  const { authenticator: auth, database } = await start(t, { bcryptCost: 6 });
  const ann = await addPerson(auth, 'ann', { password: SECRET });
  const k = database.kysely<Tables>();
  const put = (hash: string, cost: number) =>
    k.updateTable('auth_password').set({ hash, cost }).where('user_id', '=', ann.user).execute();
  const read = () =>
    k.selectFrom('auth_password').selectAll().where('user_id', '=', ann.user).executeTakeFirstOrThrow();
  await put(await bcrypt.hash(SECRET, 4), 4);
  await rejectsWith(t, auth.authenticatePassword({ username: 'ann', password: 'wrong' }, NOBODY), 'BAD_CREDENTIALS');
  t.equal((await read()).cost, 4, 'only for who knows it');
  await auth.authenticatePassword({ username: 'ann', password: SECRET }, NOBODY);
  t.match(await read(), { cost: 6, hash: /^\$2b\$06\$/ });
  await auth.authenticatePassword({ username: 'ann', password: SECRET }, NOBODY);

  // A password changed between the comparison and the new hash is not put back.
  await put(await bcrypt.hash(SECRET, 4), 4);
  const other = await bcrypt.hash('another one', 6);
  await sql`create function swap() returns trigger language plpgsql as $$
    begin update auth_password set hash = ${sql.lit(other)}, cost = 6; return old; end $$`.execute(k);
  await sql`create trigger swap before delete on auth_throttle for each row execute function swap()`.execute(k);
  await auth.authenticatePassword({ username: 'ann', password: SECRET }, NOBODY);
  t.equal((await read()).hash, other);
});

t.test('throttles: growing, shared, never for good', async (t) => {
  const first = await start(t);
  const { authenticator: auth, clock } = first;
  const second = await first.startAnother();
  await addPerson(auth, 'ann', { password: SECRET });
  const login = (address: string, password = 'wrong', username = 'ann', at = auth) =>
    reasonOf(at.authenticatePassword({ username, password, client: { address } }, NOBODY));

  t.equal(await login('198.51.100.7', SECRET), '-', 'from home');
  for (let n = 0; n < 4; n += 1) t.equal(await login('203.0.113.5'), 'BAD_CREDENTIALS');
  t.equal(await login('203.0.113.6', 'wrong', 'ANN', second.authenticator), 'BAD_CREDENTIALS');
  t.equal(await login('203.0.113.7'), 'THROTTLED', 'per account, whatever the address and the core');
  t.equal(await login('203.0.113.7', SECRET), 'THROTTLED', 'the right password as well');
  t.equal(await login('198.51.100.7', SECRET), '-', 'but not from where the owner has logged in before');
  const error = await auth
    .authenticatePassword({ username: 'ann', password: 'x', client: { address: '203.0.113.7' } }, NOBODY)
    .catch((caught: ServiceError) => caught);
  t.equal((error as ServiceError).retryAfterMillis, 1_000);
  clock.advance(1_000);
  t.equal(await login('203.0.113.7'), 'BAD_CREDENTIALS');
  clock.advance(1_999);
  t.equal(await login('203.0.113.7'), 'THROTTLED', 'twice as long');
  clock.advance(1);
  t.equal(await login('203.0.113.7', SECRET), '-', 'whoever waits gets in');

  for (let n = 0; n < 5; n += 1) t.equal(await login('203.0.113.9', 'wrong', 'nobody'), 'BAD_CREDENTIALS');
  t.equal(await login('203.0.113.9', 'wrong', 'nobody'), 'THROTTLED', 'a name that nobody has looks the same');

  // In parallel no more come through than one after the other
  const burst = await Promise.all(Array.from({ length: 12 }, () => login('203.0.113.20', 'wrong', 'burst')));
  t.equal(burst.filter((reason) => reason === 'BAD_CREDENTIALS').length, 5);

  // Per address, over many names; IPv6 by network
  const spray: string[] = [];
  for (let n = 0; n < 31; n += 1) spray.push(await login(`2001:db8:0:1::${n + 1}`, 'wrong', `name${n}`));
  t.equal(spray.filter((reason) => reason === 'BAD_CREDENTIALS').length, 30);
  t.equal(spray.at(-1), 'THROTTLED');
  t.equal(await login('2001:db8:0:2::1', 'wrong', 'name99'), 'BAD_CREDENTIALS', 'the next network is somebody else');
});

t.test('a full queue is no failed login', async (t) => {
  const { authenticator: auth } = await start(t, { bcryptConcurrency: 1, bcryptQueue: 1, bcryptCost: 11 });
  await addPerson(auth, 'ann', { password: SECRET });
  const login = (password: string) =>
    reasonOf(auth.authenticatePassword({ username: 'ann', password, client: { address: '192.0.2.3' } }, NOBODY));
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => login('wrong')));
  const looked = outcomes.filter((reason) => reason === 'BAD_CREDENTIALS').length;
  t.equal(looked + outcomes.filter((reason) => reason === 'OVERLOADED').length, 5);
  t.ok(looked < 5, 'some were turned away');
  // Five are free: those that were never looked at are still there.
  for (let n = looked; n < 5; n += 1) t.equal(await login('wrong'), 'BAD_CREDENTIALS');
  t.equal(await login('wrong'), 'THROTTLED');
});

t.test('changing and resetting a password', async (t) => {
  const { authenticator: auth, clock } = await start(t);
  const root = await addPerson(auth, 'root', { admin: true, password: SECRET });
  const ann = await addPerson(auth, 'ann', { password: SECRET });
  const session = async () => (await auth.createSession({ user: ann.user, methods: ['password'] }, SYSTEM)).secret;
  const [kept, other] = [await session(), await session()];
  const login = (password: string) => reasonOf(auth.authenticatePassword({ username: 'ann', password }, NOBODY));
  const alive = (secret: string) => reasonOf(auth.verifySession({ secret }, NOBODY));
  const change = (oldPassword: string, newPassword: string, context = ann) =>
    auth.changePassword({ oldPassword, newPassword, sessionSecret: kept }, context);
  await rejectsWith(t, change(SECRET, 'new password', NOBODY), 'LOGIN_REQUIRED');
  await rejectsWith(t, change('wrong', 'new password'), 'BAD_CREDENTIALS');
  await rejectsWith(t, change(SECRET, 'short'), 'WEAK_PASSWORD');
  const token = createContext({ user: ann.user, scopes: [TokenScope.EDIT] });
  await rejectsWith(t, change(SECRET, 'new password', token), 'SCOPE_EXCEEDED');
  await change(SECRET, 'new password');
  t.same([await login(SECRET), await login('new password')], ['BAD_CREDENTIALS', '-']);
  t.same([await alive(kept), await alive(other)], ['-', 'SESSION_EXPIRED']);

  await rejectsWith(t, auth.createPasswordReset({ user: ann.user }, ann), 'FORBIDDEN');
  await rejectsWith(t, auth.createPasswordReset({ user: 'x' }, root), 'USER_NOT_FOUND');
  const bot = await auth.createUser({ user: { username: 'bot', kind: UserKind.BOT } }, ann);
  await rejectsWith(t, auth.createPasswordReset({ user: bot.user!.id }, root), 'INVALID_FIELD');
  await rejectsWith(t, auth.createUser({ user: bot.user, password: SECRET }, ann), 'INVALID_FIELD');
  const early = await auth.createPasswordReset({ user: ann.user }, root);
  const { code, expires } = await auth.createPasswordReset({ user: ann.user }, root);
  t.equal(Date.parse(expires!), clock.now() + 86_400_000);
  const reset = (by: string, newPassword: string) => auth.resetPassword({ code: by, newPassword }, NOBODY);
  await rejectsWith(t, reset(early.code, 'third password'), 'BAD_CREDENTIALS', 'ended by the later one');
  await rejectsWith(t, reset('x', 'third password'), 'BAD_CREDENTIALS');
  await rejectsWith(t, reset(code, 'short'), 'WEAK_PASSWORD');
  const both = await Promise.allSettled([reset(code, 'third password'), reset(code, 'third password')]);
  t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'once');
  t.same([await login('new password'), await login('third password')], ['BAD_CREDENTIALS', '-']);
  t.equal(await alive(kept), 'SESSION_EXPIRED', 'all sessions end');
  const late = await auth.createPasswordReset({ user: ann.user }, root);
  clock.advance(86_400_000);
  await rejectsWith(t, reset(late.code, 'fourth password'), 'BAD_CREDENTIALS', 'over');

  // Guesses at the old password are throttled as logins are
  for (let n = 0; n < 5; n += 1) await reasonOf(change('wrong', 'new password'));
  await rejectsWith(t, change('third password', 'new password'), 'THROTTLED');

  const kinds = (await auth.listAuditEvents({ user: ann.user, kind: 'password_changed' }, root)).events;
  t.same(
    kinds.map(({ details }) => details.by),
    ['reset', 'change'],
  );
});
