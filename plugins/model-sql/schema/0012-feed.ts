import type { Dialect } from '@bugless/sql';
import { createIndex, keyText } from './ddl.ts';

/**
 * The change feed: events with positions. One process at a time holds the lease and moves what is
 * committed from outbox to feed: see feed-lease.ts.
 */
export const FEED_STEP = {
  name: '0012-feed',
  up: (dialect: Dialect): string[] => [
    // position: 1, 2, 3, … without gaps, in the order in which they became visible. moved: when it was given.
    `create table if not exists feed (
      position int8 primary key,
      kind int2 not null,
      issue_id int8 not null,
      sequence int4 not null,
      version int8 not null,
      component int4 not null,
      hotlist int8 not null,
      acl int4 not null,
      author ${keyText(dialect)} not null,
      created timestamptz(3) not null,
      moved timestamptz(3) not null
    )`,
    createIndex(dialect, { name: 'feed_issue', table: 'feed', columns: ['issue_id', 'position'] }),
    // One row. token: raised whenever the lease changes hands, so that a holder who was late moves nothing.
    // first_position: of the oldest event kept, or where the next one will stand.
    `create table if not exists feed_lease (
      id int4 primary key,
      holder ${keyText(dialect)} not null,
      token int8 not null,
      expires timestamptz(3) not null,
      last_position int8 not null,
      first_position int8 not null
    )`,
    `insert into feed_lease (id, holder, token, expires, last_position, first_position)
      values (1, '', 0, '2000-01-01T00:00:00Z', 0, 1) on conflict (id) do nothing`,
    // Events of one issue are moved together, in their order.
    createIndex(dialect, { name: 'outbox_issue', table: 'outbox', columns: ['issue_id', 'id'] }),
    ...(dialect.engine === 'postgres'
      ? [
          // Rows stay for milliseconds: what they leave behind has to go soon.
          'alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)',
          'alter table feed_lease set (fillfactor = 10)',
        ]
      : []),
  ],
};
