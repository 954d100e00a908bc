import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { pack } from 'tar-stream';
import { BugzillaHtmlReader } from './bugzilla-html.ts';
import { BugzillaXmlReader } from './bugzilla-xml.ts';
import { Bundle } from './bundle.ts';
import { buildActivityPage, buildBugPage, buildBugXml, buildComment, buildPageComment } from './fixture/bugzilla.ts';
import { GitHubReader } from './github.ts';
import { MAX_COMMENT_BYTES, NoteBook } from './note-book.ts';
import type { SourceIssue, SourceItem, SourceReader } from './source.ts';

type Files = Record<string, string | Buffer>;

/** All that a reader yields. */
async function readAll(reader: SourceReader): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const item of reader.read()) items.push(item);
  return items;
}

function listIssues(items: readonly SourceItem[]): SourceIssue[] {
  return items.flatMap((item) => (item.kind === 'issue' ? [item.issue] : []));
}

/** Notes of all issues by what they say. */
function listNotes(items: readonly SourceItem[]): Record<string, number> {
  const notes: Record<string, number> = {};
  for (const item of items) {
    if (item.kind !== 'issue') continue;
    for (const { what, count } of item.notes) notes[what] = (notes[what] ?? 0) + count;
  }
  return notes;
}

async function packTar(files: Files): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A .tar.xz with the one file 7.xml. */
const TAR_XZ = Buffer.from(
  '/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4Cf/ANpdABuLi4cR2C7CbuRtVGm3cb6Z60nIFWN2kIP0ty/+Nhsws6aZ0RMc+l7L6pHCWqbiylfmrps0' +
    'WbE6lIWGS1araPIhWdcYwtapt/wASTwxFDNAgJNBZo0wt/zWz0EjqY0GSqkT736c9raqsGUoNcScr2irkACMyx675pgrIiKKD0lVaYb+gLRd/O3g' +
    'Vu81eha7UXfVUKo1doH1BgtSQhDApMXSDmgmzsdzUOVK2nCWSd53hEpz9Q7deTEHe2mALNrUtd4JJ5qZ1hJolENeNtu7DhzHQ2Nj8CzyAG0AAAAA' +
    '+H5o9AAB8gGAUAAA9N2KJz4wDYsCAAAAAAFZWg==',
  'base64',
);

t.test('an export is read from a folder, a file or an archive of any packing', async (t) => {
  const tar = await packTar({ 'b/2.xml': buildBugXml(2), 'a/1.xml': buildBugXml(1), 'notes.txt': 'no bug' });
  const folder = t.testdir({
    folder: { b: { '2.xml': buildBugXml(2) }, a: { '1.xml': buildBugXml(1) }, 'notes.txt': 'no bug' },
    'all.xml': `<?xml version="1.0"?><bugzilla version="4">${buildBugXml(1)}${buildBugXml(2)}</bugzilla>`,
    'all.tar': tar,
    'all.tar.gz': gzipSync(tar),
    'all.tgz': gzipSync(tar),
    'one.tar.xz': TAR_XZ,
    'one.xml.gz': gzipSync(buildBugXml(1)),
  });
  symlinkSync(path.join(folder, 'all.xml'), path.join(folder, 'folder', 'linked.xml'));
  const keys: Record<string, string[]> = {
    folder: ['1', '2', '1', '2'],
    'all.xml': ['1', '2'],
    'all.tar': ['2', '1'],
    'all.tar.gz': ['2', '1'],
    'all.tgz': ['2', '1'],
    'one.tar.xz': ['7'],
    'one.xml.gz': ['1'],
  };
  for (const [name, expected] of Object.entries(keys)) {
    const reader = new BugzillaXmlReader(path.join(folder, name));
    const issues = listIssues(await readAll(reader));
    t.same(
      issues.map(({ key }) => key),
      expected,
      name,
    );
    t.equal(reader.progress(), 1, `${name}: read to its end`);
  }
});

