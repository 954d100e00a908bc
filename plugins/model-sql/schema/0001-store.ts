import type { Dialect } from '@bugless/sql';
import { createIndex, keyText } from './ddl.ts';

/** What the store keeps about itself: facts, leased node numbers, answers to writes that carried a request id. */
export const STORE_STEP = {
  name: '0001-store',
  up: (dialect: Dialect): string[] => [
    // Facts under a name; `data_id` identifies this database for ever.
    `create table if not exists meta (
      name ${keyText(dialect)} primary key,
      value text not null
    )`,
    // Node numbers of Snowflake ids, each held by one process until it expires.
    `create table if not exists snowflake_node (
      node int4 primary key,
      holder ${keyText(dialect)} not null,
      expires timestamptz(3) not null
    )`,
    // The first answer to each write with a request id, without its long texts. user_id is empty for the system.
    `create table if not exists request_log (
      user_id ${keyText(dialect)} not null,
      request_id ${keyText(dialect)} not null,
      method text not null,
      body_hash bytea not null,
      answer bytea not null,
      created timestamptz(3) not null,
      primary key (user_id, request_id)
    )`,
    createIndex(dialect, { name: 'request_log_created', table: 'request_log', columns: ['created'], timeLeads: true }),
  ],
};
