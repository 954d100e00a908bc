import { SQL_STATE, sqlState } from './sql-state.ts';

/** Where a fault can be put: before BEGIN, before a statement, before COMMIT; after COMMIT has succeeded. */
export type FaultPoint = 'begin' | 'statement' | 'commit' | 'committed';

/**
 * For tests: is asked at every point of every transaction that runTransaction runs, and
 * may answer with the error to fail with (makeFault). Without SQLSTATE, and always after
 * `committed`, the connection is destroyed as well, as when the server dies.
 */
export type FaultHook = (point: FaultPoint, sql: string) => Error | undefined;

/** Makes the error that a server answering with this SQLSTATE would cause; without one, a lost connection. */
export function makeFault(state?: string): Error {
  const error = new Error(state === undefined ? 'injected: connection lost' : `injected: ${state}`);
  return state === undefined ? error : Object.assign(error, { code: state });
}

/** Whether a fault stands for a lost connection. */
export function breaksConnection(point: FaultPoint, fault: Error): boolean {
  return point === 'committed' || (sqlState(fault) ?? SQL_STATE.connectionLost).startsWith('08');
}
