import type { Logger } from '@bugless/kit/plugin';
import type { Database } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';

/** Quiet time after which an import counts as over. */
const QUIET_MILLIS = 3_000;
/** Bytes of words that wait to be sorted into the index, in kB: searches read all of them. */
const PENDING_KILOBYTES = 16_384;

/**
 * Lets the text index of Postgres take many texts at once. Sorted in one by one they cost three
 * times the rest of an import; collected and sorted in together, a tenth. While that is on, single
 * writes may wait for the sorting, so it goes off when the import falls quiet.
 */
export class TextIndex {
  readonly #db: Kysely<ModelTables>;
  readonly #log: Logger;
  readonly #available: boolean;
  #collecting: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(db: Database, log: Logger) {
    this.#db = db.kysely<ModelTables>();
    this.#log = log;
    this.#available = db.dialect.textSearch === 'tsvector';
  }

  /** Looks whether a process was killed while it imported. */
  async start(): Promise<void> {
    if (!this.#available) return;
    const { rows } =
      await sql`select 1 from pg_class where oid = 'doc_words'::regclass and 'fastupdate=on' = any(reloptions)`.execute(
        this.#db,
      );
    if (rows.length === 0) return;
    this.#collecting = Promise.resolve();
    this.#waitForQuiet();
  }

  /** To be called before many texts are written. */
  async collect(): Promise<void> {
    if (!this.#available) return;
    this.#collecting ??= this.#set(`fastupdate = on, gin_pending_list_limit = ${PENDING_KILOBYTES}`);
    await this.#collecting;
    this.#waitForQuiet();
  }

  /** Sorts in what waits. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#finish();
  }

  #waitForQuiet(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#finish(), QUIET_MILLIS);
    this.#timer.unref();
  }

  async #finish(): Promise<void> {
    if (this.#collecting === undefined) return;
    await this.#collecting;
    this.#collecting = undefined;
    await this.#set('fastupdate = off');
    try {
      await sql`select gin_clean_pending_list('doc_words'::regclass)`.execute(this.#db);
      // Searches ask how frequent a word is; autovacuum would get to it in a minute or so.
      await sql`analyze doc`.execute(this.#db);
    } catch (error) {
      this.#log.warn({ err: error }, 'texts that wait for the index were not sorted in; vacuum will do it');
    }
  }

  async #set(options: string): Promise<void> {
    try {
      await sql.raw(`alter index doc_words set (${options})`).execute(this.#db);
    } catch (error) {
      this.#log.warn({ err: error }, `the text index could not be set to ${options}; imports are slower until then`);
    }
  }
}
