import type { Dialect } from '@bugless/sql';

/** An index, before an engine has given it its spelling. */
export interface IndexDefinition {
  readonly name: string;
  readonly table: string;
  /** Key columns in order, each with ` desc` where it descends. */
  readonly columns: readonly string[];
  /** Columns kept beside the key, so that a list is answered from the index alone. */
  readonly include?: readonly string[];
  /** Condition of a partial index. */
  readonly where?: string;
  readonly unique?: boolean;
  /** The first column is a time: CockroachDB spreads the index over buckets, or one range takes every write. */
  readonly timeLeads?: boolean;
}

/** Spells CREATE INDEX IF NOT EXISTS for an engine. */
export function createIndex(dialect: Dialect, index: IndexDefinition): string {
  const sharded = index.timeLeads === true && dialect.hashSharded(8) !== '';
  return [
    `create ${index.unique ? 'unique ' : ''}index if not exists ${index.name} on ${index.table} (${index.columns.join(', ')})`,
    sharded ? 'using hash' : '',
    index.include ? `${dialect.include} (${index.include.join(', ')})` : '',
    sharded ? 'with (bucket_count = 8)' : '',
    index.where ? `where ${index.where}` : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/**
 * Text that is compared byte by byte: ids, keys, names already folded. On
 * Postgres it has to be said; CockroachDB compares so anyway and does not know "C".
 */
export function keyText(dialect: Dialect): string {
  return dialect.engine === 'postgres' ? 'text collate "C"' : 'text';
}

/**
 * Storage options of a table whose rows change often. Lists read the indexes
 * alone only where vacuum has been by recently, so it comes early and often.
 */
export function busyTable(dialect: Dialect): string {
  return dialect.engine === 'postgres'
    ? ' with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)'
    : '';
}
