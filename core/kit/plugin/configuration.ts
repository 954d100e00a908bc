import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ErrorObject } from 'ajv';
import { findNearest } from '../domain/suggestion.ts';
import type { JsonSchema } from './definition.ts';
import { formatProblem, type KeyPath, PluginError, type SectionPlace } from './error.ts';

/** Problems told at once; the rest usually follows from them. */
const MAX_PROBLEMS = 10;

/**
 * Checks a plugin's configuration against the schema that it declares, and returns a copy with defaults
 * filled in and `file:` secrets read.
 *
 * @param folder from which relative paths of secrets start.
 * @throws PluginError with one line per wrong key, never with a value: it may be a secret.
 */
export async function checkConfiguration(
  schema: JsonSchema,
  value: unknown,
  place: SectionPlace,
  folder: string,
): Promise<unknown> {
  // Loaded here, as most of the kit's users never check a configuration.
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  const ajv = new Ajv2020({ allErrors: true, useDefaults: true, strict: false, verbose: true });
  const closed = closeSchema(schema);
  const configuration = structuredClone(value ?? {});
  const validate = ajv.compile(closed as object);
  if (!validate(configuration)) {
    // The branches of a union are told once, by the union itself.
    const errors = (validate.errors ?? []).filter((error) => !/\/(?:anyOf|oneOf)\/\d+\//.test(error.schemaPath));
    const problems = errors.slice(0, MAX_PROBLEMS).map((error) => describeError(error, configuration, place));
    throw new PluginError([...new Set(problems)]);
  }
  const problems: string[] = [];
  readSecrets(closed, configuration, [], { place, folder, problems });
  if (problems.length > 0) throw new PluginError(problems);
  return configuration;
}

/** An object that lists its properties has no others, unless it says so itself. */
function closeSchema(schema: JsonSchema): JsonSchema {
  const copy: Record<string, unknown> = { ...schema };
  if (isObject(schema.properties)) {
    copy.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([key, item]) => [key, isObject(item) ? closeSchema(item) : item]),
    );
    if (!('additionalProperties' in schema) && !('unevaluatedProperties' in schema)) copy.additionalProperties = false;
  }
  if (isObject(schema.items)) copy.items = closeSchema(schema.items);
  return copy;
}

function describeError(error: ErrorObject, configuration: unknown, place: SectionPlace): string {
  const path = ['config', ...parsePointer(error.instancePath, configuration)];
  const params = error.params as Record<string, unknown>;
  const schema = (error.parentSchema ?? {}) as Record<string, unknown>;
  const tell = (text: string, at: KeyPath = path): string => formatProblem(place, at, text);
  switch (error.keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const key = String(params.additionalProperty ?? params.unevaluatedProperty);
      const known = Object.keys(isObject(schema.properties) ? schema.properties : {});
      const near = findNearest(key, known);
      const others = known.length === 0 ? 'this plugin has no keys here' : `expected one of: ${known.join(', ')}`;
      return tell(`unknown key; ${near === undefined ? others : `did you mean "${near}"?`}`, [...path, key]);
    }
    case 'required':
      return tell('is missing', [...path, String(params.missingProperty)]);
    case 'type':
      return tell(`expected ${formatTypes(params.type)}, not ${describeType(error.data)}`);
    case 'enum':
      return tell(
        `expected one of: ${(params.allowedValues as unknown[]).map((item) => JSON.stringify(item)).join(', ')}`,
      );
    case 'const':
      return tell(`expected ${JSON.stringify(params.allowedValue)}`);
    case 'pattern':
      return tell(
        `expected ${typeof schema.description === 'string' ? schema.description : `a form like ${params.pattern}`}`,
      );
    default:
      return tell(error.message ?? 'is not valid');
  }
}

function formatTypes(type: unknown): string {
  const types = Array.isArray(type) ? type.map(String) : [String(type)];
  return types.map((name) => `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`).join(' or ');
}

function describeType(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a fraction';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

interface SecretReader {
  readonly place: SectionPlace;
  readonly folder: string;
  readonly problems: string[];
}

/** Replaces `file:PATH` under keys marked `x-secret` by what the file holds, less its last line break. */
function readSecrets(schema: JsonSchema, value: unknown, path: KeyPath, reader: SecretReader): void {
  if (Array.isArray(value) && isObject(schema.items)) {
    for (const [index, item] of value.entries()) readSecrets(schema.items, item, [...path, index], reader);
  }
  if (!isObject(value) || !isObject(schema.properties)) return;
  for (const [key, item] of Object.entries(schema.properties)) {
    const given = value[key];
    if (!isObject(item)) continue;
    if (item['x-secret'] === true && typeof given === 'string' && given.startsWith('file:')) {
      (value as Record<string, unknown>)[key] = readSecret(given.slice('file:'.length), [...path, key], reader);
    } else readSecrets(item, given, [...path, key], reader);
  }
}

function readSecret(file: string, path: KeyPath, reader: SecretReader): string {
  const whole = resolve(reader.folder, file);
  try {
    return readFileSync(whole, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const text = `the file ${whole} ${missing ? 'does not exist' : 'cannot be read'}`;
    reader.problems.push(formatProblem(reader.place, ['config', ...path], text));
    return '';
  }
}

function parsePointer(pointer: string, value: unknown): (string | number)[] {
  let node = value;
  return pointer
    .split('/')
    .slice(1)
    .map((step) => {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
      const found = Array.isArray(node) ? Number(key) : key;
      node = (node as Record<string | number, unknown> | undefined)?.[found];
      return found;
    });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
