/**
 * The tables as Kysely sees them. int8 and times are text on both ways (`timestamptz(3)` as
 * `YYYY-MM-DDTHH:MM:SS.mmmZ`); hashes are SHA-256.
 */
export interface Tables {
  auth_setting: SettingTable;
  auth_user: UserTable;
  auth_user_name: UserNameTable;
  auth_user_word: UserWordTable;
  auth_placeholder: PlaceholderTable;
  auth_group: GroupTable;
  auth_group_member: GroupMemberTable;
  auth_session: SessionTable;
  auth_token: TokenTable;
  auth_password: PasswordTable;
  auth_code: CodeTable;
  auth_throttle: ThrottleTable;
  auth_audit: AuditTable;
  auth_request: RequestTable;
  auth_identity: IdentityTable;
  auth_login_state: LoginStateTable;
  auth_key: KeyTable;
}

/** Single facts (`data_id`), and the row `admins` that is locked by whoever changes who administers. */
export interface SettingTable {
  name: string;
  value: string;
}

/** A user, or its tombstone. Rows are never removed: ids are never reused. */
export interface UserTable {
  id: string;
  version: string;
  /** UserKind. */
  kind: number;
  /** UserState. */
  state: number;
  username: string;
  /** Lower case of the username; null for those who have none any more (deleted, claimed). */
  username_key: string | null;
  display_name: string;
  email: string;
  email_verified: boolean;
  avatar: string;
  admin: boolean;
  /** User id, or empty. */
  owner: string;
  created: string;
  modified: string;
  last_seen: string | null;
  /** For a claimed placeholder: the id of the real user; else empty. */
  claimed_by: string;
}

/** Every username that a user has had, until when. */
export interface UserNameTable {
  user_id: string;
  since: string;
  username: string;
  ended: string | null;
}

/** What pickers find users by: only of those who can be picked. */
export interface UserWordTable {
  user_id: string;
  word: string;
}

export interface PlaceholderTable {
  source: string;
  key: string;
  user_id: string;
}

export interface GroupTable {
  id: string;
  version: string;
  name: string;
  name_key: string;
  description: string;
  created: string;
}

export interface GroupMemberTable {
  group_id: string;
  /** Id of a user or of a group. */
  member: string;
  is_group: boolean;
}

export interface SessionTable {
  hash: Buffer;
  id: string;
  user_id: string;
  created: string;
  used: string;
  /** The absolute end; the idle end follows from `used`. */
  expires: string;
  user_agent: string;
  address: string;
  methods: string[];
}

export interface TokenTable {
  hash: Buffer;
  id: string;
  user_id: string;
  name: string;
  hint: string;
  scopes: number[];
  components: string[];
  created: string;
  expires: string | null;
  used: string | null;
  creator: string;
}

export interface PasswordTable {
  user_id: string;
  /** In bcrypt's own form. */
  hash: string;
  cost: number;
  changed: string;
}

/** One-time codes. */
export interface CodeTable {
  hash: Buffer;
  /** `setup` or `reset`. */
  kind: string;
  /** Whom a reset concerns; empty for setup. */
  user_id: string;
  created: string;
  expires: string;
}

export interface ThrottleTable {
  key: string;
  failures: number;
  /** Milliseconds since the epoch. */
  last: string;
  /** When the row may be swept. */
  expires: string;
}

export interface AuditTable {
  id: string;
  created: string;
  kind: string;
  author: string;
  user_id: string;
  address: string;
  /** JSON object of texts. */
  details: string;
}

/** Answers to writes with a request id, for replays. */
export interface RequestTable {
  caller: string;
  request_id: string;
  /** SHA-256 of the method and the request, secrets left out. */
  fingerprint: Buffer;
  result: string;
  created: string;
}

/** Accounts elsewhere: (issuer, subject) is the link key of OpenID Connect Core 1.0, section 5.7. */
export interface IdentityTable {
  issuer: string;
  subject: string;
  user_id: string;
  /** Name of the configured connection that last used the link. */
  connection: string;
  /** What the account is called there, for people. */
  label: string;
  /** Sealed by the plugin that wrote it (a refresh token), or empty. */
  sealed: string;
  created: string;
  used: string;
}

/** Logins under way in a browser. */
export interface LoginStateTable {
  hash: Buffer;
  connection: string;
  /** SHA-256 of the secret of the browser's cookie. */
  binding: Buffer;
  /** JSON of the plugin that wrote it. */
  data: string;
  expires: string;
}

/** Keys made by the store itself, shared by all processes on it. */
export interface KeyTable {
  name: string;
  value: Buffer;
}
