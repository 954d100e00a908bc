import type { PluginEnvironment } from '@bugless/kit/plugin';
import { type Database, openDatabase } from '@bugless/sql';
import { DURATION_PATTERN, parseDuration } from './duration.ts';

/** What every authenticator on SQL takes in its configuration. */
export interface AuthSqlConfiguration {
  /** Connection string of an external server; absent: embedded Postgres in the data directory. */
  readonly url?: string;
  readonly engine?: 'postgres' | 'cockroachdb';
  /** Most connections of one process. */
  readonly poolSize?: number;
  /** False behind a pooler in transaction mode. */
  readonly prepare?: boolean;
  /** A session ends when unused for so long. */
  readonly sessionIdle?: string;
  /** A session ends so long after its login, used or not. */
  readonly sessionAbsolute?: string;
  /** How long a verified session or token is believed without asking the store again. */
  readonly verifyCache?: string;
  /** Security events older than this are removed. */
  readonly auditRetention?: string;
}

const duration = (standard: string, description: string) => ({
  type: 'string',
  pattern: DURATION_PATTERN,
  default: standard,
  description: `${description} A number with s, m, h or d.`,
});

/** The same as properties of a JSON Schema, for a plugin to spread into its own. */
export const AUTH_SQL_PROPERTIES = {
  url: {
    type: 'string',
    pattern: '^postgres(ql)?://',
    'x-secret': true,
    description: 'Connection string of an external server. Absent: embedded Postgres in the data directory.',
  },
  engine: { enum: ['postgres', 'cockroachdb'], default: 'postgres', description: 'What the server at url is.' },
  poolSize: { type: 'integer', minimum: 1, maximum: 200, default: 8, description: 'Most connections of one process.' },
  prepare: { type: 'boolean', default: true, description: 'False behind a pooler in transaction mode.' },
  sessionIdle: duration('14d', 'A session ends when unused for so long.'),
  sessionAbsolute: duration('90d', 'A session ends so long after its login, used or not.'),
  verifyCache: {
    ...duration('2s', 'How long a verified session or token is believed without asking the store again; at most 5s.'),
    pattern: '^[1-5]s$',
  },
  auditRetention: duration('400d', 'Security events older than this are removed.'),
} as const;

/** Database of the embedded server. */
const EMBEDDED_DATABASE = 'bugless_auth';

/** The configuration in numbers, defaults filled in. */
export interface AuthSettings {
  readonly sessionIdleMillis: number;
  readonly sessionAbsoluteMillis: number;
  readonly verifyCacheMillis: number;
  readonly auditRetentionMillis: number;
}

/** Reads the settings of a checked configuration. */
export function readSettings(configuration: AuthSqlConfiguration): AuthSettings {
  return {
    sessionIdleMillis: parseDuration(configuration.sessionIdle ?? '14d'),
    sessionAbsoluteMillis: parseDuration(configuration.sessionAbsolute ?? '90d'),
    verifyCacheMillis: parseDuration(configuration.verifyCache ?? '2s'),
    auditRetentionMillis: parseDuration(configuration.auditRetention ?? '400d'),
  };
}

/** Connects as the configuration says. The caller closes. */
export async function openAuthDatabase(
  configuration: AuthSqlConfiguration,
  environment: PluginEnvironment,
): Promise<Database> {
  if (configuration.url === undefined && configuration.engine === 'cockroachdb') {
    throw new Error('url: is missing; engine cockroachdb needs the url of a server (the embedded one is PostgreSQL)');
  }
  const place =
    configuration.url === undefined
      ? {
          embedded: {
            dataDir: environment.dataDirectory,
            database: EMBEDDED_DATABASE,
            join: environment.visiting ?? false,
          },
        }
      : { url: configuration.url };
  return openDatabase({
    engine: configuration.engine ?? 'postgres',
    ...place,
    entities: [],
    pool: { max: configuration.poolSize ?? 8 },
    prepare: configuration.prepare ?? true,
    applicationName: 'bugless-auth',
    log: environment.log,
  });
}
