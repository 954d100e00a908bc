import {
  createContext,
  createSystemContext,
  type GroupMember,
  type ServiceError,
  TokenScope,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { DIALECTS } from '@bugless/sql';
import { type FaultHook, makeFault } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { listUsernames } from './account-change.ts';
import { createAuthInstance } from './instance.ts';
import type { AuthStore } from './store.ts';
import { sweepStore } from './sweep.ts';
import type { Tables } from './tables.ts';
import { addPerson, startTestAuthenticator, type TestScope } from './testing.ts';

const SYSTEM = createSystemContext();
const NOBODY = createContext();

async function start(t: TestScope, options: Parameters<typeof startTestAuthenticator>[2] = {}) {
  let store: AuthStore | undefined;
  const started = await startTestAuthenticator(
    t,
    (environment, database) =>
      createAuthInstance(
        {},
        environment,
        () => ({
          methods: {},
          capabilities: {},
          start: async (opened) => {
            store = opened;
          },
        }),
        database,
      ),
    options,
  );
  return { ...started, store: store! };
}

function rejectsWith(t: Test, promise: Promise<unknown>, reason: string, name = reason): Promise<unknown> {
  return t.rejects(promise, { name: 'ServiceError', reason } as unknown as Error, name);
}

/** A conflict at every statement and every commit once, at most three per committed transaction. */
function createConflicts(): FaultHook {
  const seen = new Set<string>();
  let left = 3;
  return (point, text) => {
    if (point === 'committed') {
      left = 3;
      return undefined;
    }
    const key = point === 'commit' ? `${point} ${seen.size}` : `${point} ${text}`;
    if (left === 0 || seen.has(key)) return undefined;
    seen.add(key);
    left -= 1;
    return makeFault('40001');
  };
}

/** What every engine gets, and every engine at its worst. */
const ENGINES: Record<string, Parameters<typeof start>[1]> = {
  postgres: {},
  'the cockroachdb dialect with conflicts': { dialect: DIALECTS.cockroachdb, faults: createConflicts() },
};

for (const [engine, options] of Object.entries(ENGINES)) {
  t.test(`users, on ${engine}`, async (t) => {
    const { authenticator: auth, store, clock } = await start(t, options);
    const root = await addPerson(auth, 'root', { admin: true });
    const ann = await addPerson(auth, 'Ann', { displayName: 'Ann Lee', email: 'ann@example.org' });
    const bob = await addPerson(auth, 'bob');

    // Names
    await rejectsWith(t, addPerson(auth, 'aNN'), 'NAME_TAKEN');
    const racing = await Promise.allSettled([addPerson(auth, 'cy'), addPerson(auth, 'CY'), addPerson(auth, 'Cy')]);
    t.same(racing.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
    for (const outcome of racing) {
      if (outcome.status === 'rejected') t.equal((outcome.reason as ServiceError).reason, 'NAME_TAKEN');
    }

    // Batch get: order, tombstones, repeats, junk
    const ids = [bob.user, 'nobody', ann.user, bob.user, 'a\0b', ''];
    const { users } = await auth.batchGetUsers({ ids }, NOBODY);
    t.same(
      users.map(({ id, state, username }) => [id, state, username]),
      [
        [bob.user, UserState.ACTIVE, 'bob'],
        ['nobody', UserState.DELETED, ''],
        [ann.user, UserState.ACTIVE, 'Ann'],
        [bob.user, UserState.ACTIVE, 'bob'],
        ['a\0b', UserState.DELETED, ''],
        ['', UserState.DELETED, ''],
      ],
    );
    t.equal(users[0]!.displayName, 'bob', 'falls back to the username');
    await rejectsWith(t, auth.batchGetUsers({ ids: [] }, NOBODY), 'INVALID_FIELD');
    await rejectsWith(t, auth.batchGetUsers({ ids: Array(501).fill('x') }, NOBODY), 'INVALID_FIELD');

    // Who sees an address
    for (const [context, email] of [
      [NOBODY, ''],
      [bob, ''],
      [ann, 'ann@example.org'],
      [root, 'ann@example.org'],
    ] as const) {
      const answer = await auth.batchGetUsers({ ids: [ann.user] }, context);
      t.equal(answer.users[0]!.email, email);
    }

    // Resolve
    const { results } = await auth.resolveUsernames({ usernames: ['ANN', 'none', 'bob', '\0'] }, NOBODY);
    t.same(
      results.map(({ username, user }) => [username, user?.id]),
      [
        ['ANN', ann.user],
        ['none', undefined],
        ['bob', bob.user],
        ['\0', undefined],
      ],
    );

    // Rename: the id stays, history remembers, the old name is free
    clock.advance(1_000);
    const renamed = await auth.updateUser(
      { id: ann.user, expectedVersion: '1', user: { username: 'anna' }, updateMask: ['username'] },
      ann,
    );
    t.same([renamed.user!.id, renamed.user!.version, renamed.user!.username], [ann.user, '2', 'anna']);
    t.equal(renamed.user!.displayName, 'Ann Lee');
    t.same(
      (await listUsernames(store, ann.user)).map(({ username }) => username),
      ['anna', 'Ann'],
    );
    const again = await auth.updateUser({ id: ann.user, user: { username: 'anna' }, updateMask: ['username'] }, ann);
    t.equal(again.user!.version, '2', 'the same again changes nothing');
    await addPerson(auth, 'ann');
    await rejectsWith(
      t,
      auth.updateUser({ id: ann.user, expectedVersion: '1', user: { avatar: '' }, updateMask: ['avatar'] }, ann),
      'VERSION_MISMATCH',
    );
    await rejectsWith(t, auth.updateUser({ id: ann.user, user: {}, updateMask: [] }, ann), 'INVALID_FIELD');
    await rejectsWith(t, auth.updateUser({ id: ann.user, user: {}, updateMask: ['kind'] }, ann), 'INVALID_FIELD');
    await rejectsWith(t, auth.updateUser({ id: 'x', user: {}, updateMask: ['avatar'] }, root), 'USER_NOT_FOUND');
    for (const path of ['admin', 'state', 'owner', 'email_verified']) {
      await rejectsWith(t, auth.updateUser({ id: ann.user, user: {}, updateMask: [path] }, ann), 'FORBIDDEN', path);
    }
    await rejectsWith(
      t,
      auth.updateUser({ id: bob.user, user: { displayName: 'x' }, updateMask: ['display_name'] }, ann),
      'FORBIDDEN',
    );

    // A changed address is not verified any more
    const verify = { emailVerified: true };
    await auth.updateUser({ id: ann.user, user: verify, updateMask: ['email_verified'] }, root);
    const moved = await auth.updateUser({ id: ann.user, user: { email: 'a@b.org' }, updateMask: ['email'] }, ann);
    t.equal(moved.user!.emailVerified, false);

    // The last administrator stays one, also when two leave at once
    const demote = (id: string, context = root) =>
      auth.updateUser({ id, user: { admin: false }, updateMask: ['admin'] }, context);
    await rejectsWith(t, demote(root.user), 'LAST_ADMIN');
    await rejectsWith(
      t,
      auth.updateUser({ id: root.user, user: { state: UserState.DEACTIVATED }, updateMask: ['state'] }, root),
      'LAST_ADMIN',
    );
    const second = await addPerson(auth, 'second', { admin: true });
    for (let round = 0; round < 5; round += 1) {
      const leaving = await Promise.allSettled([demote(root.user), demote(second.user, second)]);
      t.same(leaving.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      for (const { user } of [root, second]) {
        await auth.updateUser({ id: user, user: { admin: true }, updateMask: ['admin'] }, SYSTEM);
      }
    }

    // A request id
    const create = { user: { username: 'dora' }, requestId: 'r-1' };
    const [one, two] = await Promise.all([auth.createUser(create, root), auth.createUser(create, root)]);
    t.equal(one.user!.id, two.user!.id);
    await rejectsWith(
      t,
      auth.createUser({ user: { username: 'dorothy' }, requestId: 'r-1' }, root),
      'REQUEST_ID_REUSED',
    );
    await rejectsWith(t, auth.createUser({ user: { username: 'x1' }, requestId: 'r 1' }, root), 'INVALID_FIELD');
    await rejectsWith(
      t,
      auth.createUser({ user: { username: 'x1' }, password: 'long enough' }, root),
      'CAPABILITY_ABSENT',
    );

    // Deletion leaves a tombstone
    await auth.updateUser({ id: one.user!.id, user: { state: UserState.DELETED }, updateMask: ['state'] }, root);
    const tombstone = (await auth.batchGetUsers({ ids: [one.user!.id] }, root)).users[0]!;
    t.same([tombstone.state, tombstone.username, tombstone.created], [UserState.DELETED, '', undefined]);
    t.equal((await auth.resolveUsernames({ usernames: ['dora'] }, root)).results[0]!.user, undefined);
    t.same(await listUsernames(store, one.user!.id), []);
  });
}

t.test('a commit whose answer is lost is settled by the request id', async (t) => {
  let lose = false;
  const faults: FaultHook = (point) => {
    if (point !== 'committed' || !lose) return undefined;
    lose = false;
    return makeFault();
  };
  const { authenticator: auth } = await start(t, { faults });
  const root = await addPerson(auth, 'root', { admin: true });
  lose = true;
  const made = await auth.createUser({ user: { username: 'ann' }, requestId: 'r' }, root);
  t.equal((await auth.createUser({ user: { username: 'ann' }, requestId: 'r' }, root)).user!.id, made.user!.id);
  lose = true;
  const group = await auth.createGroup({ group: { name: 'ops' }, requestId: 'g' }, root);
  t.same(
    (await auth.listGroups({}, root)).groups.map(({ id }) => id),
    [group.group!.id],
  );
  lose = true;
  await rejectsWith(
    t,
    auth.createUser({ user: { username: 'bob' } }, root),
    'BACKEND_UNAVAILABLE',
    'without one: not known',
  );
  t.ok((await auth.resolveUsernames({ usernames: ['bob'] }, root)).results[0]!.user, 'it was in fact written');
});

t.test('pickers and lists', async (t) => {
  const { authenticator: auth, database } = await start(t);
  const root = await addPerson(auth, 'root', { admin: true });
  await addPerson(auth, 'ann', { displayName: 'Ann Lee' });
  await addPerson(auth, 'lee', { displayName: 'Bruce' });
  await addPerson(auth, 'jl', { displayName: 'Jean-Luc Annaud' });
  const gone = await addPerson(auth, 'leeroy');
  await auth.updateUser({ id: gone.user, user: { state: UserState.DEACTIVATED }, updateMask: ['state'] }, root);
  const find = async (prefix: string, count = 0) =>
    (await auth.findUsers({ prefix, count }, root)).users.map(({ username }) => username);
  t.same(await find('LE'), ['ann', 'lee'].sort(), 'username or any word of the display name; not the deactivated');
  t.same(await find('ann'), ['ann', 'jl'], 'the exact match first');
  t.same(await find('le an'), ['ann'], 'every part begins some word');
  t.same(await find('luc'), ['jl']);
  t.same(await find('ee'), []);
  t.same(await find('%'), []);
  t.same(await find('_'), []);
  t.same(await find('a\0'), []);
  t.same((await find('ann', 1)).length, 1);
  await rejectsWith(t, auth.findUsers({ prefix: 'a' }, NOBODY), 'LOGIN_REQUIRED');
  await rejectsWith(t, auth.findUsers({ prefix: '' }, root), 'INVALID_FIELD');

  const names: string[] = [];
  let pageToken = '';
  do {
    const page = await auth.listUsers({ pageSize: 2, pageToken }, root);
    names.push(...page.users.map(({ username }) => username));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.same(names, ['ann', 'jl', 'lee', 'leeroy', 'root']);
  const first = await auth.listUsers({ pageSize: 2 }, root);
  await rejectsWith(
    t,
    auth.listUsers({ pageSize: 2, pageToken: first.nextPageToken, state: UserState.ACTIVE }, root),
    'BAD_PAGE_TOKEN',
  );
  await rejectsWith(t, auth.listUsers({ pageToken: 'x' }, root), 'BAD_PAGE_TOKEN');
  const ann = createContext({ user: gone.user });
  await rejectsWith(t, auth.listUsers({}, ann), 'FORBIDDEN');
  t.same((await auth.listUsers({ owner: gone.user }, ann)).users, []);

  // 20,000 users: pickers, resolving and lists keep to indexes.
  const k = database.kysely<Tables>();
  await sql`insert into auth_user select 'u' || n, 1, 1, 1, 'name' || n, 'name' || n, 'Given' || n || ' Family' || n, '',
    false, '', false, '', now(), now(), null, '' from generate_series(1, 20000) n`.execute(k);
  await sql`insert into auth_user_word select 'u' || n, w || n from generate_series(1, 20000) n,
    unnest(array['name', 'given', 'family']) w`.execute(k);
  await sql`analyze auth_user, auth_user_word`.execute(k);
  t.equal((await find('family1999')).length, 11);
  t.equal((await find('name')).length, 20);
  for (const statement of [
    `select user_id, word from auth_user_word where word >= 'fam' and word < 'fam\u{10FFFF}' order by word, user_id limit 260`,
    `select * from auth_user where username_key = any(array['name5','name6'])`,
    `select * from auth_user where id = any(array['u5','u6'])`,
    `select * from auth_user where username_key is not null and username_key > 'name7' order by username_key limit 51`,
    `select * from auth_user where owner = 'x' and owner <> '' order by username_key limit 51`,
  ]) {
    const plan = await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(statement)}`.execute(k);
    const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n');
    t.notMatch(text, /Seq Scan/, statement);
  }
});

for (const [engine, options] of Object.entries(ENGINES)) {
  t.test(`placeholders, on ${engine}`, async (t) => {
    const { authenticator: auth } = await start(t, options);
    const root = await addPerson(auth, 'root', { admin: true });
    const ann = await addPerson(auth, 'ann', { displayName: 'Ann Lee' });
    const placeholders = [
      { key: 'k1', username: 'ann', displayName: 'Ann of old', email: 'broken' },
      { key: 'k2', username: 'Ann' },
      { key: 'k3', username: 'x y' },
      { key: 'k4' },
      { key: 'k1', username: 'ann' },
      { key: '🎉' },
    ];
    const request = { source: 'github:x/y', placeholders };
    const both = await Promise.all([auth.createPlaceholders(request, root), auth.createPlaceholders(request, SYSTEM)]);
    const users = both[0].users;
    t.same(
      users.map(({ id }) => id),
      both[1].users.map(({ id }) => id),
      'two imports at once make each once',
    );
    t.same(
      users.map(({ username }) => username),
      ['ann-2', 'Ann-3', 'x-y', 'k4', 'ann-2', 'user'],
    );
    t.ok(users.every(({ state }) => state === UserState.PLACEHOLDER));
    t.equal(users[0]!.id, users[4]!.id);
    await rejectsWith(t, auth.createPlaceholders(request, ann), 'FORBIDDEN');
    await rejectsWith(t, auth.createPlaceholders({ source: '', placeholders }, root), 'INVALID_FIELD');
    await rejectsWith(t, auth.createSession({ user: users[0]!.id }, SYSTEM), 'USER_INACTIVE');

    const many = Array.from({ length: 500 }, (_, n) => ({
      key: `m${n}`,
      username: 'same',
      displayName: `Person ${n}`,
    }));
    const made = await auth.createPlaceholders({ source: 's', placeholders: many }, root);
    t.equal(new Set(made.users.map(({ username }) => username)).size, 500);

    const old = users[0]!.id;
    const claimed = await auth.claimPlaceholder({ placeholder: old, user: ann.user }, root);
    t.same([claimed.user!.id, claimed.user!.username, claimed.user!.displayName], [old, 'ann', 'Ann Lee']);
    await auth.claimPlaceholder({ placeholder: old, user: ann.user }, root);
    await auth.updateUser({ id: ann.user, user: { displayName: 'Ann Now' }, updateMask: ['display_name'] }, ann);
    t.equal((await auth.batchGetUsers({ ids: [old] }, root)).users[0]!.displayName, 'Ann Now');
    t.equal((await auth.createPlaceholders(request, root)).users[0]!.displayName, 'Ann Now');
    t.equal((await auth.resolveUsernames({ usernames: ['ann-2'] }, root)).results[0]!.user, undefined);
    await rejectsWith(t, auth.claimPlaceholder({ placeholder: ann.user, user: root.user }, root), 'NOT_A_PLACEHOLDER');
    await rejectsWith(t, auth.claimPlaceholder({ placeholder: old, user: users[1]!.id }, root), 'INVALID_FIELD');
    await rejectsWith(t, auth.claimPlaceholder({ placeholder: 'x', user: ann.user }, root), 'USER_NOT_FOUND');
  });
}

for (const [engine, options] of Object.entries(ENGINES)) {
  t.test(`groups, on ${engine}`, async (t) => {
    const { authenticator: auth } = await start(t, options);
    const root = await addPerson(auth, 'root', { admin: true });
    const ann = await addPerson(auth, 'ann');
    const make = async (name: string) => (await auth.createGroup({ group: { name } }, root)).group!.id;
    const [outer, inner, other] = [await make('outer'), await make('inner'), await make('other')];
    const user = (value: string): GroupMember => ({ member: { $case: 'user', value } });
    const group = (value: string): GroupMember => ({ member: { $case: 'group', value } });
    const change = (id: string, add: GroupMember[], remove: GroupMember[] = []) =>
      auth.changeGroupMembers({ group: id, add, remove }, root);
    await rejectsWith(t, make('OUTER'), 'NAME_TAKEN');
    await change(inner, [user(ann.user)]);
    await change(outer, [group(inner)]);
    await change(outer, [group(inner)]);
    await rejectsWith(t, change(inner, [group(other)]), 'TREE_TOO_DEEP', 'a group in a group has only users');
    await rejectsWith(t, change(other, [group(outer)]), 'TREE_TOO_DEEP', 'a group that has groups is in none');
    await rejectsWith(t, change(other, [group(other)]), 'TREE_TOO_DEEP');
    await rejectsWith(t, change(other, [user('x')]), 'USER_NOT_FOUND');
    await rejectsWith(t, change('x', []), 'GROUP_NOT_FOUND');
    await rejectsWith(t, change(other, [{ member: undefined }]), 'INVALID_FIELD');

    const [a, b, c] = [await make('a'), await make('b'), await make('c')];
    const nesting = await Promise.allSettled([change(a, [group(b)]), change(b, [group(c)])]);
    t.same(nesting.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'also at the same moment');

    const { secret } = await auth.createSession({ user: ann.user }, SYSTEM);
    const { principal } = await auth.verifySession({ secret }, NOBODY);
    t.same([...principal!.groups].sort(), [outer, inner].sort(), 'nested ones included');
    t.same(
      (await auth.listGroups({ user: ann.user }, ann)).groups.map(({ name, size }) => [name, size]),
      [
        ['inner', 1],
        ['outer', 1],
      ],
    );
    t.same((await auth.listGroupMembers({ group: outer }, ann)).members, [group(inner)]);
    const page = await auth.listGroups({ pageSize: 3 }, ann);
    t.equal((await auth.listGroups({ pageSize: 3, pageToken: page.nextPageToken }, ann)).groups.length, 3);

    const renamed = { id: other, expectedVersion: '1', group: { name: 'Others' }, updateMask: ['name'] };
    t.equal((await auth.updateGroup(renamed, root)).group!.version, '2');
    await rejectsWith(t, auth.updateGroup({ ...renamed, group: { name: 'x' } }, root), 'VERSION_MISMATCH');
    await rejectsWith(
      t,
      auth.updateGroup({ id: other, group: { name: 'inner' }, updateMask: ['name'] }, root),
      'NAME_TAKEN',
    );
    await rejectsWith(t, auth.createGroup({ group: { name: 'mine' } }, ann), 'FORBIDDEN');

    await auth.deleteGroup({ id: inner }, root);
    await auth.deleteGroup({ id: inner }, root);
    t.same((await auth.verifySession({ secret }, NOBODY)).principal!.groups, [], 'at once, for this process');
    t.same((await auth.listGroupMembers({ group: outer }, root)).members, []);
  });
}

t.test('sessions', async (t) => {
  const first = await start(t);
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
  const first = await start(t);
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
  const { authenticator: auth } = await start(t);
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
