import {
  type AuthStore,
  beginTry,
  readPrincipal,
  type Tables,
  type ThrottleTry,
  toTime,
  toUsernameKey,
  writeStore,
} from '@bugless/auth-sql';
import {
  type AuthenticatePasswordRequest,
  type CallContext,
  type Principal,
  ServiceError,
  UserState,
} from '@bugless/kit/service';
import type { BcryptQueue } from './bcrypt-queue.ts';
import type { DummyHashes } from './dummy-hash.ts';
import { isHashable, normalizePassword } from './password-rule.ts';

/** Bytes of a password that are looked at at all. */
const MAX_TYPED_BYTES = 1000;
const MAX_TYPED_NAME = 200;

/** What checking passwords needs. */
export interface PasswordChecker {
  readonly queue: BcryptQueue;
  readonly dummies: DummyHashes;
  /** Cost of new hashes. */
  readonly cost: number;
}

/** The one failure of every login, whatever was wrong. */
export const badCredentials = () => new ServiceError('BAD_CREDENTIALS', 'the username or the password is wrong');

/** A password as stored, with whether its user may log in. */
export interface StoredPassword {
  readonly user: string;
  readonly hash: string;
  readonly cost: number;
}

/**
 * Compares a password, in the same time whatever the outcome: a name that nobody has, one
 * without a password, and one that may not log in all cost what the dearest hash costs; a
 * hash of a lower cost is followed by dummies that make up for it (2^c + 2^c + … + 2^(C-1) = 2^C).
 */
export async function comparePassword(
  checker: PasswordChecker,
  password: string,
  stored: StoredPassword | undefined,
  context: CallContext,
): Promise<boolean> {
  const { dummies, queue } = checker;
  const typed = normalizePassword(password);
  const usable = isHashable(typed);
  // bcrypt would compare the first 72 bytes alone, and might match.
  const compared = usable ? typed : 'x';
  const first = stored && usable ? stored.hash : dummies.get(dummies.cost);
  const cost = stored && usable ? stored.cost : dummies.cost;
  const pairs = [{ password: compared, hash: first }];
  for (let more = cost; more < dummies.cost; more += 1) pairs.push({ password: compared, hash: dummies.get(more) });
  const matches = await queue.compare(pairs, context);
  return matches && stored !== undefined && usable;
}

async function readStored(
  store: AuthStore,
  username: string,
): Promise<(StoredPassword & { state: number }) | undefined> {
  return store.database
    .kysely<Tables>()
    .selectFrom('auth_user as u')
    .innerJoin('auth_password as p', 'p.user_id', 'u.id')
    .select(['u.id as user', 'u.state', 'p.hash', 'p.cost'])
    .where('u.username_key', '=', toUsernameKey(username))
    .executeTakeFirst();
}

/**
 * Brings the hash of a right password to a cost that grew since. Compare-and-swap on the old
 * hash: a password changed meanwhile stays.
 */
async function rehash(
  store: AuthStore,
  checker: PasswordChecker,
  stored: StoredPassword,
  password: string,
  context: CallContext,
): Promise<void> {
  if (stored.cost >= checker.cost) return;
  try {
    const hash = await checker.queue.hash(normalizePassword(password), checker.cost, context);
    await store.database
      .kysely<Tables>()
      .updateTable('auth_password')
      .set({ hash, cost: checker.cost })
      .where('user_id', '=', stored.user)
      .where('hash', '=', stored.hash)
      .execute();
  } catch (error) {
    // The login was right; the next one tries again.
    store.log.warn({ err: error, user: stored.user }, 'a password hash could not be brought to the present cost');
  }
}

/** A comparison that never took place (the queue was full, the caller left) is no failed login. */
export async function withdrawOnError<T>(attempt: ThrottleTry, comparison: Promise<T>): Promise<T> {
  try {
    return await comparison;
  } catch (error) {
    await attempt.withdraw();
    throw error;
  }
}

/** Answers AuthenticatePassword. */
export async function authenticatePassword(
  store: AuthStore,
  checker: PasswordChecker,
  request: AuthenticatePasswordRequest,
  context: CallContext,
): Promise<{ principal: Principal }> {
  const { username, password } = request;
  const address = request.client?.address ?? '';
  const oversized = Buffer.byteLength(password) > MAX_TYPED_BYTES || username.length > MAX_TYPED_NAME;
  if (oversized || username === '' || /\p{Cc}/u.test(username)) throw badCredentials();
  const attempt = await beginTry(store, { username, address }, context);
  const stored = await readStored(store, username);
  const usable = stored && stored.state === UserState.ACTIVE ? stored : undefined;
  const matches = await withdrawOnError(attempt, comparePassword(checker, password, usable, context));
  const principal = matches && usable ? await readPrincipal(store, usable.user, ['password']) : undefined;
  if (!principal || !usable) {
    await auditLogin(store, context, { kind: 'login_failed', user: stored?.user ?? '', address });
    throw badCredentials();
  }
  await attempt.succeed();
  await rehash(store, checker, usable, password, context);
  await auditLogin(store, context, { kind: 'login', author: usable.user, user: usable.user, address });
  return { principal: { ...principal, authenticated: toTime(store.now()) } };
}

async function auditLogin(
  store: AuthStore,
  context: CallContext,
  entry: { kind: string; author?: string; user: string; address: string },
): Promise<void> {
  await writeStore(store, context, (work) => work.audit({ ...entry, details: { method: 'password' } }), {
    keepPrincipals: true,
  });
}
