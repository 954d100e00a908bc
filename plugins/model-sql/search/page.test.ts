import {
  type CallContext,
  createContext,
  type Filter,
  type Issue,
  type OrderKey,
  SearchIssuesRequest,
  ServiceError,
} from '@bugless/kit/service';
import { DIALECTS } from '@bugless/sql';
import { CompiledQuery } from 'kysely';
import t from 'tap';
import { fillComponents, fillIssues } from '../fixture/many-issues.ts';
import { ADMIN, openModel } from '../fixture/open-model.ts';
import { BUCKET_BITS } from '../issue-row.ts';
import { POSTGRES_SESSION } from '../plugin.ts';
import type { ConditionScope } from './condition.ts';
import { listDrivers } from './driver.ts';
import { Order } from './order.ts';
import { PageWriter } from './page.ts';
import { searchIssues } from './search.ts';
import { describeSpelling } from './spelling.ts';
import { Statement } from './statement.ts';
import { findTextLead } from './text-search.ts';

const { model, store, db } = await openModel(t, { session: POSTGRES_SESSION });
const execute = async <Row>(sql: string) => (await db.kysely<unknown>().executeQuery<Row>(CompiledQuery.raw(sql))).rows;
await fillComponents(db);
// Far from each other, so that their words stand in many parts of the text index.
const RANGES = [
  [1, 150],
  [5_001, 5_150],
  [20_001, 20_150],
  [20_601, 20_650],
  [60_001, 60_100],
] as const;
for (const [from, to] of RANGES) await fillIssues(db, from, to);
// Most of them were changed in the same millisecond, as after an import.
await execute(`update issue set modified = '2026-01-01T00:00:00Z', title = 'word0 the same' where id % 4 > 0`);
await execute(`update issue_key k set modified = i.modified from issue i where i.id = k.issue_id`);
await store.components.fresh(0);

const MEMBER = createContext({ user: 'u3', groups: ['most'] });
const FEW = createContext({ user: 'u0', groups: ['few'] });
const up = (field: string): OrderKey => ({ field, descending: false });
const down = (field: string): OrderKey => ({ field, descending: true });
const term = (field: string, kind: object, operator = 1): Filter =>
  ({ node: { $case: 'term', value: { field, operator, values: [{ kind }] } } }) as Filter;
const text = (value: string, field = 'text') =>
  term(field, { $case: 'text', value: { text: value, phrase: false, prefix: false } });
const user = (field: string, value: string) => term(field, { $case: 'user', value });
const flag = (field: string) => term(field, { $case: 'flag', value: true });
const join = ($case: 'and' | 'or', ...operands: Filter[]): Filter => ({ node: { $case, value: { operands } } });

type Request = Partial<SearchIssuesRequest>;

/** All pages of a list. `between` runs after each. */
async function walk(request: Request, pageSize: number, context: CallContext, between?: () => Promise<unknown>) {
  const issues: Issue[] = [];
  let pageToken = '';
  do {
    const page = await model.searchIssues({ ...request, pageSize, pageToken }, context);
    issues.push(...page.issues);
    ({ nextPageToken: pageToken } = page);
    t.notOk(pageToken !== '' && page.issues.length !== pageSize, 'a page before the last is full');
    await between?.();
  } while (pageToken !== '');
  return issues.map(({ id }) => Number(id));
}

const ORDERS: readonly OrderKey[][] = [
  [],
  ...[
    'id',
    'title',
    'type',
    'priority',
    'severity',
    'status',
    'component',
    'assignee',
    'stars',
    'created',
    'modified',
    'resolved',
  ].flatMap((field) => [[up(field)], [down(field)]]),
  [up('priority'), down('modified')],
  [down('priority'), down('modified')],
  [down('status'), up('modified')],
  [up('assignee'), down('priority'), up('created')],
];
const format = (order: readonly OrderKey[]): string =>
  order.map(({ field, descending }) => `${descending ? '-' : ''}${field}`).join(' ') || 'none';

