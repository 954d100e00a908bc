/** The Model on SQL. Two plugins are made of it; what differs between them is the dialect of their engine. */

export { readSharedConfiguration, SHARED_CONFIGURATION, type SharedConfiguration } from './configuration.ts';
export { ENTITIES } from './entity/index.ts';
export { createModel } from './model.ts';
export { createModelInstance, listCapabilities, type OpenStore, openStore } from './plugin.ts';
export { MIGRATIONS } from './schema/index.ts';
export type { ModelTables } from './schema/tables.ts';
export type { Store } from './store.ts';
