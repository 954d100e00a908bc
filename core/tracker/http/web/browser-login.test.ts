/** Login at a real OpenID provider through the pages, passwords beside it on the same store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createSystemContext } from '@bugless/kit/service';
import t from 'tap';
import { Browser } from '../../../../plugins/auth-oauth/testing/browser.ts';
import { startOpenidProvider } from '../../../../plugins/auth-oauth/testing/openid-provider.ts';
import { loadConfig } from '../../config/index.ts';
import { PASSWORD, startTestTracker } from '../../testing.ts';
import { createServer } from '../server.ts';

const ORIGIN = 'http://localhost:8080';
const CALLBACK = `${ORIGIN}/login/main/callback`;
const AUDIENCE = 'https://bugless.example/';

const provider = await startOpenidProvider(t, {
  audience: AUDIENCE,
  clients: [
    {
      client_id: 'bugless',
      client_secret: 'secret',
      redirect_uris: [CALLBACK],
      post_logout_redirect_uris: [`${ORIGIN}/login`],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
});
await provider.setAccount('sub-ann', { preferred_username: 'ann', email: 'ann@example.org', email_verified: true });

const folder = mkdtempSync(`${tmpdir()}/bugless-login-`);
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const [standard] = loadConfig({ environment: {}, directory: folder }).authenticators;
const connection = {
  name: 'The <provider>',
  issuer: provider.issuer,
  clientId: 'bugless',
  clientSecret: 'secret',
  allowInsecure: true,
};
const { app, services } = await startTestTracker(t, {
  config: {
    authenticators: [
      { ...standard!, config: { bcryptCost: 4 } },
      {
        ...standard!,
        section: 'authenticators[1]',
        plugin: '@bugless/auth-oauth',
        config: {
          connections: [
            { ...connection, id: 'main', allowCreate: true, logout: true },
            { ...connection, id: 'away', issuer: 'http://127.0.0.1:9' },
          ],
        },
      },
    ],
  },
});

/** The tracker as a browser sees it, without a socket. */
class Visitor {
  readonly browser = new Browser();
  readonly cookies = new Map<string, string>();

  async send(method: 'GET' | 'POST', url: string, payload?: Record<string, string>, server = app) {
    const answer = await server.inject({
      method,
      url,
      cookies: Object.fromEntries(this.cookies),
      ...(payload && {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams(payload).toString(),
      }),
    });
    for (const { name, value, maxAge, expires } of answer.cookies) {
      if (maxAge === 0 || (expires && expires.getTime() < Date.now())) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  async get(url: string) {
    return this.send('GET', url);
  }

  /** To the provider and back, up to the callback. */
  async visit(returnTo = '/issues?q=is:open'): Promise<string> {
    const begun = await this.get(`/login/main?return_to=${encodeURIComponent(returnTo)}`);
    const callback = await this.browser.logIn(begun.headers.location as string, CALLBACK, { login: 'sub-ann' });
    return callback.slice(ORIGIN.length);
  }

  async getCsrf(): Promise<string> {
    return /name="_csrf" value="([^"]+)"/.exec((await this.get('/login')).body)?.[1] ?? '';
  }
}

const readUser = async (visitor: Visitor) => {
  const answer = await visitor.get('/api/v1/users/me');
  return answer.statusCode === 200 ? (answer.json().username as string) : undefined;
};

