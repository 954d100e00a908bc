import { conformAuthenticator } from '@bugless/kit/conformance';
import { startTestDatabase } from '@bugless/sql/testing';
import t from 'tap';

const { url } = await startTestDatabase(t);
await conformAuthenticator(t, { plugin: '@bugless/auth-password', config: { url, bcryptCost: 4 } });
