import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Where a gRPC server listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/**
 * Keys for a link by host:port: each a file's path or the PEM text itself. A client needs `ca` unless the
 * server's certificate is publicly trusted, and `cert` with `key` for mutual TLS. A server needs `cert` with
 * `key`; with `ca` it demands client certificates issued by it.
 */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** For a client: the name in the server's certificate, when the address has another. */
  readonly serverName?: string;
}

/** How a link is kept from others: TLS, or a plain connection that doesn't leave the machine. */
export interface LinkSecurity {
  readonly tls?: TlsOptions | undefined;
  /** Allows host:port without TLS; on loopback alone. */
  readonly plaintext?: boolean | undefined;
}

/** TLS options with their files read. */
export interface TlsMaterial {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  readonly serverName: string | undefined;
}

/** Bytes that fit into sockaddr_un.sun_path. */
export const MAX_SOCKET_PATH = 107;

/** Reads `unix:///absolute/path` or `host:port` (IPv6 in brackets). Throws an Error that says what is expected. */
export function parseAddress(text: string): Address {
  const unix = /^unix:(?:\/\/)?(\/[^/].*)$/.exec(text);
  if (unix?.[1] !== undefined) {
    if (Buffer.byteLength(unix[1]) > MAX_SOCKET_PATH) {
      throw new Error(`the path in "${text}" is longer than the ${MAX_SOCKET_PATH} bytes that a unix socket allows`);
    }
    return { kind: 'unix', path: unix[1] };
  }
  const tcp = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const port = Number(tcp?.[3]);
  const host = tcp?.[1] ?? tcp?.[2];
  if (host === undefined || port > 65_535) {
    throw new Error(`"${text}" is no address; expected unix:///absolute/path or host:port`);
  }
  return { kind: 'tcp', host, port };
}

/** Refuses a link that others could read. Throws an Error that says what to add. */
export function checkSecurity(address: Address, security: LinkSecurity): void {
  if (address.kind === 'unix') {
    if (security.tls !== undefined) throw new Error('"tls" is for host:port; a unix socket stays on this machine');
    return;
  }
  if (security.tls !== undefined) {
    if (security.plaintext) throw new Error('"tls" and "plaintext: true" exclude each other; keep one');
    return;
  }
  const name = formatHost(address);
  if (!isLoopback(address.host)) {
    throw new Error(
      security.plaintext
        ? `"plaintext: true" is allowed on loopback alone (127.0.0.1, [::1], localhost); ${name} needs "tls"`
        : `${name} needs "tls": it can be reached from other machines`,
    );
  }
  if (!security.plaintext) throw new Error(`${name} needs "tls", or "plaintext: true" as it is on this machine`);
}

/** Whether packets to the host stay on this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** `host:port`, IPv6 in brackets. */
export function formatHost(address: { readonly host: string; readonly port: number }): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/**
 * Reads the files. Throws an Error that names the key and the file.
 *
 * @param folder what relative paths start from; default: the working directory.
 */
export function readTls(tls: TlsOptions, folder = '.'): TlsMaterial {
  const read = (key: 'ca' | 'cert' | 'key'): Buffer | null => {
    const value = tls[key];
    if (value === undefined) return null;
    if (value.startsWith('-----BEGIN')) return Buffer.from(value);
    try {
      return readFileSync(resolve(folder, value));
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : 'cannot be read';
      throw new Error(`tls.${key}: ${resolve(folder, value)}: ${reason}`);
    }
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) throw new Error('tls.cert and tls.key go together');
  return { ca: read('ca'), cert: read('cert'), key: read('key'), serverName: tls.serverName };
}