t.test('every order: pages of any size hold every row once, at the same place', async (t) => {
  const filters: Record<string, Filter | undefined> = {
    'no filter': undefined,
    label: text('label0', 'labels'),
    open: flag('open'),
    'one of several': join('or', user('assignee', 'u3'), user('reporter', 'u3'), flag('starred')),
    'label and type': join('and', text('label0', 'labels'), term('type', { $case: 'number', value: 1 })),
  };
  for (const [name, filter] of Object.entries(filters))
    for (const context of [ADMIN, MEMBER, FEW])
      for (const order of filter === undefined || context === MEMBER ? ORDERS : ORDERS.slice(0, 1)) {
        const request = { filter, order };
        const whole = await walk(request, 500, context);
        const pages = await walk(request, 23, context);
        const title = `${name}, ordered by ${format(order)}`;
        t.equal(new Set(whole).size, whole.length, title);
        t.strictSame(pages, whole, title);
        const { count } = await model.countIssues({ filter }, context);
        t.equal(whole.length, count, `${title}: as many as are counted`);
      }
});

t.test('what others write meanwhile neither drops nor repeats a row that was left alone', async (t) => {
  const rows = await execute<{ id: string; busy: boolean }>(
    'select id, id % 5 = 0 as busy from issue where not archived order by id',
  );
  const quiet = rows.filter(({ busy }) => !busy).map(({ id }) => Number(id));
  const busy = rows.filter((row) => row.busy).map(({ id }) => id);
  let step = 0;
  const write = async () => {
    step += 1;
    const id = busy[(step * 7) % busy.length]!;
    await Promise.all([
      model.createIssue(
        { issue: { title: `word0 new ${step}`, component: '1', priority: 1 + (step % 5) } as never },
        ADMIN,
      ),
      model.updateIssue(
        {
          id,
          issue: { priority: 1 + (step % 5), assignee: `u${step % 9}` } as never,
          updateMask: ['priority', 'assignee'],
          comment: 'word0',
        },
        ADMIN,
      ),
    ]);
  };
  for (const order of [
    [],
    [up('priority')],
    [down('priority')],
    [up('modified')],
    [up('title')],
    [down('assignee')],
    [down('id')],
    [down('stars'), up('priority')],
  ]) {
    const found = await walk({ order }, 40, ADMIN, write);
    const seen = found.filter((id) => quiet.includes(id));
    t.equal(new Set(seen).size, seen.length, `${format(order)}: none twice`);
    t.strictSame(
      [...new Set(seen)].sort((a, b) => a - b),
      quiet,
      `${format(order)}: none missing`,
    );
  }
});

t.test('relevance: a walk over all windows finds every match once, best first in each', async (t) => {
  for (const context of [ADMIN, MEMBER])
    for (const [name, filter] of Object.entries({
      frequent: text('word0'),
      'in the title': text('same', 'title'),
      rare: text('word77'),
      narrowed: join('and', text('word0'), flag('open')),
    })) {
      const expected = (await walk({ filter, order: [down('id')] }, 500, context)).sort((a, b) => a - b);
      for (const pageSize of [7, 60]) {
        let step = 0;
        const found = await walk({ filter, order: [down('relevance')] }, pageSize, context, async () => {
          step += 1;
          if (step <= 2) await model.createIssue({ issue: { title: `word1 ${step}`, component: '1' } as never }, ADMIN);
        });
        t.equal(new Set(found).size, found.length, `${name}, ${pageSize} a page: none twice`);
        t.strictSame(
          found.sort((a, b) => a - b),
          expected,
          `${name}, ${pageSize} a page: all`,
        );
      }
    }
});

/** Why a search is refused; undefined: it was answered. Past the port, so that nothing hides an error of the driver. */
async function refusal(request: Request): Promise<string | undefined> {
  try {
    await searchIssues(store, SearchIssuesRequest.fromPartial(request), ADMIN);
    return undefined;
  } catch (error) {
    return error instanceof ServiceError ? error.reason : String(error);
  }
}

