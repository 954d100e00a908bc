import { randomInt, randomUUID } from 'node:crypto';
import { ServiceError } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';
import { type NodeLease, SNOWFLAKE_NODES } from './snowflake.ts';

/** How long a node number is held, and how long after that nobody takes it: room for clocks that differ. */
const LEASE_MILLIS = 60_000;
const GRACE_MILLIS = 60_000;

/** Holds one node number in the database for as long as the process lives. */
export class NodeLeaseKeeper {
  readonly #db: Kysely<ModelTables>;
  readonly #now: () => number;
  readonly #holder = randomUUID();
  readonly #changed: (lease: NodeLease | undefined) => void;
  #lease: NodeLease | undefined;
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;

  /** `changed` is told of each lease; of undefined when it ran out and could not be had anew. */
  constructor(db: Kysely<ModelTables>, now: () => number, changed: (lease: NodeLease | undefined) => void) {
    this.#db = db;
    this.#now = now;
    this.#changed = changed;
  }

  /** Takes a free number and keeps it. Throws OVERLOADED when all 1,024 are held. */
  async start(): Promise<void> {
    await this.#take();
    this.#timer = setInterval(() => this.renewSoon(), LEASE_MILLIS / 4);
    this.#timer.unref();
  }

  /** Renews out of turn: a clock that was set forward, or a machine that slept, has outrun the lease. */
  renewSoon(): void {
    // A failed renewal is tried again at the next tick; ids stop at `expires`, not before.
    this.#renewing ??= this.#renew()
      .catch(() => undefined)
      .finally(() => {
        this.#renewing = undefined;
      });
  }

  /** Gives the number back: free a minute from now. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    const lease = this.#lease;
    this.#lease = undefined;
    this.#changed(undefined);
    if (lease) {
      await sql`update snowflake_node set expires = ${toIso(this.#now())} where node = ${lease.node} and holder = ${this.#holder}`.execute(
        this.#db,
      );
    }
  }

  async #take(): Promise<void> {
    const first = randomInt(SNOWFLAKE_NODES);
    for (let step = 0; step < SNOWFLAKE_NODES; step++) {
      const node = (first + step) % SNOWFLAKE_NODES;
      const expires = this.#now() + LEASE_MILLIS;
      const taken =
        await sql`insert into snowflake_node (node, holder, expires) values (${node}, ${this.#holder}, ${toIso(expires)})
        on conflict (node) do update set holder = excluded.holder, expires = excluded.expires
        where snowflake_node.expires < ${toIso(this.#now() - GRACE_MILLIS)} returning node`.execute(this.#db);
      if (taken.rows.length === 1) {
        this.#lease = { node, expires };
        this.#changed(this.#lease);
        return;
      }
    }
    throw new ServiceError(
      'OVERLOADED',
      `All ${SNOWFLAKE_NODES} node numbers for ids are held; stop a process or wait two minutes.`,
    );
  }

  async #renew(): Promise<void> {
    const lease = this.#lease;
    if (!lease) return;
    // Never earlier than promised before, also when the clock was set back: ids were made up to then.
    const expires = Math.max(this.#now() + LEASE_MILLIS, lease.expires);
    const kept = await sql`update snowflake_node set expires = ${toIso(expires)}
      where node = ${lease.node} and holder = ${this.#holder} returning node`.execute(this.#db);
    if (kept.rows.length === 1) {
      this.#lease = { node: lease.node, expires };
      this.#changed(this.#lease);
    } else {
      this.#changed(undefined);
      await this.#take();
    }
  }
}

const toIso = (millis: number): string => new Date(millis).toISOString();
