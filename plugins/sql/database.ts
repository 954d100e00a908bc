import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '@bugless/kit/service';
import {
  type AnyEntity,
  type EntityClass,
  type EntitySchema,
  MikroORM,
  type Options,
  PostgreSqlDriver,
} from '@mikro-orm/postgresql';
import { CompiledQuery, type Kysely } from 'kysely';
import type pg from 'pg';
import { type ClientOptions, ReliableClient } from './client.ts';
import { DatabaseError } from './database-error.ts';
import { DIALECTS, type Dialect, type Engine } from './dialect.ts';
import { acquireEmbeddedPostgres, type EmbeddedLease } from './embedded/registry.ts';
import type { ServerSettings } from './embedded/settings.ts';
import { isConnectTimeout, toServiceError } from './errors.ts';
import type { FaultHook } from './fault.ts';
import { type Log, SILENT_LOG } from './log.ts';
import { checkVersion, parseVersion, type ServerVersion } from './server-version.ts';
import { isConnectionLoss, sqlState } from './sql-state.ts';
import { StatementNames } from './statement-names.ts';
import { ValueParsers } from './value-parser.ts';

/** Where the database is and how it is used. Exactly one of `url` and `embedded` is given. */
export interface DatabaseOptions {
  /** What the plugin is written for; checked against the server. */
  readonly engine: Engine;
  /** `postgresql://user:password@host:port/database`, with the parameters that pg knows (sslmode, host for a socket, …). */
  readonly url?: string | undefined;
  /** The embedded PostgreSQL in a folder, and this plugin's database there, created if missing. */
  readonly embedded?: {
    readonly dataDir?: string;
    readonly database: string;
    /** Use the server that another process runs on the folder, if one does. */
    readonly join?: boolean;
    readonly settings?: ServerSettings;
  };
  /** Of MikroORM's defineEntity or EntitySchema; may be empty. */
  readonly entities: readonly (EntitySchema | EntityClass<AnyEntity>)[];
  readonly pool?: {
    /** Default 10. */
    readonly max?: number;
    /** Kept open when idle; default 0. */
    readonly min?: number;
    /** Idle connections beyond `min` are closed after this; default 30 s. */
    readonly idleMillis?: number;
    /** How long a caller waits for a connection, free or new; default 5 s. */
    readonly acquireMillis?: number;
  };
  /** Limits that the server keeps, on both engines; 0: none. */
  readonly timeouts?: {
    /** One statement; default 30 s. */
    readonly statementMillis?: number;
    /** Waiting for a lock; default 10 s. */
    readonly lockMillis?: number;
    /** A transaction in which nothing happens; default 30 s. */
    readonly idleInTransactionMillis?: number;
  };
  /** Settings of every server session, by name: `{ enable_sort: 'off' }`. Names and values without blanks. */
  readonly session?: Readonly<Record<string, string>>;
  /** Prepare repeated statements under names; default true. False behind a pooler in transaction mode. */
  readonly prepare?: boolean;
  /** What the server's session lists show; default `bugless`. */
  readonly applicationName?: string;
  readonly log?: Log;
  /** Tests only: asked at every point of every transaction. */
  readonly faults?: FaultHook | undefined;
  /** Tests only: another dialect than the engine's, to run its transactions and migrations on PostgreSQL. */
  readonly dialect?: Dialect | undefined;
  /** Further options of MikroORM. */
  readonly orm?: Partial<Options>;
}

/** An open database. */
export interface Database {
  readonly orm: MikroORM;
  readonly engine: Engine;
  readonly dialect: Dialect;
  readonly version: ServerVersion;
  readonly faults: FaultHook | undefined;
  /** Reads outside of any transaction. A statement with parameters that comes again is prepared under a name. */
  kysely<Tables>(): Kysely<Tables>;
  /** Connections of the pool: open, unused, and callers waiting. Idle equals total when nothing runs. */
  stats(): { readonly total: number; readonly idle: number; readonly waiting: number };
  /**
   * Asks the server for an answer; default within 2 s.
   *
   * @throws ServiceError BACKEND_UNAVAILABLE, OVERLOADED.
   */
  ping(options?: { readonly millis?: number }): Promise<void>;
  /** Waits for running work (10 s at most), closes the connections, gives the embedded server back. May be called twice. */
  close(): Promise<void>;
}

const PING_MILLIS = 2_000;
const CLOSE_MILLIS = 10_000;

