import type { Capability, GetInfoResponse } from '@bugless/proto';
import { AUTHENTICATOR_CAPABILITIES, MODEL_CAPABILITIES } from '../service/capability.ts';
import { ServiceError } from '../service/error.ts';
import type { PluginDefinition, PluginInstance, PluginServiceName } from './definition.ts';

/** Version of the contracts in proto/ that this kit speaks. */
export const CONTRACT_VERSION = 1;

const CAPABILITIES: Readonly<Record<PluginServiceName, object>> = {
  'bugless.v1.ModelService': MODEL_CAPABILITIES,
  'bugless.v1.AuthenticatorService': AUTHENTICATOR_CAPABILITIES,
};

/** What GetInfo answers for a started plugin. */
export function createInformation(definition: PluginDefinition, instance: PluginInstance): GetInfoResponse {
  const details = instance.getDetails();
  const claims = details.capabilities as Readonly<Record<string, true | string | undefined>>;
  const capabilities = definition.services.flatMap((service) =>
    Object.keys(CAPABILITIES[service] ?? {}).map((name): Capability => {
      const claim = claims[name] ?? 'this plugin does not offer it';
      return { name, available: claim === true, reason: claim === true ? '' : claim };
    }),
  );
  return {
    id: definition.id,
    version: definition.version,
    services: [...definition.services],
    contractVersions: [...definition.contractVersions],
    capabilities,
    limits: {
      maxPageSize: details.maxPageSize ?? 0,
      maxAttachmentSize: String(details.maxAttachmentSize ?? 0),
      maxExactCount: details.maxExactCount ?? 0,
    },
    dataId: details.dataId,
  };
}

/**
 * What GetInfo answers for several plugins behind one address: ids, versions and data ids joined, each service's
 * capabilities beside the other's, contract versions that all of them speak.
 */
export function mergeInformation(all: readonly GetInfoResponse[]): GetInfoResponse {
  const [first, ...others] = all;
  if (first === undefined) throw new Error('no plugin to tell about');
  return others.reduce(
    (a, b) => ({
      id: `${a.id}+${b.id}`,
      version: a.version === b.version ? a.version : `${a.version}+${b.version}`,
      services: [...a.services, ...b.services],
      contractVersions: a.contractVersions.filter((version) => b.contractVersions.includes(version)),
      capabilities: [...a.capabilities, ...b.capabilities],
      limits: {
        maxPageSize: a.limits?.maxPageSize || b.limits?.maxPageSize || 0,
        maxAttachmentSize:
          [a, b].map(({ limits }) => limits?.maxAttachmentSize ?? '0').find((size) => size !== '0') ?? '0',
        maxExactCount: a.limits?.maxExactCount || b.limits?.maxExactCount || 0,
      },
      dataId: [a.dataId, b.dataId].filter((id) => id !== '').join(' '),
    }),
    first,
  );
}

/**
 * Refuses a plugin that speaks other contract versions, or does not carry the service.
 *
 * @throws ServiceError PLUGIN_INCOMPATIBLE, its line naming both sides.
 */
export function checkCompatible(
  info: Pick<GetInfoResponse, 'id' | 'version' | 'contractVersions' | 'services'>,
  service: PluginServiceName | undefined,
): void {
  const name = `${info.id || 'the plugin'} ${info.version}`.trim();
  if (!info.contractVersions.includes(CONTRACT_VERSION)) {
    const theirs = info.contractVersions.length === 0 ? 'none' : info.contractVersions.join(', ');
    throw new ServiceError(
      'PLUGIN_INCOMPATIBLE',
      `${name} speaks contract version ${theirs}, this Bugless speaks ${CONTRACT_VERSION}; install matching versions`,
      { metadata: { plugin: theirs, core: String(CONTRACT_VERSION) } },
    );
  }
  if (service !== undefined && !info.services.includes(service)) {
    const carried = info.services.join(', ') || 'nothing';
    throw new ServiceError('PLUGIN_INCOMPATIBLE', `${name} carries ${carried}, not ${service}; name another plugin`);
  }
}
