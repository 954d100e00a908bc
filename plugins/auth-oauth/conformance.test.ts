import {
  applyMutant,
  BROWSER_MUTANTS,
  type BrowserDriver,
  type CaseResult,
  conformAuthenticator,
  matchExactly,
  runAuthenticatorConformance,
} from '@bugless/kit/conformance';
import { openPlugin } from '@bugless/kit/plugin';
import { startTestDatabase } from '@bugless/sql/testing';
import t from 'tap';
import { Browser } from './testing/browser.ts';
import { startOpenidProvider } from './testing/openid-provider.ts';

const getRedirectUri = (connection: string) => `https://core.example/login/${connection}/callback`;
const provider = await startOpenidProvider(t, {
  audience: 'https://core.example',
  clients: [
    {
      client_id: 'bugless',
      client_secret: 'secret',
      redirect_uris: [getRedirectUri('first'), getRedirectUri('second')],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
});

const browser: BrowserDriver = {
  connection: 'first',
  otherConnection: 'second',
  getRedirectUri,
  async visit(url, { account, redirectUri, denies }) {
    const { subject, username, email } = account;
    await provider.setAccount(subject, { preferred_username: username, email, email_verified: true });
    return new Browser().logIn(url, redirectUri, { login: subject, denies });
  },
};

const { url } = await startTestDatabase(t);
const connection = {
  name: 'Provider',
  issuer: provider.issuer,
  clientId: 'bugless',
  clientSecret: 'secret',
  allowCreate: true,
  allowInsecure: true,
};
const config = {
  url,
  connections: [
    { ...connection, id: 'first' },
    { ...connection, id: 'second' },
  ],
  certificates: {},
};

await conformAuthenticator(t, { plugin: '@bugless/auth-oauth', config, browser });

t.test('the suite catches every mutant', async (t) => {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const link = await openPlugin({
    section: 'authenticators[0]',
    plugin: '@bugless/auth-oauth',
    service: 'bugless.v1.AuthenticatorService',
    transport: 'in-process',
    config,
    environment: { log, dataDirectory: t.testdir(), now: Date.now },
    folder: process.cwd(),
  });
  t.teardown(() => link.stop());
  for (const mutant of BROWSER_MUTANTS) {
    const results: CaseResult[] = [];
    const authenticator = applyMutant(link.authenticator!, mutant);
    const open = async () => ({ authenticator, info: link.info, close: async () => {} });
    const only = matchExactly(mutant.caughtBy);
    await runAuthenticatorConformance(open, { report: (result) => results.push(result) }, { only, browser });
    const outcomes = results.map((result) => result.outcome);
    t.strictSame(outcomes, ['failed'], `${mutant.name}: ${mutant.caughtBy}`);
  }
});
