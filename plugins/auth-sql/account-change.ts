import {
  type CallContext,
  type DeepPartial,
  invalidField,
  ServiceError,
  type UpdateUserRequest,
  type User,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { checkOwner, checkUsernameFree, isFindable, replaceWords } from './account.ts';
import { hasOtherAdmin, lockAdmins } from './admin.ts';
import { checkSubject } from './permission.ts';
import { type AuthStore, type Work, writeStore } from './store.ts';
import type { Tables } from './tables.ts';
import { lockUser, readUser, toUser, type UserRow } from './user.ts';
import { checkAvatar, checkDisplayName, checkEmail, checkUsername, toUsernameKey } from './username.ts';

/** Every field that can be changed, and whether it takes an administrator. */
const FIELDS = {
  username: { admin: false },
  display_name: { admin: false },
  email: { admin: false },
  avatar: { admin: false },
  admin: { admin: true },
  state: { admin: true },
  owner: { admin: true },
  email_verified: { admin: true },
} as const;
type Field = keyof typeof FIELDS;

const STATE_WORDS: Readonly<Record<number, string>> = {
  [UserState.ACTIVE]: 'active',
  [UserState.DEACTIVATED]: 'deactivated',
  [UserState.PLACEHOLDER]: 'placeholder',
  [UserState.DELETED]: 'deleted',
};

function readMask(request: UpdateUserRequest, context: CallContext): Set<Field> {
  const mask = request.updateMask ?? [];
  if (mask.length === 0) throw invalidField('update_mask', 'is empty; name the fields to change');
  for (const [index, path] of mask.entries()) {
    if (!Object.hasOwn(FIELDS, path)) {
      throw invalidField(`update_mask[${index}]`, `is none of ${Object.keys(FIELDS).join(', ')}`);
    }
    if (FIELDS[path as Field].admin && !context.admin && !context.system) {
      throw new ServiceError('FORBIDDEN', `user.${path}: only an administrator changes it`);
    }
  }
  return new Set(mask as Field[]);
}

/** The row as it will be: each named field checked. */
async function applyFields(work: Work, before: UserRow, fields: Set<Field>, user: User): Promise<UserRow> {
  const after = { ...before };
  if (fields.has('username')) {
    after.username = checkUsername(user.username, 'user.username');
    after.username_key = toUsernameKey(after.username);
    await checkUsernameFree(work.k, after.username, 'user.username', before.id);
  }
  if (fields.has('display_name')) {
    after.display_name = checkDisplayName(user.displayName, after.username, 'user.display_name');
  } else if (before.display_name === before.username) {
    // It was never given one: it goes on falling back to the username.
    after.display_name = after.username;
  }
  if (fields.has('email')) {
    after.email = checkEmail(user.email, 'user.email');
    if (after.email !== before.email) after.email_verified = false;
  }
  if (fields.has('email_verified')) after.email_verified = user.emailVerified && after.email !== '';
  if (fields.has('avatar')) after.avatar = checkAvatar(user.avatar, 'user.avatar');
  if (fields.has('admin')) after.admin = user.admin;
  if (fields.has('owner') && user.owner !== before.owner) {
    if (before.kind !== UserKind.BOT) throw invalidField('user.owner', 'people have no owner');
    if (user.owner === '') throw invalidField('user.owner', 'is empty; a bot is owned by a person');
    await checkOwner(work.k, user.owner);
    after.owner = user.owner;
  }
  if (fields.has('state') && user.state !== before.state) {
    after.state = user.state;
    const allowed =
      user.state === UserState.DELETED ||
      ((user.state === UserState.ACTIVE || user.state === UserState.DEACTIVATED) &&
        before.state !== UserState.PLACEHOLDER);
    if (!allowed) {
      const word = STATE_WORDS[user.state] ?? String(user.state);
      throw invalidField('user.state', `cannot become ${word} from ${STATE_WORDS[before.state]}`);
    }
  }
  return after;
}

/** Leaves of a user its id and state. */
async function eraseUser(work: Work, id: string): Promise<void> {
  for (const table of ['auth_user_word', 'auth_user_name', 'auth_session', 'auth_token', 'auth_identity'] as const) {
    await work.k.deleteFrom(table).where('user_id', '=', id).execute();
  }
  await work.k.deleteFrom('auth_password').where('user_id', '=', id).execute();
  await work.k.deleteFrom('auth_code').where('user_id', '=', id).execute();
  await work.k.deleteFrom('auth_group_member').where('member', '=', id).execute();
}

async function noteName(work: Work, row: UserRow): Promise<void> {
  const current = await work.k
    .selectFrom('auth_user_name')
    .select('since')
    .where('user_id', '=', row.id)
    .where('ended', 'is', null)
    .executeTakeFirst();
  if (current?.since === work.now) {
    // Two names within one millisecond: the first was never seen.
    await work.k
      .updateTable('auth_user_name')
      .set({ username: row.username })
      .where('user_id', '=', row.id)
      .where('since', '=', work.now)
      .execute();
    return;
  }
  await work.k
    .updateTable('auth_user_name')
    .set({ ended: work.now })
    .where('user_id', '=', row.id)
    .where('ended', 'is', null)
    .execute();
  await work.k
    .insertInto('auth_user_name')
    .values({ user_id: row.id, since: work.now, username: row.username, ended: null })
    .execute();
}

async function auditChange(work: Work, before: UserRow, after: UserRow, changed: string[]): Promise<void> {
  const details: Record<string, string> = { fields: changed.join(',') };
  if (before.username !== after.username && after.state !== UserState.DELETED) {
    details.from = before.username;
    details.to = after.username;
  }
  if (before.admin !== after.admin) details.admin = String(after.admin);
  if (before.owner !== after.owner) details.owner = after.owner;
  const kinds: Readonly<Record<number, string>> = {
    [UserState.DEACTIVATED]: 'user_deactivated',
    [UserState.ACTIVE]: 'user_reactivated',
    [UserState.DELETED]: 'user_deleted',
  };
  const kind = before.state === after.state ? 'user_changed' : (kinds[after.state] ?? 'user_changed');
  await work.audit({ kind, user: after.id, details });
}

/** Fields are columns of the same names. */
const COMPARED = Object.keys(FIELDS) as Field[];

/** Answers UpdateUser. Writing what is there already changes nothing, the version neither. */
export async function updateUser(
  store: AuthStore,
  request: UpdateUserRequest,
  context: CallContext,
): Promise<{ user: DeepPartial<User> }> {
  const fields = readMask(request, context);
  const { user } = request;
  if (!user) throw invalidField('user', 'is missing');
  const target = await readUser(store.database.kysely<Tables>(), request.id);
  checkSubject('updateUser', context, target);
  const row = await writeStore(store, context, async (work) => {
    // Before the user's row, always: so two such changes cannot wait for each other.
    if (fields.has('admin') || fields.has('state')) await lockAdmins(work.k);
    const before = await lockUser(work.k, request.id);
    checkSubject('updateUser', context, before);
    if (request.expectedVersion !== '0' && request.expectedVersion !== before.version) {
      throw new ServiceError('VERSION_MISMATCH', `the user has version ${before.version} by now`, {
        metadata: { current: before.version },
      });
    }
    if (before.claimed_by !== '') {
      throw new ServiceError('USER_INACTIVE', 'this placeholder was claimed: change the user who claimed it');
    }
    const after = await applyFields(work, before, fields, user);
    const changed = COMPARED.filter((column) => before[column] !== after[column]);
    if (changed.length === 0) return before;
    const wasAdmin = before.admin && before.state === UserState.ACTIVE && before.kind === UserKind.PERSON;
    if (wasAdmin && !(after.admin && after.state === UserState.ACTIVE) && !(await hasOtherAdmin(work.k, before.id))) {
      throw new ServiceError('LAST_ADMIN', 'this is the last active administrator; make another one first');
    }
    after.version = String(BigInt(before.version) + 1n);
    after.modified = work.now;
    if (after.state === UserState.DELETED) {
      Object.assign(after, { username: '', username_key: null, display_name: '', email: '', email_verified: false });
      Object.assign(after, { avatar: '', admin: false, owner: '', last_seen: null });
    }
    const { id, ...values } = after;
    await work.k.updateTable('auth_user').set(values).where('id', '=', id).execute();
    if (after.state === UserState.DELETED) {
      await eraseUser(work, id);
    } else {
      if (after.username !== before.username) await noteName(work, after);
      const findable = isFindable(after.state as UserState) !== isFindable(before.state as UserState);
      if (findable || after.username !== before.username || after.display_name !== before.display_name) {
        await replaceWords(work, after);
      }
      // Tokens stay, without effect, and work again after a reactivation; sessions and codes do not.
      if (after.state === UserState.DEACTIVATED && before.state !== after.state) {
        await work.k.deleteFrom('auth_session').where('user_id', '=', id).execute();
        await work.k.deleteFrom('auth_code').where('user_id', '=', id).execute();
      }
    }
    await auditChange(work, before, after, changed);
    return after;
  });
  return { user: toUser(row, context) };
}

/** Every username that a user has had, newest first. */
export async function listUsernames(
  store: AuthStore,
  user: string,
): Promise<{ username: string; since: string; ended: string | null }[]> {
  return store.database
    .kysely<Tables>()
    .selectFrom('auth_user_name')
    .select(['username', 'since', 'ended'])
    .where('user_id', '=', user)
    .orderBy('since', 'desc')
    .execute();
}
