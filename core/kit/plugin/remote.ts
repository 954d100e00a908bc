import {
  AuthenticatorServiceDefinition,
  type GetInfoResponse,
  ModelServiceDefinition,
  PluginServiceDefinition,
} from '@bugless/proto';
import { createSystemContext } from '../service/context.ts';
import { ServiceError } from '../service/error.ts';
import { isServiceError } from '../transport/failure.ts';
import { type Channel, openChannel } from '../transport/grpc/channel.ts';
import { formatProblem, PluginError } from './error.ts';
import type { OpenPluginOptions, PluginLink } from './host.ts';
import { checkCompatible } from './information.ts';

const START_LIMIT = 10_000;
const INFO_LIMIT = 5_000;
const HEALTH_LIMIT = 2_000;

/**
 * Connects to a plugin in another process and looks at what it is: at start, and again whenever the link was
 * made anew, before any other call is sent. One that has become incompatible or stands on other data is refused.
 */
export async function openRemotePlugin(options: OpenPluginOptions): Promise<PluginLink> {
  const { transport, service, environment } = options;
  const { log } = environment;
  const section = options.section;
  let info: GetInfoResponse | undefined;

  const checkPeer = async (connect: Channel['connect']): Promise<void> => {
    const context = createSystemContext({ deadline: Date.now() + INFO_LIMIT });
    const now = await connect(PluginServiceDefinition).getInfo({}, context);
    checkCompatible(now, service);
    if (info !== undefined && info.dataId !== now.dataId) {
      throw new ServiceError(
        'PLUGIN_INCOMPATIBLE',
        `the plugin at ${transport} now stands on other data (${now.dataId || 'none'}, before ${info.dataId || 'none'}); restart core if that is meant`,
      );
    }
    if (info !== undefined) log.info({ section, address: transport, version: now.version }, 'the plugin is back');
    info = now;
  };

  let channel: Channel;
  try {
    channel = openChannel({
      address: transport,
      tls: options.tls,
      plaintext: options.plaintext,
      folder: options.folder,
      log,
      checkPeer,
    });
  } catch (error) {
    throw new PluginError([formatProblem(options, ['transport'], (error as Error).message)], error);
  }
  try {
    await channel.waitReady(Date.now() + (options.startLimitMillis ?? START_LIMIT));
  } catch (error) {
    channel.close();
    if (isServiceError(error) && error.reason === 'PLUGIN_INCOMPATIBLE') throw error;
    throw new PluginError([formatProblem(options, ['transport'], describeUnreachable(options, error))], error);
  }
  return {
    ...(service === 'bugless.v1.ModelService'
      ? { model: channel.connect(ModelServiceDefinition) }
      : { authenticator: channel.connect(AuthenticatorServiceDefinition) }),
    get info() {
      return info as GetInfoResponse;
    },
    checkReady: () => channel.checkHealth(service, HEALTH_LIMIT),
    drain: async () => undefined,
    stop: async () => channel.close(),
  };
}

/** What the operator needs: the address, the system's reason, and how such a plugin is started. */
function describeUnreachable(options: OpenPluginOptions, error: unknown): string {
  const { plugin, transport, tls, plaintext } = options;
  if (isServiceError(error) && error.reason !== 'BACKEND_UNAVAILABLE') {
    return `the plugin at ${transport} is not usable: ${error.message}`;
  }
  const details = ((error as Error).cause as { details?: unknown } | undefined)?.details;
  const reason = /Last error: (?:Error: )?(.+?)\.?(?: Resolution note:.*)?$/.exec(String(details))?.[1];
  const why = reason === undefined || reason === 'null' ? '' : ` (${reason})`;
  const security = plaintext ? ' --plaintext' : tls === undefined ? '' : ' --tls-cert FILE --tls-key FILE';
  return `no plugin answers at ${transport}${why}; start it: bugless plugin serve ${plugin} --listen ${transport}${security}`;
}
