import {
  type AuthStore,
  checkAvatar,
  checkDisplayName,
  checkEmail,
  chooseUsernames,
  type ExternalAccount,
  findUsersByVerifiedEmail,
  hasOtherAdmin,
  insertIdentity,
  insertUsers,
  lockAdmins,
  lockUser,
  setGroupMemberships,
  type Tables,
  type UserRow,
  useIdentity,
  type Work,
  writeStore,
} from '@bugless/auth-sql';
import { type CallContext, ServiceError, UserKind, UserState } from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import { decideAdmin, decideGroups, type Profile } from './claims.ts';
import type { Connection } from './connection.ts';

/** Somebody whom a provider has just vouched for. */
export interface Arrival {
  readonly connection: Connection;
  readonly account: ExternalAccount;
  readonly profile: Profile;
  /** What the provider gave for later, sealed; or empty. */
  readonly sealed: string;
  /** Where the browser is. */
  readonly address: string;
}

const notAllowed = (text: string) => new ServiceError('NOT_ALLOWED', text);
const inactive = () => notAllowed('this user is not active; ask an administrator');

async function readLinked(k: Kysely<Tables>, account: ExternalAccount): Promise<UserRow | undefined> {
  return k
    .selectFrom('auth_identity as i')
    .innerJoin('auth_user as u', 'u.id', 'i.user_id')
    .selectAll('u')
    .where('i.issuer', '=', account.issuer)
    .where('i.subject', '=', account.subject)
    .executeTakeFirst();
}

/** The one user who has the same address, verified at both ends, where the administrator opted in. */
async function findByEmail(store: AuthStore, { connection, profile }: Arrival): Promise<string | undefined> {
  if (!connection.linkByVerifiedEmail || !profile.emailVerified) return undefined;
  const found = (await findUsersByVerifiedEmail(store, profile.email)).filter((row) => row.kind === UserKind.PERSON);
  return found.length === 1 ? found[0]!.id : undefined;
}

/** A value of the provider's that is not valid here is left out: it keeps nobody from logging in. */
function orEmpty(check: () => string): string {
  try {
    return check();
  } catch (error) {
    if (error instanceof ServiceError) return '';
    throw error;
  }
}

async function createPerson(
  store: AuthStore,
  work: Work,
  { connection, account, profile, sealed, address }: Arrival,
): Promise<UserRow> {
  const wanted = profile.username || profile.email.split('@')[0] || profile.displayName;
  const [username] = await chooseUsernames(work.k, [wanted]);
  const displayName = orEmpty(() => checkDisplayName(profile.displayName, username!, 'name')) || username!;
  const email = orEmpty(() => checkEmail(profile.email, 'email'));
  const [row] = await insertUsers(store, work, [
    {
      kind: UserKind.PERSON,
      state: UserState.ACTIVE,
      username: username!,
      displayName,
      email,
      emailVerified: profile.emailVerified && email !== '',
      avatar: orEmpty(() => checkAvatar(profile.avatar, 'avatar')),
      admin: false,
      owner: '',
    },
  ]);
  await work.audit({
    kind: 'user_created',
    author: row!.id,
    user: row!.id,
    address,
    details: { username: username!, kind: 'person', connection: connection.id },
  });
  await insertIdentity(work, row!.id, account, sealed);
  return row!;
}

/** The row of who arrives, locked; linked or made where that is allowed. */
async function admit(store: AuthStore, work: Work, arrival: Arrival, candidate: string | undefined): Promise<UserRow> {
  const { connection, account, profile, sealed } = arrival;
  const linked = await readLinked(work.k, account);
  if (linked) {
    const row = await lockUser(work.k, linked.id);
    if (row.state !== UserState.ACTIVE) throw inactive();
    await useIdentity(work, account, sealed);
    return row;
  }
  if (candidate !== undefined) {
    const row = await lockUser(work.k, candidate);
    const same = row.email_verified && row.email.toLowerCase() === profile.email.toLowerCase();
    if (row.state === UserState.ACTIVE && same) {
      await insertIdentity(work, row.id, account, sealed);
      return row;
    }
  }
  if (!connection.allowCreate) {
    throw notAllowed(`nobody here has this account at ${connection.name}; ask an administrator`);
  }
  return createPerson(store, work, arrival);
}

/** Lets the provider decide who administers, but never takes the last administrator away. */
async function syncAdmin(
  store: AuthStore,
  work: Work,
  { connection, address }: Arrival,
  row: UserRow,
  wanted: boolean,
): Promise<void> {
  if (row.admin === wanted) return;
  if (!wanted && !(await hasOtherAdmin(work.k, row.id))) {
    store.log.warn(
      { user: row.id, connection: connection.id },
      'the provider does not name the last administrator as one; left as it is',
    );
    return;
  }
  await work.k
    .updateTable('auth_user')
    .set({ admin: wanted, version: String(BigInt(row.version) + 1n), modified: work.now })
    .where('id', '=', row.id)
    .execute();
  await work.audit({
    kind: 'user_changed',
    author: row.id,
    user: row.id,
    address,
    details: { admin: String(wanted), by: 'claims', connection: connection.id },
  });
}

/** Brings groups and the admin bit up to date, as far as the connection decides about them. */
async function enter(
  store: AuthStore,
  arrival: Arrival,
  context: CallContext,
  linked: UserRow | undefined,
  options: { readonly find: (work: Work) => Promise<UserRow>; readonly isLogin: boolean },
): Promise<string> {
  const { connection, profile, address } = arrival;
  const admin = decideAdmin(connection, profile);
  const groups = decideGroups(connection, profile);
  return writeStore(store, context, async (work) => {
    // Before the user's row, always, as whatever else changes who administers.
    const changesAdmin = admin !== undefined && linked?.admin !== admin;
    if (changesAdmin) await lockAdmins(work.k);
    const row = await options.find(work);
    if (changesAdmin) await syncAdmin(store, work, arrival, row, admin);
    if (groups.size > 0) await setGroupMemberships(work, row.id, groups);
    if (options.isLogin) {
      const details = { method: 'browser', connection: connection.id };
      await work.audit({ kind: 'login', author: row.id, user: row.id, address, details });
    }
    return row.id;
  });
}

/**
 * Turns an account at a provider into a user here, in one transaction: the user linked to
 * (issuer, subject) (OpenID Connect Core 1.0, section 5.7), else the one with the same verified
 * address where the connection opted in, else a new one where it may. Answers the user's id.
 *
 * Throws NOT_ALLOWED.
 */
export async function enterAccount(store: AuthStore, arrival: Arrival, context: CallContext): Promise<string> {
  const linked = await readLinked(store.database.kysely<Tables>(), arrival.account);
  const candidate = linked ? undefined : await findByEmail(store, arrival);
  const find = (work: Work) => admit(store, work, arrival, candidate);
  return enter(store, arrival, context, linked, { find, isLogin: true });
}

/** The same for an account that is linked and has a session. Throws NOT_ALLOWED when its user may not act any more. */
export async function refreshAccount(store: AuthStore, arrival: Arrival, context: CallContext): Promise<string> {
  const only = { ...arrival, connection: { ...arrival.connection, allowCreate: false } };
  const linked = await readLinked(store.database.kysely<Tables>(), arrival.account);
  const find = (work: Work) => admit(store, work, only, undefined);
  return enter(store, arrival, context, linked, { find, isLogin: false });
}
