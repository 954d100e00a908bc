import autocannon from 'autocannon';

/** One kind of request, repeated. */
export interface LoadOptions {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** Paths asked for in turn; with a body for each POST. */
  readonly requests: readonly { readonly path: string; readonly body?: string }[];
  readonly seconds: number;
  readonly connections: number;
  /** Requests per second of all connections; absent: each as soon as the one before it is answered. */
  readonly rate?: number;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  /** Answers other than 2xx, and none. */
  readonly failures: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Sends requests over kept-open connections, each as soon as the one before it is answered. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const times: number[] = [];
  let failures = 0;
  const { duration, errors } = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(
      {
        url: options.url,
        connections: options.connections,
        duration: options.seconds,
        ...(options.rate === undefined ? {} : { overallRate: options.rate }),
        headers: { ...options.headers },
        requests: options.requests.map(({ path, body }) => ({
          method: options.method ?? 'GET',
          path,
          ...(body === undefined ? {} : { body, headers: { ...options.headers, 'content-type': 'application/json' } }),
        })),
      },
      (error, result) => (error ? reject(error) : resolve(result)),
    );
    run.on('response', (_client, status, _bytes, millis) => {
      times.push(millis);
      if (status < 200 || status > 299) failures += 1;
    });
  });
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return {
    requests: times.length,
    failures: failures + errors,
    perSecond: times.length / duration,
    p50: at(0.5),
    p99: at(0.99),
  };
}
