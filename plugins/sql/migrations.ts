/**
 * Migrations: hand-written DDL, run in order, each once.
 *
 * A runner of our own instead of the ORM's Migrator, because that one has neither a lock
 * (three migrators at once: two die), nor checksums, nor a refusal of a newer database,
 * and its snapshots and diffing fail on CockroachDB. What is left to do is this file.
 *
 * - PostgreSQL: each migration is one transaction that takes an advisory lock first, so
 *   nothing has to be cleaned up after a kill.
 * - CockroachDB: DDL runs statement by statement, and advisory locks do nothing there. A
 *   row with an expiry is the lock; after a kill in the middle the whole migration runs
 *   again, which is why its statements must be idempotent (`if not exists`).
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '@bugless/kit/service';
import { CompiledQuery, type Kysely } from 'kysely';
import type { Database } from './database.ts';
import type { Dialect } from './dialect.ts';
import { type Log, SILENT_LOG } from './log.ts';
import { isRetryable, SQL_STATE, sqlState } from './sql-state.ts';

/** One step of the schema. */
export interface Migration {
  /** Unique, never changed: `0001-issues`. */
  readonly name: string;
  /** Its statements, one a string. Pure: their text is what the checksum is taken of. */
  readonly up: (dialect: Dialect) => string[];
}

/** The schema's history of one plugin. */
export interface Migrations {
  /** Where it is recorded. */
  readonly table: string;
  readonly list: readonly Migration[];
}

/**
 * Why the schema cannot be brought up to date:
 * - `NEWER_DATABASE`: the database knows migrations that this program does not;
 * - `ALTERED`: an applied migration has another text now;
 * - `OUT_OF_ORDER`: the applied ones are not the first of the list;
 * - `BUSY`: another process migrates, and took too long;
 * - `FAILED`: a statement failed; SQLSTATE in the message, the driver's error in `cause`.
 */
export type MigrationErrorCode = 'NEWER_DATABASE' | 'ALTERED' | 'OUT_OF_ORDER' | 'BUSY' | 'FAILED';

/** A failure to migrate, with one line for the operator. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Limits of one run. */
export interface MigrateOptions {
  readonly log?: Log;
  /** Looked at before each statement. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for another process that migrates; default 60 s. */
  readonly waitMillis?: number;
  /** How long a lock outlives a killed process where it is a row; default 20 s. */
  readonly leaseMillis?: number;
}

/** What is recorded, oldest first, and what is not yet. */
export interface MigrationState {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
}

interface Applied {
  readonly name: string;
  readonly checksum: string;
}

type Connection = Kysely<unknown>;

const WAIT_MILLIS = 60_000;
const LEASE_MILLIS = 20_000;
const NAME = /^[a-z][a-z0-9_]{0,40}$/;

/**
 * Names a plugin's migrations; they are recorded in the table `<name>_migration`.
 *
 * @throws TypeError for names that are bad or given twice.
 */
export function defineMigrations(name: string, list: readonly Migration[]): Migrations {
  if (!NAME.test(name)) throw new TypeError(`${name}: use up to 41 lower-case letters, digits and _`);
  const names = list.map((migration) => migration.name);
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) throw new TypeError(`the migration ${twice} is listed twice`);
  return { table: `${name}_migration`, list };
}

/**
 * Tells what is applied and what is pending, changing nothing.
 *
 * @throws MigrationError NEWER_DATABASE, ALTERED, OUT_OF_ORDER.
 */
export async function checkMigrations(db: Database, migrations: Migrations): Promise<MigrationState> {
  const { rows } = await execute<{ n: string }>(
    db.kysely(),
    `select count(*) as n from information_schema.tables where table_schema = current_schema() and table_name = '${migrations.table}'`,
  );
  const applied = Number(rows[0]?.n) === 0 ? [] : await readApplied(db.kysely(), migrations);
  checkApplied(applied, migrations, db.dialect);
  const names = migrations.list.map(({ name }) => name);
  return { applied: names.slice(0, applied.length), pending: names.slice(applied.length) };
}

/**
 * Applies what is pending and returns its names. Several processes may try at once: one
 * works, the others wait and find it done.
 *
 * @throws MigrationError; ServiceError CANCELLED.
 */
