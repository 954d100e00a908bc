/**
 * A real OpenID provider in a process of its own, on plain http of this machine. Its parent tells
 * it by messages whom it knows, what its clock shows, and when to change its keys.
 */
import { generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import type { OpenidOrder, OpenidSettings } from './openid-provider.ts';

const accounts = new Map<string, object | null>();
const realNow = Date.now;

function createKey(): JsonWebKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

function createProvider(issuer: string, { clients, audience }: OpenidSettings): RequestListener {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys: [createKey()] },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'picture', 'groups'],
      email: ['email', 'email_verified'],
    },
    ttl: { IdToken: 30, AccessToken: 600, AuthorizationCode: 300, Interaction: 600, Session: 3600, Grant: 3600 },
    findAccount: (_context: unknown, sub: string) =>
      accounts.get(sub) === null ? undefined : { accountId: sub, claims: async () => ({ sub, ...accounts.get(sub) }) },
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'bots',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  return provider.callback();
}

function serve(settings: OpenidSettings): void {
  let listener: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => listener(request, response));
  server.listen(0, '127.0.0.1', () => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    listener = createProvider(issuer, settings);
    process.on('message', (order: OpenidOrder) => {
      if (order.kind === 'account') accounts.set(order.subject, order.claims);
      if (order.kind === 'keys') {
        const signing = createProvider(issuer, settings);
        const published = order.secretly ? createProvider(issuer, settings) : signing;
        listener = (request, response) => (request.url === '/jwks' ? published : signing)(request, response);
      }
      if (order.kind === 'clock') Date.now = () => realNow() + order.millis;
      process.send!({ kind: 'done' });
    });
    process.send!({ kind: 'ready', issuer });
  });
}

// The parent is gone, so is the test.
process.once('disconnect', () => process.exit(0));
process.once('message', (settings: OpenidSettings) => serve(settings));
