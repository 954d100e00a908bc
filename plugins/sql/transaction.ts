import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '@bugless/kit/service';
import type { IsolationLevel } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Database } from './database.ts';
import type { Isolation } from './dialect.ts';
import { AmbiguousCommitError, isConnectTimeout } from './errors.ts';
import type { FaultHook } from './fault.ts';
import { isConnectionLoss, isRetryable, isUniqueViolation, SQL_STATE, sqlState } from './sql-state.ts';
import { type TransactionState, transactionState } from './transaction-state.ts';

/** Limits and choices of one transaction. */
export interface TransactionOptions<T> {
  /** Default: the dialect's. */
  readonly isolation?: Isolation;
  readonly readOnly?: boolean;
  /** How often the whole transaction is tried; default 12, which takes about 2 s at most. */
  readonly attempts?: number;
  /** Both are looked at before each statement and each wait; what is running on the server is bounded by statement_timeout. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since the epoch. */
  readonly deadline?: number | undefined;
  /**
   * Asked after a COMMIT whose outcome is unknown: looks the request id up, outside of any
   * transaction. A value: the transaction is stored, and this is its answer. Undefined: it is not, and is tried again.
   *
   * The request id must stand under a unique key that the transaction itself writes. Then a
   * COMMIT that the server finishes late makes the next try fail with 23505, and settle is asked again.
   */
  readonly settle?: (em: SqlEntityManager) => Promise<{ readonly value: T } | undefined>;
  /** Tests only; default the database's `faults`. */
  readonly inject?: FaultHook | undefined;
}

/** The try that is running. */
export interface TransactionAttempt {
  /** 1, 2, … */
  readonly attempt: number;
}

const ATTEMPTS = 12;

/**
 * Runs a function inside a transaction and commits it. The function may run several
 * times, each time in a fresh fork: it must have no effect outside of its entity manager.
 *
 * Tried again, whole: conflicts (40001, 40P01, at COMMIT too), a connection lost before
 * COMMIT was sent, a server that is starting; after random × min(10·2ⁿ, 500) ms.
 *
 * @throws what the function throws; the driver's error with its SQLSTATE in `code` when
 *   the tries are used up or it is none of those; AmbiguousCommitError; ServiceError CANCELLED or DEADLINE_EXCEEDED.
 */
export async function runTransaction<T>(
  db: Database,
  run: (em: SqlEntityManager, transaction: TransactionAttempt) => Promise<T>,
  options: TransactionOptions<T> = {},
): Promise<T> {
  const attempts = options.attempts ?? ATTEMPTS;
  const checkLimits = (): void => throwIfUnwanted(options);
  let wasAmbiguous = false;
  for (let attempt = 1; ; attempt += 1) {
    checkLimits();
    let refusal: unknown;
    const state: TransactionState = {
      inject: options.inject ?? db.faults,
      checkLimits() {
        try {
          checkLimits();
        } catch (error) {
          // Kept, because the ORM takes whatever comes out of the client for the driver's.
          refusal = error;
          throw error;
        }
      },
      commitSent: false,
      connectionLost: false,
    };
    try {
      return await transactionState.run(state, () =>
        db.orm.em.fork().transactional((em) => run(em, { attempt }), {
          isolationLevel: (options.isolation ?? db.dialect.defaultIsolation) as IsolationLevel,
          readOnly: options.readOnly ?? false,
          clear: true,
        }),
      );
    } catch (error) {
      if (refusal) throw refusal;
      const isLast = attempt >= attempts;
      if (isAmbiguous(error, state)) {
        wasAmbiguous = true;
        if (!options.settle) throw new AmbiguousCommitError(error);
        const settled = await settleCommit(db, options.settle, attempts, checkLimits, error);
        if (settled) return settled.value;
        if (isLast) throw error;
      } else if (wasAmbiguous && options.settle && isUniqueViolation(error)) {
        const settled = await settleCommit(db, options.settle, attempts, checkLimits, error);
        if (settled) return settled.value;
        throw error;
      } else if (isLast || !(isRetryable(error) || state.connectionLost || isConnectTimeout(error))) {
        throw error;
      }
    }
    await pause(attempt, options.signal);
  }
}

/** COMMIT was sent, and no answer says what became of it. */
function isAmbiguous(error: unknown, state: TransactionState): boolean {
  const code = sqlState(error);
  if (code === SQL_STATE.commitUnknown) return true;
  return state.commitSent && (state.connectionLost || code === SQL_STATE.cancelled || isConnectionLoss(error));
}

/** Asks until the database answers; if it does not, the outcome stays unknown. */
async function settleCommit<T>(
  db: Database,
  settle: NonNullable<TransactionOptions<T>['settle']>,
  attempts: number,
  checkLimits: () => void,
  cause: unknown,
): Promise<{ readonly value: T } | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      checkLimits();
      return await transactionState.exit(() => settle(db.orm.em.fork()));
    } catch (error) {
      if (attempt >= attempts || !(isRetryable(error) || isConnectTimeout(error))) {
        throw new AmbiguousCommitError(cause);
      }
      await pause(attempt, undefined);
    }
  }
}

function throwIfUnwanted({ signal, deadline }: Pick<TransactionOptions<unknown>, 'signal' | 'deadline'>): void {
  if (deadline !== undefined && Date.now() >= deadline) {
    throw new ServiceError('DEADLINE_EXCEEDED', 'the time allowed for the request was over before it was stored');
  }
  if (signal?.aborted) throw new ServiceError('CANCELLED', 'the caller went away', { cause: signal.reason });
}

/** Growing and random, so that rivals do not meet again at once. */
async function pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  const millis = Math.random() * Math.min(10 * 2 ** attempt, 500);
  await sleep(millis, undefined, signal ? { signal } : {}).catch(() => {});
}
