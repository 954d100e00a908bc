import type { Database } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { NodeLeaseKeeper } from './node-lease.ts';
import type { ModelTables } from './schema/tables.ts';
import { SnowflakeMaker } from './snowflake.ts';

/** Gives out ids: of issues from a sequence on Postgres, Snowflake ids on CockroachDB. */
export class IssueIds {
  readonly #snowflakes: SnowflakeMaker | undefined;
  readonly #lease: NodeLeaseKeeper | undefined;

  constructor(db: Database, now: () => number) {
    if (db.dialect.ids !== 'snowflake') return;
    const maker = new SnowflakeMaker(now, () => this.#lease?.renewSoon());
    this.#snowflakes = maker;
    this.#lease = new NodeLeaseKeeper(db.kysely<ModelTables>(), now, (lease) => maker.setLease(lease));
  }

  async start(): Promise<void> {
    await this.#lease?.start();
  }

  async stop(): Promise<void> {
    await this.#lease?.stop();
  }

  /** So many unused ids, in rising order. Gaps are normal. */
  async take(db: Kysely<ModelTables>, count: number): Promise<string[]> {
    if (this.#snowflakes) return Array.from({ length: count }, () => this.#snowflakes!.next());
    const { rows } = await sql<{
      id: string;
    }>`select nextval('issue_id_sequence') as id from generate_series(1, ${count}::int4)`.execute(db);
    return rows.map((row) => row.id);
  }

  /** One unused id as an expression of a select list, where the database gives ids; else undefined. */
  get expression(): string | undefined {
    return this.#snowflakes ? undefined : `nextval('issue_id_sequence')`;
  }

  /** The id of a new row, of any table but issue; undefined: its column gives one. */
  nextRowId(): string | undefined {
    return this.#snowflakes?.next();
  }

  /** A Snowflake id; only where `expression` is undefined. */
  next(): string {
    return this.#snowflakes!.next();
  }

  /**
   * Lets ids given from outside never be given again. Call inside of the transaction that
   * writes them: it makes other callers wait, or the sequence could go back.
   */
  async skip(db: Kysely<ModelTables>, highest: string): Promise<void> {
    if (this.#snowflakes) return;
    await sql`select pg_advisory_xact_lock(7215201)`.execute(db);
    await sql`select setval('issue_id_sequence', ${highest}::int8) where ${highest}::int8 > (select last_value from issue_id_sequence)`.execute(
      db,
    );
  }
}
