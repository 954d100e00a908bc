import { checkFilter, compileQuery, FIELDS, getField, parseQuery } from '@bugless/kit/domain';
import {
  type CallContext,
  createContext,
  Filter,
  FilterOperator,
  type FilterValue,
  type OrderKey,
  SearchIssuesRequest,
} from '@bugless/kit/service';
import { type CompiledQuery, CompiledQuery as Query } from 'kysely';
import t from 'tap';
import { fillComponents, fillIssues } from '../fixture/many-issues.ts';
import { openModel } from '../fixture/open-model.ts';
import { POSTGRES_SESSION } from '../plugin.ts';
import type { Store } from '../store.ts';
import { countIssues, searchIssues } from './search.ts';

/** Tables that hold rows for each issue: never read from end to end. */
const LARGE = [
  'issue',
  'issue_update',
  'issue_key',
  'issue_block',
  'doc',
  'field_change',
  'star',
  'hotlist_entry',
  'attachment',
];
/** Rows that one sort may get: as many as the longest set that is sorted whole. */
const MOST_SORTED = 10_000;

/** So many issues there are first, and then. */
const SMALL = 2_000;
const LARGE_COUNT = 15_000;
/**
 * Orders that sort all issues that are equal in the first key, so that the page costs more the more there are: an
 * index for every pair would cost each write more than these pages are worth.
 */
const SORTING = [
  'stars -modified',
  'stars modified',
  'priority -created',
  'priority severity -modified',
  'status priority -modified',
  'component priority',
  'assignee priority',
];

const VIEWERS: Readonly<Record<string, CallContext>> = {
  all: createContext({ user: 'u3', admin: true }),
  few: createContext({ user: 'u3', groups: ['few'] }),
};

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Shared Hit Blocks'?: number;
  'Shared Read Blocks'?: number;
  'Rows Removed by Filter'?: number;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

/** A search to be explained. */
interface Search {
  readonly name: string;
  readonly request: Partial<SearchIssuesRequest>;
}

const byOrder = (...order: OrderKey[]): Search => ({
  name: `order ${order.map(({ field, descending }) => `${descending ? '-' : ''}${field}`).join(' ')}`,
  request: { order },
});
const up = (field: string): OrderKey => ({ field, descending: false });
const down = (field: string): OrderKey => ({ field, descending: true });
const ORDERABLE = FIELDS.filter(({ orderable }) => orderable).map(({ name }) => name);

const ORDERS: readonly Search[] = [
  { name: 'order of itself', request: {} },
  ...ORDERABLE.flatMap((field) => [byOrder(up(field)), byOrder(down(field))]),
  ...['priority', 'severity', 'status', 'type', 'component', 'assignee', 'stars'].flatMap((field) => [
    byOrder(up(field), down('modified')),
    byOrder(down(field), down('modified')),
    byOrder(up(field), up('modified')),
  ]),
  byOrder(up('priority'), down('created')),
  byOrder(up('priority'), up('severity'), down('modified')),
  byOrder(up('status'), up('priority'), down('modified')),
  byOrder(up('component'), up('priority')),
  byOrder(up('assignee'), up('priority')),
];

const asText = (text: string, prefix = false, phrase = false) => ({ $case: 'text', value: { text, prefix, phrase } });
const asUser = (value: string) => ({ $case: 'user', value });
const asReference = (id: string, subtree = false) => ({ $case: 'reference', value: { id, subtree } });

/** Values that an issue or two have, and others that many have. */
function listValues(name: string, kind: string): object[] {
  if (name === 'hotlists') return [asReference('3')];
  switch (kind) {
    case 'text':
      return [asText('word1'), asText('word2500'), asText('word29', true), asText('word0 word1', false, true)];
    case 'enum':
      return [
        { $case: 'number', value: getField(name)!.words!.numbers[2] },
        { $case: 'range', value: { min: 1, max: 2 } },
      ];
    case 'user':
    case 'users':
      return [asUser('u0'), asUser('u351')];
    case 'component':
      return [asReference('2', true), asReference('101')];
    case 'issue':
    case 'issues':
      return [asReference('1200')];
    case 'labels':
      return [asText('label0'), asText('3.0')];
    case 'time':
      return [{ $case: 'time', value: { start: '2016-02-01T00:00:00.000Z', end: '2016-03-01T00:00:00.000Z' } }];
    case 'number':
      return [{ $case: 'number', value: 2 }];
    default:
      return [
        { $case: 'flag', value: true },
        { $case: 'flag', value: false },
      ];
  }
}

