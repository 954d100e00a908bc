import type { GetInfoResponse } from '../service/index.ts';

/** Why a capability is absent; undefined when it is there. */
export function findClaim(info: GetInfoResponse, name: string): string | undefined {
  const claim = info.capabilities.find((capability) => capability.name === name);
  if (claim?.available) return undefined;
  return claim?.reason || 'GetInfo does not name it';
}
