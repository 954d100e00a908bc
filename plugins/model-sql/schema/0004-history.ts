import type { Dialect } from '@bugless/sql';
import { createIndex, keyText } from './ddl.ts';

/** What was done to issues: every write is one row of issue_update, and the issue is the fold of its rows. */
export const HISTORY_STEP = {
  name: '0004-history',
  up: (dialect: Dialect): string[] => {
    const key = keyText(dialect);
    return [
      // Sequence 1 is the creation, its comment the description. changes: [[field, [old…], [new…]], …] or null.
      `create table if not exists issue_update (
        issue_id int8 not null,
        sequence int4 not null,
        author ${key} not null,
        created timestamptz(3) not null,
        significance int2 not null,
        restricted bool not null,
        redacted bool not null,
        comment_version int4 not null,
        edited timestamptz(3),
        editor ${key} not null,
        comment text not null,
        changes jsonb,
        primary key (issue_id, sequence)
      )`,
      // Texts that a comment had before the one in issue_update.
      `create table if not exists comment_version (
        issue_id int8 not null,
        sequence int4 not null,
        version int4 not null,
        author ${key} not null,
        created timestamptz(3) not null,
        comment text not null,
        primary key (issue_id, sequence, version)
      )`,
      // One row per value that a field lost (old_value) or got (new_value); a single-valued field has both in one row.
      // '' stands for empty; values are cut to 100 characters.
      `create table if not exists field_change (
        issue_id int8 not null,
        sequence int4 not null,
        field ${key} not null,
        old_value ${key} not null,
        new_value ${key} not null,
        created timestamptz(3) not null,
        author ${key} not null,
        primary key (issue_id, sequence, field, old_value, new_value)
      )`,
      createIndex(dialect, {
        name: 'field_change_old',
        table: 'field_change',
        columns: ['field', 'old_value', 'new_value', 'created desc', 'issue_id desc'],
      }),
      createIndex(dialect, {
        name: 'field_change_new',
        table: 'field_change',
        columns: ['field', 'new_value', 'issue_id desc'],
      }),
    ];
  },
};
