import type { Dialect } from '@bugless/sql';

/** How an engine wants searches written, where that is not the same for all. */
export interface Spelling {
  /** A table in FROM under an alias, read by this index where the engine has to be told. */
  table(table: string, alias: string, index: string): string;
  /** The join that looks up each row of its left side by key. */
  readonly join: string;
  /** LATERAL with LIMIT stops early; else each stretch of an index is an arm of UNION ALL. */
  readonly lateral: boolean;
  /** The condition that there is such a row: `table alias where …`, found by key for each row outside. */
  exists(rows: string): string;
  /** Regular expression of what stands between words. */
  readonly wordBreak: string;
  /** Stands behind the FROM of a list: as of when it may be read; empty: now. */
  readonly asOf: string;
}

/** What one may choose. */
export interface SpellingOptions {
  /** CockroachDB: lists are read as of some seconds ago, from the nearest replica. */
  readonly followerReads?: boolean;
}

/** The spelling of a dialect. */
export function describeSpelling(dialect: Dialect, { followerReads = false }: SpellingOptions = {}): Spelling {
  // Where indexes are not named, other such words are not understood either.
  const isHinted = dialect.indexHint('t', 'i') !== 't';
  return {
    table: (table, alias, index) => `${dialect.indexHint(table, index)} ${alias}`,
    join: isHinted ? 'inner lookup join' : 'join',
    lateral: dialect.lateralTopN,
    // Of EXISTS PostgreSQL may make a join, and read all rows of the other table for a page.
    exists: (rows) =>
      dialect.lateralTopN ? `((select 1 from ${rows} limit 1) is not null)` : `exists (select 1 from ${rows})`,
    // In CockroachDB's expressions [:alnum:] means ASCII.
    wordBreak: isHinted ? '[^\\p{L}\\p{N}]+' : '[^[:alnum:]]+',
    asOf: isHinted && followerReads ? ' as of system time follower_read_timestamp()' : '',
  };
}
