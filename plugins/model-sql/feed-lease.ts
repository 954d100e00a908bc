/**
 * Gives events their positions. A row of outbox becomes visible when its transaction commits, not in the order of its
 * id: reading `id > newest` would lose those that commit late. So one process at a time, the holder
 * of the lease, moves whatever is visible to feed and numbers it there. The lease carries a token that is
 * compared and locked by the statement that moves: a holder who lost it without noticing moves nothing.
 */
import { randomUUID } from 'node:crypto';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';

/** How long a lease is good without being renewed: so long may a killed holder stop the feed. */
const LEASE_SECONDS = 5;
const RENEW_MILLIS = 1_500;
/** Events that one statement moves, those of the same issues added. */
export const BATCH = 500;
/**
 * Rows older than this are looked at once in FULL_MILLIS only: deleted rows, which a long transaction elsewhere keeps
 * in the index, are not walked at every poll.
 */
const SETTLED_MILLIS = 2_000;
const FULL_MILLIS = 1_000;

/** One process's hold, or try for a hold, on the feed. */
export class FeedLease {
  readonly #db: Kysely<ModelTables>;
  readonly #clock: () => number;
  readonly #holder = randomUUID();
  /** Undefined: somebody else holds it. */
  #token: string | undefined;
  #renewed = 0;
  /** Ids of outbox up to which everything was moved, and when; the oldest first. */
  #marks: { id: string; at: number }[] = [];
  #lowWater = '0';
  #fullAt = 0;

  constructor(db: Kysely<ModelTables>, clock: () => number = () => performance.now()) {
    this.#db = db;
    this.#clock = clock;
  }

  get isHeld(): boolean {
    return this.#token !== undefined;
  }

  /** Takes the lease when it is free, renews it when it is due. Returns the position of the newest event. */
  async keep(): Promise<string> {
    if (this.#token === undefined) return this.#tryTake();
    if (this.#clock() - this.#renewed >= RENEW_MILLIS) await this.#renew();
    return '0';
  }

  /** Lets go, so that another process need not wait. */
  async release(): Promise<void> {
    const token = this.#token;
    this.#token = undefined;
    if (token === undefined) return;
    await sql`update feed_lease set expires = now() where id = ${1} and token = ${token}`.execute(this.#db);
  }

  /**
   * Decides from where on the look that begins now looks. Once for each, whatever woke it: writes that follow each
   * other closely must not put off the look at everything, or what commits late would never be found.
   */
  aim(): void {
    const now = this.#clock();
    const full = now - this.#fullAt >= FULL_MILLIS;
    if (full) this.#fullAt = now;
    this.#settle(now, full);
  }

  /** Whether anything waits to be moved. */
  async hasWork(): Promise<boolean> {
    const { rows } = await sql`select 1 from outbox where id > ${this.#lowWater}::int8 order by id limit 1`.execute(
      this.#db,
    );
    return rows.length > 0;
  }

  /**
   * Moves what is there, up to a batch. Within one issue events keep the order of its versions, also where
   * ids come from clocks that differ. Returns how many were moved and the newest position.
   */
  async move(): Promise<{ moved: number; last: string }> {
    const token = this.#token;
    if (token === undefined) return { moved: 0, last: '0' };
    const { rows } = await sql<{ moved: number; newest: string | null; last: string | null }>`
      with held as (
        select last_position from feed_lease where id = ${1} and token = ${token}::int8 for update
      ), fresh as (
        select id, issue_id from outbox where id > ${this.#lowWater}::int8 order by id limit ${sql.lit(BATCH)}
      ), chosen as (
        select id from fresh
        union select o.id from outbox o where o.issue_id = any(array(select issue_id from fresh where issue_id <> 0))
      ), taken as (
        delete from outbox where id = any(array(select id from chosen)) and exists (select 1 from held)
        returning id, kind, issue_id, sequence, version, component, hotlist, acl, author, created
      ), ranked as (
        select t.*, max(t.id) over (partition by case when t.issue_id = 0 then -t.id else t.issue_id end
          order by t.version, t.id rows between unbounded preceding and current row) as turn from taken t
      ), placed as (
        insert into feed (position, kind, issue_id, sequence, version, component, hotlist, acl, author, created, moved)
        select (select last_position from held) + row_number() over (order by r.turn, r.version, r.id),
          r.kind, r.issue_id, r.sequence, r.version, r.component, r.hotlist, r.acl, r.author, r.created, now() from ranked r
        returning 1
      ), counted as (
        update feed_lease set last_position = last_position + (select count(*) from taken)
        where id = ${1} and exists (select 1 from held) returning last_position
      )
      select (select count(*) from placed)::int4 as moved, (select max(id) from taken) as newest,
        (select last_position from counted) as last`.execute(this.#db);
    const row = rows[0]!;
    if (row.last === null) {
      this.#lose();
      return { moved: 0, last: '0' };
    }
    if (row.newest !== null && row.moved < BATCH) this.#marks.push({ id: row.newest, at: this.#clock() });
    return { moved: row.moved, last: row.last };
  }

  async #tryTake(): Promise<string> {
    const seen = await sql<{ last_position: string; free: boolean }>`
      select last_position, expires < now() as free from feed_lease where id = ${1}`.execute(this.#db);
    const { last_position, free } = seen.rows[0]!;
    if (!free) return last_position;
    const { rows } = await sql<{ token: string; last_position: string }>`
      update feed_lease set holder = ${this.#holder}, token = token + 1, expires = now() + ${sql.lit(LEASE_SECONDS)} * interval '1 second'
      where id = ${1} and expires < now() returning token, last_position`.execute(this.#db);
    const row = rows[0];
    if (!row) return last_position;
    this.#token = row.token;
    this.#renewed = this.#clock();
    // What the last holder knew is not known here: look at everything.
    this.#marks = [];
    this.#lowWater = '0';
    return row.last_position;
  }

  async #renew(): Promise<void> {
    const at = this.#clock();
    const { rows } = await sql`update feed_lease set expires = now() + ${sql.lit(LEASE_SECONDS)} * interval '1 second'
      where id = ${1} and token = ${this.#token} returning 1`.execute(this.#db);
    if (rows.length === 0) this.#lose();
    else this.#renewed = at;
  }

  #lose(): void {
    this.#token = undefined;
  }

  /** Raises the low water to what was moved a while ago; `full`: lowers it to the bottom for this time. */
  #settle(now: number, full: boolean): void {
    while (this.#marks.length > 1 && now - this.#marks[1]!.at >= SETTLED_MILLIS) this.#marks.shift();
    const [oldest] = this.#marks;
    this.#lowWater = !full && oldest && now - oldest.at >= SETTLED_MILLIS ? oldest.id : '0';
  }
}
