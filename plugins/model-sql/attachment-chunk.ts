/** Bytes of files as rows. */
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';

/** Bytes of one row, and of one message at most. */
export const CHUNK_SIZE = 256 * 1024;
/** An upload that is not over by then was given up. */
const ABANDONED_MILLIS = 24 * 3_600_000;

/** Writes the bytes of one file as they come, never holding more than one row of them. */
export class ChunkWriter {
  readonly id: string;
  readonly #db: Kysely<ModelTables>;
  readonly #buffer = Buffer.allocUnsafe(CHUNK_SIZE);
  #filled = 0;
  #count = 0;

  private constructor(db: Kysely<ModelTables>, id: string) {
    this.#db = db;
    this.id = id;
  }

  /** Begins a file under a fresh id. */
  static async begin(store: Store): Promise<ChunkWriter> {
    const given = store.ids.nextRowId();
    const at = readClock(store);
    const { rows } = await (given === undefined
      ? sql<{ id: string }>`insert into attachment_upload (started) values (${at}) returning id`
      : sql<{ id: string }>`insert into attachment_upload (id, started) values (${given}, ${at}) returning id`
    ).execute(store.kysely);
    return new ChunkWriter(store.kysely, rows[0]!.id);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + CHUNK_SIZE - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === CHUNK_SIZE) await this.flush();
    }
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    if (this.#filled === 0) return;
    const bytes = this.#buffer.subarray(0, this.#filled);
    await sql`insert into attachment_chunk (attachment_id, n, bytes) values (${this.id}, ${this.#count}, ${bytes})`.execute(
      this.#db,
    );
    this.#count += 1;
    this.#filled = 0;
  }

  /** Takes all of it back, unless it has become a file. */
  async abandon(): Promise<void> {
    await deleteUpload(this.#db, this.id);
  }
}

/** Reads a stretch of a file, a row at a time. Ends early when the bytes were removed meanwhile. */
export async function* readChunks(store: Store, id: string, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    const n = Math.floor(at / CHUNK_SIZE);
    const { rows } = await sql<{ bytes: Buffer }>`
      select bytes from attachment_chunk where attachment_id = ${id} and n = ${n}`.execute(store.kysely);
    const row = rows[0];
    if (!row) return;
    const begin = n * CHUNK_SIZE;
    yield row.bytes.subarray(at - begin, end - begin);
    at = begin + CHUNK_SIZE;
  }
}

/** Removes the bytes of a file. */
export async function deleteChunks(db: Kysely<ModelTables>, id: string): Promise<void> {
  await sql`delete from attachment_chunk where attachment_id = ${id}`.execute(db);
}

/** Removes what was sent of files that nobody finished; call now and then. */
export async function sweepUploads(store: Store): Promise<void> {
  const before = new Date(store.now() - ABANDONED_MILLIS).toISOString();
  const { rows } = await sql<{ id: string }>`
    select id from attachment_upload where started < ${before} order by id limit 1000`.execute(store.kysely);
  for (const { id } of rows) await deleteUpload(store.kysely, id);
}

/** What makes an upload a file deletes its row: so whoever finds no row leaves the bytes alone. */
async function deleteUpload(db: Kysely<ModelTables>, id: string): Promise<void> {
  await sql`with gone as (delete from attachment_upload where id = ${id} returning id)
    delete from attachment_chunk where attachment_id = any(array(select id from gone))`.execute(db);
}
