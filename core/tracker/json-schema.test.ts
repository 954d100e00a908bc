import t from 'tap';
import * as typebox from 'typebox';
import { Type } from './json-schema.ts';

/** The same schema by either builder. */
function build(type: typeof Type) {
  const item = type.Object({ id: type.String({ pattern: '^x' }), note: type.Optional(type.String()) });
  return type.Object(
    {
      items: type.Array(item, { maxItems: 3 }),
      kind: type.Union([type.Literal('bug'), type.Literal(2), type.Null()], { description: 'Either.' }),
      flag: type.Optional(type.Boolean({ default: false })),
      count: type.Optional(type.Integer({ minimum: 1 })),
      text: type.Unsafe<string>({ type: 'string', enum: ['a'] }),
      none: type.Object({}),
      loose: type.Optional(type.Object({ a: type.Optional(type.Integer()) }, { additionalProperties: false })),
      again: item,
    },
    { $id: 'Whole' },
  );
}

t.test('schemas are those of TypeBox', async (t) => {
  t.same(JSON.parse(JSON.stringify(build(Type))), JSON.parse(JSON.stringify(build(typebox.Type as typeof Type))));
  t.equal(JSON.stringify(build(Type)), JSON.stringify(build(typebox.Type as typeof Type)), 'keys in the same order');
});
