import assert from 'node:assert/strict';
import { FIELDS, isOpen, matchFilter } from '../../domain/index.ts';
import { type CallContext, Filter, FilterOperator, type Issue, IssueView } from '../../service/index.ts';
import { Chance, expectError, walkPages } from '../expectation.ts';
import { filterComponent } from './request.ts';
import { readSearchData, type SearchData } from './search-data.ts';
import { findNeed, makeCustomTerm, makeFilter, makeHistoryTerm, makeTerm, type TermSource } from './search-term.ts';
import type { ModelCase, ModelWorld } from './world.ts';

/** What one caller sees of the data: the naive model that answers are compared with. */
interface Reference {
  readonly context: CallContext;
  readonly issues: readonly Issue[];
  match(filter: Filter, includeArchived?: boolean): string[];
}

const references = new WeakMap<SearchData, Map<string, Promise<Reference>>>();

/** The issues as the caller reads them one by one, and which of them a Filter means. */
export function readReference(data: SearchData, context: CallContext): Promise<Reference> {
  const known = references.get(data) ?? new Map<string, Promise<Reference>>();
  references.set(data, known);
  const there = known.get(context.user);
  if (there) return there;
  const reference = makeReference(data, context);
  known.set(context.user, reference);
  return reference;
}

async function makeReference({ world, ids }: SearchData, context: CallContext): Promise<Reference> {
  const { issues } = await world.model.batchGetIssues({ ids, view: IssueView.FULL }, context);
  const updates = new Map(
    await Promise.all(issues.map(async ({ id }) => [id, await world.updates(id, context)] as const)),
  );
  const ancestry = new Map<string, readonly string[]>();
  for (const id of new Set(issues.map(({ component }) => component)))
    ancestry.set(id, (await world.model.getComponent({ id }, world.root)).component!.ancestry);
  const open = new Set(issues.filter(({ status }) => isOpen(status)).map(({ id }) => id));
  const match = (filter: Filter, includeArchived = true) => {
    const found = issues.filter((issue) => {
      const facts = {
        updates: updates.get(issue.id)!,
        attachments: 0,
        isOpen: (id: string) => open.has(id),
        isBelow: (component: string, ancestor: string) => ancestry.get(component)?.includes(ancestor) ?? false,
      };
      return (includeArchived || !issue.archived) && matchFilter(filter, issue, facts);
    });
    return found.map(({ id }) => id).sort();
  };
  return { context, issues, match };
}

/** Searches among the data, page by page, and compares with the reference; so does the count. */
export async function compareSearch(data: SearchData, reference: Reference, filter: Filter): Promise<void> {
  const { world, root } = data;
  const operands = [filterComponent(root, true), filter];
  const request = { filter: { node: { $case: 'and' as const, value: { operands } } }, includeArchived: true };
  const { context } = reference;
  const [issues, { count, more }] = await Promise.all([
    walkPages(50, async (pageToken) => {
      const answer = await world.model.searchIssues({ ...request, pageSize: 50, pageToken }, context);
      return { rows: answer.issues, nextPageToken: answer.nextPageToken };
    }),
    world.model.countIssues(request, context),
  ]);
  const found = issues.map(({ id }) => id).sort();
  const expected = reference.match(filter);
  const shown = JSON.stringify(filter.node);
  const missing = expected.filter((id) => !found.includes(id));
  const wrong = found.filter((id) => !expected.includes(id));
  assert.deepEqual(found, expected, `${shown}: missing [${missing}], wrong [${wrong}] of [${expected}]`);
  assert.deepEqual({ count, more }, { count: expected.length, more: false }, `counted otherwise with ${shown}`);
}

async function compareMany(
  world: ModelWorld,
  seed: number,
  count: number,
  make: (source: TermSource) => Filter,
  who?: (world: ModelWorld) => CallContext,
): Promise<void> {
  const data = await readSearchData(world);
  const reference = await readReference(data, who ? who(data.world) : data.world.alice);
  const all = reference.issues.length > 0 ? reference : await readReference(data, data.world.root);
  const source = { chance: new Chance(seed), data, issues: all.issues };
  const filters = Array.from({ length: count }, () => make(source));
  for (let index = 0; index < count; index += 4)
    await Promise.all(filters.slice(index, index + 4).map((filter) => compareSearch(data, reference, filter)));
}

