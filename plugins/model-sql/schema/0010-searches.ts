import type { Dialect } from '@bugless/sql';
import { keyText } from './ddl.ts';

/** Queries that people keep under a name. */
export const SEARCHES_STEP = {
  name: '0010-searches',
  up: (dialect: Dialect): string[] => [
    `create table if not exists saved_search (
      user_id ${keyText(dialect)} not null,
      name ${keyText(dialect)} not null,
      query text not null,
      primary key (user_id, name)
    )`,
    // Who has any: locked while one is added, so that nobody gets more than the limit.
    `create table if not exists saved_search_owner (
      user_id ${keyText(dialect)} primary key
    )`,
  ],
};
