import { type Dialect, defineMigrations } from '@bugless/sql';

/*
 * Names carry the prefix `auth_`, so that a Model may live in the same database. Text that is
 * ordered by is compared by bytes on both engines: CockroachDB does so by itself and knows no
 * collation "C". Statements are idempotent: CockroachDB runs each by itself.
 */
function createTables(dialect: Dialect): string[] {
  const text = dialect.engine === 'postgres' ? 'text collate "C"' : 'text';
  return [
    `create table if not exists auth_setting (
      name ${text} primary key,
      value text not null
    )`,
    `create table if not exists auth_user (
      id ${text} primary key,
      version int8 not null,
      kind int4 not null,
      state int4 not null,
      username text not null,
      username_key ${text},
      display_name text not null,
      email text not null,
      email_verified boolean not null,
      avatar text not null,
      admin boolean not null,
      owner ${text} not null,
      created timestamptz(3) not null,
      modified timestamptz(3) not null,
      last_seen timestamptz(3),
      claimed_by ${text} not null
    )`,
    'create unique index if not exists auth_user_username on auth_user (username_key)',
    `create index if not exists auth_user_owner on auth_user (owner, username_key) where owner <> ''`,
    'create index if not exists auth_user_admin on auth_user (id) where admin',
    // An unverified address links nobody, so it need not be unique.
    'create index if not exists auth_user_email on auth_user (lower(email)) where email_verified',
    `create table if not exists auth_user_name (
      user_id ${text} not null references auth_user (id),
      since timestamptz(3) not null,
      username text not null,
      ended timestamptz(3),
      primary key (user_id, since)
    )`,
    `create table if not exists auth_user_word (
      user_id ${text} not null references auth_user (id),
      word ${text} not null,
      primary key (user_id, word)
    )`,
    'create index if not exists auth_user_word_word on auth_user_word (word, user_id)',
    `create table if not exists auth_placeholder (
      source ${text} not null,
      key ${text} not null,
      user_id ${text} not null references auth_user (id),
      primary key (source, key)
    )`,
    `create table if not exists auth_group (
      id ${text} primary key,
      version int8 not null,
      name text not null,
      name_key ${text} not null,
      description text not null,
      created timestamptz(3) not null
    )`,
    'create unique index if not exists auth_group_name on auth_group (name_key)',
    `create table if not exists auth_group_member (
      group_id ${text} not null references auth_group (id),
      member ${text} not null,
      is_group boolean not null,
      primary key (group_id, member)
    )`,
    'create index if not exists auth_group_member_member on auth_group_member (member, group_id)',
    `create table if not exists auth_session (
      hash bytea primary key,
      id ${text} not null,
      user_id ${text} not null references auth_user (id),
      created timestamptz(3) not null,
      used timestamptz(3) not null,
      expires timestamptz(3) not null,
      user_agent text not null,
      address text not null,
      methods text[] not null
    )`,
    'create unique index if not exists auth_session_id on auth_session (id)',
    'create index if not exists auth_session_user on auth_session (user_id, created desc)',
    'create index if not exists auth_session_expires on auth_session (expires)',
    `create table if not exists auth_token (
      hash bytea primary key,
      id ${text} not null,
      user_id ${text} not null references auth_user (id),
      name text not null,
      hint text not null,
      scopes int4[] not null,
      components int8[] not null,
      created timestamptz(3) not null,
      expires timestamptz(3),
      used timestamptz(3),
      creator ${text} not null
    )`,
    'create unique index if not exists auth_token_id on auth_token (id)',
    'create index if not exists auth_token_user on auth_token (user_id, created desc)',
    `create table if not exists auth_password (
      user_id ${text} primary key references auth_user (id),
      hash text not null,
      cost int4 not null,
      changed timestamptz(3) not null
    )`,
    `create table if not exists auth_code (
      hash bytea primary key,
      kind text not null,
      user_id ${text} not null,
      created timestamptz(3) not null,
      expires timestamptz(3) not null
    )`,
    'create index if not exists auth_code_user on auth_code (kind, user_id)',
    `create table if not exists auth_throttle (
      key ${text} primary key,
      failures int4 not null,
      last int8 not null,
      expires timestamptz(3) not null
    )`,
    'create index if not exists auth_throttle_expires on auth_throttle (expires)',
    `create table if not exists auth_audit (
      id int8 primary key,
      created timestamptz(3) not null,
      kind ${text} not null,
      author ${text} not null,
      user_id ${text} not null,
      address text not null,
      details text not null
    )`,
    'create index if not exists auth_audit_user on auth_audit (user_id, id desc)',
    'create index if not exists auth_audit_kind on auth_audit (kind, id desc)',
    `create table if not exists auth_request (
      caller ${text} not null,
      request_id ${text} not null,
      fingerprint bytea not null,
      result ${text} not null,
      created timestamptz(3) not null,
      primary key (caller, request_id)
    )`,
    `create table if not exists auth_identity (
      issuer ${text} not null,
      subject ${text} not null,
      user_id ${text} not null references auth_user (id),
      connection text not null,
      label text not null,
      sealed text not null,
      created timestamptz(3) not null,
      used timestamptz(3) not null,
      primary key (issuer, subject)
    )`,
    'create index if not exists auth_identity_user on auth_identity (user_id)',
    `create table if not exists auth_login_state (
      hash bytea primary key,
      connection text not null,
      binding bytea not null,
      data text not null,
      expires timestamptz(3) not null
    )`,
    `create table if not exists auth_key (
      name ${text} primary key,
      value bytea not null
    )`,
    `insert into auth_setting (name, value) values ('admins', '') on conflict (name) do nothing`,
  ];
}

/** The schema of directory and credentials, step by step. */
export const MIGRATIONS = defineMigrations('bugless_auth', [{ name: '0001-directory', up: createTables }]);
