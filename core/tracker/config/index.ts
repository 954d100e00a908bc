export { ConfigError } from './error.ts';
export type { ConfigSource } from './load.ts';
export { ENVIRONMENT_NAMES, loadConfig } from './load.ts';
export type { Config, ConfigFile, PluginSettings } from './schema.ts';
export { CONFIG_SCHEMA } from './schema.ts';
