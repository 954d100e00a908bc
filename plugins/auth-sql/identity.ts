import { type CallContext, ServiceError, UserState } from '@bugless/kit/service';
import { type AuthStore, type Work, writeStore } from './store.ts';
import type { Tables } from './tables.ts';
import { lockUser, readUser, type UserRow } from './user.ts';
import { cutText, toUsernameKey } from './username.ts';

const MAX_LABEL_LENGTH = 200;

/** An account elsewhere, as a provider names it. */
export interface ExternalAccount {
  /** OpenID issuer, or what the connection is configured to be one. */
  readonly issuer: string;
  /** Unique and never reused within the issuer. */
  readonly subject: string;
  /** Name of the configured connection. */
  readonly connection: string;
  /** What the account is called there, for people. */
  readonly label: string;
}

/** A link between such an account and a user here. */
export interface Identity extends ExternalAccount {
  readonly user: string;
  /** What the plugin sealed (a refresh token), or empty. */
  readonly sealed: string;
  readonly created: string;
  readonly used: string;
}

const COLUMNS = ['issuer', 'subject', 'user_id as user', 'connection', 'label', 'sealed', 'created', 'used'] as const;

/** Whether the store can hold such an account: OpenID Connect Core 1.0 allows a subject 255 ASCII characters. */
function isHoldable(account: { issuer: string; subject: string }): boolean {
  return [account.issuer, account.subject].every((text) => text !== '' && text.length <= 2000 && !/\p{Cc}/u.test(text));
}

/** Finds the link of an account elsewhere, by (issuer, subject) alone. */
export async function findIdentity(
  store: AuthStore,
  account: { issuer: string; subject: string },
): Promise<Identity | undefined> {
  if (!isHoldable(account)) return undefined;
  return store.database
    .kysely<Tables>()
    .selectFrom('auth_identity')
    .select(COLUMNS)
    .where('issuer', '=', account.issuer)
    .where('subject', '=', account.subject)
    .executeTakeFirst();
}

/** The links of a user, oldest first. */
export async function listIdentities(store: AuthStore, user: string): Promise<Identity[]> {
  return store.database
    .kysely<Tables>()
    .selectFrom('auth_identity')
    .select(COLUMNS)
    .where('user_id', '=', user)
    .orderBy('created')
    .execute();
}

/**
 * Links an account within a transaction. Of two links of one account the primary key lets one
 * win; writeStore then runs the other again, which has to look first.
 */
export async function insertIdentity(work: Work, user: string, account: ExternalAccount, sealed = ''): Promise<void> {
  if (!isHoldable(account)) throw new ServiceError('NOT_ALLOWED', 'the provider answered with an unusable subject');
  const { issuer, subject, connection } = account;
  const label = cutText(account.label, MAX_LABEL_LENGTH);
  await work.k
    .insertInto('auth_identity')
    .values({ issuer, subject, connection, label, user_id: user, sealed, created: work.now, used: work.now })
    .execute();
  await work.audit({
    kind: 'identity_linked',
    author: user,
    user,
    details: { connection, issuer, label },
  });
}

/** Notes the use of a link and keeps what the provider says by now. */
export async function useIdentity(work: Work, account: ExternalAccount, sealed = ''): Promise<void> {
  await work.k
    .updateTable('auth_identity')
    .set({ connection: account.connection, label: cutText(account.label, MAX_LABEL_LENGTH), sealed, used: work.now })
    .where('issuer', '=', account.issuer)
    .where('subject', '=', account.subject)
    .execute();
}

/** Ends a link. One not there is no error. */
export async function removeIdentity(
  store: AuthStore,
  account: { issuer: string; subject: string },
  context: CallContext,
): Promise<void> {
  await writeStore(store, context, async (work) => {
    const row = await work.k
      .deleteFrom('auth_identity')
      .where('issuer', '=', account.issuer)
      .where('subject', '=', account.subject)
      .returning(['user_id', 'connection'])
      .executeTakeFirst();
    if (!row) return;
    await work.audit({ kind: 'identity_unlinked', user: row.user_id, details: { connection: row.connection } });
  });
}

/**
 * Users whose address is known to be theirs, compared without case: for linking by e-mail where
 * the administrator opted in. More than one means: link nobody.
 */
export async function findUsersByVerifiedEmail(store: AuthStore, email: string): Promise<UserRow[]> {
  if (email === '' || email.includes('\0')) return [];
  return store.database
    .kysely<Tables>()
    .selectFrom('auth_user')
    .selectAll()
    .where((expression) => expression(expression.fn<string>('lower', ['email']), '=', email.toLowerCase()))
    .where('email_verified', '=', true)
    .where('state', '=', UserState.ACTIVE)
    .limit(2)
    .execute();
}

/** Reads a user by id. Throws USER_NOT_FOUND. */
export async function findUser(store: AuthStore, id: string): Promise<UserRow> {
  return readUser(store.database.kysely<Tables>(), id);
}

/** Sets the membership of a user in groups by name within a transaction; a group that is not there is left out. */
export async function setGroupMemberships(
  work: Work,
  user: string,
  groups: ReadonlyMap<string, boolean>,
): Promise<string[]> {
  await lockUser(work.k, user);
  const changed: string[] = [];
  const keys = new Map(
    [...groups].filter(([name]) => !/\p{Cc}/u.test(name)).map(([name, member]) => [toUsernameKey(name), member]),
  );
  if (keys.size === 0) return [];
  const rows = await work.k
    .selectFrom('auth_group as g')
    .leftJoin('auth_group_member as m', (join) => join.onRef('m.group_id', '=', 'g.id').on('m.member', '=', user))
    .select(['g.id', 'g.name', 'g.name_key', 'm.member'])
    .where('g.name_key', 'in', [...keys.keys()])
    .execute();
  for (const row of rows) {
    const wanted = keys.get(row.name_key) === true;
    if (wanted === (row.member !== null)) continue;
    changed.push(row.name);
    if (wanted) {
      await work.k
        .insertInto('auth_group_member')
        .values({ group_id: row.id, member: user, is_group: false })
        .onConflict((conflict) => conflict.columns(['group_id', 'member']).doNothing())
        .execute();
    } else {
      await work.k.deleteFrom('auth_group_member').where('group_id', '=', row.id).where('member', '=', user).execute();
    }
  }
  if (changed.length > 0) {
    await work.audit({
      kind: 'group_changed',
      author: user,
      user,
      details: { names: changed.join(','), by: 'claims' },
    });
  }
  return changed;
}
