export { definePlugin } from './definition.ts';
export type {
  JsonSchema,
  Logger,
  PluginDefinition,
  PluginDetails,
  PluginEnvironment,
  PluginInstance,
  PluginServiceName,
} from './definition.ts';