const FILTERS: readonly Search[] = FIELDS.flatMap(({ name, kind, operators }) =>
  operators.flatMap((operator) => {
    const values = operator === FilterOperator.PRESENT ? [undefined] : listValues(name, kind);
    const found = values.flatMap((value) => {
      const kinds = value === undefined ? [] : [{ kind: value as FilterValue['kind'] & object }];
      const filter = Filter.fromPartial({ node: { $case: 'term', value: { field: name, operator, values: kinds } } });
      return isAllowed(filter)
        ? [{ name: `${name} ${operator} ${JSON.stringify(value ?? '')}`, request: { filter } }]
        : [];
    });
    if (found.length === 0) throw new Error(`no value for ${name} with operator ${operator}`);
    return found;
  }),
);

function isAllowed(filter: Filter): boolean {
  try {
    checkFilter(filter);
    return true;
  } catch {
    return false;
  }
}

/** What people ask for. */
const QUERIES = [
  'is:open assignee:u0',
  'is:open assignee:me orderby:priority',
  'is:open component:2+ priority<=p1',
  'is:open label:label0 -status:new',
  'label:label0 label:label1',
  'is:open (label:label0 OR assignee:u2) orderby:-created',
  'component:40 status:fixed orderby:-modified',
  'component:2 OR component:3',
  'component:2 type:bug orderby:priority,-modified',
  'reporter:u0 is:closed orderby:created',
  'cc:u1 is:open',
  'word1 word2 is:open',
  '"word0 word1" component:2',
  'word2900 is:open orderby:-created',
  'title:word5 assignee:u0',
  'is:starred is:open',
  'is:blocked is:open priority:p0',
  'created>2016-03-01 is:open',
  'modified>2026-01-01',
  'was(assignee:u7)',
  'was(assignee:u7) is:open orderby:-created',
  'changed(status to:fixed) component:3',
  'changed(priority from:p2 to:p0)',
  'changed(assignee by:u0)',
  'hotlist:3 orderby:priority',
  'parent:100 OR blockedby:100',
  '-has:assignee',
  'assignee:none is:open orderby:-priority',
  'foundin:"3.0" targetedto:"4.1"',
  'stars>=5 orderby:-stars',
  'field.Browser:B2 is:open',
  'field.Cost>=15 is:open',
];

async function compile(text: string): Promise<Search> {
  const resolver = {
    me: 'u3',
    findUser: async (name: string) => name,
    findGroupMembers: async () => [],
    findComponent: async () => undefined,
    findHotlist: async () => undefined,
    findCustomField: async (name: string) => ({ name, kind: name === 'Cost' ? 2 : 4, options: ['B2'] }),
  };
  const { filter, order } = await compileQuery(parseQuery(text), {
    now: Date.UTC(2026, 1),
    resolver: resolver as never,
  });
  return { name: text, request: { filter, order } };
}

/** A store that remembers what its searches sent. */
function recordStatements(store: Store): { store: Store; sent: CompiledQuery[] } {
  const sent: CompiledQuery[] = [];
  const kysely = new Proxy(store.kysely, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== 'executeQuery') return typeof value === 'function' ? value.bind(target) : value;
      return (query: CompiledQuery) => {
        sent.push(query);
        return target.executeQuery(query);
      };
    },
  });
  return { store: { ...store, kysely }, sent };
}

/** A value as PREPARE's EXECUTE takes it. */
function writeLiteral(value: unknown): string {
  if (Array.isArray(value)) {
    const elements = value.map((each) => `"${String(each).replace(/["\\]/g, '\\$&')}"`);
    return `'{${elements.join(',').replaceAll("'", "''")}}'`;
  }
  return `'${String(value).replaceAll("'", "''")}'`;
}

function* walkPlan(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* walkPlan(child);
}

interface Explained {
  readonly search: string;
  readonly viewer: string;
  readonly mode: string;
  readonly sql: string;
  readonly plan: PlanNode;
}

const test = await openModel(t, { session: POSTGRES_SESSION, pool: { max: 1 } });
await fillComponents(test.db);
await fillIssues(test.db, 1, SMALL);
await test.store.components.fresh(0);
const recorded = recordStatements(test.store);
const explainer = test.db.kysely<unknown>();
const run = async <Row>(text: string) => (await explainer.executeQuery<Row>(Query.raw(text))).rows;

