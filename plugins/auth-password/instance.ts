import { type AuthStore, createAuthInstance, type PasswordSetter, parseDuration, type Tables } from '@bugless/auth-sql';
import type { PluginDetails, PluginEnvironment, PluginInstance } from '@bugless/kit/plugin';
import type { Database } from '@bugless/sql';
import { BcryptQueue } from './bcrypt-queue.ts';
import { changePassword, createPasswordReset, resetPassword } from './change.ts';
import type { AuthPasswordConfiguration } from './configuration.ts';
import { createDummyHashes } from './dummy-hash.ts';
import { authenticatePassword, type PasswordChecker } from './login.ts';
import { checkPassword, type PasswordRule, readForbiddenPasswords } from './password-rule.ts';

const CAPABILITIES: PluginDetails['capabilities'] = {
  'login.password': true,
  'login.browser': 'this plugin checks passwords; login at a provider is what @bugless/auth-oauth does',
  'login.token': true,
  'login.certificate': 'this plugin checks passwords; client certificates are what @bugless/auth-oauth maps',
  sessions: true,
  tokens: true,
  setup: true,
  passwords: true,
  directory: true,
  groups: true,
  audit: true,
};

async function readHighestCost(store: AuthStore): Promise<number> {
  const { cost } = await store.database
    .kysely<Tables>()
    .selectFrom('auth_password')
    .select((expression) => expression.fn.max('cost').as('cost'))
    .executeTakeFirstOrThrow();
  return Number(cost ?? 0);
}

/** Makes the plugin's instance; tests hand in a connected database. */
export function createAuthPassword(
  configuration: AuthPasswordConfiguration,
  environment: PluginEnvironment,
  database?: Database,
): PluginInstance {
  const cost = configuration.bcryptCost ?? 12;
  const queue = new BcryptQueue({
    concurrency: configuration.bcryptConcurrency,
    limit: configuration.bcryptQueue,
  });
  let rule: PasswordRule = { minLength: configuration.minLength ?? 8, forbidden: new Set() };
  let checker: PasswordChecker | undefined;
  const resetLifetimeMillis = parseDuration(configuration.resetLifetime ?? '24h');
  const passwords: PasswordSetter = {
    async hash(password, username, field, context) {
      const checked = checkPassword(rule, password, username, field);
      return { hash: await queue.hash(checked, cost, context), cost };
    },
  };
  return createAuthInstance(
    configuration,
    environment,
    (getStore) => {
      // The store is there only after start, and the checker with it.
      const getChecker = () => checker!;
      return {
        passwords,
        capabilities: CAPABILITIES,
        methods: {
          listLoginMethods: async () => ({
            methods: [{ kind: 'password', connection: '', name: 'Password', icon: '' }],
          }),
          authenticatePassword: async (request, context) =>
            authenticatePassword(getStore(), getChecker(), request, context),
          changePassword: async (request, context) =>
            changePassword(getStore(), getChecker(), passwords, request, context),
          createPasswordReset: async (request, context) =>
            createPasswordReset(getStore(), resetLifetimeMillis, request, context),
          resetPassword: async (request, context) => resetPassword(getStore(), passwords, request, context),
        },
        async start(store) {
          const file = configuration.forbiddenPasswordsFile;
          if (file !== undefined) rule = { ...rule, forbidden: await readForbiddenPasswords(file) };
          // Hashes that cost more than the configuration asks for remain after it was lowered.
          const dummies = await createDummyHashes(Math.max(cost, await readHighestCost(store)));
          checker = { queue, dummies, cost };
        },
        drain: () => queue.drain(),
      };
    },
    database,
  );
}
