import type { Kysely } from '@mikro-orm/sql';
import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';
import type { Store } from './store.ts';

/** A statement that changes rows and ends in `returning`. */
export interface BatchPart {
  /** The table that it changes. */
  readonly table: keyof ModelTables;
  readonly statement: RawBuilder<unknown>;
}

/**
 * Sends several changes as one statement: what a write costs is mostly how often it goes to the
 * database. All parts see the rows as they were before, so no part may build on another, and no
 * two may change the same row.
 */
export class StatementBatch {
  readonly #store: Pick<Store, 'dialect'>;
  readonly #db: Kysely<ModelTables>;
  #parts: BatchPart[] = [];

  constructor(store: Pick<Store, 'dialect'>, db: Kysely<ModelTables>) {
    this.#store = store;
    this.#db = db;
  }

  /** Adds parts; none of them is sent before flush, except where the engine can't take them together. */
  async add(...parts: readonly BatchPart[]): Promise<void> {
    for (const part of parts) {
      // CockroachDB does not let one statement change a table twice.
      const twice = this.#parts.some(({ table }) => table === part.table);
      if (twice && this.#store.dialect.engine !== 'postgres') await this.flush();
      this.#parts.push(part);
    }
  }

  /** Sends what was added. */
  async flush(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length === 0) return;
    const named = parts.map(({ statement }, index) => sql`${sql.raw(`p${index}`)} as (${statement})`);
    await sql`with ${sql.join(named)} select 1`.execute(this.#db);
  }
}
