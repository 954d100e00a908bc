import type { Dialect } from '@bugless/sql';
import { createIndex, keyText } from './ddl.ts';

/** Who starred what; `issue.stars` counts them. */
export const STARS_STEP = {
  name: '0008-stars',
  up: (dialect: Dialect): string[] => [
    `create table if not exists star (
      user_id ${keyText(dialect)} not null,
      issue_id int8 not null,
      created timestamptz(3) not null,
      primary key (user_id, issue_id)
    )`,
    createIndex(dialect, { name: 'star_issue', table: 'star', columns: ['issue_id', 'user_id'] }),
  ],
};
