/** What is wrong in a configuration is told in one line that names the key. */
import { openPlugin } from '@bugless/kit/plugin';
import t from 'tap';
import type { ConnectionConfiguration } from './configuration.ts';
import { checkConnections } from './connection.ts';

const oidc: ConnectionConfiguration = {
  id: 'kc',
  name: 'Keycloak',
  issuer: 'https://kc.example/realms/x',
  clientId: 'c',
};
const oauth2: ConnectionConfiguration = {
  id: 'hub',
  name: 'Hub',
  type: 'oauth2',
  authorizationEndpoint: 'https://hub.example/authorize',
  tokenEndpoint: 'https://hub.example/token',
  userinfoEndpoint: 'https://api.hub.example/user',
  clientId: 'c',
};

t.test('what the schema cannot say', async (t) => {
  const wrong: [ConnectionConfiguration[], RegExp][] = [
    [[oidc, oidc], /^connections\[1\]\.id: kc is used twice/],
    [[{ ...oidc, issuer: undefined }], /^connections\[0\]\.issuer: is missing/],
    [[{ ...oidc, issuer: 'kc.example' }], /issuer: is not an https URL/],
    [[{ ...oidc, issuer: 'http://kc.example' }], /issuer: is not https; allowInsecure/],
    [
      [{ ...oidc, issuer: 'http://kc.example', allowInsecure: true }],
      /issuer: allowInsecure is for addresses of this machine/,
    ],
    [[{ ...oidc, issuer: 'http://127.evil.example', allowInsecure: true }], /of this machine/],
    [[{ ...oidc, issuer: 'https://a:b@kc.example' }], /neither a user nor/],
    [[{ ...oidc, issuer: `${oidc.issuer}/.well-known/openid-configuration` }], /give the part before/],
    [[{ ...oidc, tokenEndpoint: 'https://x.example' }], /tokenEndpoint: goes with type oauth2/],
    [[{ ...oidc, claims: { subject: 'email' } }], /claims\.subject: goes with type oauth2/],
    [[{ ...oidc, claims: { groups: '' }, adminGroups: ['x'] }], /adminGroups: needs claims\.groups/],
    [[{ ...oidc, parameters: { state: 'x' } }], /parameters\.state: is set by Bugless/],
    [[{ ...oidc, extraEndpoints: { more: 'http://x.example' } }], /extraEndpoints\.more: is not https/],
    [[{ ...oidc, bots: { audience: 'c', accounts: {} } }], /bots\.audience: is the clientId/],
    [[{ ...oauth2, tokenEndpoint: undefined }], /tokenEndpoint: is missing; type oauth2/],
    [[{ ...oauth2, logout: true }], /logout: goes with type oidc/],
    [[{ ...oauth2, bots: { audience: 'a', accounts: {} } }], /bots: goes with type oidc/],
    [[{ ...oauth2, allowedGroups: ['x'] }], /allowedGroups: needs claims\.groups/],
  ];
  for (const [connections, message] of wrong) t.throws(() => checkConnections(connections), message);
});

t.test('defaults', async (t) => {
  const connections = checkConnections([oidc, oauth2]);
  t.match(connections.get('kc'), {
    scope: 'openid profile email',
    allowCreate: false,
    linkByVerifiedEmail: false,
    timeoutMillis: 5000,
  });
  t.match(connections.get('hub'), {
    scope: '',
    issuer: 'https://hub.example',
    claims: { subject: 'id', emailVerified: '' },
  });
  t.equal(checkConnections([{ ...oidc, scopes: ['email'] }]).get('kc')!.scope, 'openid email');
});

t.test('as the host tells it', async (t) => {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const open = (config: object) =>
    openPlugin({
      section: 'authenticators[0]',
      plugin: '@bugless/auth-oauth',
      service: 'bugless.v1.AuthenticatorService',
      transport: 'in-process',
      config,
      environment: { log, dataDirectory: '/nonexistent', now: Date.now },
      folder: process.cwd(),
    });
  const wrong: [object, RegExp][] = [
    [
      { connections: [{ ...oidc, adminGroup: ['x'] }] },
      /config\.connections\[0\]\.adminGroup: unknown key; did you mean "adminGroups"/,
    ],
    [{ connections: [{ ...oidc, id: 'Key Cloak' }] }, /connections\[0\]\.id: expected lower case/],
    [{ connections: [{ ...oidc, clientId: undefined }] }, /connections\[0\]\.clientId: is missing/],
    [
      { connections: [{ ...oidc, clientSecret: 'file:/nonexistent/secret' }] },
      /clientSecret: the file \/nonexistent\/secret does not exist/,
    ],
    [{ connections: [oidc, oidc] }, /authenticators\[0\]: @bugless\/auth-oauth cannot be made: connections\[1\]\.id/],
    [{ connections: [oidc], certificates: { accounts: { 'x:y': 'z' } } }, /certificates\.accounts: "x:y" is none of/],
  ];
  for (const [config, message] of wrong) await t.rejects(open(config), { message });
});
