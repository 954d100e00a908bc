import type { Dialect } from '@bugless/sql';
import { busyTable, createIndex, keyText } from './ddl.ts';

const LISTED = [
  'acl',
  'is_open',
  'archived',
  'created',
  'status',
  'priority',
  'severity',
  'type',
  'assignee',
  'reporter',
];

/**
 * Issues as they stand. No long text here. `acl` = component × 4 + access limit is the
 * class by which access is decided, so that a change of access never rewrites issues.
 */
export const ISSUES_STEP = {
  name: '0003-issues',
  up: (dialect: Dialect): string[] => {
    const key = keyText(dialect);
    return [
      ...(dialect.ids === 'identity' ? ['create sequence if not exists issue_id_sequence as int8 cache 1'] : []),
      // Empty user: ''. parent and duplicate_of null: none. custom_fields: {"NAME": ["value", …]} or null.
      // last_sequence: number of updates. The word `type` and the like are the proto's numbers.
      `create table if not exists issue (
        id int8 primary key,
        version int8 not null,
        last_sequence int4 not null,
        acl int4 not null,
        status int2 not null,
        priority int2 not null,
        severity int2 not null,
        type int2 not null,
        is_open bool not null,
        archived bool not null,
        stars int4 not null,
        comment_count int4 not null,
        created timestamptz(3) not null,
        modified timestamptz(3) not null,
        resolved timestamptz(3),
        verified timestamptz(3),
        parent int8,
        duplicate_of int8,
        reporter ${key} not null,
        assignee ${key} not null,
        verifier ${key} not null,
        title text not null,
        collaborators text[] not null,
        cc text[] not null,
        labels text[] not null,
        found_in text[] not null,
        targeted_to text[] not null,
        verified_in text[] not null,
        custom_fields jsonb
      )${busyTable(dialect)}`,
      createIndex(dialect, {
        name: 'issue_modified',
        table: 'issue',
        columns: ['modified desc', 'id desc'],
        include: LISTED,
        timeLeads: true,
      }),
      createIndex(dialect, {
        name: 'issue_created',
        table: 'issue',
        columns: ['created desc', 'id desc'],
        include: LISTED.filter((column) => column !== 'created').concat('modified'),
        timeLeads: true,
      }),
      createIndex(dialect, {
        name: 'issue_acl_modified',
        table: 'issue',
        columns: ['acl', 'modified desc', 'id desc'],
        include: ['is_open', 'archived'],
      }),
      createIndex(dialect, {
        name: 'issue_acl_open',
        table: 'issue',
        columns: ['acl', 'modified desc', 'id desc'],
        include: ['archived'],
        where: 'is_open',
      }),
      createIndex(dialect, {
        name: 'issue_assignee',
        table: 'issue',
        columns: ['assignee', 'modified desc', 'id desc'],
        include: ['acl', 'is_open', 'archived'],
      }),
      createIndex(dialect, {
        name: 'issue_assignee_open',
        table: 'issue',
        columns: ['assignee', 'modified desc', 'id desc'],
        include: ['acl', 'archived'],
        where: 'is_open',
      }),
      createIndex(dialect, {
        name: 'issue_reporter',
        table: 'issue',
        columns: ['reporter', 'modified desc', 'id desc'],
        include: ['acl', 'is_open', 'archived'],
      }),
      createIndex(dialect, {
        name: 'issue_parent',
        table: 'issue',
        columns: ['parent', 'id'],
        where: 'parent is not null',
      }),
      createIndex(dialect, {
        name: 'issue_duplicate_of',
        table: 'issue',
        columns: ['duplicate_of', 'id'],
        where: 'duplicate_of is not null',
      }),
      // issue_id is blocked by blocker_id.
      `create table if not exists issue_block (
        issue_id int8 not null,
        blocker_id int8 not null,
        primary key (issue_id, blocker_id)
      )`,
      createIndex(dialect, { name: 'issue_block_blocker', table: 'issue_block', columns: ['blocker_id', 'issue_id'] }),
      // What is looked up by value, with what a list needs to order and filter: see key-kind.ts.
      `create table if not exists issue_key (
        issue_id int8 not null,
        kind int2 not null,
        key ${key} not null,
        modified timestamptz(3) not null,
        acl int4 not null,
        is_open bool not null,
        archived bool not null,
        primary key (issue_id, kind, key)
      )${busyTable(dialect)}`,
      createIndex(dialect, {
        name: 'issue_key_modified',
        table: 'issue_key',
        columns: ['kind', 'key', 'modified desc', 'issue_id desc'],
        include: ['acl', 'is_open', 'archived'],
      }),
    ];
  },
};