export async function migrate(db: Database, migrations: Migrations, options: MigrateOptions = {}): Promise<string[]> {
  const done: string[] = [];
  // The ordinary start has nothing to do, and takes no lock for that.
  if ((await checkMigrations(db, migrations)).pending.length === 0) return done;
  const apply = db.dialect.advisoryLocks && db.dialect.transactionalDdl ? applyInTransactions : applyUnderLease;
  for await (const name of apply(db, migrations, options)) {
    (options.log ?? SILENT_LOG).info({ migration: name, table: migrations.table }, 'the database schema was migrated');
    done.push(name);
  }
  return done;
}

async function* applyInTransactions(
  db: Database,
  migrations: Migrations,
  options: MigrateOptions,
): AsyncGenerator<string> {
  for (;;) {
    const name = await db
      .kysely<unknown>()
      .transaction()
      .execute(async (connection) => {
        await lockAdvisory(connection, migrations.table, options.waitMillis ?? WAIT_MILLIS);
        await createRecord(connection, migrations);
        const applied = await readApplied(connection, migrations);
        checkApplied(applied, migrations, db.dialect);
        const next = migrations.list[applied.length];
        if (!next) return undefined;
        await runStatements(next, db.dialect, async (statement) => {
          throwIfAborted(options.signal);
          await execute(connection, statement);
        });
        await record(connection, migrations, next, applied.length, db.dialect);
        return next.name;
      });
    if (name === undefined) return;
    yield name;
  }
}

async function* applyUnderLease(db: Database, migrations: Migrations, options: MigrateOptions): AsyncGenerator<string> {
  const connection = db.kysely<unknown>();
  const lease = await takeLease(connection, migrations, options);
  try {
    await retry(() => createRecord(connection, migrations));
    const applied = await readApplied(connection, migrations);
    checkApplied(applied, migrations, db.dialect);
    for (let position = applied.length; position < migrations.list.length; position += 1) {
      const next = migrations.list[position] as Migration;
      await runStatements(next, db.dialect, async (statement) => {
        throwIfAborted(options.signal);
        lease.check();
        await retry(() => execute(connection, statement));
      });
      lease.check();
      await retry(() => record(connection, migrations, next, position, db.dialect));
      yield next.name;
    }
  } finally {
    await lease.release();
  }
}

async function runStatements(
  migration: Migration,
  dialect: Dialect,
  run: (statement: string) => Promise<void>,
): Promise<void> {
  const statements = migration.up(dialect);
  for (const [index, statement] of statements.entries()) {
    try {
      await run(statement);
    } catch (error) {
      if (error instanceof ServiceError || error instanceof MigrationError) throw error;
      throw new MigrationError(
        'FAILED',
        `the migration ${migration.name} failed at statement ${index + 1} of ${statements.length} ` +
          `(SQLSTATE ${sqlState(error) ?? 'none'}); what came before it is kept, see the log for the server's words`,
        { cause: error },
      );
    }
  }
}

/** The lock ends with the transaction, however that ends. */
async function lockAdvisory(connection: Connection, table: string, waitMillis: number): Promise<void> {
  await execute(connection, 'set local statement_timeout = 0');
  await execute(connection, `set local lock_timeout = ${Math.max(1, Math.round(waitMillis))}`);
  const key = BigInt.asIntN(64, BigInt(`0x${hash(table).slice(0, 16)}`));
  try {
    await execute(connection, `select pg_advisory_xact_lock(${key})`);
  } catch (error) {
    throw sqlState(error) === SQL_STATE.lockTimeout ? busy(waitMillis, error) : error;
  }
  // From here on others wait for the tables that are altered.
  await execute(connection, `set local lock_timeout = '10s'`);
}

