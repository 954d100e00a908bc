/** The tracker on https, with real client certificates and the plugin that maps them. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request as sendSecurely } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { createSystemContext } from '@bugless/kit/service';
import t from 'tap';
import { createTestCertificates } from '../../kit/transport/test-certificates.ts';
import { type Config, ConfigError, loadConfig } from '../config/index.ts';
import { startTestTracker } from '../testing.ts';
import { createServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'bugless-tls-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const [ours, theirs] = await Promise.all([createTestCertificates(), createTestCertificates()]);
const write = (name: string, pem: string) => {
  writeFileSync(join(folder, name), pem);
  return join(folder, name);
};
const tls = {
  cert: write('server.crt', ours.server.cert),
  key: write('server.key', ours.server.key),
  ca: write('clients.crt', ours.ca),
  clientCertificates: 'optional' as const,
};
const der = new X509Certificate(ours.client.cert).raw;
const fingerprint = new X509Certificate(ours.client.cert).fingerprint256;

// Accounts are named by user id, which there is before the configuration only on a second start.
const shared = { bcryptCost: 4 };
const [standard] = loadConfig({ environment: {}, directory: folder }).authenticators;
const oauth = (certificates: object) => ({
  ...standard!,
  section: 'authenticators[1]',
  plugin: '@bugless/auth-oauth',
  config: { certificates },
});
const dataDir = join(folder, 'data');
const first = await startTestTracker(t, { config: { dataDir, authenticators: [{ ...standard!, config: shared }] } });
const { user: robot } = await first.addPerson('robot');
const { user: clerk } = await first.addPerson('clerk');
const accounts = { [`sha256:${fingerprint}`]: robot.id, 'dns:plugin.test': clerk.id };

const http: Config['http'] = { ...first.config.http, tls, publicUrl: 'https://localhost' };
const values = { ...first.config, http, authenticators: [first.config.authenticators[0]!, oauth({ accounts })] };

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly reused: boolean;
}

/** A server of its own with these settings, and how to call it. */
async function start(config: Config) {
  const { openPlugins } = await import('../plugins.ts');
  const { createServices } = await import('../tracker.ts');
  const plugins = await openPlugins(config, first.services.log as never, true);
  const services = {
    ...createServices(config, first.services.log as never, plugins, () => config.http.publicUrl ?? ''),
    model: first.services.model,
  };
  const app = await createServer(services);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  t.teardown(async () => {
    await app.close();
    await plugins.drain();
    await plugins.stop();
  });
  const open = (client?: { readonly cert: string; readonly key: string }) => {
    const agent = new Agent({ ca: ours.ca, ...client });
    t.teardown(() => agent.destroy());
    return (path: string, { method = 'GET', headers = {}, body = '' } = {}): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const sent = sendSecurely({ host: '127.0.0.1', port, path, method, headers, agent }, async (response) => {
          const reused = (response.socket as TLSSocket).isSessionReused();
          resolve({ status: response.statusCode!, headers: response.headers, body: await text(response), reused });
        });
        sent.on('error', reject).end(body);
      });
  };
  return { services, open };
}

const whoIs = async (call: ReturnType<Awaited<ReturnType<typeof start>>['open']>, headers: object = {}) => {
  const { status, body } = await call('/api/v1/users/me', { headers });
  return status === 200 ? (JSON.parse(body).username as string) : status;
};
const asHeader = (bytes: Uint8Array) => ({ 'client-cert': `:${Buffer.from(bytes).toString('base64')}:` });

const main = await start(values);

t.test('a verified certificate is a login', async (t) => {
  const call = main.open(ours.client);
  t.equal(await whoIs(call), 'robot', 'the fingerprint goes before names');
  const again = await call('/api/v1/users/me');
  t.equal(again.reused, true, 'a resumed session');
  t.equal(again.status, 200, 'shows the same certificate');
  t.equal(await whoIs(main.open(ours.server)), 'clerk', 'by a name');
  t.equal(await whoIs(main.open()), 401, 'without one: nobody');
  t.equal((await main.open()('/login')).status, 200, 'who may see the pages');
  t.equal(await whoIs(main.open(theirs.client)), 401, 'of another authority: nobody');
  t.equal(await whoIs(main.open(), asHeader(der)), 401, 'the header of a proxy, without a proxy: nobody');
  t.equal(await whoIs(main.open(), { authorization: `Bearer ${der.toString('base64')}` }), 401, 'is no secret');
  t.equal(await whoIs(call, { authorization: `Bearer ${first.token}` }), 'admin', 'a token goes before it');
  t.equal(await whoIs(call, { authorization: 'Bearer wrong' }), 401, 'a wrong one too');
});

t.test('one that is nobody’s here is asked about once', async (t) => {
  const stranger = await start({ ...values, authenticators: [values.authenticators[0]!, oauth({ accounts: {} })] });
  const call = stranger.open(ours.client);
  for (const _ of [1, 2, 3]) t.equal(await whoIs(call), 401);
  t.equal((await call('/login')).status, 200);
  const { events } = await first.services.identity
    .withCapability('audit')
    .listAuditEvents({ kind: 'login_failed', pageSize: 100 }, createSystemContext());
  t.equal(events.filter(({ details }) => details.method === 'certificate').length, 1, 'one failed login');
});

