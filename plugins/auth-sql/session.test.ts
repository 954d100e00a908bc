import { createContext, createSystemContext, TokenScope, UserKind, UserState } from '@bugless/kit/service';
import { sql } from 'kysely';
import t from 'tap';
import { sweepStore } from './sweep.ts';
import type { Tables } from './tables.ts';
import { addPerson, rejectsWith, startTestStore } from './testing.ts';

const SYSTEM = createSystemContext();
const NOBODY = createContext();

t.test('sessions', async (t) => {
  const first = await startTestStore(t);
  const { authenticator: auth, clock } = first;
  const second = await first.startAnother();
  const root = await addPerson(auth, 'root', { admin: true });
  const ann = await addPerson(auth, 'ann', { email: 'ann@example.org' });
  const bob = await addPerson(auth, 'bob');
  const login = (user: string) =>
    auth.createSession(
      { user, methods: ['password'], client: { address: '192.0.2.1', userAgent: `x\n${'y'.repeat(400)}` } },
      SYSTEM,
    );
  await rejectsWith(t, auth.createSession({ user: ann.user }, ann), 'FORBIDDEN');
  await rejectsWith(t, auth.createSession({ user: 'x' }, SYSTEM), 'USER_NOT_FOUND');
  const { secret, session } = await login(ann.user);
  t.ok(Buffer.from(secret, 'base64url').length >= 16);
  t.equal(session!.userAgent.length, 300);
  const { principal } = await auth.verifySession({ secret }, NOBODY);
  t.match(principal, { user: { id: ann.user, email: 'ann@example.org' }, methods: ['password', 'session'] });
  t.same([principal!.credential, principal!.authenticated], [session!.id, session!.created]);
  for (const wrong of ['', 'x', `${secret}x`, secret.replace(/^./, (letter) => (letter === 'A' ? 'B' : 'A'))]) {
    await rejectsWith(t, auth.verifySession({ secret: wrong }, NOBODY), 'SESSION_EXPIRED');
  }
  const seen = (await auth.batchGetUsers({ ids: [ann.user] }, root)).users[0]!.lastSeen;
  t.equal(seen, `${new Date(clock.now()).toISOString().slice(0, 10)}T00:00:00.000Z`);

  // Noted at most once a minute
  const used = async () => (await auth.listSessions({}, ann)).sessions[0]!.used;
  clock.advance(59_000);
  await auth.verifySession({ secret }, NOBODY);
  t.equal(await used(), session!.used);
  clock.advance(5_000);
  await auth.verifySession({ secret }, NOBODY);
  t.equal(Date.parse((await used())!), clock.now());

  // Idle and absolute ends
  const DAY = 86_400_000;
  const idle = await login(bob.user);
  clock.advance(14 * DAY);
  await rejectsWith(t, auth.verifySession({ secret: idle.secret }, NOBODY), 'SESSION_EXPIRED', 'idle');
  t.same((await auth.listSessions({}, bob)).sessions, []);
  const long = await login(bob.user);
  for (let day = 0; day < 90; day += 10) {
    await auth.verifySession({ secret: long.secret }, NOBODY);
    clock.advance(10 * DAY);
  }
  await rejectsWith(t, auth.verifySession({ secret: long.secret }, NOBODY), 'SESSION_EXPIRED', 'absolute');

  // What has ended is swept, what has not stays
  const alive = await login(root.user);
  await sweepStore(first.store);
  const left = await first.database.kysely<Tables>().selectFrom('auth_session').select('user_id').execute();
  t.same(left, [{ user_id: root.user }]);
  await auth.verifySession({ secret: alive.secret }, NOBODY);

  // Revocation: here at once, elsewhere within 5 s
  const [one, two, three] = [await login(ann.user), await login(ann.user), await login(ann.user)];
  const there = (secret: string) => second.authenticator.verifySession({ secret }, NOBODY);
  await Promise.all([there(one.secret), there(two.secret), there(three.secret)]);
  await rejectsWith(t, auth.revokeSessions({ ids: [one.session!.id] }, bob), 'FORBIDDEN');
  await rejectsWith(t, auth.revokeSessions({ user: ann.user }, bob), 'FORBIDDEN');
  await rejectsWith(t, auth.revokeSessions({ user: ann.user }, NOBODY), 'LOGIN_REQUIRED');
  await rejectsWith(t, auth.listSessions({ user: ann.user }, bob), 'FORBIDDEN');
  t.equal((await auth.listSessions({ user: ann.user }, root)).sessions.length, 3);
  t.equal((await auth.revokeSessions({ ids: [one.session!.id, 'x', 'a\0'] }, ann)).count, 1);
  await rejectsWith(t, auth.verifySession({ secret: one.secret }, NOBODY), 'SESSION_EXPIRED');
  clock.advance(2_000);
  await rejectsWith(t, there(one.secret), 'SESSION_EXPIRED');
  t.equal((await auth.revokeSessions({ secret: two.secret }, NOBODY)).count, 1, 'logout');
  t.equal((await auth.revokeSessions({ secret: two.secret }, NOBODY)).count, 0);
  t.equal((await auth.revokeSessions({ user: ann.user }, root)).count, 1);
  await rejectsWith(t, auth.verifySession({ secret: three.secret }, NOBODY), 'SESSION_EXPIRED');

  // Deactivation
  const last = await login(ann.user);
  await there(last.secret);
  await auth.updateUser({ id: ann.user, user: { state: UserState.DEACTIVATED }, updateMask: ['state'] }, root);
  await rejectsWith(t, auth.verifySession({ secret: last.secret }, NOBODY), 'SESSION_EXPIRED');
  clock.advance(2_000);
  await rejectsWith(t, there(last.secret), 'SESSION_EXPIRED');
  await rejectsWith(t, login(ann.user), 'USER_INACTIVE');

  const kinds = (await auth.listAuditEvents({ user: ann.user }, root)).events.map(({ kind }) => kind);
  t.same(kinds, ['user_deactivated', 'session_revoked', 'logout', 'session_revoked', 'user_created']);
});