/**
 * Opens a database: starts the embedded server if asked, connects, and checks that the
 * server is the declared engine and new enough.
 *
 * @throws DatabaseError, EmbeddedError
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  if ((options.url === undefined) === (options.embedded === undefined)) {
    throw new DatabaseError('BAD_OPTIONS', 'give either the url of a server or a folder for the embedded PostgreSQL');
  }
  if (options.url !== undefined) return connect(options, parseUrl(options.url, options.session));
  const { embedded, log } = options as DatabaseOptions & { embedded: NonNullable<DatabaseOptions['embedded']> };
  if (options.engine !== 'postgres') {
    throw new DatabaseError(
      'BAD_OPTIONS',
      `${DIALECTS[options.engine].title} is not embedded: give the url of a server`,
    );
  }
  const lease = await acquireEmbeddedPostgres({
    ...(embedded.dataDir === undefined ? {} : { dataDir: embedded.dataDir }),
    join: embedded.join ?? false,
    ...(embedded.settings === undefined ? {} : { settings: embedded.settings }),
    ...(log === undefined ? {} : { log }),
  });
  try {
    await lease.createDatabase(embedded.database);
    return await connect(options, parseUrl(lease.url(embedded.database), options.session), lease);
  } catch (error) {
    await lease.release();
    throw error;
  }
}

async function connect(options: DatabaseOptions, url: URL, lease?: EmbeddedLease): Promise<Database> {
  const log = options.log ?? SILENT_LOG;
  const dialect = options.dialect ?? DIALECTS[options.engine];
  let pool: pg.Pool | undefined;
  const orm = new MikroORM({
    driver: PostgreSqlDriver,
    dbName: decodeURIComponent(url.pathname.slice(1)),
    entities: [...options.entities] as EntitySchema[],
    discovery: { warnWhenNoEntities: false },
    // Two versioned entities updated in one statement can lose an edit at READ COMMITTED.
    useBatchUpdates: false,
    ...options.orm,
    logger: (message) => log.debug({}, message),
    // A function, because the ORM copies objects deeply.
    driverOptions: () => ({
      ...listClientOptions(options, url),
      onPoolCreated: (created: pg.Pool) => {
        pool = created;
      },
    }),
  });
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const isClosed = await Promise.race([orm.close(true).then(() => true), sleep(CLOSE_MILLIS, false, { ref: false })]);
    if (!isClosed) log.warn(readStats(pool), 'connections to the database are still in use and are left behind');
    await lease?.release();
  };
  try {
    await orm.connect();
    const { rows } = await orm.em
      .getConnection()
      .getClient()
      .executeQuery<{ version: string }>(CompiledQuery.raw('select version() as version'));
    const version = parseVersion(rows[0]?.version ?? '');
    const titles = { postgres: DIALECTS.postgres.title, cockroachdb: DIALECTS.cockroachdb.title };
    const warning = checkVersion(version, DIALECTS[options.engine], titles);
    if (warning) log.warn({ version: version.text }, warning);
    return {
      orm,
      engine: options.engine,
      dialect,
      version,
      faults: options.faults,
      kysely: <Tables>() => orm.em.getConnection().getClient() as unknown as Kysely<Tables>,
      stats: () => readStats(pool),
      ping: (pingOptions) => ping(orm, pingOptions?.millis ?? PING_MILLIS),
      close() {
        closed ??= close();
        return closed;
      },
    };
  } catch (error) {
    await orm.close(true).catch(() => {});
    throw explainFailure(error, url, DIALECTS[options.engine]);
  }
}

function readStats(pool: pg.Pool | undefined): ReturnType<Database['stats']> {
  return { total: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0 };
}

async function ping(orm: MikroORM, millis: number): Promise<void> {
  const answer = orm.em.getConnection().getClient().executeQuery(CompiledQuery.raw('select 1'));
  const over = new AbortController();
  const timer = sleep(millis, undefined, { signal: over.signal }).then(
    () => {
      throw new ServiceError('BACKEND_UNAVAILABLE', `the database did not answer within ${millis} ms`);
    },
    () => {},
  );
  // Whichever loses the race must not become an unhandled rejection.
  answer.catch(() => {});
  try {
    await Promise.race([answer, timer]);
  } catch (error) {
    throw toServiceError(error);
  } finally {
    over.abort();
  }
}

function parseUrl(text: string, session: DatabaseOptions['session'] = {}): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw badUrl();
  }
  if (!/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) throw badUrl();
  // Values are read on the promise that times come in UTC; the server's default may be another.
  const own = Object.entries(session).map(([name, value]) => `-c ${name}=${value}`);
  const settings = ['-c TimeZone=UTC', ...own, url.searchParams.get('options')].filter(Boolean).join(' ');
  url.searchParams.set('options', settings);
  // A query string writes a blank as +, which a connection string does not know.
  url.search = url.search.replaceAll('+', '%20');
  return url;
}

function badUrl(): DatabaseError {
  const message = 'the database url is not of the form postgresql://user:password@host:port/database';
  return new DatabaseError('BAD_OPTIONS', message);
}

function listClientOptions(options: DatabaseOptions, url: URL): ClientOptions & pg.PoolConfig {
  const { pool = {}, timeouts = {} } = options;
  return {
    connectionString: url.href,
    Client: ReliableClient,
    statements: options.prepare === false ? undefined : new StatementNames(),
    types: new ValueParsers() as pg.CustomTypesConfig,
    application_name: options.applicationName ?? 'bugless',
    keepAlive: true,
    max: pool.max ?? 10,
    min: pool.min ?? 0,
    idleTimeoutMillis: pool.idleMillis ?? 30_000,
    connectionTimeoutMillis: pool.acquireMillis ?? 5_000,
    statement_timeout: timeouts.statementMillis ?? 30_000,
    lock_timeout: timeouts.lockMillis ?? 10_000,
    idle_in_transaction_session_timeout: timeouts.idleInTransactionMillis ?? 30_000,
  };
}

/** What the operator must change when the first connection fails. */
function explainFailure(error: unknown, url: URL, dialect: Dialect): unknown {
  if (error instanceof DatabaseError) return error;
  const place = url.searchParams.get('host') ?? (url.host || 'localhost');
  const database = decodeURIComponent(url.pathname.slice(1));
  const state = sqlState(error);
  const name = `${dialect.title} at ${place}`;
  if (state?.startsWith('28')) {
    const user = decodeURIComponent(url.username) || 'without a name';
    return new DatabaseError('REFUSED', `${name} refuses the user ${user}: check name and password in the url`, {
      cause: error,
    });
  }
  if (state === '3D000') {
    return new DatabaseError('REFUSED', `${name} has no database ${database}: create it, or change the url`, {
      cause: error,
    });
  }
  if (isConnectionLoss(error) || isConnectTimeout(error)) {
    return new DatabaseError('UNREACHABLE', `${name} cannot be reached: start it, or check host and port in the url`, {
      cause: error,
    });
  }
  return new DatabaseError('REFUSED', `${name} cannot be used (SQLSTATE ${state ?? 'none'}): see the log`, {
    cause: error,
  });
}
