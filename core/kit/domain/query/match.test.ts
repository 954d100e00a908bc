import { deepStrictEqual as deepEqual } from 'node:assert/strict';
import {
  CustomFieldDefinition,
  CustomFieldKind,
  Filter,
  Issue,
  type OrderKey,
  Priority,
  Status,
  Update,
} from '@bugless/proto';
import fc from 'fast-check';
import t from 'tap';
import type { ServiceError } from '../../service/error.ts';
import { decodePageToken, encodePageToken, fingerprintRequest } from '../page-token.ts';
import { compileQuery, type QueryResolver } from './compile.ts';
import { checkFilter, checkOrder } from './filter-check.ts';
import { type IssueFacts, matchFilter } from './match.ts';
import { compareCodePoints, compareIssues, comparePositions, readPosition } from './order.ts';
import { parseQuery } from './parser.ts';
import { tokenize } from './text.ts';

const NOW = '2026-05-15T12:00:00.000Z';
const issue = Issue.fromPartial({
  id: '42',
  version: '3',
  title: 'Login fails in Straße mode',
  description: 'Pressing the_button gives “Café error”. 東京で失敗。',
  type: 1,
  priority: Priority.P1,
  severity: 3,
  status: Status.FIXED,
  component: '13',
  assignee: 'ada',
  reporter: 'bob',
  cc: ['ada', 'cleo'],
  labels: ['UI', 'login'],
  foundIn: ['1.0 beta'],
  blockedBy: ['7'],
  hotlists: ['70'],
  customFields: [
    { field: 'Due', values: ['2026-06-01'] },
    { field: 'Effort', values: ['2.5'] },
    { field: 'Os', values: ['Linux', 'mac'] },
  ],
  stars: 3,
  starred: true,
  commentCount: 1,
  created: '2026-05-01T10:00:00.000Z',
  modified: '2026-05-10T10:00:00.000Z',
  resolved: '2026-05-10T10:00:00.000Z',
});
const updates = [
  Update.fromPartial({
    sequence: 1,
    author: 'bob',
    created: issue.created,
    comment: issue.description,
    changes: [
      { field: 'status', oldValues: [], newValues: ['new'] },
      { field: 'labels', oldValues: [], newValues: ['UI', 'old'] },
    ],
  }),
  Update.fromPartial({
    sequence: 2,
    author: 'cleo',
    created: '2026-05-03T10:00:00.000Z',
    comment: 'Also on staging',
    changes: [
      { field: 'status', oldValues: ['new'], newValues: ['assigned'] },
      { field: 'assignee', oldValues: [], newValues: ['cleo'] },
      { field: 'labels', oldValues: ['old'], newValues: ['login'] },
      { field: 'priority', oldValues: ['p0'], newValues: ['p1'] },
    ],
  }),
  Update.fromPartial({
    sequence: 3,
    author: 'ada',
    created: '2026-05-10T10:00:00.000Z',
    changes: [
      { field: 'status', oldValues: ['assigned'], newValues: ['fixed'] },
      { field: 'assignee', oldValues: ['cleo'], newValues: ['ada'] },
    ],
  }),
];
const facts: IssueFacts = {
  updates,
  attachments: 2,
  isOpen: (id) => id === '7',
  isBelow: (component, ancestor) => component === ancestor || (component === '13' && ancestor === '12'),
};
const KINDS: Record<string, CustomFieldKind> = {
  Due: CustomFieldKind.DATE,
  Effort: CustomFieldKind.NUMBER,
  Os: CustomFieldKind.MULTI_ENUM,
  Why: CustomFieldKind.TEXT,
};
const resolver: QueryResolver = {
  me: 'ada',
  findUser: async (name) => name,
  findGroupMembers: async (name) => (name === 'ops' ? ['ada', 'dan'] : []),
  findComponent: async () => '13',
  findHotlist: async () => '70',
  findCustomField: async (name) => CustomFieldDefinition.fromPartial({ name, kind: KINDS[name] ?? 1 }),
};
const compile = async (text: string) => (await compileQuery(parseQuery(text), { resolver, now: NOW })).filter;

