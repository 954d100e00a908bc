import { conformModel, TRANSPORTS } from '@bugless/kit/conformance';
import { startTestDatabase } from '@bugless/sql/testing';
import t from 'tap';

// A fresh database each: an engine without statistics is what a new tracker has.
for (const transport of TRANSPORTS) {
  const { url } = await startTestDatabase(t);
  await conformModel(t, { plugin: '@bugless/model-postgres', config: { url }, transports: [transport] });
}
