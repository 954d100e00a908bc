import type { Dialect } from '@bugless/sql';
import { createIndex, keyText } from './ddl.ts';

/** Where imported issues came from, and links to issues that have not come yet. */
export const IMPORT_STEP = {
  name: '0006-import',
  up: (dialect: Dialect): string[] => {
    const key = keyText(dialect);
    return [
      `create table if not exists import_issue (
        source ${key} not null,
        key ${key} not null,
        issue_id int8 not null,
        content_hash bytea not null,
        imported timestamptz(3) not null,
        primary key (source, key)
      )`,
      // issue_id waits for (source, key) to come; field: parent, blocked_by or duplicate_of.
      `create table if not exists import_link (
        source ${key} not null,
        key ${key} not null,
        issue_id int8 not null,
        field ${key} not null,
        primary key (source, key, issue_id, field)
      )`,
      createIndex(dialect, { name: 'import_issue_id', table: 'import_issue', columns: ['issue_id'] }),
    ];
  },
};
