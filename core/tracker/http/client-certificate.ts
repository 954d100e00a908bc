import { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import { readTrustedProxies } from '../config/trusted-proxies.ts';
import type { Services } from './services.ts';

/** A client certificate whose chain was verified. */
export interface ClientCertificate {
  /** The same for the same certificate. */
  readonly key: string;
  /** DER. */
  readonly bytes: Buffer;
}

/** Longest certificate that is looked at, in base64. */
const MAX_LENGTH = 16_384;

/**
 * How a request shows a client certificate: in its own handshake, verified here against `http.tls.ca`; or, with
 * `http.clientCertHeader`, in the header Client-Cert (RFC 9440) of a proxy that `http.trustProxy` lists, which has verified it. Of
 * anybody else the header is not looked at. Undefined: nobody is asked for certificates.
 */
export function makeCertificateReader({
  config: { http },
}: Services): ((request: FastifyRequest) => ClientCertificate | undefined) | undefined {
  const asks = http.tls?.clientCertificates === 'optional';
  if (!asks && !http.clientCertHeader) return undefined;
  const isProxy = readTrustedProxies(http.clientCertHeader ? http.trustProxy : false);
  return (request) => {
    const { socket } = request.raw;
    // What a proxy shows in its own handshake is about the proxy.
    if (isProxy(socket.remoteAddress)) return readHeader(request.headers['client-cert']);
    return asks && socket instanceof TLSSocket ? readSocket(socket) : undefined;
  };
}

/** By connection: a certificate does not change within one. */
const ofSockets = new WeakMap<TLSSocket, ClientCertificate | null>();

function readSocket(socket: TLSSocket): ClientCertificate | undefined {
  let known = ofSockets.get(socket);
  if (known === undefined) {
    const bytes = socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined;
    known = bytes === undefined ? null : { key: bytes.toString('base64'), bytes };
    ofSockets.set(socket, known);
  }
  return known ?? undefined;
}

/** A byte sequence of RFC 8941: base64 between colons. Several, joined by commas, are none. */
function readHeader(header: string | string[] | undefined): ClientCertificate | undefined {
  if (typeof header !== 'string' || header.length > MAX_LENGTH) return undefined;
  const key = /^\s*:([A-Za-z0-9+/]+={0,2}):\s*$/.exec(header)?.[1];
  return key === undefined ? undefined : { key, bytes: Buffer.from(key, 'base64') };
}
