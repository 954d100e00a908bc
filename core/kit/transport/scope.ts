import type { CallContext } from '../service/context.ts';
import type { ServiceError } from '../service/error.ts';
import { createAbortError } from './failure.ts';

/** setTimeout's bound; a later deadline never fires. */
const MAX_TIMER = 2 ** 31 - 1;

/**
 * One call's bounds: ends when its deadline passes, when its caller's signal aborts, or when it is closed.
 * Costs no timer and no listener when the caller set neither.
 */
export class CallScope {
  /** What the implementation gets: the caller's context, its signal that of this scope. */
  readonly context: CallContext;
  readonly #method: string;
  readonly #controller: AbortController;
  #timer: NodeJS.Timeout | undefined;
  #parent: AbortSignal | undefined;
  #failure: ServiceError | undefined;
  #closed = false;
  #waiting: Set<(error: ServiceError) => void> | undefined;

  constructor(method: string, context: CallContext) {
    const { deadline, signal } = context;
    this.#method = method;
    this.#controller = new AbortController();
    this.context = { ...context, signal: this.#controller.signal };
    if (signal?.aborted) this.#end();
    else if (signal !== undefined) {
      this.#parent = signal;
      signal.addEventListener('abort', this.#onAbort);
    }
    if (deadline !== undefined && this.#failure === undefined) this.#arm(deadline);
  }

  /** Why it ended early; undefined: it has not. */
  get failure(): ServiceError | undefined {
    return this.#failure;
  }

  /** The promise's outcome, or the scope's failure when that comes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    if (this.#failure !== undefined) {
      promise.catch(() => undefined);
      return Promise.reject(this.#failure);
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting ??= new Set();
      this.#waiting.add(reject);
      promise.then(
        (value) => {
          this.#waiting?.delete(reject);
          resolve(value);
        },
        (error) => {
          this.#waiting?.delete(reject);
          reject(error);
        },
      );
    });
  }

  /** The source's items until it ends or the scope does, which stops the source. */
  async *follow<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const iterator = source[Symbol.asyncIterator]();
    let ended = false;
    try {
      for (;;) {
        const result = await this.race(iterator.next());
        if (result.done) {
          ended = true;
          return;
        }
        yield result.value;
      }
    } finally {
      // Not awaited: a source that is stuck must not hold up whoever stopped it.
      if (!ended) iterator.return?.().then(undefined, () => undefined);
    }
  }

  /** Ends it early: the other side went away, or, with a failure, this side has to. */
  cancel(failure?: ServiceError): void {
    this.#end(failure);
  }

  /** The call is over: from now on nothing ends it. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  #arm(deadline: number): void {
    const left = deadline - Date.now();
    if (left <= 0) this.#end();
    else if (left <= MAX_TIMER) this.#timer = setTimeout(this.#expire, Math.ceil(left));
  }

  // A timer may fire a millisecond early by the wall clock, which the deadline is measured by.
  #expire = (): void => {
    this.#timer = undefined;
    this.#arm(this.context.deadline ?? 0);
  };

  #onAbort = (): void => this.#end();

  #end(failure?: ServiceError): void {
    if (this.#closed || this.#failure !== undefined) return;
    this.#failure = failure ?? createAbortError(this.#method, this.context);
    this.#release();
    this.#controller.abort(this.#failure);
    for (const reject of this.#waiting ?? []) reject(this.#failure);
    this.#waiting = undefined;
  }

  #release(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#parent?.removeEventListener('abort', this.#onAbort);
    this.#parent = undefined;
  }
}