t.test('what matches one issue', async (t) => {
  const yes = [
    '',
    'login',
    'LOGIN staging',
    'strasse',
    'straße',
    'cafe',
    'button',
    'the_button',
    '"fails in"',
    '"log"* fail*',
    '東京',
    '失敗',
    '"error 東"',
    'title:login',
    'title="LOGIN FAILS IN STRASSE MODE" OR title="login fails in straße mode"',
    'comment:staging',
    'has:comment',
    'commenter:bob',
    'commenter:cleo',
    'id:42',
    '-id:43',
    'p1',
    'priority>p0',
    'priority<=p1',
    'p:p0..p1',
    'type:bug',
    'status:(new|fixed)',
    'is:closed',
    'status:closed',
    'status!=open',
    'component:12+',
    'component:13',
    '-component:12',
    'component:"Web>Login"',
    'assignee:me',
    'assignee:(none|ada)',
    'a:group(ops)',
    'reporter!=ada',
    'verifier:none',
    'has:cc',
    'cc:cleo',
    '-cc=cleo',
    'label:ui',
    'label:(x|LOGIN)',
    '-label=ui',
    'foundin:"1.0 BETA"',
    'targetedto:none',
    'parent:none',
    'blockedby:7',
    'is:blocked',
    'blocking:none',
    'hotlist:70',
    'hotlist:Any',
    'archived:false',
    '-is:archived',
    'is:starred',
    'access:default',
    'stars:3',
    'stars>2',
    'votes:1..3',
    'has:stars',
    'commentcount:1',
    'attachments>=2',
    'has:attachments',
    'created:2026-05',
    'created:2026-05-01T10:00',
    'created<2026-05-02',
    'modified:7d',
    'closed>2026-05-09',
    'verified:none',
    'created:(2020|2026)',
    'field.Effort:2.5',
    'field.Effort>2',
    'field.Effort:1..3',
    'field.Os:linux',
    'field.Os:(bsd|MAC)',
    'field.Due:2026-06-01',
    'field.Due>today',
    'field.Why:none',
    'has:field.Due',
    'was(status:new)',
    'was(status:fixed)',
    'was(priority:p0)',
    'was(label:OLD)',
    'was(assignee:none)',
    'was(assignee:cleo)',
    'was(component:12+)',
    'changed(status)',
    'changed(status from:new to:assigned by:cleo)',
    'changed(assignee from:none)',
    'changed(status after:7d)',
    'changed(status during:2026-05-03)',
    'changed(label to:login)',
    'changed(priority from:p0..p0)',
    'nothing OR login',
    '(a OR login) p1',
  ];
  const no = [
    'absent',
    'login absent',
    '"in fails"',
    'ogin',
    '"fails staging"',
    'title:staging',
    'description:staging',
    'comment:button',
    'title="login"',
    'commenter:ada',
    'id:43',
    'p0',
    'priority<p1',
    'is:open',
    'component:12',
    'component:99+',
    'assignee:none',
    'a:group(x)',
    'has:verifier',
    'cc=cleo',
    'label:u',
    'label=ui',
    'foundin:1.0',
    'blockedby:8',
    'is:archived',
    'stars>3',
    'created:2026-04',
    'modified:3d',
    'has:verified',
    'created>2026-05-01',
    'field.Effort>2.5',
    'field.Os:lin',
    'field.Due<2026-06',
    'has:field.Why',
    'was(status:verified)',
    'was(assignee:dan)',
    'changed(status to:new)',
    'changed(status from:new by:ada)',
    'changed(assignee from:none after:2026-05-04)',
    'changed(priority to:p0)',
    'changed(title)',
    '-login',
    'login -p1',
  ];
  for (const text of yes) t.ok(matchFilter(await compile(text), issue, facts), text);
  for (const text of no) t.notOk(matchFilter(await compile(text), issue, facts), text);
  t.ok(matchFilter(undefined, issue, facts));
  t.notOk(matchFilter({ node: { $case: 'not', value: { node: undefined } } }, issue, facts));
});

t.test('words of a text', async (t) => {
  const table: [string, string[]][] = [
    ['', []],
    ['foo_bar-baz.qux/x', ['foo', 'bar', 'baz', 'qux', 'x']],
    ['Ünïcode ﬁne ＦＵＬＬ', ['unicode', 'fine', 'full']],
    ['ΟΔΟΣ οδός', ['οδοσ', 'οδοσ']],
    ['İstanbul ısı', ['istanbul', 'isi']],
    ['日本語 text', ['日', '本', '語', 'text']],
    ['한국어 हिन्दी', ['한국어', 'हिन्दी']],
    ['v1.2 abc123', ['v1', '2', 'abc123']],
    ['\ud800 a\0b', ['a', 'b']],
    ['x'.repeat(100), ['x'.repeat(64)]],
  ];
  for (const [text, words] of table) t.same(tokenize(text), words, text.slice(0, 30));
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const words = tokenize(text);
      deepEqual(words.flatMap(tokenize), words, 'a word is its own word');
      deepEqual(tokenize(text.normalize('NFD')), words, 'however the text is composed');
    }),
    { numRuns: 500, seed: 3 },
  );
});

