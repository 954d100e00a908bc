import { readFileSync } from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { PluginDefinition } from './definition.ts';
import { formatProblem, PluginError, type SectionPlace } from './error.ts';

/**
 * Loads a plugin by the name that stands in a configuration: an npm package, looked for from the folder
 * first and then beside the kit itself, or a path that starts with a dot or a slash.
 *
 * @throws PluginError when it is not installed, cannot be loaded, or is no plugin.
 */
export async function loadPlugin(name: string, folder: string, place: SectionPlace): Promise<PluginDefinition> {
  const refuse = (text: string, cause?: unknown): PluginError =>
    new PluginError([formatProblem(place, ['plugin'], text)], cause);
  const isPath = /^(?:\.{0,2}\/|[A-Za-z]:[\\/])/.test(name);
  const file = isPath ? resolve(folder, name) : (findPackage(name, join(folder, 'from')) ?? findOwn(name));
  if (file === undefined) throw refuse(`package "${name}" is not installed; run: npm install ${name}`);
  let module: { default?: unknown };
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    const missing = isPath && (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    throw refuse(missing ? `there is no module ${file}` : `"${name}" cannot be loaded: ${why}`, error);
  }
  const fault = findFault(module.default);
  if (fault !== undefined) throw refuse(`"${name}" is no Bugless plugin: ${fault}; export default definePlugin({ … })`);
  return module.default as PluginDefinition;
}

/** Undefined: the value has the shape of a definition. */
export function findFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'it has no default export';
  const definition = value as Partial<Record<keyof PluginDefinition, unknown>>;
  if (typeof definition.id !== 'string' || definition.id === '') return 'its "id" is no text';
  if (typeof definition.version !== 'string') return 'its "version" is no text';
  if (!Array.isArray(definition.contractVersions)) return 'its "contractVersions" is no list';
  if (!Array.isArray(definition.services) || definition.services.length === 0) return 'its "services" is no list';
  if (typeof definition.configuration !== 'object' || definition.configuration === null) {
    return 'its "configuration" is no JSON Schema';
  }
  if (typeof definition.create !== 'function') return 'its "create" is no function';
  return undefined;
}

function findOwn(name: string): string | undefined {
  return findPackage(name, import.meta.filename);
}

/** File that a package's main entry resolves to from a file; undefined: not installed there. */
function findPackage(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch (error) {
    // A package for `import` alone: require finds it, but not its entry.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined;
    const manifest = findPackageJSON(name, pathToFileURL(from));
    if (manifest === undefined) return undefined;
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown };
    const entry = chooseEntry(exports);
    return entry === undefined ? undefined : join(dirname(manifest), entry);
  }
}

function chooseEntry(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  for (const [key, value] of Object.entries(exports)) {
    if (['.', 'import', 'node', 'default'].includes(key)) {
      const entry = chooseEntry(value);
      if (entry !== undefined) return entry;
    }
  }
  return undefined;
}
