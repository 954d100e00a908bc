import pg from 'pg';
import { breaksConnection, type FaultPoint } from './fault.ts';
import { isConnectionLoss, isStaleStatement, SQL_STATE, sqlState } from './sql-state.ts';
import type { StatementNames } from './statement-names.ts';
import { type TransactionState, transactionState } from './transaction-state.ts';

type QueryResult = Pick<pg.QueryResult, 'command' | 'rowCount' | 'rows'>;

/** Options beyond pg's own, handed through the pool. */
export interface ClientOptions extends pg.ClientConfig {
  /** Names for repeated statements; undefined: none are prepared. */
  statements?: StatementNames | undefined;
}

/** What the driver keeps to itself, and the pool adds. */
interface Internals {
  _queryable: boolean;
  connection: { stream: { destroy(): void } };
  release: (error?: Error | boolean) => void;
}

/**
 * The driver's client, cured of what makes a pool leak until it is dead. Kysely gives a
 * connection back only after a COMMIT or ROLLBACK that succeeds, so:
 *
 * - a ROLLBACK that fails resolves; without a server behind it the connection is destroyed first;
 * - a BEGIN that fails gives its connection back itself, to be destroyed;
 * - any other statement that loses the connection marks it, so that the pool does not lend it again.
 *
 * A lost connection gets SQLSTATE 08006, and a COMMIT that the server answers with
 * ROLLBACK (a statement's error was swallowed) fails with 25P02 instead of passing for success.
 * Repeated statements with parameters are prepared under a name.
 */
export class ReliableClient extends pg.Client {
  readonly #statements: StatementNames | undefined;
  #mayPrepare = true;

  constructor(options: ClientOptions = {}) {
    super(options);
    this.#statements = options.statements;
    // The pool listens only while the client is idle; a query in flight is rejected besides.
    this.on('error', () => {});
  }

  // biome-ignore lint/suspicious/noExplicitAny: the driver's own overloads differ by what they are given.
  override connect(callback?: any): any {
    const finish = (error: Error | null | undefined, ...rest: unknown[]): void =>
      callback(error ? codeError(error, SQL_STATE.connectionNotMade) : error, ...rest);
    if (callback) return super.connect(finish);
    return super.connect().catch((error: Error) => {
      throw codeError(error, SQL_STATE.connectionNotMade);
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  override query(query: any, values?: any, callback?: any): any {
    if (typeof query !== 'string' || typeof values === 'function' || callback) {
      return super.query(query, values, callback);
    }
    const state = transactionState.getStore();
    const parameters = values as unknown[] | undefined;
    if (parameters !== undefined && parameters.length > 0) return this.#runStatement(query, parameters, state);
    if (query === 'begin' || query.startsWith('start transaction')) return this.#begin(query, state);
    if (query === 'commit') return this.#commit(state);
    if (query === 'rollback') return this.#rollback();
    return this.#runStatement(query, undefined, state);
  }

  async #begin(sql: string, state: TransactionState | undefined): Promise<QueryResult> {
    try {
      this.#injectFault('begin', sql, state);
      return await super.query(sql);
    } catch (error) {
      const coded = this.#noteLoss(error as Error, state);
      const internals = this as unknown as Internals;
      const { release } = internals;
      // Kysely's other kind of transaction gives it back once more.
      internals.release = () => {};
      release(coded);
      throw coded;
    }
  }

  async #commit(state: TransactionState | undefined): Promise<QueryResult> {
    state?.checkLimits();
    try {
      this.#injectFault('commit', 'commit', state);
      if (state) state.commitSent = true;
      const result = await super.query('commit');
      if (result.command === 'ROLLBACK') {
        if (state) state.commitSent = false;
        throw Object.assign(new Error('COMMIT of a transaction in which a statement had failed'), {
          code: SQL_STATE.abortedTransaction,
        });
      }
      this.#injectFault('committed', 'commit', state);
      return result;
    } catch (error) {
      throw this.#noteLoss(error as Error, state);
    }
  }

  async #rollback(): Promise<QueryResult> {
    try {
      return await super.query('rollback');
    } catch (error) {
      const code = sqlState(error);
      if (code === undefined || /^08|^57/.test(code)) this.#destroy();
      return { command: 'ROLLBACK', rowCount: null, rows: [] };
    }
  }

  async #runStatement(
    sql: string,
    values: unknown[] | undefined,
    state: TransactionState | undefined,
  ): Promise<QueryResult> {
    state?.checkLimits();
    const name = values && this.#mayPrepare ? this.#statements?.find(sql) : undefined;
    const outside = this.getTransactionStatus() === 'I';
    try {
      this.#injectFault('statement', sql, state);
      return await (name === undefined ? super.query(sql, values) : super.query({ name, text: sql, values }));
    } catch (error) {
      if (name !== undefined && isStaleStatement(error)) {
        this.#mayPrepare = false;
        if (outside) return super.query(sql, values);
      }
      throw this.#noteLoss(error as Error, state);
    }
  }

  #injectFault(point: FaultPoint, sql: string, state: TransactionState | undefined): void {
    const fault = state?.inject?.(point, sql);
    if (!fault) return;
    if (breaksConnection(point, fault)) {
      this.#destroy();
      throw Object.assign(fault, { code: SQL_STATE.connectionLost });
    }
    throw fault;
  }

  /** Gives a lost connection its code and keeps it out of the pool. */
  #noteLoss(error: Error, state: TransactionState | undefined): Error {
    const dead = !(this as unknown as Internals)._queryable;
    const coded = dead ? codeError(error, SQL_STATE.connectionLost) : codeSystemError(error);
    if (dead || isConnectionLoss(coded)) {
      if (state) state.connectionLost = true;
      this.#destroy();
    }
    return coded;
  }

  #destroy(): void {
    const internals = this as unknown as Internals;
    internals._queryable = false;
    internals.connection.stream.destroy();
  }
}

/** Adds the SQLSTATE to an error that has none; a system's code (ECONNRESET) moves to the cause. */
function codeError(error: Error, state: string): Error {
  if (sqlState(error) !== undefined) return error;
  return Object.assign(new Error(error.message, { cause: error }), { code: state });
}

/** The first to hear of a broken socket may be the query, before the client has marked itself. */
function codeSystemError(error: Error): Error {
  const lost = 'syscall' in error || /^Connection terminated|is not queryable$/.test(error.message);
  return lost ? codeError(error, SQL_STATE.connectionLost) : error;
}
