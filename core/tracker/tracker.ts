import { createSystemContext } from '@bugless/kit/service';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from './config/index.ts';
import { prepareFirstComponent } from './first-component.ts';
import { createServer } from './http/server.ts';
import type { Services } from './http/services.ts';
import { createIdentity } from './identity/facade.ts';
import { openPlugins, type Plugins } from './plugins.ts';
import { VERSION } from './version.ts';

/** Bugless at work. */
export interface Tracker {
  /** Address that people use. */
  readonly publicUrl: string;
  /** Port listened on. */
  readonly port: number;
  readonly server: FastifyInstance;
  readonly services: Services;
  /** One-time link that makes the first administrator; undefined: there is one. */
  readonly setupLink: string | undefined;
  /** Turns readiness red, finishes requests (bounded), drains and stops the plugins. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts the plugins, then the server.
 *
 * @throws Error with one line for people: a plugin that cannot start, a port in use.
 */
export async function startTracker(config: Config, log: Logger): Promise<Tracker> {
  const plugins = await openPlugins(config, log);
  let server: FastifyInstance | undefined;
  try {
    const stopping = new AbortController();
    const scheme = config.http.tls === undefined ? 'http' : 'https';
    let publicUrl = config.http.publicUrl ?? `${scheme}://localhost:${config.http.port}`;
    const services = createServices(config, log, plugins, () => publicUrl, stopping.signal);
    server = await createServer(services);
    // Before anybody can call: who answers is set up.
    const code = await prepareSetup(config, services, log);
    const port = await listen(server, config);
    publicUrl = config.http.publicUrl ?? `${scheme}://localhost:${port}`;
    const setupLink = code === undefined ? undefined : `${publicUrl}/setup?code=${encodeURIComponent(code)}`;
    const running = server;
    let stopped: Promise<void> | undefined;
    return {
      publicUrl,
      port,
      server,
      services,
      setupLink,
      stop: () => {
        stopped ??= stopTracker(running, plugins, stopping, config.http.stopTimeout * 1000);
        return stopped;
      },
    };
  } catch (error) {
    await server?.close();
    await plugins.stop();
    throw error;
  }
}

/** What routes get; also for tests that bring their own plugins. */
export function createServices(
  config: Config,
  log: Logger,
  plugins: Pick<Plugins, 'model' | 'modelCapabilities' | 'authenticators' | 'states'>,
  getPublicUrl: () => string,
  stopSignal: AbortSignal = new AbortController().signal,
): Services {
  return {
    config,
    log,
    model: plugins.model,
    modelCapabilities: plugins.modelCapabilities,
    identity: createIdentity(plugins.authenticators),
    plugins: plugins.states,
    version: VERSION,
    getPublicUrl,
    stopSignal,
    isStopping: () => stopSignal.aborted,
    now: Date.now,
  };
}

async function listen(server: FastifyInstance, { http: { host, port } }: Config): Promise<number> {
  try {
    await server.listen({ host, port, backlog: 1024 });
  } catch (error) {
    throw explainListenError(error as NodeJS.ErrnoException, host, port);
  }
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function explainListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const fix = 'set http.port in the configuration, or BUGLESS_HTTP_PORT';
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(`http.port: ${host}:${port} is in use by another program; stop it, or ${fix}`, { cause: error });
    case 'EACCES':
      return new Error(`http.port: no permission to listen on ${host}:${port}; ${fix} to one above 1023`, {
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new Error(`http.host: this machine has no address ${host}; use 127.0.0.1, 0.0.0.0 or one of its own`, {
        cause: error,
      });
    default:
      return new Error(`http: cannot listen on ${host}:${port} (${error.code ?? error.message})`, { cause: error });
  }
}

/** The first start: an administrator at once when a password is given, else the code of a one-time link. */
async function prepareSetup(config: Config, services: Services, log: Logger): Promise<string | undefined> {
  const { identity, model } = services;
  const context = createSystemContext();
  if (!(await identity.isSetupNeeded(context))) return undefined;
  if (config.adminPassword === undefined) return identity.createSetupCode();
  await identity.createSetupCode(config.adminPassword);
  const admin = (await identity.directory.resolveUsernames(['admin'])).get('admin');
  await prepareFirstComponent(model, context, admin?.id ?? '');
  log.info({ username: 'admin' }, 'created the administrator with BUGLESS_ADMIN_PASSWORD');
  return undefined;
}

async function stopTracker(
  server: FastifyInstance,
  plugins: Plugins,
  stopping: AbortController,
  patience: number,
): Promise<void> {
  stopping.abort();
  const force = setTimeout(() => server.server.closeAllConnections(), patience);
  await server.close();
  clearTimeout(force);
  await plugins.drain();
  await plugins.stop();
}
