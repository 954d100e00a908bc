import { type CallContext, ServiceError } from '@bugless/kit/service';
import { type Connection, isLoopback } from './connection.ts';

/** Bytes of one answer that are read. */
const MAX_BODY_BYTES = 1_000_000;
/** Answers that may not have a body (Fetch Standard, null body status). */
const BODILESS = new Set([101, 103, 204, 205, 304]);

/** What a library hands to fetch. */
interface FetchOptions {
  readonly method: string;
  readonly headers: Headers | Record<string, string>;
  readonly body?: unknown;
  readonly redirect?: 'manual';
  readonly signal?: AbortSignal;
}

/** fetch, as openid-client and jose take it. */
export type ProviderFetch = (url: string, options: FetchOptions) => Promise<Response>;

/** The failure of a provider that does not do its part. */
export function providerUnavailable(connection: Connection, cause: unknown): ServiceError {
  return new ServiceError('PROVIDER_UNAVAILABLE', `${connection.name} does not answer as it should; try again later`, {
    cause,
  });
}

async function readBody(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body) {
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) throw new Error(`the answer is over ${MAX_BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/**
 * fetch for one connection: bounded in time and size, https alone (or http to this machine,
 * where that is allowed), redirects not followed. A provider that is away, answers 5xx or sends
 * everybody away (429) is PROVIDER_UNAVAILABLE.
 */
export function createProviderFetch(connection: Connection, context?: CallContext): ProviderFetch {
  return async (address, options) => {
    const url = new URL(address);
    const allowed =
      url.protocol === 'https:' || (connection.allowInsecure && url.protocol === 'http:' && isLoopback(url));
    if (!allowed) throw providerUnavailable(connection, new Error(`${url.origin} is not https`));
    const signals = [options.signal, context?.signal, AbortSignal.timeout(connection.timeoutMillis)];
    try {
      const response = await fetch(url, {
        ...(options as RequestInit),
        redirect: 'manual',
        signal: AbortSignal.any(signals.filter((signal) => signal !== undefined)),
      });
      const { status, statusText, headers } = response;
      const body = await readBody(response);
      if (status >= 500 || status === 429) throw new Error(`${url.origin}${url.pathname} answered ${status}`);
      return new Response(BODILESS.has(status) ? null : body, { status, statusText, headers });
    } catch (error) {
      if (context?.signal?.aborted) throw new ServiceError('CANCELLED', 'the caller went away', { cause: error });
      throw providerUnavailable(connection, error);
    }
  };
}
