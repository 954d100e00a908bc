import type { AuthenticatorCapability, CapabilityClaims, ModelCapability } from '../service/capability.ts';
import type { AuthenticatorImplementation, ModelImplementation } from '../service/port.ts';

/** What a plugin package exports as its default: made by {@link definePlugin}. */
export interface PluginDefinition<Configuration = unknown> {
  /** npm package name: what stands in a configuration. */
  readonly id: string;
  /** Version of the package, semver. */
  readonly version: string;
  /** Contract versions that it speaks. */
  readonly contractVersions: readonly number[];
  /** The services that its instances carry. */
  readonly services: readonly PluginServiceName[];
  /**
   * JSON Schema (draft 2020-12) of its configuration, an object. Checked before create,
   * with `default`s filled in; a key that it does not list is refused. A string under a key marked
   * `"x-secret": true` may come from `${ENV}` or `file:`, and is never logged.
   */
  readonly configuration: JsonSchema;
  /** Makes an instance. No I/O happens here: that is what start is for. */
  create(configuration: Configuration, environment: PluginEnvironment): PluginInstance;
}

/** Full names of the services that a plugin can carry. */
export type PluginServiceName = 'bugless.v1.ModelService' | 'bugless.v1.AuthenticatorService';

/** A JSON Schema, as plain data. */
export type JsonSchema = { readonly [key: string]: unknown };

/** What the host gives to every plugin. */
export interface PluginEnvironment {
  readonly log: Logger;
  /** Absolute path of a folder for data on this machine; may not exist yet. Plugins of one process share it. */
  readonly dataDirectory: string;
  /**
   * A short command, beside a tracker that may be running on the same data folder: uses what the
   * tracker runs there (an embedded database), where `serve` would refuse the folder. Default: false.
   */
  readonly visiting?: boolean;
  /** Milliseconds since the epoch; tests pass their own. */
  readonly now: () => number;
}

/** Structured log, in pino's form: facts first, then one line. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/**
 * A plugin at work. The host calls, in this order: start, then anything of its
 * services while checkReady and getDetails may be asked at any time, then drain, then stop.
 */
export interface PluginInstance {
  /** Present when the definition lists `bugless.v1.ModelService`. */
  readonly model?: ModelImplementation;
  /** Present when the definition lists `bugless.v1.AuthenticatorService`. */
  readonly authenticator?: AuthenticatorImplementation;
  /** Opens connections and prepares the store. Rejects with one clear line when it cannot. */
  start(): Promise<void>;
  /** What it can do; called after start. */
  getDetails(): PluginDetails;
  /** Resolves when it can serve, else rejects with a ServiceError (NOT_READY, BACKEND_UNAVAILABLE). Quick. */
  checkReady(): Promise<void>;
  /** No new calls come: ends streams and waits for work under way. */
  drain(): Promise<void>;
  /** Frees everything. Also called after a failed start. */
  stop(): Promise<void>;
}

/** Answers of GetInfo that only a started plugin knows. */
export interface PluginDetails {
  /** Of a Model and of an Authenticator, whichever it carries. */
  readonly capabilities: Partial<CapabilityClaims<ModelCapability | AuthenticatorCapability>>;
  readonly maxPageSize?: number;
  readonly maxAttachmentSize?: number;
  readonly maxExactCount?: number;
  /** Identifies the stored data; empty: nothing stored. */
  readonly dataId: string;
}

/** Types a definition: the configuration's type is inferred from what create takes. */
export function definePlugin<Configuration>(
  definition: PluginDefinition<Configuration>,
): PluginDefinition<Configuration> {
  return definition;
}
