import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/index.ts';

/** Seconds in which a client has to be done with its handshake. */
const HANDSHAKE_SECONDS = 15;

/** What Node's https server takes of `http.tls`. */
export interface TlsOptions {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
  readonly handshakeTimeout: number;
}

/**
 * Reads the files of `http.tls`; undefined: plain http. Clients without a certificate, or with one that nobody vouches
 * for, get through the handshake: who they are is asked for each request.
 *
 * @throws Error in one line that names the key and the file.
 */
export function readTlsOptions({ tls }: Config['http']): TlsOptions | undefined {
  if (tls === undefined) return undefined;
  const asks = tls.clientCertificates === 'optional';
  const options: TlsOptions = {
    cert: readPem('cert', tls.cert),
    key: readPem('key', tls.key),
    handshakeTimeout: HANDSHAKE_SECONDS * 1000,
    ...(asks && { ca: readPem('ca', tls.ca ?? ''), requestCert: true, rejectUnauthorized: false }),
  };
  const check = (name: string, read: () => unknown) => {
    try {
      read();
    } catch (error) {
      throw new Error(`http.tls.${name}: expected PEM (-----BEGIN …)`, { cause: error });
    }
  };
  check(`cert: ${tls.cert}`, () => new X509Certificate(options.cert));
  check(`key: ${tls.key}`, () => createPrivateKey(options.key));
  // Node itself takes anything for authorities, and then trusts nobody.
  if (asks) check(`ca: ${tls.ca}`, () => new X509Certificate(options.ca!));
  try {
    createSecureContext({ cert: options.cert, key: options.key });
  } catch (error) {
    throw new Error(`http.tls: ${tls.key} is not the key of ${tls.cert}`, { cause: error });
  }
  return options;
}

function readPem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`;
    throw new Error(`http.tls.${name}: ${path}: ${why}`, { cause: error });
  }
}
