import { BlockList, isIP } from 'node:net';

/** Whether a proxy at an address is believed. */
export type ProxyTrust = (address: string | undefined) => boolean;

/** Networks that have a name. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/**
 * Reads `http.trustProxy`: true, false, or addresses, networks (`10.0.0.0/8`) and `loopback`, `linklocal`, `uniquelocal`.
 *
 * @throws Error in one line that names the entry.
 */
export function readTrustedProxies(trustProxy: boolean | readonly string[]): ProxyTrust {
  if (typeof trustProxy === 'boolean') return () => trustProxy;
  const list = new BlockList();
  for (const [index, entry] of trustProxy.entries()) {
    for (const network of Object.hasOwn(NAMED, entry) ? NAMED[entry]! : [entry]) {
      const [, address = '', , bits] = /^([^/]+)(\/(\d{1,3}))?$/.exec(network) ?? [];
      const family = isIP(address);
      const most = family === 4 ? 32 : 128;
      if (family === 0 || Number(bits ?? 0) > most) {
        throw new Error(
          `http.trustProxy[${index}]: expected an address (10.0.0.1), a network (10.0.0.0/8), loopback, linklocal or uniquelocal, got ${JSON.stringify(entry)}`,
        );
      }
      list.addSubnet(address, Number(bits ?? most), family === 4 ? 'ipv4' : 'ipv6');
    }
  }
  return (address = '') => {
    // IPv4 on a socket for both families.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
    const family = isIP(plain);
    return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  };
}
