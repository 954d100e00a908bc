import type { Model } from '@bugless/kit/service';
import type { FastifyBaseLogger } from 'fastify';
import type { Config } from '../config/index.ts';
import type { Identity } from '../identity/identity.ts';

/** Everything that a route may use. Handed to every route plugin as `options.services`. */
export interface Services {
  readonly config: Config;
  readonly log: FastifyBaseLogger;
  readonly model: Model;
  readonly identity: Identity;
  /** What the Model can do, by capability name; see GetInfo. */
  readonly modelCapabilities: ReadonlyMap<string, { readonly available: boolean; readonly reason: string }>;
  /** The plugins behind the ports, for readiness. */
  readonly plugins: readonly PluginState[];
  /** Version of Bugless. */
  readonly version: string;
  /** Address that people use, without a trailing slash. Known for sure once the server listens. */
  getPublicUrl(): string;
  /** Aborts once stopping began: streams end. */
  readonly stopSignal: AbortSignal;
  /** True once stopping began: readiness turns red. */
  isStopping(): boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** One plugin as readiness sees it. */
export interface PluginState {
  /** As in the configuration: `model`, `authenticators[0]`. */
  readonly section: string;
  /** npm package name. */
  readonly id: string;
  readonly version: string;
  readonly transport: string;
  /** Resolves when it can serve. */
  checkReady(): Promise<void>;
}

/** Options of every route plugin. */
export interface RouteOptions {
  readonly services: Services;
}
