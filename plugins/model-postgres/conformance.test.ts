import { conformModel, TRANSPORTS } from '@bugless/kit/conformance';
import { startTestDatabase } from '@bugless/sql/testing';
import t from 'tap';

/** Less than the default: the suite sends a file that is too large. */
const MAX_ATTACHMENT_SIZE = 4 * 1024 * 1024;

// A fresh database each: an engine without statistics is what a new tracker has.
for (const transport of TRANSPORTS) {
  const { url } = await startTestDatabase(t);
  await conformModel(t, {
    plugin: '@bugless/model-postgres',
    config: { url, maxAttachmentSize: MAX_ATTACHMENT_SIZE },
    transports: [transport],
  });
}
