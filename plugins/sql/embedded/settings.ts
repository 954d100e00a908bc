import { EmbeddedError } from './error.ts';

/** Server settings by name, as in postgresql.conf. */
export type ServerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * For a tracker on a small machine beside its server. Overridable by the
 * operator, apart from FIXED.
 */
const DEFAULTS: ServerSettings = {
  max_connections: 60,
  shared_buffers: '128MB',
  // One request, one core: parallel workers cost more CPU than they save time on lists of 50 rows.
  jit: false,
  max_parallel_workers_per_gather: 0,
  random_page_cost: 1.1,
  checkpoint_timeout: '15min',
  max_wal_size: '1GB',
  wal_compression: true,
  log_checkpoints: false,
  log_line_prefix: '%m [%p] ',
  // The ORM writes values into its statements: a failing one must not put them into the log.
  log_min_error_statement: 'panic',
  // Lists walk a covering index: its pages must be marked visible soon after updates, or each row costs a heap read.
  autovacuum_naptime: '10s',
  autovacuum_vacuum_scale_factor: 0.01,
  autovacuum_vacuum_threshold: 500,
  autovacuum_vacuum_insert_scale_factor: 0.01,
  autovacuum_vacuum_insert_threshold: 1000,
  autovacuum_analyze_scale_factor: 0.02,
  autovacuum_vacuum_cost_limit: 2000,
};

/** What durability, the socket and the library's own reading of values depend on. */
const FIXED: ServerSettings = {
  fsync: true,
  full_page_writes: true,
  synchronous_commit: true,
  listen_addresses: '',
  port: 5432,
  unix_socket_permissions: '0700',
  timezone: 'UTC',
  log_timezone: 'UTC',
  datestyle: 'ISO, YMD',
  lc_messages: 'C',
  logging_collector: false,
  log_destination: 'stderr',
};

const PROTECTED = new Set([
  ...Object.keys(FIXED),
  'data_directory',
  'config_file',
  'hba_file',
  'ident_file',
  'external_pid_file',
  'unix_socket_directories',
]);

/**
 * For tests alone: quick, and not durable against a crash of the machine. Commits stay
 * synchronous, for they must outlive a killed server here as well.
 */
export const VOLATILE_SETTINGS: ServerSettings = {
  fsync: false,
  full_page_writes: false,
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  io_method: 'sync',
};

/**
 * Turns settings into command-line arguments of the server.
 *
 * @throws EmbeddedError BAD_SETTING naming the setting.
 */
export function listArguments(settings: ServerSettings, volatile: boolean): string[] {
  for (const name of Object.keys(settings)) {
    if (!/^[a-z][a-z0-9_.]*$/.test(name)) {
      throw new EmbeddedError('BAD_SETTING', `${JSON.stringify(name)} is not the name of a PostgreSQL setting`);
    }
    if (PROTECTED.has(name)) {
      throw new EmbeddedError(
        'BAD_SETTING',
        `the setting ${name} of the embedded PostgreSQL is fixed: remove it, or use an external PostgreSQL by its URL`,
      );
    }
  }
  const all = { ...DEFAULTS, ...settings, ...FIXED, ...(volatile ? VOLATILE_SETTINGS : {}) };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${formatValue(value)}`]);
}

function formatValue(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}
