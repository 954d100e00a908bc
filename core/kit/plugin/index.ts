export type {
  JsonSchema,
  Logger,
  PluginDefinition,
  PluginDetails,
  PluginEnvironment,
  PluginInstance,
  PluginServiceName,
} from './definition.ts';
export { definePlugin } from './definition.ts';
export { type KeyPath, PluginError, type SectionPlace } from './error.ts';
export { type OpenPluginOptions, openPlugin, type PluginLink } from './host.ts';
export { CONTRACT_VERSION } from './information.ts';
export { loadPlugin } from './package.ts';
export { type PluginServer, type ServedPlugin, type ServePluginsOptions, servePlugins } from './serve.ts';
