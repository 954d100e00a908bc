/** Bugless as a library: what the command line is made of. */
export type { Config, ConfigSource } from './config/index.ts';
export { CONFIG_SCHEMA, ConfigError, loadConfig } from './config/index.ts';
export { createServer } from './http/server.ts';
export type { Services } from './http/services.ts';
export { openLog } from './log.ts';
export { openPlugins } from './plugins.ts';
export { createServices, startTracker, type Tracker } from './tracker.ts';
export { VERSION } from './version.ts';