t.test('what cannot be read gets one line', async (t) => {
  const tar = gzipSync(await packTar({ '1.xml': buildBugXml(1) }));
  const folder = t.testdir({
    'cut.tar.gz': tar.subarray(0, tar.length - 20),
    'no.tar.gz': 'no archive',
    'no.tar.xz': 'no archive',
    'cut.tar.xz': TAR_XZ.subarray(0, 100),
    links: {},
  });
  symlinkSync('/nowhere/1.xml', path.join(folder, 'links', '1.xml'));
  const cases: readonly [string, RegExp][] = [
    ['missing', /missing: no such file or folder$/],
    ['cut.tar.gz', /cut\.tar\.gz: cannot be read to its end: .+/],
    ['no.tar.gz', /no\.tar\.gz: cannot be read to its end: .+/],
    ['no.tar.xz', /no\.tar\.xz: cannot be read to its end: .+/],
    ['cut.tar.xz', /cut\.tar\.xz: cannot be read to its end: .+/],
    ['links', /links\/1\.xml: is a link to nowhere$/],
  ];
  for (const [name, message] of cases) {
    const bundle = new Bundle(path.join(folder, name));
    await t.rejects(
      async () => {
        for await (const entry of bundle.read(() => true)) entry.bytes.toString();
      },
      { message },
      name,
    );
  }
});

