import type { Logger, PluginEnvironment } from '@bugless/kit/plugin';
import { type CallContext, ServiceError } from '@bugless/kit/service';
import {
  checkMigrations,
  type Database,
  isUniqueViolation,
  migrate,
  runTransaction,
  toServiceError,
} from '@bugless/sql';
import type { Kysely } from 'kysely';
import { type AuditEntry, writeAudit } from './audit.ts';
import type { AuthSettings } from './configuration.ts';
import { createIdSource, createPositionSource } from './id.ts';
import { MIGRATIONS } from './migrations.ts';
import { PrincipalCache } from './principal-cache.ts';
import type { Tables } from './tables.ts';

/** How first passwords are checked and hashed: given by the plugin that owns passwords. */
export interface PasswordSetter {
  /** Throws INVALID_ARGUMENT (WEAK_PASSWORD) naming `field`, or hashes. `username` may not be the password. */
  hash(password: string, username: string, field: string, context: CallContext): Promise<HashedPassword>;
}

/** A password as it is stored. */
export interface HashedPassword {
  readonly hash: string;
  readonly cost: number;
}

/** An open store: what every function of this package works on. */
export interface AuthStore {
  readonly database: Database;
  readonly settings: AuthSettings;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly createId: () => string;
  readonly createPosition: () => string;
  readonly principals: PrincipalCache;
  /** Absent where no plugin of this process sets passwords. */
  readonly passwords: PasswordSetter | undefined;
  /** Identifies the stored data (GetInfo.data_id). */
  readonly dataId: string;
}

/** Brings the schema up to date and opens a store on a connected database. */
export async function openStore(
  database: Database,
  options: { settings: AuthSettings; environment: PluginEnvironment; passwords?: PasswordSetter },
): Promise<AuthStore> {
  const { settings, environment } = options;
  const { log, now } = environment;
  const { pending } = await checkMigrations(database, MIGRATIONS);
  if (pending.length > 0) await migrate(database, MIGRATIONS, { log });
  const createId = createIdSource(now);
  const k = database.kysely<Tables>();
  await k
    .insertInto('auth_setting')
    .values({ name: 'data_id', value: createId() })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const setting = await k
    .selectFrom('auth_setting')
    .select('value')
    .where('name', '=', 'data_id')
    .executeTakeFirstOrThrow();
  return {
    database,
    settings,
    log,
    now,
    createId,
    createPosition: createPositionSource(now),
    principals: new PrincipalCache({ maxAgeMillis: settings.verifyCacheMillis, now }),
    passwords: options.passwords,
    dataId: setting.value,
  };
}

/** A transaction under way. */
export interface Work {
  readonly k: Kysely<Tables>;
  /** One time for all that the transaction writes. */
  readonly now: string;
  /** Writes to the log of security events; the author is the caller unless given. */
  audit(entry: AuditEntry): Promise<void>;
}

/** How a transaction runs. */
export interface WriteOptions<T> {
  /** Nothing that principals consist of is changed. Default: all that was verified before is asked for again. */
  readonly keepPrincipals?: boolean;
  /** After a commit whose answer was lost: the answer, if it is there. */
  readonly settle?: (k: Kysely<Tables>) => Promise<T | undefined>;
}

/** Unique names are chosen by reading first; how often a race over them is run again. */
const UNIQUE_ATTEMPTS = 5;

/** Runs `change` in a transaction, possibly several times: it must have no effect outside of it. */
export async function writeStore<T>(
  store: AuthStore,
  context: CallContext,
  change: (work: Work) => Promise<T>,
  options: WriteOptions<T> = {},
): Promise<T> {
  const { settle } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await runTransaction(
        store.database,
        async (em) => {
          const k = em.getKysely<Tables>();
          const now = toTime(store.now());
          const audit = (entry: AuditEntry) =>
            writeAudit(k, store.createPosition, { created: now, author: context.user, ...entry });
          return change({ k, now, audit });
        },
        {
          signal: context.signal,
          deadline: context.deadline,
          settle: settle
            ? async (em) => {
                const value = await settle(em.getKysely<Tables>());
                return value === undefined ? undefined : { value };
              }
            : undefined,
        },
      );
      return answer;
    } catch (error) {
      // Two of the same at once: the second reads what the first wrote, and answers by it.
      if (!isUniqueViolation(error) || attempt === UNIQUE_ATTEMPTS) throw error;
    } finally {
      // Also after an error: whether a lost commit took place is not known.
      if (!options.keepPrincipals) store.principals.clear();
    }
  }
}

/** A time as the tables and messages hold it. */
export function toTime(millis: number): string {
  return new Date(millis).toISOString();
}

/** What may leave a plugin, of anything thrown in it. */
export function toAuthError(error: unknown): ServiceError {
  if (isUniqueViolation(error)) {
    return new ServiceError('CONFLICT', 'somebody else changed the same thing at the same time', { cause: error });
  }
  return toServiceError(error);
}
