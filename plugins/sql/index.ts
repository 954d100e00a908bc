/** What the SQL plugins share. One line a noun; the README shows them together. */

export { type Database, type DatabaseOptions, openDatabase } from './database.ts';
export { DatabaseError, type DatabaseErrorCode } from './database-error.ts';
export { DIALECTS, type Dialect, type Engine, type Isolation } from './dialect.ts';
export { EmbeddedError, type EmbeddedErrorCode } from './embedded/error.ts';
export { acquireEmbeddedPostgres, type EmbeddedLease } from './embedded/registry.ts';
export { type EmbeddedOptions, type EmbeddedServer, startEmbeddedPostgres } from './embedded/server.ts';
export type { ServerSettings } from './embedded/settings.ts';
export { AmbiguousCommitError, toServiceError } from './errors.ts';
export type { FaultHook, FaultPoint } from './fault.ts';
export { type Log, SILENT_LOG } from './log.ts';
export {
  checkMigrations,
  defineMigrations,
  type MigrateOptions,
  type Migration,
  MigrationError,
  type MigrationErrorCode,
  type MigrationState,
  type Migrations,
  migrate,
} from './migrations.ts';
export type { ServerVersion } from './server-version.ts';
export { isConflict, isConnectionLoss, isRetryable, isUniqueViolation, sqlState } from './sql-state.ts';
export { TimestampType } from './timestamp-type.ts';
export { runTransaction, type TransactionAttempt, type TransactionOptions } from './transaction.ts';
export { formatTimestamp } from './value-parser.ts';
