import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { type CallContext, ServiceError } from '@bugless/kit/service';
import bcrypt from 'bcrypt';

interface Job {
  readonly run: () => Promise<unknown>;
  readonly context: CallContext;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** How many hashes a queue computes at once and lets wait. */
export interface BcryptQueueOptions {
  /** At once. Default: half of the processors, 1 or 2, so that reads stay quick while people log in. */
  readonly concurrency?: number;
  /** Waiting; one more is refused. */
  readonly limit?: number;
}

/**
 * bcrypt behind a bounded queue. The hashing itself runs in libuv's threads, never on the event
 * loop; the queue keeps it from taking all of them and all processors, and sheds what would wait
 * too long: OVERLOADED with the time after which the queue will have room.
 */
export class BcryptQueue {
  readonly #concurrency: number;
  readonly #limit: number;
  readonly #waiting: Job[] = [];
  #running = 0;
  /** Moving average of one job, milliseconds. */
  #average = 250;
  #idle: (() => void)[] = [];

  constructor(options: BcryptQueueOptions = {}) {
    this.#concurrency = options.concurrency ?? Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2)));
    this.#limit = options.limit ?? 32;
  }

  /** Jobs that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Hashes with a new salt. */
  hash(password: string, cost: number, context: CallContext): Promise<string> {
    return this.#add(() => bcrypt.hash(password, cost), context) as Promise<string>;
  }

  /** Runs several comparisons as one job, so that all wait once. Answers the first. */
  compare(pairs: readonly { password: string; hash: string }[], context: CallContext): Promise<boolean> {
    return this.#add(async () => {
      const outcomes: boolean[] = [];
      for (const { password, hash } of pairs) outcomes.push(await bcrypt.compare(password, hash));
      return outcomes[0] === true;
    }, context) as Promise<boolean>;
  }

  /** Resolves when nothing runs or waits. */
  async drain(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #add(run: () => Promise<unknown>, context: CallContext): Promise<unknown> {
    if (this.#running >= this.#concurrency && this.#waiting.length >= this.#limit) {
      const retryAfterMillis = Math.ceil((this.#average * (this.#waiting.length + 1)) / this.#concurrency);
      const error = new ServiceError('OVERLOADED', 'too many logins at this moment; try again shortly', {
        retryAfterMillis,
      });
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ run, context, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#concurrency) {
      const job = this.#waiting.shift();
      if (!job) break;
      const { signal, deadline } = job.context;
      // Nobody waits for it any more: the time is better spent on the next.
      if (signal?.aborted) {
        job.reject(new ServiceError('CANCELLED', 'the caller went away'));
        continue;
      }
      if (deadline !== undefined && deadline <= Date.now()) {
        job.reject(new ServiceError('DEADLINE_EXCEEDED', 'the deadline passed while the login waited for its turn'));
        continue;
      }
      this.#running += 1;
      const began = performance.now();
      job
        .run()
        .then(job.resolve, job.reject)
        .finally(() => {
          this.#average += (performance.now() - began - this.#average) / 8;
          this.#running -= 1;
          this.#next();
        });
    }
    if (this.#running === 0) {
      const idle = this.#idle;
      this.#idle = [];
      for (const resolve of idle) resolve();
    }
  }
}