t.test('tokens and bots', async (t) => {
  const first = await startTestStore(t);
  const { authenticator: auth, clock, database } = first;
  const second = await first.startAnother();
  const root = await addPerson(auth, 'root', { admin: true });
  const ann = await addPerson(auth, 'ann');
  const bob = await addPerson(auth, 'bob');
  const bot = (await auth.createUser({ user: { username: 'ci', kind: UserKind.BOT } }, ann)).user!;
  t.equal(bot.owner, ann.user);
  await rejectsWith(t, auth.createUser({ user: { username: 'x', kind: UserKind.PERSON } }, ann), 'FORBIDDEN');
  await rejectsWith(
    t,
    auth.createUser({ user: { username: 'x', kind: UserKind.BOT, owner: bob.user } }, ann),
    'FORBIDDEN',
  );
  await rejectsWith(t, auth.createUser({ user: { username: 'x', kind: UserKind.BOT, admin: true } }, ann), 'FORBIDDEN');
  await rejectsWith(t, auth.createUser({ user: { username: 'x', kind: UserKind.BOT } }, SYSTEM), 'INVALID_FIELD');
  t.same(
    (await auth.listUsers({ owner: ann.user }, ann)).users.map(({ id }) => id),
    [bot.id],
  );
  await auth.updateUser({ id: bot.id, user: { displayName: 'Builds' }, updateMask: ['display_name'] }, ann);

  const { READ, COMMENT, EDIT, ADMIN } = TokenScope;
  const made = await auth.createToken(
    { user: bot.id, name: 'ci', scopes: [EDIT, READ, READ], components: ['9007199254740993', '7'] },
    ann,
  );
  t.match(made.secret, /^bl_[0-9A-Za-z]{49}$/);
  t.equal(made.token!.hint, made.secret.slice(0, 12));
  const verify = (token: string, at = auth) => at.authenticateToken({ token }, NOBODY);
  const { principal } = await verify(made.secret);
  t.match(principal, {
    user: { id: bot.id, username: 'ci' },
    methods: ['token'],
    scopes: [READ, EDIT],
    scopeComponents: ['9007199254740993', '7'],
    credential: made.token!.id,
  });
  for (const wrong of ['', 'x', made.secret.slice(1), `${made.secret}0`]) {
    await rejectsWith(t, verify(wrong), 'BAD_CREDENTIALS');
  }

  // Width
  const narrow = createContext({ user: ann.user, scopes: [ADMIN], scopeComponents: ['7', '8'] });
  const base = { name: 'x', scopes: [READ] };
  await rejectsWith(t, auth.createToken(base, narrow), 'SCOPE_EXCEEDED');
  await rejectsWith(t, auth.createToken({ ...base, components: ['9'] }, narrow), 'SCOPE_EXCEEDED');
  await auth.createToken({ ...base, components: ['7'] }, narrow);
  await rejectsWith(t, auth.createToken(base, createContext({ user: ann.user, scopes: [COMMENT] })), 'SCOPE_EXCEEDED');
  await rejectsWith(t, auth.createToken({ ...base, user: bot.id }, bob), 'FORBIDDEN');
  await rejectsWith(
    t,
    auth.createToken({ ...base, user: ann.user }, root),
    'FORBIDDEN',
    'nobody acts as another person',
  );
  await rejectsWith(t, auth.createToken({ ...base, user: 'x' }, ann), 'USER_NOT_FOUND');
  await rejectsWith(t, auth.createToken({ ...base, scopes: [] }, ann), 'INVALID_FIELD');
  await rejectsWith(t, auth.createToken({ ...base, name: '' }, ann), 'INVALID_FIELD');
  await rejectsWith(t, auth.createToken({ ...base, components: ['0'] }, ann), 'INVALID_FIELD');
  await rejectsWith(t, auth.createToken({ ...base, expires: '2020-01-01T00:00:00.000Z' }, ann), 'INVALID_FIELD');
  await auth.updateUser({ id: bot.id, user: { admin: true }, updateMask: ['admin'] }, root);
  await rejectsWith(t, auth.createToken({ ...base, user: bot.id }, ann), 'SCOPE_EXCEEDED', 'no way up through a bot');
  await auth.updateUser({ id: bot.id, user: { admin: false }, updateMask: ['admin'] }, root);

  // Lists
  t.same(
    (await auth.listTokens({}, ann)).tokens.map(({ user }) => user),
    [ann.user, bot.id],
    'newest first',
  );
  t.equal((await auth.listTokens({ user: bot.id }, ann)).tokens[0]!.used, new Date(clock.now()).toISOString());
  await rejectsWith(t, auth.listTokens({ user: bot.id }, bob), 'FORBIDDEN');
  t.same((await auth.listTokens({}, bob)).tokens, []);

  // A bot acts while its owner may
  const state = (value: UserState) =>
    auth.updateUser({ id: ann.user, user: { state: value }, updateMask: ['state'] }, root);
  await verify(made.secret, second.authenticator);
  await state(UserState.DEACTIVATED);
  await rejectsWith(t, verify(made.secret), 'BAD_CREDENTIALS');
  clock.advance(2_000);
  await rejectsWith(t, verify(made.secret, second.authenticator), 'BAD_CREDENTIALS', 'elsewhere within 5 s');
  await auth.updateUser({ id: bot.id, user: { owner: bob.user }, updateMask: ['owner'] }, root);
  await verify(made.secret);
  await state(UserState.ACTIVE);

  // Expiry and revocation
  const expires = new Date(clock.now() + 60_000).toISOString();
  const short = await auth.createToken({ ...base, expires }, ann);
  t.equal((await verify(short.secret)).principal!.expires, expires);
  clock.advance(60_000);
  await rejectsWith(t, verify(short.secret), 'BAD_CREDENTIALS', 'expired, cached or not');
  await verify(made.secret, second.authenticator);
  await rejectsWith(t, auth.revokeToken({ id: made.token!.id }, ann), 'FORBIDDEN', 'not its owner any more');
  await auth.revokeToken({ id: made.token!.id }, bob);
  await auth.revokeToken({ id: made.token!.id }, bob);
  await rejectsWith(t, verify(made.secret), 'BAD_CREDENTIALS');
  clock.advance(2_000);
  await rejectsWith(t, verify(made.secret, second.authenticator), 'BAD_CREDENTIALS');

  // At rest there are hashes alone
  const dump = await sql<{ text: string }>`select (t.*)::text as text from auth_token t
    union all select (a.*)::text from auth_audit a union all select (s.*)::text from auth_session s`.execute(
    database.kysely<Tables>(),
  );
  const stored = dump.rows.map(({ text }) => text).join('\n');
  t.notMatch(stored, made.secret.slice(12));
  t.notMatch(stored, short.secret.slice(12));
  t.notMatch(first.logged.join('\n'), made.secret.slice(3));
});

t.test('the log of security events', async (t) => {
  const { authenticator: auth } = await startTestStore(t);
  const root = await addPerson(auth, 'root', { admin: true });
  const ann = await addPerson(auth, 'ann');
  for (let n = 0; n < 5; n += 1) {
    await auth.updateUser({ id: ann.user, user: { username: `ann${n}` }, updateMask: ['username'] }, ann);
  }
  const all: string[] = [];
  let pageToken = '';
  do {
    const page = await auth.listAuditEvents({ kind: 'user_changed', pageSize: 2, pageToken }, root);
    all.push(...page.events.map(({ details }) => details.to!));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.same(all, ['ann4', 'ann3', 'ann2', 'ann1', 'ann0'], 'newest first');
  const [event] = (await auth.listAuditEvents({ pageSize: 1 }, root)).events;
  t.match(event, { kind: 'user_changed', author: ann.user, user: ann.user });
  t.same((await auth.listAuditEvents({ kind: 'a\0' }, root)).events, []);
  await rejectsWith(t, auth.listAuditEvents({}, ann), 'FORBIDDEN');
});
