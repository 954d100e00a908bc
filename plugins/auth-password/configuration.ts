import { AUTH_SQL_PROPERTIES, type AuthSqlConfiguration, DURATION_PATTERN } from '@bugless/auth-sql';
import type { JsonSchema } from '@bugless/kit/plugin';

/** Configuration of the plugin; every key may be left out. */
export interface AuthPasswordConfiguration extends AuthSqlConfiguration {
  readonly bcryptCost?: number;
  readonly bcryptConcurrency?: number;
  readonly bcryptQueue?: number;
  readonly minLength?: number;
  readonly forbiddenPasswordsFile?: string;
  readonly resetLifetime?: string;
}

/** Its JSON Schema. */
export const CONFIGURATION_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...AUTH_SQL_PROPERTIES,
    bcryptCost: {
      type: 'integer',
      minimum: 4,
      maximum: 16,
      default: 12,
      description: 'Cost of new hashes: each step doubles the time. Stored ones follow at the next login.',
    },
    bcryptConcurrency: {
      type: 'integer',
      minimum: 1,
      maximum: 4,
      description: 'Hashes computed at once. Absent: half of the processors, 1 or 2.',
    },
    bcryptQueue: {
      type: 'integer',
      minimum: 1,
      maximum: 10000,
      default: 32,
      description: 'Logins that may wait for their turn; one more is told to come again later.',
    },
    minLength: {
      type: 'integer',
      minimum: 1,
      maximum: 64,
      default: 8,
      description: 'Characters that a new password has at least.',
    },
    forbiddenPasswordsFile: {
      type: 'string',
      description: 'File with passwords that nobody may choose, one a line, compared without case.',
    },
    resetLifetime: {
      type: 'string',
      pattern: DURATION_PATTERN,
      default: '24h',
      description: 'How long a code for a new password lasts. A number with s, m, h or d.',
    },
  },
};
