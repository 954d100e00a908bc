import type * as TypeBox from 'typebox';

export type { Static, TSchema } from 'typebox';

type Schema = Record<string, unknown>;

/** Properties that may be absent; said of the schema beside it, as JSON Schema says it of the object. */
const optional = new WeakSet<object>();

const write =
  (fixed: Schema) =>
  (options: Schema = {}): Schema => ({ ...fixed, ...options });

const builders = {
  Array: (items: Schema, options: Schema = {}) => ({ type: 'array', items, ...options }),
  Boolean: write({ type: 'boolean' }),
  Integer: write({ type: 'integer' }),
  Literal: (value: unknown, options: Schema = {}) => ({ type: typeof value, const: value, ...options }),
  Null: write({ type: 'null' }),
  Object: (properties: Record<string, Schema>, options: Schema = {}) => {
    const required = Object.keys(properties).filter((key) => !optional.has(properties[key]!));
    return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...options };
  },
  Optional: (schema: Schema) => {
    const copy = { ...schema };
    optional.add(copy);
    return copy;
  },
  String: write({ type: 'string' }),
  Union: (anyOf: readonly Schema[], options: Schema = {}) => ({ anyOf, ...options }),
  Unsafe: (schema: Schema) => ({ ...schema }),
};

/**
 * Writes JSON Schemas, with TypeBox's types and by its names. TypeBox itself is 370 modules, of which every start
 * would load all: it is used for its types alone.
 */
export const Type = builders as unknown as Pick<typeof TypeBox.Type, keyof typeof builders>;