t.test('Bugzilla XML', async (t) => {
  async function read(t: Test, files: Files): Promise<SourceItem[]> {
    const folder = t.testdir({});
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
    return readAll(new BugzillaXmlReader(folder));
  }
  const readBug = async (t: Test, parts: string, values: Record<string, string> = {}) =>
    (await read(t, { '1.xml': buildBugXml(1, parts, values) }))[0]!;

  t.test('a bug whose history is not told has a beginning and an end', async (t) => {
    const item = await readBug(
      t,
      `<qa_contact name="Cy">cy</qa_contact><cc>dee</cc><cc>eve</cc><keywords>easy, ui</keywords><dependson>5</dependson>
       <cf_browser>Lynx</cf_browser><bug_file_loc>http://example.org/</bug_file_loc>
       ${buildComment('ada', '2009-09-23 16:51:00 +0200', 'First')}${buildComment('bo', '2009-10-01 08:00:00 +0100', 'Second', 'isprivate="1"')}
       <attachment><attachid>1</attachid><data encoding="base64">AAAA</data></attachment>`,
      { bug_status: 'CLOSED', resolution: 'LATER', bug_severity: 'major', target_milestone: '2.0' },
    );
    t.match(item, {
      kind: 'issue',
      issue: {
        key: '1',
        created: '2009-09-23T14:51:00.000Z',
        modified: '2009-12-31T23:00:00.000Z',
        reporter: { key: 'ada', displayName: 'Ada L.' },
        fields: {
          component: ['Kettle', 'Spout'],
          priority: 'p2',
          severity: 's1',
          status: 'obsolete',
          assignee: { key: 'bo' },
          verifier: { key: 'cy' },
          labels: ['easy', 'ui'],
          foundIn: ['1.0'],
          targetedTo: ['2.0'],
          accessLimit: 'default',
          customFields: {
            platform: 'PC',
            os: 'Linux',
            browser: 'Lynx',
            url: 'http://example.org/',
            // What our own words don't tell.
            status: 'CLOSED',
            resolution: 'LATER',
            severity: 'major',
          },
        },
        links: [{ field: 'blocked_by', key: '5' }],
      },
      notes: [{ what: 'attachments left out', count: 1 }],
    });
    const { issue } = item as Extract<SourceItem, { kind: 'issue' }>;
    t.match(
      issue.updates.map(({ author, created, comment, restricted, state }) => [
        author.key,
        created,
        comment,
        restricted,
        state?.status,
      ]),
      [
        ['ada', '2009-09-23T14:51:00.000Z', 'First', false, 'assigned'],
        ['bo', '2009-10-01T07:00:00.000Z', 'Second', true, undefined],
        ['(unknown)', '2009-12-31T23:00:00.000Z', '', false, 'obsolete'],
      ],
    );
  });

  t.test('words of Bugzilla', async (t) => {
    const words: readonly [Record<string, string>, object][] = [
      [{ bug_status: 'UNCONFIRMED' }, { status: 'assigned', customFields: { status: 'UNCONFIRMED' } }],
      [{ bug_status: 'ASSIGNED' }, { status: 'accepted' }],
      [{ bug_status: 'RESOLVED', resolution: 'FIXED' }, { status: 'fixed' }],
      [{ bug_status: 'VERIFIED', resolution: 'FIXED' }, { status: 'verified' }],
      [
        { bug_status: 'VERIFIED', resolution: 'INVALID' },
        { status: 'intended', customFields: { status: 'VERIFIED' } },
      ],
      [
        { bug_status: 'RESOLVED', resolution: 'WONTFIX' },
        { status: 'infeasible', customFields: { resolution: 'WONTFIX' } },
      ],
      [{ bug_status: 'RESOLVED', resolution: 'WORKSFORME' }, { status: 'not_reproducible' }],
      [
        { bug_status: 'RESOLVED', resolution: 'OUR_OWN' },
        { status: 'obsolete', customFields: { resolution: 'OUR_OWN' } },
      ],
      [{ bug_severity: 'enhancement' }, { type: 'feature_request', severity: 's2' }],
      [{ priority: 'P1' }, { priority: 'p0' }],
      [{ priority: 'Highest' }, { priority: 'p0', customFields: { priority: 'Highest' } }],
      [{ priority: '---' }, { priority: 'p2' }],
    ];
    for (const [values, fields] of words) {
      t.match(await readBug(t, '', values), { issue: { fields } }, JSON.stringify(values));
    }
    t.match(await readBug(t, '<dup_id>9</dup_id>', { bug_status: 'RESOLVED', resolution: 'DUPLICATE' }), {
      issue: { fields: { status: 'duplicate' }, links: [{ field: 'duplicate_of', key: '9' }] },
    });
    t.match(await readBug(t, '<group id="1">security</group>'), { issue: { fields: { accessLimit: 'limited_view' } } });
  });

  t.test('what is missing or broken', async (t) => {
    const items = await read(t, {
      '1.xml': '<bug error="NotFound"><bug_id>1</bug_id></bug>',
      '2.xml': buildBugXml(2),
      '3.xml': buildBugXml(3, buildComment('ada', '', '')),
      '4.xml': buildBugXml(4, `${buildComment('ada', '', 'a')}<long_desc><thetext>nobody, never</thetext></long_desc>`),
      '5.xml': buildBugXml(5, `${buildComment('ada', '', 'a')}${buildComment('bo', '2009-09-24 00:00:00 +0000', '')}`),
      '6.xml': '<bug><bug_id>6</bug_id><short_desc>cut off',
      '7.xml': buildBugXml(7, '', { creation_ts: 'yesterday' }),
      '8.xml': '<html>an error page</html>',
      '9.xml': buildBugXml(9, buildComment('ada', '', 'an "error=" in a text, &lt;bug error="NotFound"&gt; too')),
      'a.xml': '<bug><creation_ts>2009-09-23 16:51:00 +0200</creation_ts></bug>',
      'b.xml': buildBugXml(11, '', { short_desc: '' }),
    });
    t.match(
      items.map((item) => (item.kind === 'issue' ? item.issue.key : [item.kind, item.file, item.reason])),
      [
        ['skipped', '1.xml', 'the export says NotFound'],
        '2',
        '3',
        '4',
        '5',
        ['refused', '6.xml', /^is not well-formed XML: .+/],
        ['refused', '7.xml', 'creation_ts: "yesterday" is no time like 2009-09-23 16:51:00 +0200'],
        ['refused', '8.xml', 'holds no <bug>'],
        '9',
        ['refused', 'a.xml', 'has no bug_id'],
        '11',
      ],
    );
    const issues = listIssues(items);
    t.match(issues[2]!.updates[1], {
      author: { key: '(unknown)' },
      created: issues[2]!.created,
      comment: 'nobody, never',
    });
    t.match(issues[4]!.updates[0], { comment: 'an "error=" in a text, <bug error="NotFound"> too' });
    t.equal(issues[5]!.fields.title, '(no title)');
    t.same(listNotes(items), {
      'missing descriptions left empty': 2,
      'descriptions that are empty': 1,
      'comments without a time dated as the one before': 1,
      'comments without an author': 1,
      'empty comments left out': 1,
      'missing titles replaced by (no title)': 1,
    });
  });

  t.test('broken texts', async (t) => {
    const latin = Buffer.from(buildBugXml(1, buildComment('ada', '', 'Größe – 5 €')), 'utf8')
      .toString('latin1')
      .replaceAll('Ã¶', '\u00f6')
      .replaceAll('Ã\u009f', '\u00df')
      .replaceAll('â\u0080\u0093', '\u0096')
      .replaceAll('â\u0082¬', '\u0080');
    const items = await read(t, {
      '1.xml': Buffer.from(latin, 'latin1'),
      '2.xml': buildBugXml(2, buildComment('ada', '', 'a\u0001b&#0;c&#x1f;d\u0000e\r\nf\rg')),
      '3.xml': buildBugXml(3, buildComment('ada', '', '<![CDATA[x < y]]> &amp; z')),
      '4.xml': buildBugXml(4, buildComment('ada', '', 'ä€'.repeat(MAX_COMMENT_BYTES / 4))),
      '5.xml': buildBugXml(5, buildComment('ada', '', 'a'), { bug_file_loc: `http://x/${'y'.repeat(30_000)}` }),
    });
    const texts = listIssues(items).map(({ updates }) => updates.map(({ comment }) => comment));
    t.same(texts[0], ['Größe – 5 €']);
    t.same(texts[1], ['a\uFFFDb\uFFFDc\uFFFDde\nf\ng']);
    t.same(texts[2], ['x < y & z']);
    t.equal(texts[3]!.length, 2);
    // Compared without t.equal, whose message would be as long.
    t.ok(texts[3]!.join('') === 'ä€'.repeat(MAX_COMMENT_BYTES / 4), 'split between characters');
    t.ok(texts[3]!.every((text) => Buffer.byteLength(text) <= MAX_COMMENT_BYTES));
    t.equal(texts[4]![0], 'a');
    t.ok(texts[4]![1] === `url:\n\nhttp://x/${'y'.repeat(30_000)}`, 'a value too long for a field is a comment');
    t.notOk('url' in listIssues(items)[4]!.fields.customFields);
    t.same(listNotes(items), {
      'files in a broken encoding read as Windows-1252': 1,
      'NUL characters removed': 1,
      'comments over 1 MiB split': 1,
      'values over 10,000 characters moved from a field to a comment': 1,
    });
  });
});

