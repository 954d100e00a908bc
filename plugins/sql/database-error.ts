/**
 * Why a database cannot be opened:
 * - `BAD_OPTIONS`: neither or both of url and embedded, or a url that is none;
 * - `UNREACHABLE`: nothing answers there;
 * - `REFUSED`: the server answers and refuses the user, the password or the database;
 * - `WRONG_ENGINE`, `OLD_SERVER`: another server than the plugin is for.
 */
export type DatabaseErrorCode = 'BAD_OPTIONS' | 'UNREACHABLE' | 'REFUSED' | 'WRONG_ENGINE' | 'OLD_SERVER';

/** A failure to open, with one line for the operator that says what to change; never holds the password. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
  readonly code: DatabaseErrorCode;

  constructor(code: DatabaseErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
