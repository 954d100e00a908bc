import { dirname } from 'node:path';
import { openPlugin, type PluginLink } from '@bugless/kit/plugin';
import type { Model } from '@bugless/kit/service';
import type { Logger } from 'pino';
import type { Config, PluginSettings } from './config/index.ts';
import type { PluginState } from './http/services.ts';
import type { AuthenticatorLink } from './identity/identity.ts';

/** The plugins that a configuration names, started and connected. */
export interface Plugins {
  readonly model: Model;
  readonly modelCapabilities: ReadonlyMap<string, { readonly available: boolean; readonly reason: string }>;
  readonly authenticators: readonly AuthenticatorLink[];
  readonly states: readonly PluginState[];
  /** Waits for calls under way. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

/** The service names of the contract. */
const MODEL = 'bugless.v1.ModelService';
const AUTHENTICATOR = 'bugless.v1.AuthenticatorService';

/**
 * Starts every plugin; `visiting`: beside a tracker that may be running on the same data folder. When one cannot start, the others are stopped again.
 *
 * @throws Error with one line that names the section of the configuration.
 */
export async function openPlugins(config: Config, log: Logger, visiting = false): Promise<Plugins> {
  const sections = [config.model, ...config.authenticators];
  const opened = await Promise.allSettled(
    sections.map((section, index) => open(section, index === 0 ? MODEL : AUTHENTICATOR, config, log, visiting)),
  );
  const links = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = opened.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stopAll(links, log);
    throw failed.reason;
  }
  const [model, ...authenticators] = links as [PluginLink, ...PluginLink[]];
  return {
    model: model.model!,
    modelCapabilities: new Map(model.info.capabilities.map((capability) => [capability.name, capability])),
    authenticators: authenticators.map(describeAuthenticator),
    states: links.map((link, index) => describeState(link, sections[index]!)),
    drain: async () => {
      await Promise.all(links.map((link) => link.drain()));
    },
    stop: () => stopAll(links, log),
  };
}

function open(
  section: PluginSettings,
  service: typeof MODEL | typeof AUTHENTICATOR,
  config: Config,
  log: Logger,
  visiting: boolean,
): Promise<PluginLink> {
  return openPlugin({
    ...section,
    startLimitMillis: section.startTimeout * 1000,
    service,
    environment: { log: log.child({ plugin: section.plugin }), dataDirectory: config.dataDir, visiting, now: Date.now },
    folder: config.file === undefined ? process.cwd() : dirname(config.file),
    locate: config.locate,
  });
}

function describeAuthenticator(link: PluginLink): AuthenticatorLink {
  const { capabilities, dataId } = link.info;
  return {
    authenticator: link.authenticator!,
    capabilities: new Set(capabilities.filter((capability) => capability.available).map(({ name }) => name)),
    reasons: new Map(capabilities.map(({ name, reason }) => [name, reason])),
    dataId,
  };
}

function describeState(link: PluginLink, { section, transport }: PluginSettings): PluginState {
  const { id, version } = link.info;
  return { section, id, version, transport, checkReady: () => link.checkReady() };
}

/** Stops in the opposite order of the configuration, and goes on when one of them fails to. */
async function stopAll(links: readonly PluginLink[], log: Logger): Promise<void> {
  for (const link of links.toReversed()) {
    try {
      await link.stop();
    } catch (error) {
      log.error({ err: error, plugin: link.info.id }, 'a plugin failed to stop');
    }
  }
}
