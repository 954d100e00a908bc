/** Logins at a provider without OpenID Connect, in GitHub's shape. */
import { randomBytes } from 'node:crypto';
import { rejectsWith, startTestAuthenticator } from '@bugless/auth-sql/testing';
import { createContext } from '@bugless/kit/service';
import t from 'tap';
import type { ConnectionConfiguration } from './configuration.ts';
import { createAuthOauth } from './instance.ts';
import { Browser } from './testing/browser.ts';
import { startOauthProvider } from './testing/oauth-provider.ts';

const anonymous = createContext();
const client = { address: '192.0.2.8', userAgent: 'test' };
const ORIGIN = 'http://localhost:8080';
const SECRET = 'hub-secret-that-nobody-may-log';
const octo = {
  id: 583_231,
  login: 'octo',
  name: 'Octo Cat',
  avatar_url: 'https://avatars.example/u/583231',
  emails: [
    { email: 'octo@users.example', primary: false, verified: true },
    { email: 'octo@example.org', primary: true, verified: true },
    { email: 'old@example.org', primary: false, verified: false },
  ],
  orgs: [{ login: 'bugless' }, { login: 'others' }],
};
const provider = await startOauthProvider(t, { id: 'hub-client', secret: SECRET }, octo);
const hub: ConnectionConfiguration = {
  id: 'hub',
  name: 'Hub',
  type: 'oauth2',
  authorizationEndpoint: `${provider.origin}/authorize`,
  tokenEndpoint: `${provider.origin}/token`,
  userinfoEndpoint: `${provider.origin}/user`,
  extraEndpoints: { emails: `${provider.origin}/user/emails`, orgs: `${provider.origin}/user/orgs` },
  claims: { email: 'emails', groups: 'orgs.login' },
  clientId: 'hub-client',
  clientSecret: SECRET,
  scopes: ['read:user', 'user:email', 'read:org'],
  allowedGroups: ['bugless'],
  allowCreate: true,
  allowInsecure: true,
  timeout: '1s',
};
const started = await startTestAuthenticator(t, (environment, database) =>
  createAuthOauth({ connections: [hub, { ...hub, id: 'wrong', clientSecret: 'wrong' }] }, environment, database),
);

async function visit(connection = 'hub') {
  const redirectUri = `${ORIGIN}/login/${connection}/callback`;
  const binding = randomBytes(24).toString('base64url');
  const request = { connection, redirectUri, returnTo: '/', binding, client };
  const { url } = await started.authenticator.beginBrowserLogin(request, anonymous);
  const callbackUrl = await new Browser().logIn(url, redirectUri);
  return { connection, binding, callbackUrl, client };
}
const complete = async (request: Awaited<ReturnType<typeof visit>>) =>
  (await started.authenticator.completeBrowserLogin(request, anonymous)).principal!;

t.test('a login and a second one', async (t) => {
  const { user, methods } = await complete(await visit());
  t.strictSame(methods, ['browser:hub']);
  t.match(user, {
    username: 'octo',
    displayName: 'Octo Cat',
    email: 'octo@example.org',
    emailVerified: true,
    avatar: octo.avatar_url,
  });
  provider.account = { ...octo, login: 'renamed', name: null };
  t.equal((await complete(await visit())).user!.id, user!.id, 'known by its number alone');
  provider.account = { ...octo, id: 99 };
  const other = (await complete(await visit())).user!;
  t.not(other.id, user!.id, 'another number is another account, whatever it is called');
  t.equal(other.username, 'octo-2');
  provider.account = octo;
});

t.test('a callback counts once', async (t) => {
  const seen = await visit();
  await complete(seen);
  await rejectsWith(t, complete(seen), 'STATE_MISMATCH');
  const stray = await visit();
  const url = new URL(stray.callbackUrl);
  url.searchParams.set('iss', 'https://evil.example');
  await rejectsWith(t, complete({ ...stray, callbackUrl: url.href }), 'STATE_MISMATCH', 'it says who it is, and lies');
  const spent = await visit();
  const code = new URL(seen.callbackUrl).searchParams.get('code')!;
  const again = new URL(spent.callbackUrl);
  again.searchParams.set('code', code);
  await rejectsWith(t, complete({ ...spent, callbackUrl: again.href }), 'BAD_CREDENTIALS', 'a code of before');
});

t.test('who may come in', async (t) => {
  provider.account = { ...octo, id: 5, orgs: [{ login: 'others' }] };
  await rejectsWith(t, complete(await visit()), 'NOT_ALLOWED');
  provider.account = { ...octo, id: '' };
  await rejectsWith(t, complete(await visit()), 'NOT_ALLOWED', 'without an id');
  provider.account = { ...octo, id: 2 ** 60 };
  await rejectsWith(t, complete(await visit()), 'NOT_ALLOWED', 'with a number that lost digits');
  provider.account = octo;
});

t.test('a provider that does not do its part', async (t) => {
  const attempts: [string, string, number | 'hang'][] = [
    ['the token endpoint is down', '/token', 503],
    ['nobody may ask any more', '/user', 429],
    ['a scope is missing', '/user/orgs', 403],
    ['it never answers', '/user/emails', 'hang'],
  ];
  for (const [what, path, fault] of attempts) {
    const seen = await visit();
    provider.faults.set(path, fault);
    const begun = Date.now();
    await rejectsWith(t, complete(seen), 'PROVIDER_UNAVAILABLE', what);
    t.ok(Date.now() - begun < 2500, 'soon');
    provider.faults.clear();
  }
  await rejectsWith(t, complete(await visit('wrong')), 'BAD_CREDENTIALS', 'another secret than the provider has');
  t.notMatch(started.logged.join('\n'), new RegExp(`${SECRET}|gho_|code=`), 'no secret in the log');
  const seen = await visit();
  const signal = AbortSignal.timeout(100);
  provider.faults.set('/user', 'hang');
  const call = started.authenticator.completeBrowserLogin(seen, createContext({ signal }));
  await rejectsWith(t, call, 'CANCELLED', 'the caller went away');
  provider.faults.clear();
});
