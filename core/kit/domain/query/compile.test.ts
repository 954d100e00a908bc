import { deepStrictEqual as deepEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CustomFieldDefinition, CustomFieldKind, Filter } from '@bugless/proto';
import fc from 'fast-check';
import t from 'tap';
import { FIELDS, formatFieldWord } from '../field.ts';
import { WORDS } from '../word.ts';
import type { Query } from './ast.ts';
import { type CompileOptions, compileQuery, hideArchived, type QueryResolver } from './compile.ts';
import { readDate } from './date.ts';
import { QueryError } from './error.ts';
import { checkFilter } from './filter-check.ts';
import { formatFilter, formatQuery } from './format.ts';
import { parseQuery } from './parser.ts';

const NOW = '2026-05-15T12:30:00.000Z';
const USERS: Record<string, string> = { ada: 'u1', bob: 'u2', me: 'u3', 'O"Hara': 'u4' };
const COMPONENTS: Record<string, readonly string[]> = { '12': ['Web'], '13': ['Web', 'Login'] };
const KINDS = {
  Browser: CustomFieldKind.ENUM,
  Os: CustomFieldKind.MULTI_ENUM,
  Effort: CustomFieldKind.NUMBER,
  Due: CustomFieldKind.DATE,
  Contact: CustomFieldKind.USER,
  Related: CustomFieldKind.ISSUE,
  Notes: CustomFieldKind.TEXT,
};

const resolver: QueryResolver = {
  me: 'u9',
  findUser: async (name) => USERS[name] ?? (/^u[0-9]+$/.test(name) ? name : undefined),
  findGroupMembers: async (name) =>
    ({
      ops: ['u2', 'u1'],
      none: [],
      big: Array.from({ length: 250 }, (_, i) => `u${1000 + i}`),
      huge: Array.from({ length: 2001 }, (_, i) => `u${i}`),
    })[name],
  findComponent: async (path) =>
    Object.entries(COMPONENTS).find(([, names]) => names.join('>') === path.join('>'))?.[0],
  findHotlist: async (name) => ({ Release: '70', '12': '71' })[name],
  findCustomField: async (name) => {
    const found = Object.entries(KINDS).find(([key]) => key.toLowerCase() === name.toLowerCase());
    return found && CustomFieldDefinition.fromPartial({ name: found[0], kind: found[1] });
  },
};
const names = {
  user: (id: string) => Object.entries(USERS).find(([, each]) => each === id)?.[0],
  component: (id: string) => COMPONENTS[id],
  hotlist: (id: string) => ({ '70': 'Release', '71': '12' })[id],
};
const compile = (text: string, options: Partial<CompileOptions> = {}) =>
  compileQuery(parseQuery(text), { resolver, now: NOW, ...options });
const print = async (text: string) => formatFilter((await compile(text)).filter, { names });