/** Plans of all that a search sends, as they were run: with the values known to the planner, and without. */
async function explain({ name, request }: Search, viewer: string): Promise<Explained[]> {
  recorded.sent.length = 0;
  const whole = SearchIssuesRequest.fromPartial({ pageSize: 50, ...request });
  const context = VIEWERS[viewer]!;
  const { nextPageToken } = await searchIssues(recorded.store, whole, context);
  if (nextPageToken !== '') await searchIssues(recorded.store, { ...whole, pageToken: nextPageToken }, context);
  const found: Explained[] = [];
  for (const { sql, parameters } of [...recorded.sent]) {
    // What the server expects is asked for by a plan of its own.
    if (sql.startsWith('explain')) continue;
    await run(`prepare asked as ${sql}`);
    const values = parameters.length === 0 ? '' : `(${parameters.map(writeLiteral).join(', ')})`;
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      await run(`set plan_cache_mode = ${mode}`);
      const [row] = await run<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `explain (analyze, buffers, timing off, costs off, format json) execute asked${values}`,
      );
      found.push({ search: name, viewer, mode, sql, plan: row!['QUERY PLAN'][0].Plan });
    }
    await run('deallocate asked');
  }
  return found;
}

const searches = [...ORDERS, ...FILTERS, ...(await Promise.all(QUERIES.map(compile)))];

async function explainAll(searches: readonly Search[]): Promise<Map<string, Explained[]>> {
  const plans = new Map<string, Explained[]>();
  for (const search of searches)
    for (const viewer of Object.keys(VIEWERS)) plans.set(`${search.name}, ${viewer}`, await explain(search, viewer));
  return plans;
}

const early = await explainAll(ORDERS);
await fillIssues(test.db, SMALL + 1, LARGE_COUNT);
const explained = await explainAll(searches);

t.test('no table with rows for each issue is read from end to end', async (t) => {
  const found = new Set<string>();
  for (const [name, plans] of explained)
    for (const { plan, mode } of plans)
      for (const node of walkPlan(plan))
        if (node['Node Type'] === 'Seq Scan' && LARGE.includes(node['Relation Name'] ?? ''))
          found.add(`${name}, ${mode}: ${node['Relation Name']}`);
  t.strictSame([...found], []);
});

t.test('no page sorts more than the longest set', async (t) => {
  const found = new Set<string>();
  for (const [name, plans] of explained)
    for (const { plan, mode } of plans)
      for (const node of walkPlan(plan))
        if (node['Node Type'] === 'Sort' && (node.Plans?.[0]?.['Actual Rows'] ?? 0) > MOST_SORTED)
          found.add(`${name}, ${mode}: ${node.Plans?.[0]?.['Actual Rows']} rows`);
  t.strictSame([...found], []);
});

t.test('a page reads no more among many issues than among few', async (t) => {
  const count = (plans: readonly Explained[]): number =>
    Math.max(...plans.map(({ plan }) => (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)));
  const found = new Set<string>();
  for (const [name, plans] of early) {
    if (SORTING.some((order) => name.startsWith(`order ${order},`))) continue;
    const [few, many] = [count(plans), count(explained.get(name)!)];
    if (many > 1.5 * few + 300) found.add(`${name}: ${few} blocks, then ${many}`);
  }
  t.strictSame([...found], []);
});

t.test('counts are exact up to 10,000, and then marked', async (t) => {
  const count = async (issues: number) => {
    // One is filed every 25 minutes.
    const end = new Date(Date.UTC(2016, 0, 1, 0, 25 * issues + 1)).toISOString();
    const value = { kind: { $case: 'time' as const, value: { start: undefined, end } } };
    const filter = Filter.fromPartial({
      node: { $case: 'term', value: { field: 'created', operator: FilterOperator.HAS, values: [value] } },
    });
    return countIssues(test.store, { filter, includeArchived: true, limit: 0 }, VIEWERS.all!);
  };
  t.strictSame(await count(1_234), { count: 1_234, more: false });
  t.strictSame(await count(9_999), { count: 9_999, more: false });
  t.strictSame(await count(10_000), { count: 10_000, more: false });
  t.strictSame(await count(10_001), { count: 10_000, more: true });
  const [row] = await run<{ open: number }>('select count(*)::int4 as open from issue where is_open and not archived');
  const isOpen = await compile('is:open');
  const { filter } = SearchIssuesRequest.fromPartial(isOpen.request);
  t.strictSame(await countIssues(test.store, { filter, includeArchived: false, limit: 0 }, VIEWERS.all!), {
    count: row!.open,
    more: false,
  });
});