t.test('filters from the wire are checked', async (t) => {
  const text = (value: string, extra = {}) => ({
    kind: { $case: 'text' as const, value: { text: value, phrase: false, prefix: false, ...extra } },
  });
  const term = (field: string, operator: number, values: object[] = []) =>
    Filter.fromPartial({ node: { $case: 'term', value: { field, operator: operator as 1, values } } });
  const history = (value: object) =>
    Filter.fromPartial({ node: { $case: 'history', value: { kind: 2, field: 'status', ...value } } });
  const number = (value: number) => ({ kind: { $case: 'number' as const, value } });
  const nest = (levels: number): Filter =>
    levels === 0 ? term('text', 1, [text('a')]) : { node: { $case: 'not', value: nest(levels - 1) } };
  const many = (count: number): Filter => ({
    node: { $case: 'or', value: { operands: Array.from({ length: count }, () => nest(0)) } },
  });
  const good = [
    undefined,
    { node: undefined },
    nest(15),
    many(200),
    term('labels', 2, [text('none')]),
    term('priority', 3, [number(2)]),
    term('field.x', 1, [text('a')]),
    history({ from: [number(1)] }),
    history({ kind: 1, field: 'assignee', to: [{ kind: { $case: 'user', value: '' } }] }),
  ];
  for (const filter of good) t.doesNotThrow(() => checkFilter(filter));
  const bad: [Filter, string, RegExp][] = [
    [nest(16), 'filter', /deeper than 16/],
    [many(201), 'filter', /more than 200/],
    [
      { node: { $case: 'and', value: { operands: Array.from({ length: 5000 }, () => ({ node: undefined })) } } },
      'filter',
      /more than 200/,
    ],
    [{ node: { $case: 'and', value: { operands: [] } } }, 'filter.and.operands', /is empty/],
    [
      { node: { $case: 'and', value: { operands: [nest(0), term('statsu', 1, [number(1)])] } } },
      'filter.and.operands[1].term.field',
      /is "status" meant/,
    ],
    [term('duplicateOf', 1, []), 'filter.term.field', /duplicate_of/],
    [term('status', 0, [number(1)]), 'filter.term.operator', /takes has, equals, not none/],
    [term('status', 3, [number(1)]), 'filter.term.operator', /not greater/],
    [term('status', 1), 'filter.term.values', /at least one/],
    [term('assignee', 7, [{ kind: { $case: 'user', value: 'a' } }]), 'filter.term.values', /no value/],
    [term('status', 1, [text('new')]), 'filter.term.values[0]', /takes number or range, not text/],
    [term('status', 1, [{}]), 'filter.term.values[0]', /not nothing/],
    [term('priority', 3, [number(1), number(2)]), 'filter.term.values', /one value/],
    [term('stars', 1, [number(Number.NaN)]), 'filter.term.values[0].number', /finite/],
    [term('stars', 1, [{ kind: { $case: 'range', value: {} } }]), 'filter.term.values[0].range', /neither/],
    [term('text', 1, [text('++')]), 'filter.term.values[0].text.text', /no letter/],
    [term('text', 1, [text('')]), 'filter.term.values[0].text.text', /empty/],
    [term('labels', 1, [text('a', { prefix: true })]), 'filter.term.values[0]', /as a whole/],
    [term('title', 2, [text('a', { prefix: true })]), 'filter.term.values[0].text.prefix', /whole text/],
    [
      term('id', 1, [{ kind: { $case: 'reference', value: { id: '0' } } }]),
      'filter.term.values[0].reference.id',
      /no id/,
    ],
    [
      term('parent', 1, [{ kind: { $case: 'reference', value: { id: '1', subtree: true } } }]),
      'filter.term.values[0].reference.subtree',
      /only for components/,
    ],
    [term('assignee', 1, [{ kind: { $case: 'user', value: '' } }]), 'filter.term.values[0].user', /no user id/],
    [term('created', 1, [{ kind: { $case: 'time', value: {} } }]), 'filter.term.values[0].time', /neither/],
    [
      term('created', 1, [{ kind: { $case: 'time', value: { start: 'soon' } } }]),
      'filter.term.values[0].time.start',
      /RFC 3339/,
    ],
    [
      term(
        'labels',
        1,
        Array.from({ length: 101 }, () => text('a')),
      ),
      'filter.term.values',
      /at most 100/,
    ],
    [history({ kind: 0 }), 'filter.history.kind', /no kind of history/],
    [history({ field: 'created' }), 'filter.history.field', /does not record/],
    [history({ kind: 1 }), 'filter.history.to', /at least one/],
    [history({ kind: 1, to: [number(1)], by: ['ada'] }), 'filter.history', /only to/],
    [history({ by: ['a b'] }), 'filter.history.by[0]', /no user id/],
  ];
  const refusal = (run: () => void): ServiceError | undefined => {
    try {
      run();
      return undefined;
    } catch (error) {
      return error as ServiceError;
    }
  };
  for (const [filter, field, description] of bad) {
    t.match(
      refusal(() => checkFilter(filter)),
      { reason: 'BAD_FILTER', violations: [{ field, description }] },
      `${field} ${description}`,
    );
  }
  const key = (field: string): OrderKey => ({ field, descending: false });
  t.doesNotThrow(() => checkOrder([key('priority'), key('id')], undefined));
  t.doesNotThrow(() => checkOrder([key('relevance')], nest(0)));
  for (const [order, description] of [
    [[key('relevance')], /searches text/],
    [[key('labels')], /can not order/],
    [[key('id'), key('id')], /twice/],
    [['id', 'type', 'title', 'status', 'stars'].map(key), /at most 4/],
  ] as [OrderKey[], RegExp][]) {
    t.match(
      refusal(() => checkOrder(order, undefined)),
      { reason: 'BAD_ORDER', violations: [{ description }] },
    );
  }
});

