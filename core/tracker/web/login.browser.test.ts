/** Login in Chromium at a real OpenID provider, and what the tracker's log says of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { createSystemContext } from '@bugless/kit/service';
import { pino } from 'pino';
import type { BrowserContext, Page } from 'playwright-core';
import t from 'tap';
import { startOpenidProvider } from '../../../plugins/auth-oauth/testing/openid-provider.ts';
import { loadConfig } from '../config/index.ts';
import { MEMORY_MODEL } from '../testing.ts';
import { startTracker } from '../tracker.ts';
import { launchBrowser } from './testing/browser.ts';

const SECRETS = {
  password: 'correct horse battery staple',
  wrong: 'incorrect horse battery staple',
  changed: 'changed horse battery staple',
  reset: 'reset horse battery staple',
  client: 'secret-of-the-client',
};

// The provider wants to know the tracker's address, and the tracker that of the provider: this one is known first.
let target = 0;
/** What happens just before a browser comes back. */
let beforeReturn = async (): Promise<void> => undefined;
const door = createServer((socket) => {
  const onward = connect(target, '127.0.0.1');
  const watch = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const returns = chunk.includes('GET /login/main/callback');
      (returns ? beforeReturn() : Promise.resolve()).then(() => done(null, chunk), done);
    },
  });
  socket.pipe(watch).pipe(onward).pipe(socket);
  for (const [from, to] of [
    [socket, onward],
    [onward, socket],
  ] as const)
    from.on('error', () => to.destroy());
});
await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
const site = `http://localhost:${(door.address() as AddressInfo).port}`;

