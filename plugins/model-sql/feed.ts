/** The change feed of one process: moves events while it holds the lease, and wakes those who wait for them. */
import type { Logger } from '@bugless/kit/plugin';
import { isRetryable } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { BATCH, FeedLease } from './feed-lease.ts';
import type { ModelTables } from './schema/tables.ts';

/** Pause between looks when something was written lately. */
const BUSY_MILLIS = 25;
/** The same when nothing was, but somebody watches. */
const WATCHED_MILLIS = 50;
/** Longest pause of the holder, and of others, when all is quiet. */
const QUIET_MILLIS = 250;
const ASIDE_MILLIS = 1_000;
/** How long after a write or an event the feed counts as busy. */
const LATELY_MILLIS = 5_000;
/** Writes of this process wake the feed at once, but not more often than this. */
const NUDGE_MILLIS = 8;
const FAULT_MILLIS = 500;
const REST_MILLIS = 5_000;
const SWEEP_MILLIS = 10 * 60_000;
const SWEEP_ROWS = 5_000;

/** What follows from events. The holder of the lease does it, and no harm is done when two do. */
export interface FeedFollower {
  /** Called after events were moved, and now and then, with the position of the newest event. */
  follow(last: string): Promise<void>;
}

/** What the feed is made with. */
export interface FeedOptions {
  readonly db: Kysely<ModelTables>;
  readonly log: Logger;
  /** How long events are kept, in milliseconds. */
  readonly retentionMillis: number;
}

export class Feed {
  readonly #db: Kysely<ModelTables>;
  readonly #log: Logger;
  readonly #retentionMillis: number;
  readonly #lease: FeedLease;
  readonly #followers: FeedFollower[] = [];
  /** Followers that failed, and until when they are left alone. */
  readonly #resting = new Map<FeedFollower, number>();
  readonly #waiting = new Set<() => void>();
  #last = 0n;
  #watchers = 0;
  #busyUntil = 0;
  #pause = BUSY_MILLIS;
  #nudged = false;
  #wake: (() => void) | undefined;
  #ended = false;
  #stopped = false;
  #loop: Promise<void> | undefined;
  #swept = performance.now();
  #failing = false;

  constructor({ db, log, retentionMillis }: FeedOptions) {
    this.#db = db;
    this.#log = log;
    this.#retentionMillis = retentionMillis;
    this.#lease = new FeedLease(db);
  }

  /** Adds what follows from events; before start. */
  addFollower(follower: FeedFollower): void {
    this.#followers.push(follower);
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** No new event is waited for: streams end. */
  end(): void {
    this.#ended = true;
    this.#tellWaiting();
  }

  /** Position of the newest event that this process knows of. */
  get last(): bigint {
    return this.#last;
  }

  /** Whether streams have to end. */
  get isEnded(): boolean {
    return this.#ended;
  }

  async stop(): Promise<void> {
    this.end();
    this.#stopped = true;
    this.#wake?.();
    await this.#loop;
    await this.#lease.release().catch((error: unknown) => {
      this.#log.warn({ err: error }, 'the lease on the change feed was not given back; it runs out');
    });
  }

  /** Something was committed here, or somebody waits: look now. */
  nudge(): void {
    this.#busyUntil = performance.now() + LATELY_MILLIS;
    this.#nudged = true;
    if (this.#lease.isHeld) this.#wake?.();
  }

  /** Counts somebody who watches, until the answer is called. */
  watch(): () => void {
    this.#watchers += 1;
    this.#pause = BUSY_MILLIS;
    this.#wake?.();
    return () => {
      this.#watchers -= 1;
    };
  }

  /** Waits for an event behind a position, at most so long; also ends on abort and when the feed ends. */
  async wait(position: bigint, millis: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#last > position || this.#ended || signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(finish);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, millis);
      timer.unref();
      this.#waiting.add(finish);
      signal?.addEventListener('abort', finish, { once: true });
    });
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#look();
        this.#failing = false;
        await this.#rest(this.#choosePause());
      } catch (error) {
        if (!this.#failing && !isRetryable(error)) {
          this.#log.warn({ err: error }, 'the change feed stands still until the database answers');
          this.#failing = true;
        }
        await this.#rest(FAULT_MILLIS);
      }
    }
  }

  async #look(): Promise<void> {
    const nudged = this.#nudged;
    this.#nudged = false;
    this.#learn(await this.#lease.keep());
    if (!this.#lease.isHeld) return;
    this.#lease.aim();
    let work = nudged || (await this.#lease.hasWork());
    while (work && !this.#stopped) {
      const batch = await this.#lease.move();
      this.#learn(batch.last);
      // A full batch may have left more.
      work = batch.moved >= BATCH;
      if (work) await this.#lease.keep();
    }
    if (!this.#lease.isHeld) return;
    for (const follower of this.#followers) await this.#tell(follower);
    if (performance.now() - this.#swept >= SWEEP_MILLIS) {
      this.#swept = performance.now();
      await this.sweep();
    }
  }

  /** A follower that fails is left alone for a while: the feed and the others go on. */
  async #tell(follower: FeedFollower): Promise<void> {
    if (performance.now() < (this.#resting.get(follower) ?? 0)) return;
    try {
      await follower.follow(String(this.#last));
    } catch (error) {
      if (isRetryable(error)) return;
      this.#resting.set(follower, performance.now() + REST_MILLIS);
      this.#log.warn({ err: error }, 'what follows from events could not be done; it is tried again');
    }
  }

  /** Deletes events past their time; the holder does so now and then. */
  async sweep(): Promise<void> {
    const seconds = this.#retentionMillis / 1000;
    for (;;) {
      const { rows } = await sql<{ gone: number }>`
        with old as (
          select x.position from (select position, moved from feed order by position limit ${sql.lit(SWEEP_ROWS)}) x
          where x.moved < now() - ${sql.lit(seconds)} * interval '1 second'
        ), gone as (
          delete from feed where position = any(array(select position from old)) returning position
        ), raised as (
          update feed_lease set first_position = greatest(first_position, (select max(position) + 1 from gone))
          where id = ${1} and exists (select 1 from gone) returning 1
        )
        select (select count(*) from gone)::int4 as gone, (select count(*) from raised) as raised`.execute(this.#db);
      if (rows[0]!.gone < SWEEP_ROWS) return;
    }
  }

  #learn(last: string): void {
    const position = BigInt(last);
    if (position <= this.#last) return;
    this.#last = position;
    this.#busyUntil = performance.now() + LATELY_MILLIS;
    this.#tellWaiting();
  }

  #tellWaiting(): void {
    for (const finish of [...this.#waiting]) finish();
  }

  #choosePause(): number {
    const busy = performance.now() < this.#busyUntil;
    if (this.#watchers > 0) return busy ? BUSY_MILLIS : WATCHED_MILLIS;
    if (!this.#lease.isHeld) return ASIDE_MILLIS;
    if (busy) this.#pause = BUSY_MILLIS;
    else this.#pause = Math.min(this.#pause * 1.2, QUIET_MILLIS);
    return this.#pause;
  }

  async #rest(millis: number): Promise<void> {
    if (this.#stopped) return;
    const begun = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#nudged && this.#lease.isHeld ? NUDGE_MILLIS : millis);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
    const rested = performance.now() - begun;
    if (!this.#stopped && rested < NUDGE_MILLIS) {
      await new Promise((resolve) => setTimeout(resolve, NUDGE_MILLIS - rested));
    }
  }
}
