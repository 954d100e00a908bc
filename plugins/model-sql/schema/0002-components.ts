import type { Dialect } from '@bugless/sql';
import { keyText } from './ddl.ts';

/** The component tree with its access. Few rows: every process keeps them all, checked against `component_tree.version`. */
export const COMPONENTS_STEP = {
  name: '0002-components',
  up: (dialect: Dialect): string[] => [
    // One row. Every write to a component raises version and locks it, so that writes to the tree come one after another.
    `create table if not exists component_tree (
      id int4 primary key,
      version int8 not null,
      last_component int4 not null
    )`,
    // parent 0: a root. name_key: the name folded, unique below its parent.
    // access: [{"user" | "group": id, or "everyone": true, "permission": 1…5}].
    `create table if not exists component (
      id int4 primary key,
      version int8 not null,
      parent int4 not null,
      name text not null,
      name_key ${keyText(dialect)} not null,
      description text not null,
      owners text[] not null,
      default_assignee ${keyText(dialect)} not null,
      default_cc text[] not null,
      archived bool not null,
      access_overridden bool not null,
      access jsonb not null,
      custom_fields jsonb not null,
      templates jsonb not null,
      created timestamptz(3) not null,
      modified timestamptz(3) not null,
      constraint component_name unique (parent, name_key)
    )`,
    'insert into component_tree (id, version, last_component) values (1, 0, 0) on conflict (id) do nothing',
  ],
};