t.test('page tokens: changed ones are refused or name a place, and never reach the database as text', async (t) => {
  const requests: Request[] = [
    { order: [] },
    { order: [up('priority')] },
    { order: [down('status')] },
    { order: [up('title'), down('created')] },
    { order: [down('resolved')] },
    { order: [down('component'), up('assignee')] },
    { filter: text('word0'), order: [down('relevance')] },
  ];
  const wrong = [
    null,
    '',
    'x',
    -1,
    1e300,
    '1e5',
    '99999999999999999999',
    "'; drop table issue; --",
    '2026-02-31T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '0000-00-00T00:00:00.000Z',
    '\0',
    '\ud800',
    'é'.repeat(1_000),
    true,
    [],
    {},
    '2147483648',
    2 ** 53,
  ];
  let refused = 0;
  for (const request of requests) {
    const { nextPageToken } = await model.searchIssues({ ...request, pageSize: 3 }, ADMIN);
    const parts = JSON.parse(Buffer.from(nextPageToken, 'base64url').toString()) as unknown[];
    for (let index = 0; index <= parts.length; index += 1)
      for (const value of wrong) {
        const forged = parts.toSpliced(index, 1, value);
        const pageToken = Buffer.from(JSON.stringify(forged)).toString('base64url');
        const reason = await refusal({ ...request, pageToken });
        if (reason !== undefined) refused += 1;
        if (reason !== undefined && reason !== 'BAD_PAGE_TOKEN') t.fail(`${reason} for ${JSON.stringify(forged)}`);
      }
    for (let index = 0; index < nextPageToken.length; index += 3) {
      const pageToken = `${nextPageToken.slice(0, index)}${nextPageToken[index] === 'A' ? 'B' : 'A'}${nextPageToken.slice(index + 1)}`;
      const reason = await refusal({ ...request, pageToken });
      if (reason !== undefined && reason !== 'BAD_PAGE_TOKEN') t.fail(`${reason} for ${pageToken}`);
    }
    for (const other of [{ order: [up('severity')] }, { filter: text('word1') }, { includeArchived: true }])
      t.equal(
        await refusal({ ...request, ...other, pageToken: nextPageToken }),
        'BAD_PAGE_TOKEN',
        'of another request',
      );
  }
  t.ok(refused > 500, `${refused} forged tokens were refused`);
});

t.test('page sizes: 50 unless asked for, at most what the plugin says', async (t) => {
  const size = async (pageSize: number) =>
    (await model.searchIssues({ pageSize, includeArchived: true }, ADMIN)).issues.length;
  t.equal(await size(0), 50);
  t.equal(await size(1), 1);
  t.equal(await size(2_000_000_000), 500);
  t.equal(await refusal({ pageSize: -1 }), 'INVALID_FIELD');
});

t.test('CockroachDB: indexes are named, stretches are arms, nothing hangs on a fence', async (t) => {
  const write = (order: OrderKey[], filter?: Filter, after?: string[], followerReads = false): string => {
    const scope: ConditionScope = {
      statement: new Statement(),
      visibility: {
        everything: false,
        classes: [4, 5, 8],
        named: [],
        restricted: [],
        restrictedToo: false,
        user: 'u1',
        hotlistKeys: ['u1'],
      },
      bucketBits: BUCKET_BITS.snowflake,
      textSearch: 'tokens',
      spelling: describeSpelling(DIALECTS.cockroachdb, { followerReads }),
      listBelow: () => [],
      listClasses: () => [],
    };
    const page = { filter, liveOnly: true, order: new Order(order), after, limit: 51 };
    const [driver] = listDrivers(filter, scope);
    const lead = findTextLead(filter, 'tokens');
    if (lead) return new PageWriter(page, scope).write({ kind: 'text', lead });
    if (!driver) return new PageWriter(page, scope).write({ kind: 'walk' });
    return new PageWriter(page, scope).write({ kind: driver.newestFirst ? 'stretches' : 'set', driver });
  };
  const statements = [
    write([]),
    write([], flag('blocked')),
    write([down('priority')]),
    write([up('severity')], undefined, ['1', '77']),
    write([up('title')], undefined, ['a', '77']),
    write([], user('assignee', 'u1')),
    write([], join('and', text('a', 'labels'), flag('open'))),
    write([], text('word')),
    write([], join('or', user('assignee', 'u1'), user('reporter', 'u1'))),
    write([], undefined, undefined, true),
  ];
  for (const sql of statements) t.notMatch(sql, /lateral|offset 0|any\(array\(select|tsquery/);
  t.match(statements[0], 'issue@issue_modified i');
  t.match(statements[2], /issue@issue_order_priority i where .* union all /);
  t.match(statements[4], 'issue@issue_order_title i');
  t.match(statements[5], 'issue@issue_assignee c inner lookup join issue i on i.id = c.id');
  t.match(statements[6], 'issue_key@issue_key_modified k');
  t.match(statements[7], 'doc@doc_words d');
  t.match(statements[9], / as of system time follower_read_timestamp\(\) where /);
  t.equal(statements.filter((sql) => sql.includes('system time')).length, 1, 'only where it was asked for');
});