t.test('GitHub', async (t) => {
  const issue = (number: number, values: object = {}) => ({
    number,
    html_url: `https://github.com/tea/kettle/issues/${number}`,
    title: `Issue ${number}`,
    body: 'It drips.',
    user: { login: 'ada' },
    labels: [{ name: 'P-high' }, { name: 'good first issue' }],
    assignees: [{ login: 'bo' }, { login: 'cy' }],
    milestone: { title: '1.0' },
    state: 'open',
    comments: 0,
    created_at: '2014-12-19T10:00:00Z',
    updated_at: '2014-12-20T10:00:00Z',
    closed_at: null,
    ...values,
  });
  async function read(t: Test, files: Record<string, unknown>, pulls = true): Promise<SourceItem[]> {
    const folder = t.testdir({});
    for (const [name, content] of Object.entries(files)) {
      const bytes =
        typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content, null, 2);
      writeFileSync(path.join(folder, name), bytes);
    }
    return readAll(new GitHubReader(folder, { pulls }));
  }

  t.test('REST files', async (t) => {
    const items = await read(t, {
      '000001-comments.json': [
        { user: { login: 'cy' }, created_at: '2014-12-21T10:00:00Z', body: 'Fixed it.' },
        { user: null, created_at: '2014-12-20T10:00:00Z', body: 'Me too.' },
      ],
      '000001-main.json': issue(1, {
        comments: 2,
        state: 'closed',
        closed_at: '2014-12-21T10:00:00Z',
        closed_by: { login: 'cy' },
      }),
      '000001-xrefs.json': [{ event: 'referenced' }],
      '000002-main.json': issue(2, { body: null, user: null, assignees: [], labels: ['enhancement'], milestone: null }),
      '000002-comments.json': [],
      '000003.404': '',
      '000004-main.json': issue(40),
      '000004-comments.json': [],
      '000005-main.json': issue(5, {
        pull_request: { merged_at: '2015-01-01T00:00:00Z' },
        state: 'closed',
        closed_at: '2015-01-01T00:00:00Z',
      }),
      '000005-comments.json': [],
      '000006-main.json': issue(6, { comments: 3, body: 'a\u0000b\ud800c' }),
      '000006-comments.json': [{ user: { login: 'cy' }, created_at: '2014-12-20T10:00:00Z', body: '' }],
      '000007-main.json': issue(7),
      '000008-comments.json': [],
      '000009-main.json': '{"number": 9',
      '000010-main.json': issue(10, { created_at: 'long ago' }),
      '000010-comments.json': [],
      '000011-main.json': Buffer.from(JSON.stringify(issue(11, { body: 'caf\u00e9' })), 'latin1'),
      '000011-comments.json': [],
    });
    t.match(
      items.map((item) => (item.kind === 'issue' ? item.issue.key : [item.kind, item.file, item.reason])),
      [
        '1',
        '2',
        ['skipped', '000003.404', 'the export says that it is gone'],
        ['refused', '000004-main.json', 'was moved to tea/kettle#40: the file holds another issue'],
        '5',
        '6',
        ['refused', '000009-main.json', 'is not JSON'],
        ['refused', '000010-main.json', 'created_at: "long ago" is no time'],
        '11',
        '7',
        ['refused', '000008-comments.json', 'has no -main.json beside it'],
      ],
    );
    const [first, second, pull, broken, latin] = listIssues(items);
    t.match(first, {
      reporter: { key: 'ada' },
      fields: {
        component: ['tea/kettle'],
        priority: 'p1',
        status: 'fixed',
        assignee: { key: 'bo' },
        collaborators: [{ key: 'cy' }],
        labels: ['P-high', 'good-first-issue'],
        targetedTo: ['1.0'],
      },
    });
    t.match(
      first!.updates.map(({ author, comment, state }) => [author.key, comment, state?.status]),
      [
        ['ada', 'It drips.', 'assigned'],
        ['ghost', 'Me too.', undefined],
        ['cy', 'Fixed it.', undefined],
        ['cy', '', 'fixed'],
      ],
      'by time, closing after what was said in the same second',
    );
    t.match(second, {
      reporter: { key: 'ghost' },
      fields: { type: 'feature_request', status: 'new', assignee: undefined },
    });
    t.match(pull, { fields: { status: 'fixed', labels: ['pull-request', 'P-high', 'good-first-issue'] } });
    t.equal(broken!.updates[0]!.comment, 'ab\uFFFDc');
    t.equal(latin!.updates[0]!.comment, 'caf\u00e9');
    t.same(listNotes(items), {
      'missing descriptions left empty': 1,
      'issues whose number of comments differs from the count that the export states': 1,
      'NUL characters removed': 1,
      'broken Unicode characters replaced by U+FFFD': 1,
      'empty comments left out': 1,
      'files in a broken encoding read as Windows-1252': 1,
    });
    const without = await read(t, { '5-main.json': issue(5, { pull_request: {} }), '5-comments.json': [] }, false);
    t.match(without, [{ kind: 'skipped', reason: 'is a pull request' }]);
  });

  t.test("the IETF tools' archive", async (t) => {
    const item = (number: number, values: object = {}) => ({
      number,
      title: `Issue ${number}`,
      state: 'CLOSED',
      author: 'ada',
      assignees: [],
      labels: ['editorial'],
      body: 'Unclear.',
      createdAt: '2020-01-01T00:00:00Z',
      updatedAt: '2020-01-03T00:00:00Z',
      closedAt: '2020-01-03T00:00:00Z',
      comments: [],
      ...values,
    });
    const reviews = [
      {
        author: 'bo',
        state: 'COMMENTED',
        body: '',
        createdAt: '2020-01-02T00:00:00Z',
        comments: [{ author: null, body: 'nit', createdAt: '2020-01-02T00:00:00Z' }],
      },
    ];
    const items = await read(t, {
      'archive.json': {
        magic: 'E!vIA5L86J2I',
        repo: 'wg/draft',
        issues: [item(1), item(3, { createdAt: '' })],
        pulls: [item(2, { state: 'MERGED', mergedAt: '2020-01-03T00:00:00Z', mergedBy: 'cy', reviews })],
      },
    });
    t.match(items, [
      {
        kind: 'issue',
        issue: { key: '1', fields: { component: ['wg/draft'], status: 'fixed', labels: ['editorial'] } },
      },
      { kind: 'refused', file: 'archive.json#3', reason: 'created_at: "" is no time' },
      {
        kind: 'issue',
        issue: {
          key: '2',
          updates: [
            { comment: 'Unclear.' },
            { author: { key: 'ghost' }, comment: 'nit' },
            { author: { key: 'cy' }, state: { status: 'fixed' } },
          ],
        },
      },
    ]);
  });
});