/** The tree without columns. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'span' && key !== 'length')
      .map(([key, each]) => [key, bare(each)]),
  );
}

t.test('the canonical text of a query', async (t) => {
  const table: [string, string][] = [
    ['', ''],
    ['  a   b ', 'a b'],
    ['a AND b or c', 'a b or c'],
    ['a b OR c d', 'a b OR c d'],
    ['a (b OR c) -d', 'a (b OR c) -d'],
    ['(a OR b) OR (c)', 'a OR b OR c'],
    ['(a b) c', 'a b c'],
    ['NOT (a b)', '-(a b)'],
    ['-(-a)', '-(-a)'],
    ['NOT"x y"', '-"x y"'],
    ['"a \\"b\\" \\\\"*', '"a \\"b\\" \\\\"*'],
    ['foo*', 'foo*'],
    ['P1', 'priority:P1'],
    ['s:new t:bug a:me r:ada p:p0', 'status:new type:bug assignee:me reporter:ada priority:p0'],
    ['blocked-by:5 Found_In:1.0 duplicateof:none', 'blockedby:5 foundin:1.0 duplicateof:none'],
    ['status:( new | fixed ) label:a,b', 'status:(new|fixed) labels:(a|b)'],
    ['status:(new OR fixed)', 'status:(new|fixed)'],
    ['is:open is:closed is:blocked -is:starred is:archived', 'is:open is:closed is:blocked -is:starred is:archived'],
    ['star:true archived:false', 'is:starred archived:false'],
    ['has:assignee', 'assignee:any'],
    ['component:12+ component:"Web>Login"+', 'component:12+ component:"Web>Login"+'],
    ['assignee:group(ops) cc:group( "a b" )', 'assignee:group(ops) cc:group("a b")'],
    ['stars>=3 votes:1..* created:2026-01..2026-03', 'stars>=3 stars:1..* created:2026-01..2026-03'],
    ['created:"2026-01-01 10:00".."2026-01-01 11:00"', 'created:"2026-01-01 10:00".."2026-01-01 11:00"'],
    ['label:a..b field.Version:"1..2"', 'labels:a..b field.Version:"1..2"'],
    ['was( status:new )', 'was(status:new)'],
    [
      'changed(a from:bob to:(ada|me) by:group(ops) after:7d)',
      'changed(assignee from:bob to:(ada|me) by:group(ops) after:7d)',
    ],
    ['orderby:priority,-modified a', 'a orderby:priority,-modified'],
    ['a OR b orderby:-relevance', 'a OR b orderby:-relevance'],
    [' #123 ', '#123'],
    ['andy ORANGE notes', 'andy ORANGE notes'],
  ];
  for (const [text, canonical] of table) {
    const query = parseQuery(text);
    t.equal(formatQuery(query), canonical, text);
    t.same(bare(parseQuery(canonical)), bare(query), `${canonical} gives the same tree`);
  }
  t.match(parseQuery('123'), { jump: '123' });
  t.equal(parseQuery('123 4').jump, undefined);
  t.match(parseQuery('x status:new'), { root: { operands: [{}, { span: { column: 3, length: 10 } }] } });
});

t.test('what a query means', async (t) => {
  const table: [string, string][] = [
    ['foo-bar foo* "one"', '"foo-bar" foo* "one"'],
    ['status:open', 'is:open'],
    ['status!=closed', '-is:closed'],
    ['status:wont-fix', 'status:(not_reproducible|intended|obsolete|infeasible)'],
    ['p1 priority>P2 s:Not_Reproducible', 'priority:p1 priority>p2 status:not_reproducible'],
    ['priority:p0..p2 severity:*..s1', 'priority:p0..p2 severity:*..s1'],
    ['assignee:me assignee:none -assignee:any', 'assignee:u9 assignee:none assignee:none'],
    ['assignee:(none|ada) cc:"me"', '(assignee:none OR assignee:ada) cc:"me"'],
    ['assignee:group(ops) reporter:u77', 'assignee:(ada|bob) reporter:u77'],
    ['assignee:group(none)', '-(is:open OR is:closed)'],
    [
      'component:12+ component:"Web>Login" hotlist:Release hotlist:"12"',
      'component:"Web"+ component:"Web>Login" hotlists:"Release" hotlists:"12"',
    ],
    ['parent:#5 id=7 title="A B" label=x', 'parent:5 id:7 title="A B" labels=x'],
    ['created:2026-01', 'created:2026-01-01..2026-01-31'],
    ['created>2026-01-31 created<=2026', 'created>=2026-02-01 created<2027-01-01'],
    ['modified:7d', 'modified>=2026-05-08T12:30:00.000Z'],
    [
      'modified<1y created:today created:today-7',
      'modified<2025-05-15T12:30:00.000Z created:2026-05-15 created:2026-05-08',
    ],
    ['created:2026-01..*', 'created>=2026-01-01'],
    ['created:2026-01-01T10:00+02:00', 'created:2026-01-01T08:00:00.000Z..2026-01-01T08:00:59.999Z'],
    ['closed:none has:comment', 'resolved:none has:comment'],
    [
      'field.effort>2.5 field.Browser:Firefox field.OS:(linux|mac)',
      'field.Effort>2.5 field.Browser:Firefox field.Os:(linux|mac)',
    ],
    [
      'field.due:2026-01 field.contact:me field.related:5 field.notes:"in part"',
      'field.Due:2026-01-01..2026-01-31 field.Contact:u9 field.Related:5 field.Notes:"in part"',
    ],
    ['was(status:open) was(assignee:none)', 'was(status:(new|assigned|accepted)) was(assignee:none)'],
    [
      'changed(status from:new to:(fixed|duplicate) by:me after:7d before:today)',
      'changed(status from:new to:(fixed|duplicate) by:u9 during:2026-05-08T12:30:00.000Z..2026-05-14)',
    ],
    ['attachments>0 has:attachments votes:5', 'attachments>0 has:attachments stars:5'],
    ['title:any text:none', 'title:any none'],
  ];
  for (const [text, echo] of table) {
    const { filter } = await compile(text);
    t.equal(formatFilter(filter, { names }), echo, text);
    t.same(Filter.decode(Filter.encode(filter).finish()), filter, 'survives the wire');
    checkFilter(filter);
  }
  const big = (await compile('assignee:group(big)')).filter.node;
  t.equal(big?.$case === 'or' && big.value.operands.length, 3, 'a big group is cut into terms');
  t.match(await compile('a orderby:relevance,-id'), {
    order: [
      { field: 'relevance', descending: false },
      { field: 'id', descending: true },
    ],
  });
  t.match(await compile('modified:7d'), { relative: true, mentionsArchived: false });
  t.match(await compile('-is:archived created:2026'), { relative: false, mentionsArchived: true });
  t.equal(formatFilter(hideArchived((await compile('a b')).filter), { names }), 'a b archived:false');
  t.equal(formatFilter(hideArchived((await compile('')).filter), { names }), 'archived:false');
});

t.test('every error points at its column and says what to do', async (t) => {
  const table: [string, number, number, RegExp][] = [
    ['statsu:new', 1, 6, /no field "statsu"; is "status" meant\?/],
    ['x http://y', 3, 4, /put it in quotes/],
    ['status:nwe', 8, 3, /"nwe" is no status; is "new" meant\?/],
    ['type:zzzzz', 6, 5, /one of bug, feature_request/],
    ['priority:(p1|p9)', 14, 2, /is no priority/],
    ['status:', 8, 0, /expected a value directly after status:; found the end/],
    ['status: new', 8, 0, /directly after status:/],
    ['label:a,', 9, 0, /after the comma/],
    ['status:(new', 8, 1, /never closed/],
    ['status:(new fixed)', 13, 6, /expected \| or \)/],
    ['(a OR b', 1, 1, /this \( is never closed/],
    ['a)', 2, 1, /expected a blank|never opened/],
    ['a )', 3, 1, /never opened/],
    ['()', 2, 1, /between \( and \)/],
    ['OR a', 1, 2, /expected a term/],
    ['a OR', 5, 0, /expected a term; found the end/],
    ['a AND', 3, 3, /expected a term after AND/],
    ['AND a', 1, 3, /before AND/],
    ['a - b', 3, 1, /directly after -/],
    ['--a', 2, 2, /second negation/],
    ['NOT', 1, 3, /after NOT/],
    ['a|b', 2, 2, /blank between terms/],
    ['label:"a"b', 10, 1, /blank between terms/],
    ['"abc', 1, 4, /does not end/],
    ['label:""', 7, 2, /between the quotes/],
    ['label:foo*x label:"foo"*', 24, 1, /blank between/],
    ['++', 1, 2, /no letter or digit/],
    ['is:opne', 4, 4, /is "open" meant/],
    ['has:', 5, 0, /expected a field/],
    ['has:nix', 5, 3, /no field/],
    ['has=x', 1, 3, /takes only a colon/],
    ['type>bug', 1, 8, /has no order/],
    ['priority>p1,p2', 13, 2, /takes one value/],
    ['stars>1..2', 7, 4, /range goes with a colon/],
    ['stars:3..1', 7, 4, /ends before it begins/],
    ['stars:*..*', 7, 4, /no end/],
    ['stars:1..', 10, 0, /both ends/],
    ['stars:many', 7, 4, /is no number/],
    ['id:x', 4, 1, /no number of an issue/],
    ['created:2026-02-30', 9, 10, /is no date; one of these forms.*today-7/],
    ['created:2026-03..2026-01', 9, 16, /ends before/],
    ['created:99999y', 9, 6, /is no date/],
    ['assignee:nobody', 10, 6, /no user "nobody"/],
    ['assignee:group(nix)', 10, 10, /no group "nix"/],
    ['assignee:group(huge)', 10, 11, /2001 members/],
    ['label:group(x)', 12, 3, /blank between/],
    ['component:Nix', 11, 3, /no component/],
    ['hotlist:Nix', 9, 3, /no hotlist/],
    ['field.nix:1', 1, 11, /no custom field "nix"/],
    ['field.os=linux', 1, 14, /takes only a colon/],
    ['title=foo*', 7, 4, /whole text/],
    ['archived:maybe', 10, 5, /neither true nor false/],
    ['orderby:labels', 9, 6, /can not order by "labels"/],
    ['orderby:prioriti', 9, 8, /is "priority" meant/],
    ['orderby:id,-id', 13, 2, /twice/],
    ['a orderby:relevance orderby:id', 21, 7, /one orderby/],
    ['orderby:relevance', 1, 17, /needs a word/],
    ['(orderby:id)', 2, 7, /whole query/],
    ['orderby:id,type,title,status,stars', 30, 5, /at most 4/],
    ['was(status)', 5, 7, /a field with a value/],
    ['was(created:7d)', 5, 7, /does not record created/],
    ['was(assignee:any)', 14, 3, /leave it out/],
    ['was(label:none)', 5, 0, /./],
    ['changed(status:new)', 15, 5, /a field alone/],
    ['changed(status frm:new)', 16, 3, /expected one of from/],
    ['changed(status by:me by:ada)', 22, 2, /given twice/],
    ['changed(status', 1, 8, /never closed/],
    ['changed(status by:none)', 19, 4, /takes users/],
    ['changed(status after:2026-05 before:2026-01)', 37, 7, /before after/],
    ['a\0b', 2, 1, /NUL/],
    ['a\ud800b', 2, 1, /surrogate/],
    ['me:x', 1, 2, /no field/],
    [`${'('.repeat(16)}a${')'.repeat(16)}`, 16, 1, /deeper than 16/],
    ['a '.repeat(201), 401, 1, /more than 200 terms/],
    [`label:${'x,'.repeat(100)}x`, 207, 1, /at most 100 values/],
    ['x'.repeat(4001), 4001, 1, /at most 4000/],
    [`"${'x'.repeat(1001)}"`, 1, 1003, /at most 1000 characters/],
  ];
  for (const [text, column, length, message] of table) {
    const title = text.length > 60 ? `${text.slice(0, 60)}…` : text;
    try {
      await compile(text);
      t.fail(`${title} was taken`);
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      t.match(error.message, message, title);
      if (length > 0 || text.length + 1 === column)
        t.same([error.column, error.length], [column, length], `${title}: ${error.message}`);
      t.equal(error.metadata.column, String(error.column));
    }
  }
  const anonymous = compile('assignee:me', { resolver: { ...resolver, me: undefined } });
  await t.rejects(anonymous, /column 10: me needs a login/);
  await t.rejects(compile('a', { zone: 'Mars/Base' }), /time_zone: "Mars\/Base" is no IANA time zone/);
});

t.test('days begin at midnight of the zone, whatever its clocks do', async (t) => {
  const at = Date.parse(NOW);
  const span = (text: string, zone: string, now = at) => {
    const read = readDate(text, now, zone)!;
    return [new Date(read.start).toISOString(), new Date(read.end).toISOString()];
  };
  const table: [string, string, string, string][] = [
    ['2026-03-29', 'Europe/Berlin', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ['2026-10-25', 'Europe/Berlin', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
    // Shown never: as much later as the clocks go forward. Shown twice: the first.
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:30:00.000Z', '2026-03-29T01:31:00.000Z'],
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z', '2026-10-25T00:31:00.000Z'],
    // Midnight itself is skipped: the day begins at one.
    ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00.000Z', '2018-11-05T02:00:00.000Z'],
    // A day that was left out altogether.
    ['2011-12-30', 'Pacific/Apia', '2011-12-30T10:00:00.000Z', '2011-12-30T10:00:00.000Z'],
    ['2026', 'Asia/Kathmandu', '2025-12-31T18:15:00.000Z', '2026-12-31T18:15:00.000Z'],
    ['2024-02', 'UTC', '2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
    ['today', 'Pacific/Auckland', '2026-05-15T12:00:00.000Z', '2026-05-16T12:00:00.000Z'],
    ['yesterday', 'America/New_York', '2026-05-14T04:00:00.000Z', '2026-05-15T04:00:00.000Z'],
    ['2026-01-01T10:00:30.5Z', 'Asia/Tokyo', '2026-01-01T10:00:30.500Z', '2026-01-01T10:00:30.600Z'],
    ['12h', 'Asia/Tokyo', '2026-05-15T00:30:00.000Z', '2026-05-15T00:30:00.000Z'],
  ];
  for (const [text, zone, start, end] of table) t.same(span(text, zone), [start, end], `${text} ${zone}`);
  t.same(
    span('1m', 'UTC', Date.parse('2026-03-31T08:00:00Z'))[0],
    '2026-02-28T08:00:00.000Z',
    'the last day of a shorter month',
  );
  t.same(
    span('1w', 'Europe/Berlin', Date.parse('2026-04-01T10:00:00Z'))[0],
    '2026-03-25T11:00:00.000Z',
    'the same hour on the clock',
  );
  for (const text of [
    '2026-13',
    '2026-1-32',
    '26',
    '2026-01-01T24:00',
    '2026-01-01T10:00+19:00',
    'tomorow',
    '7x',
    '',
  ]) {
    t.equal(readDate(text, at, 'UTC'), undefined, text);
  }
  const { filter } = await compile('created:2026-03-29 field.due:today', { zone: 'Europe/Berlin' });
  t.equal(formatFilter(filter, { names, zone: 'Europe/Berlin' }), 'created:2026-03-29 field.Due:2026-05-15');
  const started = performance.now();
  for (let i = 0; i < 2000; i++) readDate(`2026-0${(i % 9) + 1}-1${i % 9}`, at, 'America/New_York');
  t.ok(performance.now() - started < 2000, `${((performance.now() - started) / 2).toFixed(1)} µs a date`);
});

const word = fc.oneof(
  fc.constantFrom('foo', 'Bär', 'x-y', '東京', 'a,b', 'or', 'none', '12', 'e.g.', 'a+', "it's", 'P9'),
  fc.constantFrom('"a b"', '"-x"', '"p1"', '"say \\"hi\\""*', 'fo*', '"AND"', 'p3'),
);
const term = fc.oneof(
  word,
  fc.constantFrom(
    'status:new',
    's:open',
    'status:(new|closed)',
    'status!=fixed',
    'priority>=p1',
    'p:p0..p2',
    'type=bug',
    'severity:s1,s2',
    'is:open',
    'is:closed',
    'has:cc',
    'archived:no',
  ),
  fc.constantFrom(
    'assignee:me',
    'a:none',
    'a:(none|ada|group(ops))',
    'cc:any',
    'cc=bob',
    'reporter:"me"',
    "r:'O\"Hara'".replace(/'/g, ''),
    'reporter:"O\\"Hara"',
    'commenter:ada',
  ),
  fc.constantFrom(
    'component:12',
    'component:"Web>Login"+',
    'hotlist:Release',
    'hotlist:"12"',
    'parent:5',
    'blockedby:1,2',
    'label:x,"y z"',
    'label!=x',
    'label="none"',
    'foundin:"1.0 beta"',
  ),
  fc.constantFrom(
    'created:2026',
    'created>2026-01-02',
    'modified:7d',
    'closed:2026-01-01..2026-02',
    'verified:*..today',
    'created:(2025|2026-03..*)',
    'created:2026-01-01T10:00..2026-01-01T11:00:01',
    'stars>3',
    'votes:1..5',
    'attachments:0',
  ),
  fc.constantFrom(
    'field.effort:1..2.5',
    'field.effort>=0.25',
    'field.browser:Firefox',
    'field.os:(mac|none)',
    'field.due>2026-01',
    'field.due:7d',
    'field.contact:group(ops)',
    'field.related:9',
    'field.notes:"p1"',
  ),
  fc.constantFrom(
    'was(status:new)',
    'was(a:none)',
    'was(label:x)',
    'changed(status)',
    'changed(a from:none to:ada by:me after:2026)',
    'changed(priority during:2026-01)',
    'changed(cc to:ada before:today)',
  ),
);
const query: fc.Arbitrary<string> = fc.letrec<{ or: string; and: string; unary: string; atom: string }>((tie) => ({
  or: fc.array(tie('and'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' OR ')),
  and: fc
    .array(tie('unary'), { minLength: 1, maxLength: 3 })
    .chain((parts) => fc.constantFrom(parts.join(' '), parts.join(' AND '))),
  unary: fc.tuple(fc.constantFrom('', '', '-', 'NOT '), tie('atom')).map((parts) => parts.join('')),
  atom: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: term },
    { weight: 1, arbitrary: tie('or').map((inner) => `(${inner})`) },
  ),
})).or;

t.test('property: printing and parsing again gives the same tree and Filter', async (t) => {
  let compiled = 0;
  await fc.assert(
    fc.asyncProperty(
      query,
      fc.constantFrom('', ' orderby:-priority,id'),
      fc.constantFrom('UTC', 'America/New_York'),
      async (text, order, zone) => {
        let parsed: Query;
        let filter: Filter;
        try {
          parsed = parseQuery(text + order);
          ({ filter } = await compileQuery(parsed, { resolver, now: NOW, zone }));
        } catch (error) {
          // Only what the generator makes too deep or of a quote inside a word.
          ok(error instanceof QueryError && /deeper|blank between|does not end/.test(error.message), String(error));
          return;
        }
        const canonical = formatQuery(parsed);
        deepEqual(bare(parseQuery(canonical)), bare(parsed), canonical);
        const echo = formatFilter(filter, { names, zone });
        const again = await compileQuery(parseQuery(echo), { resolver, now: NOW, zone });
        deepEqual(again.filter, filter, echo);
        checkFilter(filter);
        compiled++;
      },
    ),
    { numRuns: 300, seed: 11 },
  );
  t.ok(compiled > 200, `${compiled} queries went round`);
});

t.test('property: any text is parsed or refused with a column inside it', async () => {
  const piece = fc.constantFrom(
    '(',
    ')',
    '"',
    '|',
    ',',
    ':',
    '-',
    '*',
    '+',
    '..',
    ' ',
    'OR',
    'AND',
    'NOT',
    'was(',
    'changed(',
    'group(',
    'status',
    'orderby:',
    'is:',
    'a',
    '=',
    '!=',
    '>',
    '\\',
    '\u3000',
    '😀',
    'é',
    '\ud800',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary-ascii' }),
        fc.array(piece, { maxLength: 20 }).map((parts) => parts.join('')),
      ),
      (text) => {
        let parsed: Query;
        try {
          parsed = parseQuery(text);
        } catch (error) {
          ok(error instanceof QueryError, String(error));
          ok(
            error.column >= 1 && error.column + error.length <= text.length + 1,
            `${error.column}+${error.length} in ${text.length}`,
          );
          return;
        }
        deepEqual(bare(parseQuery(formatQuery(parsed))), bare(parsed));
      },
    ),
    { numRuns: 1000, seed: 5 },
  );
});

t.test('reading a long query is quick', async (t) => {
  const long = [
    '('.repeat(4000),
    '"'.repeat(4000),
    `status:(${'new|'.repeat(90)}new)`,
    'a.'.repeat(2000),
    ' '.repeat(4000),
    '-'.repeat(4000),
    `${'('.repeat(15)}${'a '.repeat(190)}`,
  ];
  const started = performance.now();
  for (const text of long) {
    try {
      await compile(text);
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
    }
  }
  const millis = performance.now() - started;
  t.ok(millis < 500, `${millis.toFixed(1)} ms`);
});

t.test('what a resolver throws passes through', async (t) => {
  const failure = new Error('down');
  const broken = { ...resolver, findUser: () => Promise.reject(failure) };
  await t.rejects(compile('assignee:ada', { resolver: broken }), failure);
  t.equal(await print('a'), 'a');
});

t.test('the reference holds only queries that work, and every field', async (t) => {
  const text = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const lenient = { ...resolver, findComponent: async () => '12', findHotlist: async () => '70' };
  const queries = [...text.matchAll(/```query\n(.*?)```/gs)].flatMap((block) => block[1]!.trim().split('\n'));
  t.ok(queries.length > 20);
  for (const each of queries) await t.resolves(compile(each, { resolver: lenient }), each);
  for (const field of FIELDS) t.match(text, new RegExp(`\`${formatFieldWord(field.name)}\``), field.name);
  for (const table of [WORDS.type, WORDS.status, WORDS.accessLimit]) {
    for (const each of table.words) t.match(text, `\`${each}\``, each);
  }
});
