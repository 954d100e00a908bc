import {
  AUTHENTICATOR_MUTANTS,
  applyMutant,
  type CaseResult,
  conformAuthenticator,
  matchExactly,
  runAuthenticatorConformance,
} from '@bugless/kit/conformance';
import { openPlugin } from '@bugless/kit/plugin';
import { startTestDatabase } from '@bugless/sql/testing';
import t from 'tap';

const { url } = await startTestDatabase(t);
// The cheapest hashes: how long they take is tried elsewhere.
const config = { url, bcryptCost: 4 };

await conformAuthenticator(t, { plugin: '@bugless/auth-password', config });

t.test('the suite catches every mutant', async (t) => {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const environment = { log: silent, dataDirectory: t.testdir(), now: Date.now };
  const link = await openPlugin({
    section: 'authenticators[0]',
    plugin: '@bugless/auth-password',
    service: 'bugless.v1.AuthenticatorService',
    transport: 'in-process',
    config,
    environment,
    folder: process.cwd(),
  });
  t.teardown(() => link.stop());
  await Promise.all(
    AUTHENTICATOR_MUTANTS.map(async (mutant) => {
      const results: CaseResult[] = [];
      const authenticator = applyMutant(link.authenticator!, mutant);
      const open = async () => ({ authenticator, info: link.info, close: async () => {} });
      const only = matchExactly(mutant.caughtBy);
      await runAuthenticatorConformance(open, { report: (result) => results.push(result) }, { only });
      t.strictSame(
        results.map((result) => result.outcome),
        ['failed'],
        `${mutant.name}: ${mutant.caughtBy}`,
      );
    }),
  );
});
