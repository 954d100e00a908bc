import { definePlugin } from '@bugless/kit/plugin';
import {
  createModelInstance,
  readSharedConfiguration,
  SHARED_CONFIGURATION,
  type SharedConfiguration,
} from '@bugless/model-sql';

/** What stands under `config` of the model in the configuration file. */
export interface ModelCockroachdbConfiguration extends SharedConfiguration {
  readonly url: string;
  readonly followerReads: boolean;
}

/** The Model on CockroachDB. */
export default definePlugin<ModelCockroachdbConfiguration>({
  id: '@bugless/model-cockroachdb',
  version: '0.1.0',
  contractVersions: [1],
  services: ['bugless.v1.ModelService'],
  configuration: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    additionalProperties: false,
    required: ['url'],
    properties: {
      url: {
        type: 'string',
        pattern: '^postgres(ql)?://',
        'x-secret': true,
        description: 'postgresql://user:password@host:26257/database of a CockroachDB v23.2 or later.',
      },
      followerReads: {
        type: 'boolean',
        default: false,
        description:
          'Read lists of issues from the nearest replica, as they were some 5 seconds ago. Who may see what is decided as of now.',
      },
      ...SHARED_CONFIGURATION,
    },
  },
  create(configuration, environment) {
    const { limits, ...options } = readSharedConfiguration(configuration);
    const { url, followerReads } = configuration;
    return createModelInstance(
      { engine: 'cockroachdb', url, ...options, limits: { ...limits, followerReads } },
      environment,
    );
  },
});