t.test('orders and pages', async (t) => {
  const samples: Parameters<typeof Issue.fromPartial>[0][] = [
    { id: '9', title: 'b', priority: 1, modified: '2026-01-02T00:00:00.000Z' },
    { id: '10', title: 'B', priority: 2, modified: '2026-01-02T00:00:00.000Z', resolved: NOW },
    { id: '900719925474099312', title: 'é', priority: 1, modified: '2026-01-01T00:00:00.000Z', assignee: 'ada' },
    { id: '900719925474099311', title: '😀', priority: 1, modified: '2026-01-03T00:00:00.000Z' },
    { id: '11', title: '\uffee', priority: 1, modified: '2026-01-03T00:00:00.000Z', assignee: 'bob' },
  ];
  const rows = samples.map((row) => Issue.fromPartial(row));
  const table: [string, string[]][] = [
    ['', ['900719925474099311', '11', '10', '9', '900719925474099312']],
    ['priority', ['900719925474099312', '900719925474099311', '11', '9', '10']],
    ['priority,modified', ['900719925474099312', '9', '900719925474099311', '11', '10']],
    ['id', ['9', '10', '11', '900719925474099311', '900719925474099312']],
    ['-id', ['900719925474099312', '900719925474099311', '11', '10', '9']],
    ['title', ['10', '9', '900719925474099312', '11', '900719925474099311']],
    ['resolved', ['900719925474099312', '900719925474099311', '11', '9', '10']],
    ['-assignee', ['11', '900719925474099312', '900719925474099311', '10', '9']],
  ];
  for (const [text, ids] of table) {
    const { order } = await compileQuery(parseQuery(text === '' ? '' : `orderby:${text}`), { resolver, now: NOW });
    const sorted = rows.toSorted(compareIssues(order));
    t.same(
      sorted.map((row) => row.id),
      ids,
      text || 'default',
    );
    // Page by page, each token from the row before: every row once.
    const fingerprint = fingerprintRequest(order);
    const walked: string[] = [];
    for (let token = ''; ; ) {
      const position = decodePageToken(token, fingerprint, order.length);
      const compare = comparePositions(order);
      const next =
        order.length === 0
          ? undefined
          : rows
              .toSorted(compareIssues(order))
              .find((row) => position === undefined || compare(readPosition(row, order), position) > 0);
      if (next === undefined) break;
      walked.push(next.id);
      token = encodePageToken(readPosition(next, order), fingerprint);
    }
    if (order.length > 0) t.same(walked, ids);
  }
  t.ok(compareCodePoints('\uffee', '😀') < 0);
  t.equal(compareCodePoints('a', 'ab'), -1);
});

t.test('page tokens', async (t) => {
  const fingerprint = fingerprintRequest({ a: 1 }, []);
  const position = { keys: [NOW, 3, null, 'é"\\'], id: '42' };
  const token = encodePageToken(position, fingerprint);
  t.match(token, /^[A-Za-z0-9_-]+$/);
  t.same(decodePageToken(token, fingerprint, 4), position);
  t.equal(decodePageToken('', fingerprint), undefined);
  const other = fingerprintRequest({ a: 2 }, []);
  t.not(other, fingerprint);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const bad: [string, RegExp][] = [
    ['x', /given out/],
    ['%%', /given out/],
    [token.slice(0, -6), /given out/],
    [`${token}=`, /given out/],
    [encodePageToken(position, other), /another request/],
    [encode({}), /given out/],
    [encode([2, fingerprint, '1', 1, 2, 3, 4]), /given out/],
    [encode([1, fingerprint, 'x', 1, 2, 3, 4]), /given out/],
    [encode([1, fingerprint, '1', {}, 2, 3, 4]), /given out/],
    [encode([1, fingerprint, '1']), /given out/],
    ['a'.repeat(9000), /given out/],
  ];
  for (const [wrong, message] of bad) {
    try {
      decodePageToken(wrong, fingerprint, 4);
      t.fail(wrong.slice(0, 20));
    } catch (error) {
      t.match(error, { reason: 'BAD_PAGE_TOKEN', message, violations: [{ field: 'page_token' }] });
    }
  }
});
