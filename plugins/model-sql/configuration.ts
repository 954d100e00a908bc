import type { JsonSchema } from '@bugless/kit/plugin';
import type { DatabaseOptions } from '@bugless/sql';
import { EVENT_RETENTION_DAYS, MAX_ATTACHMENT_SIZE, type StoreLimits } from './plugin.ts';

/** Keys that both plugins take, beside their url. */
export const SHARED_CONFIGURATION: JsonSchema = {
  poolSize: {
    type: 'integer',
    minimum: 2,
    maximum: 200,
    default: 10,
    description: 'Connections to the database at most.',
  },
  statementTimeout: {
    type: 'integer',
    minimum: 0,
    default: 30_000,
    description: 'Milliseconds after which the server ends a statement; 0: never.',
  },
  lockTimeout: {
    type: 'integer',
    minimum: 0,
    default: 10_000,
    description: 'Milliseconds that a statement waits for a lock; 0: for ever.',
  },
  maxAttachmentSize: {
    type: 'integer',
    minimum: 1,
    maximum: 2 ** 40,
    default: MAX_ATTACHMENT_SIZE,
    description: 'Largest attachment, in bytes.',
  },
  eventRetentionDays: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 3_650,
    default: EVENT_RETENTION_DAYS,
    description: 'Days for which events are kept: so long may a receiver of events be away without missing any.',
  },
  prepare: {
    type: 'boolean',
    default: true,
    description: 'Prepare repeated statements. False behind a pooler in transaction mode.',
  },
};

/** What SHARED_CONFIGURATION describes. */
export interface SharedConfiguration {
  readonly poolSize: number;
  readonly statementTimeout: number;
  readonly lockTimeout: number;
  readonly maxAttachmentSize: number;
  readonly eventRetentionDays: number;
  readonly prepare: boolean;
}

/** The database options that follow from it. */
export function readSharedConfiguration(
  configuration: SharedConfiguration,
): Pick<DatabaseOptions, 'pool' | 'timeouts' | 'prepare'> & { limits: StoreLimits } {
  const { poolSize, statementTimeout, lockTimeout, prepare, maxAttachmentSize, eventRetentionDays } = configuration;
  return {
    pool: { max: poolSize },
    timeouts: { statementMillis: statementTimeout, lockMillis: lockTimeout },
    prepare,
    limits: { maxAttachmentSize, eventRetentionDays },
  };
}
