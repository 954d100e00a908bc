import {
  AuthenticatorServiceDefinition,
  type GetInfoResponse,
  ModelServiceDefinition,
  PluginServiceDefinition,
} from '@bugless/proto';
import type { TlsOptions } from '../transport/address.ts';
import type { PluginDefinition, PluginEnvironment } from './definition.ts';
import { formatProblem, type KeyPath, PluginError } from './error.ts';
import { mergeInformation } from './information.ts';
import { type RunningInstance, startInstance } from './instance.ts';

/** One plugin to serve. */
export interface ServedPlugin {
  /** npm package, a path from the folder, or the definition itself. */
  readonly plugin: string | PluginDefinition;
  /** Where its configuration stands, for messages: `model`, `authenticators[0]`. */
  readonly section: string;
  /** Its own configuration, `${ENV}` already replaced. */
  readonly config?: unknown;
}

export interface ServePluginsOptions {
  /** Each service at most once. */
  readonly plugins: readonly ServedPlugin[];
  /** `unix:///path` or `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** `cert` and `key` for host:port; `ca` to demand client certificates. */
  readonly tls?: TlsOptions | undefined;
  /** Allows host:port on loopback without TLS. */
  readonly plaintext?: boolean | undefined;
  readonly environment: PluginEnvironment;
  /** Folder of the configuration; default: the working directory. */
  readonly folder?: string | undefined;
  readonly locate?: ((path: KeyPath) => string | undefined) | undefined;
}

/** Plugins at work behind an address. */
export interface PluginServer {
  /** With the port that it took. */
  readonly address: string;
  /** What GetInfo answers. */
  readonly info: GetInfoResponse;
  checkReady(): Promise<void>;
  /** Health turns red, streams end, work under way is finished. Bounded. */
  drain(): Promise<void>;
  /** Frees everything; drain first, to lose nothing. */
  stop(): Promise<void>;
}

/**
 * Runs plugins as a gRPC server: what `bugless plugin serve` does. Rejects with a PluginError or an Error
 * whose line says what to change; nothing is left running then.
 */
export async function servePlugins(options: ServePluginsOptions): Promise<PluginServer> {
  const { environment, locate } = options;
  const folder = options.folder ?? process.cwd();
  // gRPC takes 80 ms to load: only for those who use it.
  const { serveGrpc } = await import('../transport/grpc/server.ts');
  const running: RunningInstance[] = [];
  const stopAll = async (): Promise<void> => void (await Promise.all(running.map((each) => each.stop())));
  try {
    const carriers = new Map<string, string>();
    for (const { plugin, section, config } of options.plugins) {
      const started = await startInstance({ plugin, section, config, environment, folder, locate });
      running.push(started);
      for (const service of started.definition.services) {
        const other = carriers.get(service);
        if (other !== undefined) {
          const text = `${other} and ${started.definition.id} both carry ${service}; serve them at two addresses`;
          throw new PluginError([formatProblem({ section, locate }, [], text)]);
        }
        carriers.set(service, started.definition.id);
      }
    }
    if (running.length === 0) throw new PluginError(['name at least one plugin to serve']);
    const info = mergeInformation(running.map((each) => each.info));
    const server = await serveGrpc({
      listen: options.listen,
      tls: options.tls,
      plaintext: options.plaintext,
      folder,
      log: environment.log,
      services: [
        { definition: PluginServiceDefinition, implementation: { getInfo: async () => info } },
        ...running.flatMap(({ instance, checkReady }) => [
          ...(instance.model
            ? [{ definition: ModelServiceDefinition, implementation: instance.model, checkReady }]
            : []),
          ...(instance.authenticator
            ? [{ definition: AuthenticatorServiceDefinition, implementation: instance.authenticator, checkReady }]
            : []),
        ]),
      ],
    });
    return {
      address: server.address,
      info,
      checkReady: async () => void (await Promise.all(running.map((each) => each.checkReady()))),
      async drain() {
        await server.drain();
        await Promise.all(running.map((each) => each.drain()));
      },
      async stop() {
        await server.stop();
        await stopAll();
      },
    };
  } catch (error) {
    await stopAll();
    throw error;
  }
}
