import t from 'tap';
import { decideAdmin, decideGroups, findRefusal, readClaim, readProfile } from './claims.ts';
import type { ConnectionConfiguration } from './configuration.ts';
import { checkConnections } from './connection.ts';

const connect = (more: Partial<ConnectionConfiguration> = {}) =>
  checkConnections([{ id: 'x', name: 'X', issuer: 'https://issuer.example', clientId: 'c', ...more }]).get('x')!;

t.test('where a claim stands', async (t) => {
  const claims = {
    plain: 'a',
    'https://example.org/groups': ['by URL'],
    realm: { roles: ['one', 'two'], 'with.dot': { deep: 3 } },
    teams: [{ slug: 'ops', org: { login: 'a' } }, { name: 'no slug' }, { slug: 'dev', org: { login: 'b' } }],
    none: null,
  };
  const found: [string, unknown][] = [
    ['plain', 'a'],
    ['https://example.org/groups', ['by URL']],
    ['realm.roles', ['one', 'two']],
    ['realm.with.dot.deep', 3],
    ['teams.slug', ['ops', 'dev']],
    ['teams.org.login', ['a', 'b']],
    ['none.more', undefined],
    ['plain.length', undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
    ['', undefined],
  ];
  for (const [path, value] of found) t.strictSame(readClaim(claims, path), value, path || 'no path');
});

t.test('a profile out of claims of any form', async (t) => {
  const { claims } = connect();
  t.strictSame(readProfile({}, claims), {
    subject: '',
    username: '',
    displayName: '',
    email: '',
    emailVerified: false,
    avatar: '',
    groups: [],
  });
  const strange = {
    sub: 7,
    name: { a: 1 },
    email: ' ann@example.org ',
    email_verified: 'true',
    groups: ['a', 5, null, 'a'],
  };
  t.match(readProfile(strange, claims), {
    subject: '7',
    displayName: '',
    email: 'ann@example.org',
    emailVerified: true,
    groups: ['a'],
  });
  t.equal(readProfile({ email: 'a@b.c', email_verified: 1 }, claims).emailVerified, false);
  t.equal(readProfile({ email_verified: true }, claims).emailVerified, false, 'no address is not verified');
  t.strictSame(readProfile({ groups: 'single' }, claims).groups, ['single']);
  t.equal(readProfile({ sub: 2 ** 60 }, claims).subject, '', 'a number that lost digits');
  const list = [
    { email: 'a@example.org', primary: true, verified: false },
    { email: 'b@example.org', verified: true },
    'c@example.org',
    null,
  ];
  t.match(readProfile({ email: list }, claims), { email: 'b@example.org', emailVerified: true });
  t.match(readProfile({ email: list.slice(0, 1) }, claims), { email: 'a@example.org', emailVerified: false });
  t.match(readProfile({ email: [] }, claims), { email: '', emailVerified: false });
});

t.test('who may log in, who administers, which groups', async (t) => {
  const read = (claims: object) => readProfile({ sub: 'a', ...claims }, connect().claims);
  const domains = connect({ allowedDomains: ['@Example.org'] });
  t.equal(findRefusal(domains, read({ email: 'a@example.ORG', email_verified: true })), undefined);
  t.ok(
    findRefusal(domains, read({ email: 'a@sub.example.org', email_verified: true })),
    'a domain below is another one',
  );
  t.ok(findRefusal(domains, read({ email: '"a@example.org"@evil.example', email_verified: true })));
  t.equal(decideAdmin(connect(), read({ groups: ['admins'] })), undefined, 'not decided');
  const admins = connect({ adminGroups: ['admins'], adminEmails: ['Root@example.org'] });
  t.equal(decideAdmin(admins, read({ groups: ['admins'] })), true);
  t.equal(decideAdmin(admins, read({ email: 'root@Example.org', email_verified: true })), true);
  t.equal(decideAdmin(admins, read({ email: 'root@example.org' })), false, 'unverified');
  const mapped = connect({ groupMapping: { a: ['x', 'y'], b: 'x' } });
  t.strictSame(
    [...decideGroups(mapped, read({ groups: ['b'] }))],
    [
      ['x', true],
      ['y', false],
    ],
  );
  t.strictSame(
    [...decideGroups(mapped, read({ groups: ['a', 'b'] }))],
    [
      ['x', true],
      ['y', true],
    ],
  );
});