const VIEWERS = {
  'an administrator': (world: ModelWorld) => world.root,
  'one with EDIT': (world: ModelWorld) => world.bob,
  'one with VIEW': (world: ModelWorld) => world.carol,
  'a member of a group': (world: ModelWorld) => world.dave,
  'nobody signed in': (world: ModelWorld) => world.anonymous,
} as const;

/** SearchIssues and CountIssues against the reference evaluator of the kit's `domain`. */
export const SEARCH_CASES: readonly ModelCase[] = [
  ...FIELDS.filter(({ operators }) => operators.length > 0).map((field, index): ModelCase => {
    const need = findNeed(field);
    return {
      name: `search: ${field.name}`,
      ...(need === undefined ? {} : { capability: need }),
      rule: `Lists the issues that match: one condition on ${field.name}, with each operator that it allows.`,
      async run(world) {
        // Texts that a caller may not read must not be found by it either.
        const viewers = need === 'search.text' ? [VIEWERS['one with EDIT'], VIEWERS['one with VIEW']] : [undefined];
        for (const operator of field.operators)
          for (const who of viewers) {
            const count = operator === FilterOperator.PRESENT ? 1 : 3;
            await compareMany(
              world,
              100 * index + operator + 1,
              count,
              (source) => makeTerm(field, source, operator),
              who,
            );
          }
      },
    };
  }),
  {
    name: 'search: custom fields',
    capability: 'custom_fields',
    rule: '`field.NAME` for a custom field.',
    run: (world) => compareMany(world, 31, 24, makeCustomTerm),
  },
  {
    name: 'search: was and changed',
    capability: 'search.history',
    rule: 'A condition on the history of a field.',
    run: (world) => compareMany(world, 37, 32, makeHistoryTerm),
  },
  ...Object.entries(VIEWERS).map(([name, who], index): ModelCase => {
    return {
      name: `search: random filters, seen by ${name}`,
      rule: 'Access control is part of the query: pages and counts never leak. Matches when every, at least one, not the operand matches.',
      run: (world) => compareMany(world, 1_000 + index, 24, (source) => makeFilter(source, 3), who),
    };
  }),
  {
    name: 'search: archived issues are hidden unless asked for',
    rule: 'Include archived issues. A filter that names `archived` decides by itself.',
    async run(world) {
      const component = (await world.home()).id;
      const [a, b] = await world.issues([{}, {}]);
      await world.set(b!, { archived: true });
      const find = async (request: object) =>
        (await world.model.searchIssues(request, world.alice)).issues.map(({ id }) => id);
      const filter = filterComponent(component);
      assert.deepEqual(await find({ filter }), [a!.id]);
      assert.equal((await find({ filter, includeArchived: true })).length, 2);
      const archived = {
        node: {
          $case: 'term',
          value: { field: 'archived', operator: 1, values: [{ kind: { $case: 'flag', value: true } }] },
        },
      } as const;
      const both = { node: { $case: 'and', value: { operands: [filter, archived] } } } as const;
      assert.deepEqual(await find({ filter: both }), [b!.id]);
      assert.equal((await world.model.countIssues({ filter }, world.alice)).count, 1);
    },
  },
  {
    name: 'search: finds what was written a moment ago',
    capability: 'search.text',
    rule: '`text` for a bare word: title, description and comments.',
    async run(world) {
      const issue = await world.issue({ title: 'First zebra', description: 'quokka' });
      const find = async (text: string, who = world.alice) => {
        const term = {
          field: 'text',
          operator: FilterOperator.HAS,
          values: [{ kind: { $case: 'text', value: { text } } }],
        } as const;
        const operands = [filterComponent(issue.component), { node: { $case: 'term', value: term } }] as const;
        return (await world.model.countIssues({ filter: { node: { $case: 'and', value: { operands } } } }, who)).count;
      };
      assert.deepEqual([await find('zebra'), await find('QUOKKA'), await find('okapi')], [1, 1, 0]);
      const { issue: renamed } = await world.set(issue, { title: 'First okapi' });
      assert.deepEqual([await find('zebra'), await find('okapi')], [0, 1]);
      await world.model.updateIssue({ id: issue.id, comment: 'a numbat' }, world.alice);
      assert.equal(await find('numbat'), 1);
      await world.model.updateIssue({ id: issue.id, comment: 'a wombat', restricted: true }, world.alice);
      assert.deepEqual(
        [await find('wombat'), await find('wombat', world.carol)],
        [1, 0],
        'a restricted comment is found by those with EDIT',
      );
      if (!world.has('comment_editing')) return;
      await world.model.editComment(
        { issue: issue.id, sequence: 3, comment: 'a bilby', expectedCommentVersion: 1 },
        world.alice,
      );
      assert.deepEqual([await find('numbat'), await find('bilby')], [0, 1]);
      await world.model.redactComment({ issue: issue.id, sequence: 3 }, world.alice);
      assert.deepEqual(
        [await find('bilby'), await find('bilby', world.root)],
        [0, 0],
        'a withdrawn comment is found by nobody',
      );
      assert.equal(renamed!.version, '2');
    },
  },
  {
    name: 'search: what cannot be understood is refused',
    rule: 'A larger Filter, an unknown field or an operator that the field does not allow is INVALID_ARGUMENT (BAD_FILTER) and never ignored.',
    async run(world) {
      const text = (value: string) => ({ kind: { $case: 'text', value: { text: value } } }) as const;
      const number = { kind: { $case: 'number', value: 1 } } as const;
      const term = (field: string, operator: FilterOperator, values: object[]) =>
        Filter.fromPartial({ node: { $case: 'term', value: { field, operator, values } } });
      const nest = (depth: number): Filter =>
        depth === 0 ? term('status', 1, [number]) : { node: { $case: 'not', value: nest(depth - 1) } };
      const wide = {
        node: { $case: 'or', value: { operands: Array.from({ length: 201 }, () => term('status', 1, [number])) } },
      } as const;
      const bad: readonly Filter[] = [
        term('nonsense', FilterOperator.HAS, [text('x')]),
        term('status', FilterOperator.GREATER, [number]),
        term('status', FilterOperator.UNSPECIFIED, [number]),
        term('status', 99 as FilterOperator, [number]),
        term('status', FilterOperator.HAS, []),
        term('status', FilterOperator.HAS, [text('new')]),
        term('title', FilterOperator.HAS, [text('')]),
        term('title', FilterOperator.HAS, [text('a\0b')]),
        term('status', FilterOperator.HAS, [{}]),
        term('field.bad name', FilterOperator.HAS, [text('x')]),
        Filter.fromPartial({ node: { $case: 'history', value: { kind: 1, field: 'comment', to: [text('x')] } } }),
        nest(17),
        wide as Filter,
      ];
      for (const filter of bad) {
        await expectError(world.model.searchIssues({ filter }, world.alice), 'BAD_FILTER');
        await expectError(world.model.countIssues({ filter }, world.alice), 'BAD_FILTER');
      }
    },
  },
  {
    name: 'search: counts go as far as asked',
    rule: 'Counts the issues that match, exactly up to a limit. count: at most the limit. more: there are more.',
    async run(world) {
      await world.issues(Array.from({ length: 5 }, () => ({})));
      const filter = filterComponent((await world.home()).id);
      const count = (limit: number) => world.model.countIssues({ filter, limit }, world.alice);
      assert.deepEqual(await count(0), { count: 5, more: false });
      assert.deepEqual(await count(5), { count: 5, more: false });
      assert.deepEqual(await count(4), { count: 4, more: true });
    },
  },
];
