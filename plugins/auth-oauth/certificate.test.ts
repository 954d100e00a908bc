import { X509Certificate } from 'node:crypto';
import { addPerson, rejectsWith, startTestAuthenticator } from '@bugless/auth-sql/testing';
import { createContext, createSystemContext, UserState } from '@bugless/kit/service';
import { generate } from 'selfsigned';
import t from 'tap';
import { checkCertificates, parseAlternativeNames } from './certificate.ts';
import type { CertificateConfiguration } from './configuration.ts';
import { createAuthOauth } from './instance.ts';

type AlternativeNames = { type: 1 | 2 | 6; value: string }[];
const EMAIL = 1;
const DNS = 2;
const URI = 6;
const DAY = 86_400_000;
const client = { address: '192.0.2.9', userAgent: 'test' };

async function makeCertificate(commonName: string, altNames: AlternativeNames = []): Promise<X509Certificate> {
  const { cert } = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY),
    notAfterDate: new Date(Date.now() + DAY),
    extensions: [
      { name: 'extKeyUsage', clientAuth: true },
      ...(altNames.length > 0 ? [{ name: 'subjectAltName', altNames } as const] : []),
    ],
  });
  return new X509Certificate(cert);
}

t.test('alternative names', async (t) => {
  const trap = 'https://a.example/, email:root@example.org';
  const { subjectAltName } = await makeCertificate('x', [
    { type: EMAIL, value: 'ann@example.org' },
    { type: URI, value: trap },
    { type: DNS, value: 'host.example' },
  ]);
  t.strictSame(parseAlternativeNames(subjectAltName!), [
    { kind: 'email', value: 'ann@example.org' },
    { kind: 'URI', value: trap },
    { kind: 'DNS', value: 'host.example' },
  ]);
  t.strictSame(parseAlternativeNames('DNS:a, DNS:"unfinished'), [], 'not understood as a whole');
  t.strictSame(parseAlternativeNames('IP Address:127.0.0.1, othername:<unsupported>'), [
    { kind: 'IP Address', value: '127.0.0.1' },
    { kind: 'othername', value: '<unsupported>' },
  ]);
});

t.test('the configuration', async (t) => {
  for (const name of ['ann@example.org', 'cn:ann', 'sha256:12', 'email:']) {
    t.throws(() => checkCertificates({ accounts: { [name]: 'id' } }), /^certificates\.accounts: "/);
  }
});

t.test('whom a certificate belongs to', async (t) => {
  // Ids are known after the first start; then the plugin is made as a test needs it, on the same database.
  const first = await startTestAuthenticator(t, (environment, database) => createAuthOauth({}, environment, database));
  const system = createSystemContext();
  const [ann, bob] = [
    await addPerson(first.authenticator, 'ann'),
    await addPerson(first.authenticator, 'bob', { email: 'Bob@example.org' }),
  ];
  const use = (certificates: CertificateConfiguration) => {
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const environment = { log, dataDirectory: '/nonexistent', now: first.clock.now };
    const instance = createAuthOauth({ certificates }, environment, first.database);
    t.teardown(() => instance.stop());
    return {
      instance,
      logIn: async (certificate: { raw: Uint8Array }) => {
        const call = instance.authenticator!.authenticateCertificate!(
          { certificate: certificate.raw, client } as never,
          createContext(),
        );
        return (await call).principal!;
      },
    };
  };
  const plain = await makeCertificate('Ann');
  const named = await makeCertificate('nobody', [
    { type: DNS, value: 'Robot.example.org' },
    { type: URI, value: 'spiffe://example.org/ann' },
  ]);
  const addressed = await makeCertificate('ann', [{ type: EMAIL, value: 'bob@EXAMPLE.org' }]);

  const rule = use({
    accounts: {
      [`sha256:${plain.fingerprint256}`]: ann.user,
      'dns:robot.example.org': ann.user,
      'email:BOB@example.org': bob.user,
    },
  });
  await rule.instance.start();
  const principal = await rule.logIn(plain);
  t.match(principal, { user: { id: ann.user }, methods: ['certificate'], expires: plain.validToDate.toISOString() });
  t.equal((await rule.logIn(named)).user!.id, ann.user);
  t.equal((await rule.logIn(addressed)).user!.id, bob.user);
  await rejectsWith(t, rule.logIn(await makeCertificate('ann')), 'BAD_CREDENTIALS', 'unknown');
  await rejectsWith(t, rule.logIn({ raw: Buffer.from('nonsense') }), 'BAD_CREDENTIALS', 'no certificate');
  const both = await makeCertificate('x', [
    { type: DNS, value: 'robot.example.org' },
    { type: EMAIL, value: 'bob@example.org' },
  ]);
  await rejectsWith(t, rule.logIn(both), 'BAD_CREDENTIALS', 'of two users');
  first.clock.advance(2 * DAY);
  await rejectsWith(t, rule.logIn(plain), 'BAD_CREDENTIALS', 'over');
  first.clock.advance(-4 * DAY);
  await rejectsWith(t, rule.logIn(plain), 'BAD_CREDENTIALS', 'not yet');
  first.clock.advance(2 * DAY);
  const change = (id: string, user: object, updateMask: string[]) =>
    first.authenticator.updateUser({ id, expectedVersion: '0', user, updateMask }, system);
  await change(ann.user, { state: UserState.DEACTIVATED }, ['state']);
  await rejectsWith(t, rule.logIn(plain), 'BAD_CREDENTIALS', 'deactivated');
  await change(ann.user, { state: UserState.ACTIVE }, ['state']);

  const byAddress = use({ verifiedEmail: true });
  await byAddress.instance.start();
  await rejectsWith(t, byAddress.logIn(addressed), 'BAD_CREDENTIALS', 'the address here is not verified');
  await change(bob.user, { emailVerified: true }, ['email_verified']);
  t.equal((await byAddress.logIn(addressed)).user!.id, bob.user);
  await rejectsWith(t, byAddress.logIn(plain), 'BAD_CREDENTIALS', 'the common name counts only where configured');

  const byName = use({ commonName: true });
  await byName.instance.start();
  t.equal((await byName.logIn(plain)).user!.id, ann.user);
  await rejectsWith(t, byName.logIn(addressed), 'BAD_CREDENTIALS', 'and not beside alternative names');

  t.strictSame((await byName.instance.authenticator!.listLoginMethods!({}, createContext())).methods, [
    { kind: 'certificate', connection: '', name: 'Certificate', icon: '' },
  ]);
  t.equal(first.instance.getDetails().capabilities['login.certificate'], 'certificates is not configured');
  t.equal(byName.instance.getDetails().capabilities['login.certificate'], true);
  t.match(byName.instance.getDetails().capabilities['login.browser'], /no connection/);
  const { events } = await first.authenticator.listAuditEvents({ kind: 'login_failed' }, system);
  t.ok(events.some(({ details }) => details.method === 'certificate'));
});