/** Holds a row; only its holder, or anybody after its expiry, may take it. */
async function takeLease(
  connection: Connection,
  { table }: Migrations,
  options: MigrateOptions,
): Promise<{ check(): void; release(): Promise<void> }> {
  const lease = `${table}_lease`;
  const holder = randomUUID();
  const leaseMillis = options.leaseMillis ?? LEASE_MILLIS;
  const waitMillis = options.waitMillis ?? WAIT_MILLIS;
  const until = `now() + interval '${leaseMillis} milliseconds'`;
  await retry(() =>
    execute(
      connection,
      `create table if not exists ${lease} (id int4 primary key, holder text not null, expires timestamptz not null)`,
    ),
  );
  const take = (): Promise<boolean> =>
    retry(async () => {
      const { rows } = await execute(
        connection,
        `insert into ${lease} as l (id, holder, expires) values (1, '${holder}', ${until})
           on conflict (id) do update set holder = excluded.holder, expires = excluded.expires
           where l.expires < now() or l.holder = excluded.holder
           returning holder`,
      );
      return rows.length === 1;
    });
  for (const end = Date.now() + waitMillis; !(await take()); ) {
    throwIfAborted(options.signal);
    if (Date.now() > end) throw busy(waitMillis);
    await sleep(Math.min(100, leaseMillis / 4));
  }
  // By our own clock, and from before the request was sent: never later than the server's.
  let heldUntil = Date.now() + leaseMillis;
  const beat = setInterval(() => {
    const sent = Date.now();
    take().then(
      (held) => {
        heldUntil = held ? sent + leaseMillis : 0;
      },
      () => {},
    );
  }, leaseMillis / 4);
  beat.unref();
  return {
    check() {
      if (Date.now() >= heldUntil)
        throw new MigrationError('BUSY', 'another process took over the migration: start again');
    },
    async release() {
      clearInterval(beat);
      // An expired row does as well.
      await execute(connection, `delete from ${lease} where holder = '${holder}'`).catch(() => {});
    },
  };
}

function busy(waitMillis: number, cause?: unknown): MigrationError {
  return new MigrationError(
    'BUSY',
    `another process has been migrating this database for ${Math.round(waitMillis / 1000)} s: wait for it, or stop it`,
    { cause },
  );
}

function createRecord(connection: Connection, { table }: Migrations): Promise<unknown> {
  return execute(
    connection,
    `create table if not exists ${table} (
       position int4 primary key, name text not null, checksum text not null,
       applied timestamptz(3) not null default now())`,
  );
}

async function readApplied(connection: Connection, { table }: Migrations): Promise<readonly Applied[]> {
  const { rows } = await execute<Applied>(connection, `select name, checksum from ${table} order by position`);
  return rows;
}

async function record(
  connection: Connection,
  { table }: Migrations,
  migration: Migration,
  position: number,
  dialect: Dialect,
): Promise<void> {
  await connection.executeQuery(
    CompiledQuery.raw(
      `insert into ${table} (position, name, checksum) values ($1, $2, $3) on conflict (position) do nothing`,
      [position, migration.name, digest(migration, dialect)],
    ),
  );
}

function checkApplied(applied: readonly Applied[], { list }: Migrations, dialect: Dialect): void {
  const known = new Set(list.map(({ name }) => name));
  const unknown = applied.find(({ name }) => !known.has(name));
  if (unknown) {
    throw new MigrationError(
      'NEWER_DATABASE',
      `the database is newer than this program: it has the migration ${unknown.name}; install that version of Bugless or a later one`,
    );
  }
  for (const [index, { name, checksum }] of applied.entries()) {
    const migration = list[index];
    if (migration?.name !== name) {
      throw new MigrationError(
        'OUT_OF_ORDER',
        `the database has the migration ${name} where this program has ${migration?.name}: append new migrations at the end`,
      );
    }
    if (checksum !== digest(migration, dialect)) {
      throw new MigrationError(
        'ALTERED',
        `the migration ${name} was applied with another text than this program has: restore it, and append a new migration`,
      );
    }
  }
}

function digest(migration: Migration, dialect: Dialect): string {
  return hash(migration.up(dialect).join('\n;\n'));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function execute<Row>(connection: Connection, statement: string): Promise<{ rows: Row[] }> {
  return connection.executeQuery<Row>(CompiledQuery.raw(statement));
}

/** For what may be repeated: a conflict with another migrator, a connection lost. */
async function retry<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      // `create table if not exists` twice at once may trip over the catalogue's own unique keys.
      const isRace = sqlState(error) === SQL_STATE.uniqueViolation || sqlState(error) === '42P07';
      if (attempt >= 8 || !(isRetryable(error) || isRace)) throw error;
      await sleep(Math.random() * Math.min(10 * 2 ** attempt, 500));
    }
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ServiceError('CANCELLED', 'the migration was called off', { cause: signal.reason });
}