t.test('a login by the button, and a logout', async (t) => {
  const visitor = new Visitor();
  const page = (await visitor.get('/login?return_to=/issues/new')).body;
  t.match(page, '<a class="button second" href="/login/main?return_to=%2Fissues%2Fnew">The &lt;provider></a>');
  t.match(page, 'name="password"', 'beside the password');
  const begun = await visitor.get('/login/main?return_to=/issues/new');
  t.equal(begun.statusCode, 303);
  t.match(begun.cookies[0], { name: 'bugless_login', httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 660 });
  const callback = await visitor.visit('/issues/new');
  const done = await visitor.get(callback);
  t.equal(done.statusCode, 303);
  t.equal(done.headers.location, '/issues/new');
  t.match(
    done.cookies.find(({ name }) => name === 'bugless_session'),
    { httpOnly: true, sameSite: 'Lax', path: '/' },
  );
  t.notOk(visitor.cookies.has('bugless_login'));
  t.equal(await readUser(visitor), 'ann');
  const replayed = await visitor.get(callback);
  t.equal(replayed.statusCode, 401, 'a second time');
  t.match(replayed.body, 'Begin it again');

  const first = visitor.cookies.get('bugless_session')!;
  await visitor.get(await visitor.visit());
  t.not(visitor.cookies.get('bugless_session'), first, 'another login is another session');
  const old = await app.inject({ url: '/api/v1/users/me', cookies: { bugless_session: first } });
  t.equal(old.statusCode, 401, 'and ends the one before');

  const csrf = /name="csrf-token" content="([^"]+)"/.exec((await visitor.get('/issues/new')).body)![1]!;
  const left = await visitor.send('POST', '/logout', { _csrf: csrf });
  t.equal(left.statusCode, 200);
  t.match(left.headers.refresh, new RegExp(`^0; url=${provider.issuer}/session/end\\?.*id_token_hint=`));
  t.match(left.body, 'Go on to the provider');
  t.notMatch(left.body, 'ann@', 'as a visitor');
  t.equal(await readUser(visitor), undefined);
});

t.test('one person, by password and by provider', async (t) => {
  const visitor = new Visitor();
  await visitor.get(await visitor.visit());
  const { id } = (await visitor.get('/api/v1/users/me')).json();
  const passwords = services.identity.withCapability('passwords');
  const { code } = await passwords.createPasswordReset({ user: id }, createSystemContext());
  const client = { address: '127.0.0.1', userAgent: 'test' };
  await passwords.resetPassword({ code, newPassword: PASSWORD, client }, createSystemContext());
  const again = new Visitor();
  const form = { username: 'ann', password: PASSWORD, return_to: '/', _csrf: await again.getCsrf() };
  t.equal((await again.send('POST', '/login', form)).statusCode, 303);
  t.equal((await again.get('/api/v1/users/me')).json().id, id);
  const csrf = /name="csrf-token" content="([^"]+)"/.exec((await again.get('/issues/new')).body)![1]!;
  const left = await again.send('POST', '/logout', { _csrf: csrf });
  t.equal(left.statusCode, 303, 'a login by password ends here alone');
});

t.test('what is refused', async (t) => {
  const [visitor, thief] = [new Visitor(), new Visitor()];
  const callback = await visitor.visit();
  await thief.get('/login/main');
  const stolen = await thief.get(callback);
  t.equal(stolen.statusCode, 401, 'the callback of another browser');
  t.equal(await readUser(thief), undefined);
  t.equal((await visitor.get(callback)).statusCode, 401, 'and it is used up');

  for (const target of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', '/a\nb']) {
    const done = await visitor.get(await visitor.visit(target));
    t.equal(done.headers.location, '/', `return to ${JSON.stringify(target)}`);
  }
  await visitor.get('/login/main');
  const denied = await visitor.get(`/login/main/callback?error=access_denied&state=${'x'.repeat(43)}`);
  t.equal(denied.statusCode, 401, 'a state that nobody gave');
  t.equal((await visitor.get('/login/nowhere')).statusCode, 404);
  t.equal((await visitor.get('/login/main/callback')).statusCode, 401);
  const away = await visitor.get('/login/away');
  t.equal(away.statusCode, 503);
  t.match(away.body, 'does not answer');
  t.match(away.body, 'name="password"', 'other ways stay open');
});

t.test('denied at the provider', async (t) => {
  const visitor = new Visitor();
  const begun = await visitor.get('/login/main');
  const callback = await visitor.browser.logIn(begun.headers.location as string, CALLBACK, { denies: true });
  const answer = await visitor.get(callback.slice(ORIGIN.length));
  t.equal(answer.statusCode, 401);
  t.match(answer.body, 'allow it');
});

t.test('behind https the cookies are bound to this host', async (t) => {
  const server = await createServer({ ...services, getPublicUrl: () => 'https://bugless.example' });
  t.teardown(() => server.close());
  const begun = await new Visitor().send('GET', '/login/main', undefined, server);
  t.match(begun.cookies[0], { name: '__Host-bugless_login', secure: true, httpOnly: true, path: '/' });
  t.match(
    new URL(begun.headers.location as string).searchParams.get('redirect_uri'),
    'https://bugless.example/login/main/callback',
  );
});
