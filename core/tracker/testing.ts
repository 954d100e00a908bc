import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSystemContext, Permission, type User } from '@bugless/kit/service';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { type Config, loadConfig } from './config/index.ts';
import { prepareFirstComponent } from './first-component.ts';
import { createServer } from './http/server.ts';
import type { Services } from './http/services.ts';
import { openPlugins } from './plugins.ts';
import { createServices } from './tracker.ts';

/** The Model of the examples, from which tests start in no time. */
export const MEMORY_MODEL = fileURLToPath(new URL('../../examples/model-memory/index.ts', import.meta.url));

/** A tracker with real plugins, for tests. */
export interface TestTracker {
  readonly app: FastifyInstance;
  readonly services: Services;
  readonly config: Config;
  /** The administrator, and a bearer token of its session. */
  readonly admin: User;
  readonly token: string;
  /** Id of the component "Tests", in which everyone signed in may edit. */
  readonly component: string;
  /** Makes another person, with a session. */
  addPerson(username: string): Promise<{ user: User; token: string }>;
}

/** What tap's test object offers here. */
interface Teardown {
  teardown(fn: () => unknown): void;
}

/** Password of everybody in tests. */
export const PASSWORD = 'correct horse battery';

/**
 * Starts a tracker on a folder of its own: the Model in memory unless another plugin is named, logins by password
 * on embedded Postgres. Listens nowhere: use `app.inject`, or `app.listen({ port: 0 })`.
 */
export async function startTestTracker(
  t: Teardown,
  values: { readonly config?: Partial<Config>; readonly model?: string } = {},
): Promise<TestTracker> {
  const folder = mkdtempSync(join(tmpdir(), 'bugless-tracker-'));
  const defaults = loadConfig({ environment: {}, directory: folder });
  const config: Config = {
    ...defaults,
    model: { ...defaults.model, plugin: values.model ?? MEMORY_MODEL },
    authenticators: [{ ...defaults.authenticators[0]!, config: { bcryptCost: 4 } }],
    ...values.config,
  };
  const log = pino({ level: process.env.BUGLESS_TEST_LOG ?? 'silent' });
  const plugins = await openPlugins(config, log);
  const services = createServices(config, log, plugins, () => config.http.publicUrl ?? 'http://localhost:8080');
  const app = await createServer(services);
  t.teardown(async () => {
    await app.close();
    await plugins.drain();
    await plugins.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const system = createSystemContext();
  const client = { address: '127.0.0.1', userAgent: 'test' };
  const login = async (username: string) =>
    (await services.identity.loginWithPassword({ username, password: PASSWORD, client }, system)).secret;
  await services.identity.createSetupCode(PASSWORD);
  const admin = (await services.identity.directory.resolveUsernames(['admin'])).get('admin')!;
  await prepareFirstComponent(services.model, system, admin.id);
  const { component } = await services.model.createComponent(
    {
      component: {
        name: 'Tests',
        owners: [admin.id],
        accessOverridden: true,
        access: [{ principal: { $case: 'everyone', value: false }, permission: Permission.EDIT }],
      },
    },
    system,
  );
  return {
    app,
    services,
    config,
    admin,
    token: await login('admin'),
    component: component!.id,
    async addPerson(username) {
      const { user } = await services.identity
        .withCapability('directory')
        .createUser({ user: { username }, password: PASSWORD }, system);
      return { user: user!, token: await login(username) };
    },
  };
}
