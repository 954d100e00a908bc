import { AsyncLocalStorage } from 'node:async_hooks';
import type { FaultHook } from './fault.ts';

/**
 * What the client must know of the transaction that it serves. It travels with the
 * asynchronous context, since the ORM stands between runTransaction and the client.
 */
export interface TransactionState {
  readonly inject: FaultHook | undefined;
  /** Throws when nobody waits for the answer any more. */
  readonly checkLimits: () => void;
  /** COMMIT has been handed to the socket: from here on a lost connection leaves the outcome open. */
  commitSent: boolean;
  connectionLost: boolean;
}

export const transactionState = new AsyncLocalStorage<TransactionState>();