t.test('other sites cannot use the certificate of a browser', async (t) => {
  const call = main.open(ours.client);
  const json = { 'content-type': 'application/json' };
  const body = JSON.stringify({ title: 'By certificate', component: first.component });
  const post = (headers: object) => call('/api/v1/issues', { method: 'POST', headers: { ...json, ...headers }, body });
  t.equal((await post({})).status, 201, 'a program needs nothing else');
  t.equal((await post({ 'sec-fetch-site': 'cross-site' })).status, 403);
  t.equal((await post({ origin: 'https://evil.example' })).status, 403);
  t.equal((await post({ 'sec-fetch-site': 'same-origin' })).status, 201);

  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const page = await call('/issues/new');
  t.equal(page.status, 200);
  const csrf = /name="csrf-token" content="([^"]+)"/.exec(page.body)?.[1] ?? '';
  const [cookie = ''] = page.headers['set-cookie']?.find((line) => line.includes('guest'))?.split(';') ?? [];
  const fields = new URLSearchParams({ title: 'By form', component: first.component, _csrf: csrf });
  const send = (headers: object) =>
    call('/issues/new', { method: 'POST', headers: { ...form, ...headers }, body: fields.toString() });
  t.equal((await send({})).status, 403, 'the token has to be that of this browser');
  t.equal((await send({ cookie, 'sec-fetch-site': 'cross-site' })).status, 403);
  const filed = await send({ cookie, 'sec-fetch-site': 'same-origin' });
  t.equal(filed.status, 303, filed.body);
});

t.test('cookies on https', async (t) => {
  const { headers } = await main.open()('/login');
  t.match(headers['set-cookie']?.[0], /^__Host-bugless_guest=[^;]+; .*HttpOnly; Secure; SameSite=Lax/);
  t.match(headers['strict-transport-security'], /max-age/);
});

t.test('from a proxy', async (t) => {
  const trusting = { ...http, clientCertHeader: true, trustProxy: ['10.0.0.0/8', 'loopback'] };
  const near = await start({ ...values, http: trusting });
  t.equal(await whoIs(near.open(), asHeader(der)), 'robot');
  t.equal(await whoIs(near.open(ours.server), asHeader(der)), 'robot', 'whoever the proxy itself is');
  t.equal(await whoIs(near.open(ours.server)), 401, 'what the proxy shows of itself is nobody behind it');
  for (const [what, value] of [
    ['no byte sequence', der.toString('base64')],
    ['no certificate', ':AAAA:'],
    ['two', `${asHeader(der)['client-cert']}, ${asHeader(der)['client-cert']}`],
    ['long', `:${'A'.repeat(40_000)}:`],
  ] as const) {
    // Node itself refuses headers beyond 16 KiB.
    t.match(String(await whoIs(near.open(), { 'client-cert': value }).catch(() => 431)), /401|431/, what);
  }
  t.equal(
    await whoIs(near.open(), { 'client-cert': asHeader(new X509Certificate(theirs.client.cert).raw)['client-cert'] }),
    'clerk',
    'its word is enough: it verifies',
  );

  const far = await start({ ...values, http: { ...trusting, trustProxy: ['10.0.0.0/8'] } });
  t.equal(await whoIs(far.open(), asHeader(der)), 401, 'of a stranger it is not read');
  t.equal(await whoIs(far.open(), { ...asHeader(der), 'x-forwarded-for': '10.0.0.1' }), 401, 'whoever it says it is');
  t.equal(await whoIs(far.open(ours.client), asHeader(new X509Certificate(ours.server.cert).raw)), 'robot');
  const silent = await start({ ...values, http: { ...http, trustProxy: true } });
  t.equal(await whoIs(silent.open(), asHeader(der)), 401, 'without the option neither');
});

t.test('the configuration', async (t) => {
  const load = (section: object) => {
    writeFileSync(join(folder, 'bugless.yaml'), JSON.stringify({ http: section }));
    try {
      return loadConfig({ file: 'bugless.yaml', environment: {}, directory: folder }).http;
    } catch (error) {
      if (error instanceof ConfigError) return error.problems.join('\n');
      throw error;
    }
  };
  const pair = { cert: 'server.crt', key: 'server.key' };
  t.match(
    load({ tls: pair }),
    { tls: { cert: tls.cert, ca: undefined, clientCertificates: 'off' } },
    'beside the file',
  );
  const wrong: readonly [section: object, problem: RegExp][] = [
    [{ tls: { cert: 'a' } }, /http\.tls: /],
    [{ tls: { ...pair, clientCertificates: 'optional' } }, /http\.tls\.clientCertificates: needs ca/],
    [{ tls: { ...pair, ca: 'x' } }, /http\.tls\.ca: only goes with clientCertificates: optional/],
    [{ tls: pair, publicUrl: 'http://b.example' }, /http\.publicUrl: begins with https:/],
    [{ clientCertHeader: true }, /http\.clientCertHeader: needs trustProxy to list/],
    [{ clientCertHeader: true, trustProxy: true }, /http\.clientCertHeader: needs trustProxy to list/],
    [{ trustProxy: ['10.0.0.0/33'] }, /http\.trustProxy\[0\]: expected an address .*got "10\.0\.0\.0\/33"/],
  ];
  for (const [section, problem] of wrong) t.match(load(section), problem);

  const files: readonly [change: object, problem: RegExp][] = [
    [{ cert: join(folder, 'none') }, /^http\.tls\.cert: .*none: no such file$/],
    [{ key: write('empty', '') }, /^http\.tls\.key: .*empty: expected PEM/],
    [{ key: write('other.key', theirs.server.key) }, /^http\.tls: .*other\.key is not the key of .*server\.crt$/],
    [{ ca: write('not.crt', '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n') }, /^http\.tls\.ca/],
  ];
  for (const [change, message] of files) {
    const config = { ...values, http: { ...http, tls: { ...tls, ...change } } };
    await t.rejects(createServer({ ...main.services, config }), { message });
  }
});
