import { definePlugin } from '@bugless/kit/plugin';
import {
  createModelInstance,
  readSharedConfiguration,
  SHARED_CONFIGURATION,
  type SharedConfiguration,
} from '@bugless/model-sql';

/** What stands under `config` of the model in the configuration file. */
export interface ModelPostgresConfiguration extends SharedConfiguration {
  /** Absent: the embedded PostgreSQL in the data folder. */
  readonly url?: string;
}

/** Database of the embedded server. */
const EMBEDDED_DATABASE = 'bugless_model';

/** The Model on PostgreSQL: on a server of yours, or on the embedded one. */
export default definePlugin<ModelPostgresConfiguration>({
  id: '@bugless/model-postgres',
  version: '0.1.0',
  contractVersions: [1],
  services: ['bugless.v1.ModelService'],
  configuration: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    additionalProperties: false,
    properties: {
      url: {
        type: 'string',
        pattern: '^postgres(ql)?://',
        'x-secret': true,
        description:
          'postgresql://user:password@host:port/database of a PostgreSQL 14 or later. Absent: an embedded PostgreSQL in the data folder.',
      },
      ...SHARED_CONFIGURATION,
    },
  },
  create(configuration, environment) {
    const { url } = configuration;
    const place =
      url === undefined
        ? {
            embedded: {
              dataDir: environment.dataDirectory,
              database: EMBEDDED_DATABASE,
              join: environment.visiting ?? false,
            },
          }
        : { url };
    return createModelInstance(
      { engine: 'postgres', ...place, ...readSharedConfiguration(configuration) },
      environment,
    );
  },
});
