import type { Generated } from 'kysely';

/**
 * The tables as Kysely sees them. int8 is a decimal string, int4 and int2 numbers, times ISO text in
 * UTC with milliseconds, bytea a Buffer. What each column means stands at its CREATE TABLE.
 */
export interface ModelTables {
  meta: { name: string; value: string };
  snowflake_node: { node: number; holder: string; expires: string };
  request_log: {
    user_id: string;
    request_id: string;
    method: string;
    body_hash: Buffer;
    answer: Buffer;
    created: string;
  };
  component_tree: { id: number; version: string; last_component: number };
  component: {
    id: number;
    version: string;
    parent: number;
    name: string;
    name_key: string;
    description: string;
    owners: string[];
    default_assignee: string;
    default_cc: string[];
    archived: boolean;
    access_overridden: boolean;
    access: StoredGrant[];
    custom_fields: StoredFieldDefinition[];
    templates: unknown[];
    created: string;
    modified: string;
  };
  issue: IssueTable;
  issue_block: { issue_id: string; blocker_id: string };
  issue_key: {
    issue_id: string;
    kind: number;
    key: string;
    modified: string;
    acl: number;
    is_open: boolean;
    archived: boolean;
  };
  issue_update: {
    issue_id: string;
    sequence: number;
    author: string;
    created: string;
    significance: number;
    restricted: boolean;
    redacted: boolean;
    comment_version: number;
    edited: string | null;
    editor: string;
    comment: string;
    changes: StoredChange[] | null;
    has_files: boolean;
  };
  attachment: {
    id: string;
    issue_id: string;
    sequence: number;
    name: string;
    content_type: string;
    size: string;
    sha256: Buffer;
    author: string;
    created: string;
    deleted: boolean;
  };
  attachment_upload: { id: string; started: string };
  attachment_chunk: { attachment_id: string; n: number; bytes: Buffer };
  comment_version: {
    issue_id: string;
    sequence: number;
    version: number;
    author: string;
    created: string;
    comment: string;
  };
  field_change: {
    issue_id: string;
    sequence: number;
    field: string;
    old_value: string;
    new_value: string;
    created: string;
    author: string;
  };
  /** words: a tsvector on Postgres, text[] where there is none. */
  doc: { issue_id: string; sequence: number; bucket: number; acl: number; restricted: boolean; words: unknown };
  import_issue: { source: string; key: string; issue_id: string; content_hash: Buffer; imported: string };
  import_link: { source: string; key: string; issue_id: string; field: string };
  outbox: {
    id: Generated<string>;
    kind: number;
    issue_id: string;
    sequence: number;
    version: string;
    component: number;
    hotlist: string;
    acl: number;
    author: string;
    created: string;
  };
  issue_day: { acl: number; day: string; opened: string; closed: string };
  issue_day_change: { id: Generated<string>; acl: number; day: string; opened: string; closed: string };
  webhook: {
    id: string;
    version: string;
    url: string;
    component: number;
    query: string;
    secret: string;
    enabled: boolean;
    owner: string;
    owner_groups: string[];
    owner_admin: boolean;
    owner_components: string[];
    start_position: string;
    created: string;
  };
  delivery: {
    webhook_id: string;
    position: string;
    state: string;
    attempts: number;
    next_attempt: string;
    last_status: number;
    last_error: string;
    body: string;
    created: string;
    lease: string;
    lease_until: string | null;
  };
  webhook_progress: { id: number; position: string };
  feed: {
    position: string;
    kind: number;
    issue_id: string;
    sequence: number;
    version: string;
    component: number;
    hotlist: string;
    acl: number;
    author: string;
    created: string;
    moved: string;
  };
  feed_lease: {
    id: number;
    holder: string;
    token: string;
    expires: string;
    last_position: string;
    first_position: string;
  };
  star: { user_id: string; issue_id: string; created: string };
  saved_search: { user_id: string; name: string; query: string };
  saved_search_owner: { user_id: string };
  hotlist: {
    id: string;
    version: string;
    name: string;
    name_key: string;
    description: string;
    owner: string;
    access: StoredGrant[];
    viewers: string[];
    archived: boolean;
    numbering: number;
    created: string;
    modified: string;
  };
  hotlist_entry: {
    hotlist_id: string;
    issue_id: string;
    position: string;
    note: string;
    author: string;
    added: string;
  };
}

/** A row of issue. */
export interface IssueTable {
  id: string;
  version: string;
  last_sequence: number;
  acl: number;
  status: number;
  priority: number;
  severity: number;
  type: number;
  is_open: boolean;
  archived: boolean;
  stars: number;
  comment_count: number;
  created: string;
  modified: string;
  resolved: string | null;
  verified: string | null;
  parent: string | null;
  duplicate_of: string | null;
  reporter: string;
  assignee: string;
  verifier: string;
  title: string;
  collaborators: string[];
  cc: string[];
  labels: string[];
  found_in: string[];
  targeted_to: string[];
  verified_in: string[];
  custom_fields: Record<string, string[]> | null;
}

/** One change in issue_update.changes: field, values it lost, values it got. */
export type StoredChange = [field: string, oldValues: string[], newValues: string[]];

/** One line of component.access or hotlist.access; exactly one of user, group, everyone. */
export interface StoredGrant {
  user?: string;
  group?: string;
  everyone?: boolean;
  permission: number;
}

/** One line of component.custom_fields. */
export interface StoredFieldDefinition {
  name: string;
  kind: number;
  options: string[];
  description: string;
  required: boolean;
}
