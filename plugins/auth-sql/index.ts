/** Directory, sessions, tokens and throttles on SQL: what the Bugless authenticators share. */
export {
  checkUsernameFree,
  chooseUsernames,
  insertUsers,
  isFindable,
  type NewUser,
  nameTaken,
  putPassword,
} from './account.ts';
export { listUsernames, updateUser } from './account-change.ts';
export { hasOtherAdmin, lockAdmins } from './admin.ts';
export type { AuditEntry } from './audit.ts';
export { createDirectoryMethods } from './authenticator.ts';
export {
  AUTH_SQL_PROPERTIES,
  type AuthSettings,
  type AuthSqlConfiguration,
  openAuthDatabase,
  readSettings,
} from './configuration.ts';
export { DURATION_PATTERN, parseDuration } from './duration.ts';
export {
  type ExternalAccount,
  findIdentity,
  findUser,
  findUsersByVerifiedEmail,
  type Identity,
  insertIdentity,
  listIdentities,
  removeIdentity,
  setGroupMemberships,
  useIdentity,
} from './identity.ts';
export { type AuthenticatorParts, createAuthInstance } from './instance.ts';
export { type LoginState, putLoginState, readKey, takeLoginState } from './login-state.ts';
export { MIGRATIONS } from './migrations.ts';
export { type AuthenticatorMethod, type CallerRule, checkSubject, guard, PERMISSIONS } from './permission.ts';
export { createOpaqueSecret, createTokenSecret, hashSecret, isOpaqueSecret, isTokenSecret } from './secret.ts';
export { endSessions } from './session.ts';
export {
  type AuthStore,
  type HashedPassword,
  openStore,
  type PasswordSetter,
  toAuthError,
  toTime,
  type Work,
  writeStore,
} from './store.ts';
export { sweepStore } from './sweep.ts';
export type { Tables } from './tables.ts';
export { beginTry, type ThrottleTry } from './throttle.ts';
export { lockUser, readUser, toUser, type UserRow } from './user.ts';
export {
  checkAvatar,
  checkDisplayName,
  checkEmail,
  checkUsername,
  toUsernameKey,
} from './username.ts';
export { readPrincipal } from './verification.ts';
