import { conformAuthenticator } from '@bugless/kit/conformance';
import { startTestDatabase } from '@bugless/sql/testing';
import t from 'tap';

const { url } = await startTestDatabase(t);
const connection = { id: 'nowhere', name: 'Nowhere', issuer: 'https://issuer.invalid', clientId: 'bugless' };

// The suite speaks with no provider; browser-login.test.ts does.
await conformAuthenticator(t, {
  plugin: '@bugless/auth-oauth',
  config: { url, connections: [connection], certificates: {} },
});