t.test('Bugzilla HTML', async (t) => {
  async function read(t: Test, files: Record<string, string>): Promise<SourceItem[]> {
    const folder = t.testdir({});
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
    return readAll(new BugzillaHtmlReader(folder));
  }

  t.test('the history begins as the log tells, and ends as the page shows', async (t) => {
    const items = await read(t, {
      'show_bug.cgi?id=20': buildBugPage(20, {
        title: 'The spout drips',
        status: 'RESOLVED\n   DUPLICATE of <a class="bz_bug_link" title="NEW - a > b" href="bug.html">bug 7</a>',
        component: 'Spout',
        version: '2.0',
        importance: 'High\n   major',
        assignee: '*Bo Diddley',
        cc: ['cy', 'dee'],
        dependsOn: [5],
        tags: 'Tea, hot water',
        url: '<a href="http://example.org/a/very/long/one">http://example.org/a...</a>',
        comments: [
          buildPageComment(
            0,
            '*Ada Lovelace',
            '2014-05-27 11:44:02',
            '\nIt &lt;drips&gt;,\u2028see <a href="bug.html" title="a > b">bug 7</a>',
          ),
          buildPageComment(1, '*Bo Diddley', '2014-05-28 10:00:00', 'Mine.'),
          buildPageComment(3, 'cy', '2014-05-29 10:00:00', 'Secret', ' bz_private'),
          buildPageComment(4, '*Bo Diddley', '2014-05-30 10:00:00', ''),
        ].join(''),
      }),
      'show_activity.cgi?id=20': buildActivityPage(20, [
        [
          'bo',
          '2014-05-28 10:00:00',
          [
            ['Status', 'NEW', 'ASSIGNED'],
            ['Assignee', 'nobody', 'bodiddley'],
            ['CC', 'eve', 'cy, dee'],
            ['Summary', 'Spout', 'The spout drips'],
            ['Product', 'Teapot', 'Kettle'],
            ['Version', 'unspecified', '1.0'],
            ['Is this bug a regression?', '---', 'Yes'],
            ['Test Case URL', '', 'http://t/1'],
            ['Tags', '', 'Tea'],
          ],
        ],
        [
          'cy',
          '2014-06-01 00:00:00',
          [
            ['Status', 'ASSIGNED', 'RESOLVED'],
            ['Resolution', '---', 'DUPLICATE'],
            ['Version', '1.0', '2.0'],
            ['Tags', 'Tea', 'Tea, hot water'],
            ['Is this bug a regression?', 'Yes', '---'],
            ['Severity', 'normal', 'major'],
            ['Priority', '---', 'High'],
            ['Depends on', '', '<a class="bz_bug_link" title="a > b" href="bug.html">5</a>'],
            ['Comment 1 is private', '0', '1'],
            ['Attachment #1\n   Attachment is obsolete', '0', '1'],
          ],
        ],
      ]),
    });
    const [issue] = listIssues(items);
    t.same(issue!.disagreements, []);
    const states = issue!.updates.flatMap(({ state }) => state ?? []);
    t.match(states[0], {
      title: 'Spout',
      component: ['Teapot', 'Spout'],
      status: 'assigned',
      type: 'bug',
      priority: 'p2',
      severity: 's2',
      assignee: { key: 'nobody' },
      cc: [{ key: 'eve' }],
      labels: [],
      foundIn: [],
      customFields: { platform: 'PC', os: 'Mac OS', url: 'http://example.org/a/very/long/one' },
    });
    t.match(states[1], {
      title: 'The spout drips',
      component: ['Kettle', 'Spout'],
      status: 'accepted',
      assignee: { key: 'bo', displayName: 'Bo Diddley' },
      cc: [{ key: 'cy' }, { key: 'dee' }],
      labels: ['Tea'],
      foundIn: ['1.0'],
      customFields: { regression: 'Yes', test_case_url: 'http://t/1' },
    });
    t.same(states[2], issue!.fields, 'the last state is the one shown');
    t.match(issue, {
      key: '20',
      reporter: { key: 'Ada Lovelace (name)', username: 'Ada Lovelace' },
      created: '2014-05-27T11:44:02.000Z',
      fields: { status: 'duplicate', labels: ['Tea', 'hot-water'], priority: 'p1', severity: 's1', foundIn: ['2.0'] },
      links: [
        { field: 'blocked_by', key: '5' },
        { field: 'duplicate_of', key: '7' },
      ],
    });
    t.match(
      issue!.updates.map(({ author, created, comment, restricted, state }) => [
        author.key,
        created.slice(5, 19),
        comment,
        restricted,
        state?.status,
      ]),
      [
        ['Ada Lovelace (name)', '05-27T11:44:02', 'It <drips>,\u2028see bug 7', false, 'assigned'],
        ['bo', '05-28T10:00:00', 'Mine.', false, 'accepted'],
        ['cy', '05-29T10:00:00', 'Secret', true, undefined],
        ['cy', '06-01T00:00:00', '', false, 'duplicate'],
      ],
      'what one person sent in one second is one update',
    );
    t.same(listNotes(items), {
      'comments withheld by the export': 1,
      'empty comments left out': 1,
      'attachments left out': 1,
      'changes of who sees a comment left out': 1,
      'changes of attachments left out': 1,
    });
  });

  t.test('where the source contradicts itself, that is said and the page has the last word', async (t) => {
    const [item] = await read(t, {
      'bug.html': buildBugPage(3, { component: 'Lid', version: '3.0', cc: ['cy'], modified: '2015-06-01 00:00:00' }),
      'activity.html': buildActivityPage(3, [
        [
          'bo',
          '2014-06-01 00:00:00',
          [
            ['Component', 'Old lid', 'Cover'],
            ['Version', '1.0', '2.0'],
          ],
        ],
        [
          'bo',
          '2014-06-02 00:00:00',
          [
            ['Version', '2.5', '3.0'],
            ['CC', 'cy', 'dee, eve'],
          ],
        ],
        ['bo', '2014-06-03 00:00:00', [['CC', 'eve', '']]],
      ]),
    });
    const issue = (item as Extract<SourceItem, { kind: 'issue' }>).issue;
    t.same(issue.disagreements, [
      'Component, 2014-06-01 00:00:00 UTC: became "Cover", the page shows "Lid"',
      'Version, 2014-06-02 00:00:00 UTC: was "2.0" before, the log says "2.5"',
      'CC, 2014-06-02 00:00:00 UTC: got "dee", which is not there afterwards',
      'CC, 2014-06-02 00:00:00 UTC: lost "cy", which is still there afterwards',
    ]);
    t.match(issue.updates.at(-1), {
      author: { key: '(unknown)' },
      created: '2015-06-01T00:00:00.000Z',
      silent: true,
      state: { component: ['Kettle', 'Lid'], foundIn: ['3.0'], cc: [{ key: 'cy' }] },
    });
    t.match(issue.updates.at(-2)!.state, { component: ['Kettle', 'Cover'], cc: [{ key: 'dee' }] });
  });

  t.test('two names are one person only when nothing speaks against it', async (t) => {
    const say = (id: number, name: string, login: string): Record<string, string> => ({
      [`${id}.html`]: buildBugPage(id, {
        assignee: name,
        comments:
          buildPageComment(0, '*Ada Lovelace', '2014-05-27 11:44:02', 'a') +
          buildPageComment(1, name, '2014-05-28 10:00:00', `says ${name}`),
      }),
      [`${id}-activity.html`]: buildActivityPage(id, [
        [
          login,
          '2014-05-28 10:00:00',
          [
            ['Assignee', 'x', login === 'bo' ? 'bo-of-old' : login],
            ['Hardware', 'All', 'PC'],
          ],
        ],
      ]),
    });
    const items = await read(t, {
      ...say(1, '*Bo Diddley', 'bo'),
      ...say(2, '*Bo Diddley', 'bo'),
      ...say(3, '*Mark One', 'mark'),
      ...say(4, '*Mark Two', 'mark'),
      ...say(5, 'cy', 'cy'),
      '6.html': buildBugPage(6, { cc: ['bo', 'bo-of-old', 'mark', 'cy'], reporter: '*Bo Diddley' }),
      '6a.html': buildActivityPage(6, []),
    });
    const issues = listIssues(items);
    const authors = issues.map(({ updates }) =>
      updates.map(({ author, comment }) => `${author.key}: ${comment}`).slice(1),
    );
    t.same(authors, [
      ['bo: says *Bo Diddley'],
      ['bo: says *Bo Diddley'],
      ['Mark One (name): says *Mark One'],
      ['Mark Two (name): says *Mark Two'],
      ['cy: says cy'],
      [],
    ]);
    t.equal(issues[5]!.reporter.key, 'bo');
    t.same(
      issues[5]!.fields.cc.map(({ key }) => key),
      ['bo', 'bo', 'mark', 'cy'],
      'a login that never acts is an old one of whom it stood for',
    );
    t.same(
      issues.flatMap(({ disagreements = [] }) => disagreements),
      [],
    );
  });

  t.test('pages that miss their other half', async (t) => {
    const items = await read(t, {
      '1.html': buildBugPage(1, { comments: buildPageComment(2, 'bo', '2014-05-28 10:00:00', 'Only this.') }),
      '2.html': buildActivityPage(2, []),
      '3.html': '<html><title>Index</title></html>',
      '4.html': buildBugPage(4),
      '4a.html': buildActivityPage(4, []),
      '5.html': buildBugPage(4),
      '6.html': buildBugPage(6, { reported: 'some day' }),
      'style.css': 'a {}',
    });
    t.match(
      items.map((item) => (item.kind === 'issue' ? item.issue.key : [item.kind, item.file, item.reason])),
      [
        ['skipped', '3.html', 'is no page of a bug or of its activity'],
        ['refused', '5.html', 'shows bug 4, which was read already'],
        ['refused', '6.html', 'says neither when nor by whom it was reported'],
        ['skipped', '2.html', 'is the activity of a bug whose page is not in the export'],
        '4',
        '1',
      ],
    );
    const issue = listIssues(items)[1]!;
    t.equal(issue.created, '2014-05-27T11:44:00.000Z', 'to the minute, as the description is withheld');
    t.equal(issue.updates[0]!.comment, '');
    t.match(listNotes(items), {
      'bugs without a history in the export': 1,
      'descriptions withheld by the export left empty': 1,
      'comments withheld by the export': 1,
    });
  });
});

t.test('texts are mended', async (t) => {
  const book = new NoteBook();
  t.equal(book.cleanTitle(' a\nb\u2028c\u0000 '), 'a b c');
  t.equal([...book.cleanTitle('😀'.repeat(400))].length, 250);
  t.equal(book.cleanLabel(' two words, three '), 'two-words-three');
  t.equal(book.cleanVersion(' 1.0,\u2028beta '), '1.0 beta');
  t.equal(book.cleanVersion(`${'v'.repeat(99)} x`), 'v'.repeat(99));
  t.same(book.limitList('labels', [1, 2, 3], 2), [1, 2]);
  t.same(book.list(), [
    { what: 'NUL characters removed', count: 1 },
    { what: 'titles cut to 500 characters', count: 1 },
    { what: 'labels beyond 2 of one issue left out', count: 1 },
  ]);
});