const provider = await startOpenidProvider(t, {
  audience: 'https://bugless.example/',
  clients: [
    {
      client_id: 'bugless',
      client_secret: SECRETS.client,
      redirect_uris: [`${site}/login/main/callback`],
      post_logout_redirect_uris: [`${site}/login`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
});
await provider.setAccount('sub-ann', { preferred_username: 'ann', name: 'Ann Example' });

const folder = mkdtempSync(join(tmpdir(), 'bugless-login-'));
const defaults = loadConfig({ environment: {}, directory: folder });
const [standard] = defaults.authenticators;
const connection = {
  id: 'main',
  name: 'Example Inc.',
  issuer: provider.issuer,
  clientId: 'bugless',
  clientSecret: SECRETS.client,
  allowInsecure: true,
  allowCreate: true,
  logout: true,
};
const logged: string[] = [];
const tracker = await startTracker(
  {
    ...defaults,
    http: { ...defaults.http, port: 0, publicUrl: site },
    adminPassword: SECRETS.password,
    model: { ...defaults.model, plugin: MEMORY_MODEL },
    authenticators: [
      { ...standard!, config: { bcryptCost: 4 } },
      {
        ...standard!,
        section: 'authenticators[1]',
        plugin: '@bugless/auth-oauth',
        config: {
          connections: [connection, { ...connection, id: 'away', name: 'Away Ltd.', issuer: 'http://127.0.0.1:9' }],
        },
      },
    ],
  },
  pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) }),
);
target = tracker.port;
const browser = await launchBrowser();
t.teardown(async () => {
  await browser.close();
  await tracker.stop();
  door.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Everything that has to stay out of the log, as it turns up. */
const secrets = new Map<string, string>(Object.entries(SECRETS));

/** A page in a browser that knows nothing yet; the provider's pages want a font of the internet. */
async function openPage(context?: BrowserContext): Promise<Page> {
  const page = await (context ?? (await browser.newContext())).newPage();
  page.setDefaultTimeout(10_000);
  await page.route(
    (url) => url.hostname !== 'localhost' && url.hostname !== '127.0.0.1',
    (route) => route.abort(),
  );
  page.on('request', (request) => {
    const url = new URL(request.url());
    for (const name of ['code', 'state', 'nonce', 'id_token_hint'])
      if (url.searchParams.get(name)) secrets.set(`${name} ${secrets.size}`, url.searchParams.get(name)!);
  });
  return page;
}

const keepCookies = async (page: Page) => {
  for (const { name, value, domain } of await page.context().cookies())
    if (name.startsWith('bugless_') && domain === 'localhost') secrets.set(`${name} ${secrets.size}`, value);
};

/** Where one comes without a page to return to. */
const isStart = (url: URL) => url.origin === site && url.pathname === '/issues';

/** Over the provider's pages, from the tracker's button on. */
async function passProvider(page: Page): Promise<void> {
  await page.click('a:has-text("Example Inc.")');
  await page.fill('[name=login]', 'sub-ann');
  await page.fill('[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.click('button:has-text("Continue")');
}

const whoIs = async (page: Page) => {
  const answer = await page.request.get(`${site}/api/v1/users/me`);
  return answer.ok() ? ((await answer.json()) as { id: string; username: string }) : undefined;
};

t.test('sign in, sign out, sign in again', async (t) => {
  const page = await openPage();
  await page.goto(`${site}/issues/new`);
  t.match(page.url(), /\/login\?return_to=/);
  t.equal(await page.locator('a.button:has-text("Example Inc.")').count(), 1, 'a button');
  await passProvider(page);
  await page.waitForURL(`${site}/issues/new`);
  await keepCookies(page);
  const first = await whoIs(page);
  t.equal(first?.username, 'ann');

  await page.click('.menu summary');
  await page.click('button:has-text("Log out")');
  await page.waitForURL(`${provider.issuer}/session/end?*`);
  await page.click('button:has-text("Yes")');
  await page.waitForURL(`${site}/login*`);
  t.equal(await whoIs(page), undefined, 'signed out here');
  await passProvider(page);
  await page.waitForURL(isStart);
  await keepCookies(page);
  t.equal((await whoIs(page))?.id, first?.id, 'the provider asked again, and it is the same user');
  await page.context().close();
});

t.test('addresses to return to stay here', async (t) => {
  const page = await openPage();
  await page.goto(`${site}/login`);
  await passProvider(page);
  await page.waitForURL(isStart);
  for (const evil of ['https://evil.example/', '//evil.example/', '/\\evil.example', 'javascript:alert(1)']) {
    // The provider knows the browser and sends it straight back.
    await page.goto(`${site}/login/main?return_to=${encodeURIComponent(evil)}`);
    t.ok(isStart(new URL(page.url())), evil);
    await page.goto(`${site}/login?return_to=${encodeURIComponent(evil)}`);
    t.ok(isStart(new URL(page.url())), `${evil}, already signed in`);
  }
  await page.context().close();
});

t.test('consent denied', async (t) => {
  const page = await openPage();
  await page.goto(`${site}/login`);
  await page.click('a:has-text("Example Inc.")');
  await page.click('a:has-text("Cancel")');
  await page.waitForURL(`${site}/login/main/callback?*`);
  t.match(await page.textContent('main'), /The login was not allowed there/);
  t.equal(await page.locator('#username').count(), 1, 'other ways stay open');
  t.equal(await page.locator('a.button:has-text("Example Inc.")').count(), 1, 'and so does this one');
  t.equal(await whoIs(page), undefined);
  await page.context().close();
});

t.test('passwords and tokens', async (t) => {
  const { identity } = tracker.services;
  const system = createSystemContext();
  const ann = (await identity.directory.resolveUsernames(['ann'])).get('ann')!;
  const { code } = await identity.withCapability('passwords').createPasswordReset({ user: ann.id }, system);
  secrets.set('reset code', code);
  const page = await openPage();
  await page.goto(`${site}/reset?code=${encodeURIComponent(code)}`);
  await page.fill('#password', SECRETS.reset);
  await page.click('button:has-text("Set password")');
  await page.waitForURL(isStart);
  t.equal((await whoIs(page))?.id, ann.id, 'the same user by password');
  await page.goto(`${site}/reset?code=${encodeURIComponent(code)}`);
  await page.fill('#password', SECRETS.reset);
  await page.click('button:has-text("Set password")');
  t.match(await page.textContent('main'), /not valid any more/, 'the link works once');

  const other = await openPage();
  await other.goto(`${site}/login`);
  for (const password of [SECRETS.wrong, SECRETS.password]) {
    await other.fill('#username', 'admin');
    await other.fill('#password', password);
    await other.click('button:has-text("Log in")');
  }
  await other.waitForURL(isStart);
  await other.goto(`${site}/settings/tokens`);
  await other.fill('#name', 'curl');
  await other.click('button:has-text("Make token")');
  const token = (await other.textContent('.secret'))!.trim();
  secrets.set('token', token);
  for (const value of [token, `${token.slice(0, -1)}_`]) {
    const answer = await fetch(`${site}/api/v1/users/me`, { headers: { authorization: `Bearer ${value}` } });
    t.equal(answer.status, value === token ? 200 : 401);
  }
  const admin = (await identity.directory.resolveUsernames(['admin'])).get('admin')!;
  await identity.withCapability('passwords').changePassword(
    {
      oldPassword: SECRETS.password,
      newPassword: SECRETS.changed,
      client: { address: '127.0.0.1', userAgent: 'test' },
    },
    createSystemContext({ user: admin.id }),
  );
  for (const one of [page, other]) {
    await keepCookies(one);
    await one.context().close();
  }
});

t.test('the provider is down', async (t) => {
  const page = await openPage();
  await page.goto(`${site}/login`);
  await page.click('a:has-text("Away Ltd.")');
  t.match(await page.textContent('main'), /Away Ltd\..*does not answer/, 'from the start');
  t.equal(await page.locator('#username').count(), 1, 'other ways stay open');

  await page.goto(`${site}/login`);
  beforeReturn = () => provider.kill();
  await passProvider(page);
  await page.waitForURL(`${site}/login/main/callback?*`);
  t.match(await page.textContent('main'), /Example Inc\..*does not answer/, 'when it comes back');
  t.equal(await whoIs(page), undefined);
  await page.context().close();
});

t.test('no secret was logged, at any level', async (t) => {
  const log = logged.join('');
  t.ok(logged.length > 30, `${logged.length} lines`);
  t.match(log, /\/login\/main\/callback/, 'what happened was');
  for (const name of ['reset code', 'token']) t.ok(secrets.has(name), name);
  for (const name of ['code ', 'state ', 'id_token_hint ', 'bugless_session '])
    t.ok(
      [...secrets.keys()].some((key) => key.startsWith(name)),
      name,
    );
  for (const [name, secret] of secrets) {
    t.notOk(secret.length > 8 && log.includes(secret), name);
    t.notOk(secret.length > 8 && log.includes(encodeURIComponent(secret)), `${name}, encoded`);
  }
  t.notMatch(log, /eyJ[\w-]+\./, 'no token of the provider');
});
