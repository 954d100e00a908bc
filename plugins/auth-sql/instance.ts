import type { PluginDetails, PluginEnvironment, PluginInstance } from '@bugless/kit/plugin';
import { type AuthenticatorImplementation, ServiceError } from '@bugless/kit/service';
import type { Database } from '@bugless/sql';
import { createDirectoryMethods } from './authenticator.ts';
import { type AuthSqlConfiguration, openAuthDatabase, readSettings } from './configuration.ts';
import { MAX_PAGE_SIZE } from './page.ts';
import { guard } from './permission.ts';
import { type AuthStore, openStore, type PasswordSetter, toAuthError } from './store.ts';
import { startSweeping } from './sweep.ts';

/** What a plugin adds to the shared directory. */
export interface AuthenticatorParts {
  /** Its own methods; one of the shared names replaces that one. */
  readonly methods: AuthenticatorImplementation;
  readonly passwords?: PasswordSetter;
  readonly capabilities: PluginDetails['capabilities'];
  /** Prepares the plugin's own things on the open store. */
  start?(store: AuthStore): Promise<void>;
  /** Waits for the plugin's own work under way. */
  drain?(): Promise<void>;
}

/** Shared methods that go with a capability which a plugin may leave out. */
const OPTIONAL_METHODS = { setup: ['getSetup', 'createSetupCode', 'completeSetup'] } as const;

/**
 * Makes a plugin instance out of the shared directory and a plugin's own parts: connects,
 * brings the schema up to date, sweeps, answers the host. `createParts` gets the way to the
 * store, which throws NOT_READY until start is over. Tests hand in a connected `database`,
 * which then stays theirs to close.
 */
export function createAuthInstance(
  configuration: AuthSqlConfiguration,
  environment: PluginEnvironment,
  createParts: (getStore: () => AuthStore) => AuthenticatorParts,
  database?: Database,
): PluginInstance {
  let opened: Database | undefined;
  let store: AuthStore | undefined;
  let sweeping: { stop(): Promise<void> } | undefined;
  const getStore = () => {
    if (store) return store;
    throw new ServiceError('NOT_READY', 'the plugin has not started yet; try again in a moment');
  };
  const parts = createParts(getStore);
  const methods: { -readonly [M in keyof AuthenticatorImplementation]: AuthenticatorImplementation[M] } = {
    ...createDirectoryMethods(getStore),
    ...parts.methods,
  };
  if (parts.capabilities.setup !== true) for (const name of OPTIONAL_METHODS.setup) delete methods[name];
  return {
    authenticator: guard(methods, toAuthError),
    async start() {
      opened = database ?? (await openAuthDatabase(configuration, environment));
      const settings = readSettings(configuration);
      const starting = await openStore(opened, { settings, environment, passwords: parts.passwords });
      await parts.start?.(starting);
      sweeping = startSweeping(starting);
      store = starting;
    },
    getDetails: () => ({
      capabilities: parts.capabilities,
      maxPageSize: MAX_PAGE_SIZE,
      dataId: getStore().dataId,
    }),
    async checkReady() {
      await getStore().database.ping();
    },
    async drain() {
      await parts.drain?.();
    },
    async stop() {
      await sweeping?.stop();
      sweeping = undefined;
      store = undefined;
      const closing = opened === database ? undefined : opened;
      opened = undefined;
      await closing?.close();
    },
  };
}
