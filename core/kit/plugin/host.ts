import { AuthenticatorServiceDefinition, type GetInfoResponse, ModelServiceDefinition } from '@bugless/proto';
import type { Authenticator, Model } from '../service/port.ts';
import type { TlsOptions } from '../transport/address.ts';
import { connectInProcess } from '../transport/in-process.ts';
import type { PluginEnvironment, PluginServiceName } from './definition.ts';
import { formatProblem, PluginError, type SectionPlace } from './error.ts';
import { startInstance } from './instance.ts';

/** A section of the configuration that names a plugin, and what the host needs beside it. */
export interface OpenPluginOptions extends SectionPlace {
  /** npm package, or a path from `folder`. In process it is loaded; of a remote one only for messages. */
  readonly plugin: string;
  /** `in-process`, `unix:///path` or `host:port`. */
  readonly transport: string;
  /** For host:port. */
  readonly tls?: TlsOptions | undefined;
  /** Allows host:port on loopback without TLS. */
  readonly plaintext?: boolean | undefined;
  /** The plugin's own, `${ENV}` already replaced; in process alone. */
  readonly config?: unknown;
  /** The service wanted of it. */
  readonly service: PluginServiceName;
  readonly environment: PluginEnvironment;
  /** Folder of the configuration file: packages and files are looked for from there. */
  readonly folder: string;
  /** How long to wait for a remote plugin at start, in milliseconds; default 10,000. */
  readonly startLimitMillis?: number | undefined;
}

/** A plugin in use. Nothing about it tells which transport it is behind. */
export interface PluginLink {
  /** When the service asked for is `bugless.v1.ModelService`. */
  readonly model?: Model;
  /** When the service asked for is `bugless.v1.AuthenticatorService`. */
  readonly authenticator?: Authenticator;
  /** As it was when the link was last made. */
  readonly info: GetInfoResponse;
  /** Resolves when it can serve, else rejects with a ServiceError. Takes 2 s at most. */
  checkReady(): Promise<void>;
  /** No more calls come. Bounded; never rejects. */
  drain(): Promise<void>;
  /** Frees everything. Bounded; never rejects. */
  stop(): Promise<void>;
}

/**
 * Opens the plugin that a section of a configuration names: loads and starts it in this process, or
 * connects to it.
 *
 * @throws PluginError with lines for people; ServiceError PLUGIN_INCOMPATIBLE when it is of another contract
 *   version or carries another service.
 */
export async function openPlugin(options: OpenPluginOptions): Promise<PluginLink> {
  if (options.transport !== 'in-process') {
    // gRPC takes 80 ms to load: only for those who use it.
    const { openRemotePlugin } = await import('./remote.ts');
    return openRemotePlugin(options);
  }
  for (const key of ['tls', 'plaintext'] as const) {
    if (options[key]) throw new PluginError([formatProblem(options, [key], 'is for a transport host:port; remove it')]);
  }
  const running = await startInstance(options);
  const { instance, info, checkReady, drain, stop } = running;
  const { log } = options.environment;
  return {
    ...(options.service === 'bugless.v1.ModelService'
      ? { model: connectInProcess(ModelServiceDefinition, instance.model ?? {}, { log }) }
      : { authenticator: connectInProcess(AuthenticatorServiceDefinition, instance.authenticator ?? {}, { log }) }),
    info,
    checkReady,
    drain,
    stop,
  };
}
