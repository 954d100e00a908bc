/** The engines that the SQL plugins run on. */
export type Engine = 'postgres' | 'cockroachdb';

/** Isolation of one transaction, in SQL's words. */
export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** What differs between the engines, as facts that callers read instead of asking for the name. */
export interface Dialect {
  readonly engine: Engine;
  /** The name for people. */
  readonly title: string;
  /** Oldest version that the plain SQL runs on, and oldest that is supported, as [major, minor]. */
  readonly minimumVersion: readonly [number, number];
  readonly supportedVersion: readonly [number, number];
  /** What runTransaction uses unless told otherwise. */
  readonly defaultIsolation: Isolation;
  /** Row lock of a read-modify-write; best effort on CockroachDB, where serializable isolation is what protects. */
  readonly forUpdate: string;
  /** Row lock for queues: passes over locked rows where the engine can (CockroachDB from v22.2), else waits. */
  readonly forUpdateSkipLocked: string;
  readonly skipLocked: boolean;
  /** pg_advisory_xact_lock works; on CockroachDB it is a silent no-op. */
  readonly advisoryLocks: boolean;
  /** LISTEN and NOTIFY work. */
  readonly notify: boolean;
  /** Constraints may be deferrable. */
  readonly deferrable: boolean;
  /** Several DDL statements may share one transaction. */
  readonly transactionalDdl: boolean;
  /** LATERAL with LIMIT stops early; elsewhere write UNION ALL arms. */
  readonly lateralTopN: boolean;
  /** How words are indexed: a ranked tsvector, or a table of tokens. */
  readonly textSearch: 'tsvector' | 'tokens';
  /** Who gives out ids: an identity column, or the program (63 bits, spread, no sequence). */
  readonly ids: 'identity' | 'snowflake';
  /** Keyword that carries further columns in an index. */
  readonly include: 'include' | 'storing';
  /** Clause behind the index's columns that spreads an index led by a time; empty where none is needed. */
  hashSharded(buckets: number): string;
  /** Name of a table in FROM that makes the planner use an index where the engine needs telling. */
  indexHint(table: string, index: string): string;
}

/** The dialects by engine. */
export const DIALECTS: Readonly<Record<Engine, Dialect>> = {
  postgres: {
    engine: 'postgres',
    title: 'PostgreSQL',
    minimumVersion: [14, 0],
    supportedVersion: [14, 0],
    defaultIsolation: 'read committed',
    forUpdate: 'for update',
    forUpdateSkipLocked: 'for update skip locked',
    skipLocked: true,
    advisoryLocks: true,
    notify: true,
    deferrable: true,
    transactionalDdl: true,
    lateralTopN: true,
    textSearch: 'tsvector',
    ids: 'identity',
    include: 'include',
    hashSharded: () => '',
    indexHint: (table) => table,
  },
  cockroachdb: {
    engine: 'cockroachdb',
    title: 'CockroachDB',
    minimumVersion: [22, 1],
    supportedVersion: [23, 2],
    defaultIsolation: 'serializable',
    forUpdate: 'for update',
    forUpdateSkipLocked: 'for update',
    skipLocked: false,
    advisoryLocks: false,
    notify: false,
    deferrable: false,
    transactionalDdl: false,
    lateralTopN: false,
    textSearch: 'tokens',
    ids: 'snowflake',
    include: 'storing',
    hashSharded: (buckets) => ` using hash with (bucket_count = ${buckets})`,
    indexHint: (table, index) => `${table}@${index}`,
  },
};
