import type { GetInfoResponse } from '@bugless/proto';
import { createSystemContext } from '../service/context.ts';
import { exposeFailure } from '../transport/failure.ts';
import { checkConfiguration } from './configuration.ts';
import type { Logger, PluginDefinition, PluginEnvironment, PluginInstance, PluginServiceName } from './definition.ts';
import { formatProblem, PluginError, type SectionPlace } from './error.ts';
import { checkCompatible, createInformation } from './information.ts';
import { finish } from './lifecycle.ts';
import { findFault, loadPlugin } from './package.ts';

/** What drain and stop of a plugin may take, in milliseconds, before the host goes on without it. */
export const DRAIN_LIMIT = 10_000;
export const STOP_LIMIT = 5_000;

/** Which plugin to run in this process, and where its configuration stands. */
export interface InstanceOptions extends SectionPlace {
  /** npm package, path, or the definition itself. */
  readonly plugin: string | PluginDefinition;
  /** Its configuration, `${ENV}` already replaced. */
  readonly config?: unknown;
  /** The service that it has to carry; undefined: any. */
  readonly service?: PluginServiceName | undefined;
  readonly environment: PluginEnvironment;
  /** Folder of the configuration: packages and files are looked for from there. */
  readonly folder: string;
}

/** A started plugin. */
export interface RunningInstance {
  readonly definition: PluginDefinition;
  readonly instance: PluginInstance;
  readonly info: GetInfoResponse;
  /** Rejects with a ServiceError. */
  checkReady(): Promise<void>;
  /** Bounded by {@link DRAIN_LIMIT}. Never rejects: failures are logged. */
  drain(): Promise<void>;
  /** Bounded by {@link STOP_LIMIT}. Never rejects. */
  stop(): Promise<void>;
}

/** load → check → create → start. A failed start is stopped again before it rejects. */
export async function startInstance(options: InstanceOptions): Promise<RunningInstance> {
  const { environment, folder } = options;
  const definition = await findDefinition(options);
  checkCompatible(
    { ...definition, services: [...definition.services], contractVersions: [...definition.contractVersions] },
    options.service,
  );
  const configuration = await checkConfiguration(definition.configuration, options.config, options, folder);
  const refuse = (text: string, cause?: unknown): PluginError =>
    new PluginError([formatProblem(options, [], text)], cause);

  let instance: PluginInstance;
  try {
    instance = definition.create(configuration, environment);
  } catch (error) {
    throw refuse(`${definition.id} cannot be made: ${firstLine(error)}`, error);
  }
  const stop = (): Promise<void> => finish('stop', definition.id, () => instance.stop(), STOP_LIMIT, environment.log);
  try {
    for (const service of definition.services) {
      const carried = service === 'bugless.v1.ModelService' ? instance.model : instance.authenticator;
      if (carried === undefined) throw new Error(`it lists ${service} but its instance does not carry it`);
    }
    await instance.start();
    return {
      definition,
      instance,
      info: createInformation(definition, instance),
      checkReady: () => checkReady(definition, instance, environment.log),
      drain: () => finish('drain', definition.id, () => instance.drain(), DRAIN_LIMIT, environment.log),
      stop,
    };
  } catch (error) {
    await stop();
    throw refuse(`${definition.id} could not start: ${firstLine(error)}`, error);
  }
}

async function findDefinition(options: InstanceOptions): Promise<PluginDefinition> {
  const { plugin } = options;
  if (typeof plugin === 'string') return loadPlugin(plugin, options.folder, options);
  const fault = findFault(plugin);
  if (fault !== undefined)
    throw new PluginError([formatProblem(options, ['plugin'], `is no Bugless plugin: ${fault}`)]);
  return plugin;
}

async function checkReady(definition: PluginDefinition, instance: PluginInstance, log: Logger): Promise<void> {
  try {
    await instance.checkReady();
  } catch (error) {
    throw exposeFailure(error, `checkReady of ${definition.id}`, createSystemContext(), log);
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
