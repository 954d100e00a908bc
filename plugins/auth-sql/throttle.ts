import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { type CallContext, ServiceError } from '@bugless/kit/service';
import { sql } from 'kysely';
import { type AuthStore, toTime, type Work, writeStore } from './store.ts';
import { computeDelay, countTry, THROTTLE_RULES, type ThrottleRule, type ThrottleState } from './throttle-delay.ts';
import { toUsernameKey } from './username.ts';

/** How long an address is known to have logged in to an account. */
const KNOWN_MILLIS = 30 * 86_400_000;

interface ThrottleKeys {
  readonly account: string;
  readonly address: string | undefined;
  readonly known: string | undefined;
}

/** The first 64 bits of an IPv6 address: one customer has all that follow. */
export function toNetwork(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address.replace(/^::ffff:(?=\d+\.)/i, '');
  const [head = '', tail] = address.split('%')[0]!.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  const groups = [...left, ...middle, ...right].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}

/** Names are hashed: a password typed into the field of the name does not end in the store. */
function toKeys(username: string, address: string): ThrottleKeys {
  const digest = (text: string) => createHash('sha256').update(text).digest('base64url');
  const name = toUsernameKey(username);
  if (address === '') return { account: `account:${digest(name)}`, address: undefined, known: undefined };
  const network = toNetwork(address).slice(0, 100);
  return {
    account: `account:${digest(name)}`,
    address: `address:${digest(network)}`,
    known: `known:${digest(`${name}\n${network}`)}`,
  };
}

/** A counted try. */
export interface ThrottleTry {
  /** Takes the try back: it was right. From then on the address is known for the account. */
  succeed(): Promise<void>;
  /** Takes the try back without an outcome: the password was never looked at. */
  withdraw(): Promise<void>;
}

/** When a row may go: its failures are all forgotten and its delay is over. */
function toExpiry(rule: ThrottleRule, state: ThrottleState): number {
  return state.last + computeDelay(rule, state.failures) + rule.forgetMillis * (state.failures + 1);
}

/**
 * Counts a try to log in, in the shared store, for the account and for the address; throws
 * THROTTLED with the time to wait while either has to wait.
 *
 * An address that has logged in to the account lately is counted by itself: strangers who guess
 * at an account do not keep its owner out (OWASP, "device cookies"). Names that nobody has are
 * counted as well, so that a delay tells nothing.
 */
export async function beginTry(
  store: AuthStore,
  request: { username: string; address: string },
  context: CallContext,
): Promise<ThrottleTry> {
  const keys = toKeys(request.username, request.address);
  const all = [keys.account, keys.address, keys.known].filter((key) => key !== undefined).sort();
  const now = store.now();
  const counted = await writeStore(
    store,
    context,
    async (work) => {
      const rows = new Map(
        (
          await work.k
            .selectFrom('auth_throttle')
            .selectAll()
            .where(sql<boolean>`key = any(${all})`)
            .orderBy('key')
            .forUpdate()
            .execute()
        ).map((row) => [row.key, { failures: row.failures, last: Number(row.last) }]),
      );
      const isKnown = keys.known !== undefined && rows.has(keys.known);
      const counters: { key: string; rule: ThrottleRule; keep: number }[] = [
        isKnown
          ? { key: keys.known!, rule: THROTTLE_RULES.account, keep: KNOWN_MILLIS }
          : { key: keys.account, rule: THROTTLE_RULES.account, keep: 0 },
      ];
      if (keys.address !== undefined) counters.push({ key: keys.address, rule: THROTTLE_RULES.address, keep: 0 });
      const outcomes = counters.map(({ key, rule, keep }) => ({
        key,
        rule,
        keep,
        ...countTry(rule, rows.get(key), now),
      }));
      const waitMillis = Math.max(...outcomes.map((outcome) => outcome.waitMillis));
      if (waitMillis > 0) return { waitMillis, key: '' };
      for (const { key, rule, state, keep } of outcomes) {
        const expires = toTime(Math.max(toExpiry(rule, state), now + keep));
        const values = { failures: state.failures, last: String(state.last), expires };
        if (rows.has(key)) {
          await work.k.updateTable('auth_throttle').set(values).where('key', '=', key).execute();
        } else {
          // Two first tries at once: the second runs again and finds the row.
          await work.k
            .insertInto('auth_throttle')
            .values({ key, ...values })
            .execute();
        }
      }
      return { waitMillis: 0, key: counters[0]!.key };
    },
    { keepPrincipals: true },
  );
  if (counted.waitMillis > 0) {
    const seconds = Math.ceil(counted.waitMillis / 1000);
    throw new ServiceError('THROTTLED', `too many failed logins; try again in ${seconds} s`, {
      retryAfterMillis: counted.waitMillis,
    });
  }
  return {
    succeed: () => forgiveTry(store, keys, counted.key, context),
    withdraw: () => withdrawTry(store, keys, counted.key, context),
  };
}

const uncount = (work: Work, counted: readonly string[]) =>
  work.k
    .updateTable('auth_throttle')
    .set((expression) => ({ failures: expression('failures', '-', 1) }))
    .where('key', 'in', counted)
    .where('failures', '>', 0)
    .execute();

async function withdrawTry(store: AuthStore, keys: ThrottleKeys, counted: string, context: CallContext): Promise<void> {
  // The caller may be gone already, which is why the try is withdrawn: its signal and deadline do not bind this.
  const unbound = { ...context, signal: undefined, deadline: undefined };
  const all = keys.address === undefined ? [counted] : [counted, keys.address];
  await writeStore(store, unbound, (work) => uncount(work, all), { keepPrincipals: true });
}

async function forgiveTry(store: AuthStore, keys: ThrottleKeys, counted: string, context: CallContext): Promise<void> {
  const now = store.now();
  await writeStore(
    store,
    context,
    async (work) => {
      if (keys.known === undefined) {
        await work.k.deleteFrom('auth_throttle').where('key', '=', counted).execute();
        return;
      }
      const values = { failures: 0, last: String(now), expires: toTime(now + KNOWN_MILLIS) };
      await work.k
        .insertInto('auth_throttle')
        .values({ key: keys.known, ...values })
        .onConflict((conflict) => conflict.column('key').doUpdateSet(values))
        .execute();
      // What strangers guessed at the account stays counted: only this try is forgiven.
      await uncount(work, counted === keys.account ? [counted, keys.address!] : [keys.address!]);
    },
    { keepPrincipals: true },
  );
}
