/** All that a plugin author needs: the plugin's definition, the ports, their messages and errors, and the pure rules. */
export * from './domain/index.ts';
export * from './plugin/index.ts';
export * from './service/index.ts';
