import type { Readable, Writable } from 'node:stream';
import type { CallScope } from '../scope.ts';

/**
 * The messages of a call in order, pulled one by one so that HTTP/2 flow control holds the sender back. A
 * failure comes after the messages that came before it. Ends with the scope.
 */
export async function* readMessages(stream: Readable, scope: CallScope): AsyncGenerator<Buffer, void, undefined> {
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake: (() => void) | undefined;
  const signal = (): void => wake?.();
  stream.on('readable', signal);
  stream.on('end', () => {
    ended = true;
    signal();
  });
  stream.on('error', (error) => {
    failure ??= { error };
    signal();
  });
  for (;;) {
    const message = stream.read() as Buffer | null;
    if (message !== null) {
      yield message;
    } else if (failure !== undefined) {
      throw failure.error;
    } else if (ended) {
      return;
    } else {
      await scope.race(
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
      );
    }
  }
}

/** Sends what the source gives, waiting whenever the receiver is slower. Ends with the scope. */
export async function writeMessages(
  stream: Writable,
  source: AsyncIterable<Uint8Array>,
  scope: CallScope,
): Promise<void> {
  for await (const bytes of source) {
    if (scope.failure !== undefined) throw scope.failure;
    if (!stream.write(toBuffer(bytes))) {
      await scope.race(
        new Promise<void>((resolve) => {
          stream.once('drain', resolve);
        }),
      );
    }
  }
}

/** The same bytes, not copied. */
export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
