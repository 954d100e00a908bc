import { createSystemContext } from '@bugless/kit/service';
import t from 'tap';
import {
  findIdentity,
  findUsersByVerifiedEmail,
  insertIdentity,
  listIdentities,
  removeIdentity,
  setGroupMemberships,
  useIdentity,
} from './identity.ts';
import { putLoginState, readKey, takeLoginState } from './login-state.ts';
import { writeStore } from './store.ts';
import { addPerson, startTestStore } from './testing.ts';

const SYSTEM = createSystemContext();

t.test('accounts elsewhere are linked by issuer and subject alone', async (t) => {
  const { authenticator: auth, store, clock } = await startTestStore(t);
  const ann = await addPerson(auth, 'ann');
  const bob = await addPerson(auth, 'bob');
  const account = { issuer: 'https://id.example', subject: '42', connection: 'corp', label: 'ann@id' };
  const link = (user: string) => writeStore(store, SYSTEM, (work) => insertIdentity(work, user, account));
  const racing = await Promise.allSettled([link(ann.user), link(ann.user)]);
  t.same(racing.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await t.rejects(link(bob.user));
  const broken = { ...account, subject: 'a\0b' };
  t.equal(await findIdentity(store, broken), undefined);
  await t.rejects(writeStore(store, SYSTEM, (work) => insertIdentity(work, bob.user, broken)));
  t.match(await findIdentity(store, account), { user: ann.user, connection: 'corp', sealed: '' });
  t.equal(await findIdentity(store, { issuer: 'https://other.example', subject: '42' }), undefined);
  clock.advance(1_000);
  await writeStore(store, SYSTEM, (work) => useIdentity(work, { ...account, label: 'ann@new' }, 'sealed'));
  t.match(await listIdentities(store, ann.user), [{ label: 'ann@new', sealed: 'sealed' }]);
  await removeIdentity(store, account, SYSTEM);
  await removeIdentity(store, account, SYSTEM);
  t.equal(await findIdentity(store, account), undefined);
});

t.test('an address counts only when it is verified', async (t) => {
  const { authenticator: auth, store } = await startTestStore(t);
  const ann = await addPerson(auth, 'ann', { email: 'Ann@Example.org' });
  t.same(await findUsersByVerifiedEmail(store, 'ann@example.org'), []);
  await auth.updateUser({ id: ann.user, user: { emailVerified: true }, updateMask: ['email_verified'] }, SYSTEM);
  t.same(
    (await findUsersByVerifiedEmail(store, 'ann@EXAMPLE.org')).map(({ id }) => id),
    [ann.user],
  );
  t.same(await findUsersByVerifiedEmail(store, ''), []);
});

t.test('groups from claims: only those that the claims decide, only those that exist', async (t) => {
  const { authenticator: auth, store } = await startTestStore(t);
  const ann = await addPerson(auth, 'ann');
  const root = await addPerson(auth, 'root', { admin: true });
  for (const name of ['ops', 'dev', 'local']) await auth.createGroup({ group: { name } }, root);
  const names = async () => (await auth.listGroups({ user: ann.user }, root)).groups.map(({ name }) => name);
  const set = (groups: [string, boolean][]) =>
    writeStore(store, SYSTEM, (work) => setGroupMemberships(work, ann.user, new Map(groups)));
  t.same(
    (
      await set([
        ['OPS', true],
        ['dev', true],
        ['none', true],
      ])
    ).sort(),
    ['dev', 'ops'],
  );
  t.same(await names(), ['dev', 'ops']);
  t.same(
    await set([
      ['ops', true],
      ['dev', false],
    ]),
    ['dev'],
  );
  t.same(await names(), ['ops']);
  t.same(await set([['a\0b', true]]), []);
});

t.test('a login under way is completed once, by the browser that began it, at its connection', async (t) => {
  const { store, clock } = await startTestStore(t);
  const state = { connection: 'corp', binding: 'cookie', data: { nonce: 'n', returnTo: '/issues' } };
  const put = async () => (await putLoginState(store, state, 600_000)).secret;
  const take = (secret: string, change: { connection?: string; binding?: string } = {}) =>
    takeLoginState(store, { secret, connection: 'corp', binding: 'cookie', ...change });
  const secret = await put();
  const both = await Promise.all([take(secret), take(secret)]);
  t.same(
    both.filter((data) => data !== undefined),
    [state.data],
    'of two at once one gets it',
  );
  t.equal(await take(secret), undefined, 'replayed');
  const wrong = await put();
  t.equal(await take(wrong, { binding: 'another cookie' }), undefined, 'another browser');
  t.equal(await take(wrong), undefined, 'and it is gone');
  t.equal(await take(await put(), { connection: 'github' }), undefined, 'another connection');
  const late = await put();
  clock.advance(600_000);
  t.equal(await take(late), undefined, 'over');
  t.equal(await take('x'), undefined);
});

t.test('a key of the store is made once', async (t) => {
  const { store } = await startTestStore(t);
  const [one, two] = await Promise.all([readKey(store, 'seal'), readKey(store, 'seal')]);
  t.equal(one.length, 32);
  t.ok(one.equals(two));
  t.notOk(one.equals(await readKey(store, 'other')));
});
