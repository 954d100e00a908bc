import { randomUUID } from 'node:crypto';
import { definePlugin } from '@bugless/kit/plugin';
import { MAX_ATTACHMENT_SIZE } from './attachments.ts';
import { createEnvironment } from './environment.ts';
import { createModel } from './model.ts';
import { MAX_PAGE_SIZE } from './page.ts';
import { MAX_EXACT_COUNT } from './search.ts';
import { Store } from './store.ts';

/**
 * A Model plugin that keeps everything in memory, to copy and to learn from. Its
 * data is gone when the process ends, so it is of no use for a real tracker.
 */
export default definePlugin<object>({
  id: '@bugless/example-model-memory',
  version: '0.1.0',
  contractVersions: [1],
  services: ['bugless.v1.ModelService'],

  // What may stand under `model.config`. This one has nothing to set; a key that is not listed is refused.
  configuration: { type: 'object', properties: {}, additionalProperties: false },

  // No I/O here: connections are opened by start.
  create(_configuration, host) {
    const store = new Store();
    const dataId = randomUUID();
    return {
      model: createModel(createEnvironment(store, host)),
      async start() {
        host.log.warn({}, 'model-memory keeps everything in memory: all is lost when this process ends');
      },
      getDetails() {
        return {
          // Say honestly what is absent, and why: the conformance suite skips those cases and core hides those pages.
          capabilities: {
            hotlists: true,
            stars: true,
            saved_searches: true,
            events: true,
            import: true,
            attachments: true,
            comment_editing: true,
            custom_fields: true,
            access: true,
            'search.text': true,
            'search.history': true,
            'search.ranked': 'an example in memory ranks nothing',
            webhooks: 'an example in memory has no outbox to deliver from',
            summary: 'an example in memory counts nothing for plots',
          },
          maxPageSize: MAX_PAGE_SIZE,
          maxAttachmentSize: MAX_ATTACHMENT_SIZE,
          maxExactCount: MAX_EXACT_COUNT,
          dataId,
        };
      },
      // Memory is always there; a database would be asked whether it answers.
      async checkReady() {},
      // Every write is done when its call answers, and streams end with their callers: nothing to wait for.
      async drain() {},
      async stop() {},
    };
  },
});
