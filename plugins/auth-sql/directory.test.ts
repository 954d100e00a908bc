import {
  createContext,
  createSystemContext,
  type GroupMember,
  type ServiceError,
  UserState,
} from '@bugless/kit/service';
import { DIALECTS } from '@bugless/sql';
import { type FaultHook, makeFault } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t from 'tap';
import { listUsernames } from './account-change.ts';
import type { Tables } from './tables.ts';
import { addPerson, rejectsWith, startTestStore } from './testing.ts';

const SYSTEM = createSystemContext();
const NOBODY = createContext();

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
const ENGINES: Record<string, Parameters<typeof startTestStore>[1]> = {
  postgres: {},
  'the cockroachdb dialect with conflicts': { dialect: DIALECTS.cockroachdb, faults: createConflicts() },
};

for (const [engine, options] of Object.entries(ENGINES)) {
  t.test(`users, on ${engine}`, async (t) => {
    const { authenticator: auth, store, clock } = await startTestStore(t, options);
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
  const { authenticator: auth } = await startTestStore(t, { faults });
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
  const { authenticator: auth, database } = await startTestStore(t);
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
    const { authenticator: auth } = await startTestStore(t, options);
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
    const { authenticator: auth } = await startTestStore(t, options);
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
