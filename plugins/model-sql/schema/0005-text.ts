import type { Dialect } from '@bugless/sql';
import { busyTable } from './ddl.ts';

/**
 * Words to search for: one row per text, so that a comment never rewrites the words
 * of the others. Sequence 0 is the title, 1 the description, more are comments.
 */
export const TEXT_STEP = {
  name: '0005-text',
  up: (dialect: Dialect): string[] => {
    const column = dialect.textSearch === 'tsvector' ? 'words tsvector' : 'words text[]';
    // Of words without order CockroachDB looks up all at once: buckets would have to be named one by one.
    const key = dialect.textSearch === 'tsvector' ? 'bucket, words' : 'words';
    // fastupdate off: with it single writes wait half a second when the pending list is flushed.
    const options = dialect.engine === 'postgres' ? ' with (fastupdate = off)' : '';
    return [
      ...(dialect.engine === 'postgres' ? ['create extension if not exists btree_gin'] : []),
      `create table if not exists doc (
        issue_id int8 not null,
        sequence int4 not null,
        bucket int8 not null,
        acl int4 not null,
        restricted bool not null,
        ${column} not null,
        primary key (issue_id, sequence)
      )${busyTable(dialect)}`,
      `create index if not exists doc_words on doc using gin (${key})${options}`,
    ];
  },
};
