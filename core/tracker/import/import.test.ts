import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { foldUpdates, WORDS } from '@bugless/kit/domain';
import { createSystemContext, type Issue, IssueView, Significance, type Update } from '@bugless/kit/service';
import t, { type Test } from 'tap';
import { loadConfig } from '../config/index.ts';
import { startTestTracker, type TestTracker } from '../testing.ts';
import { BugzillaHtmlReader } from './bugzilla-html.ts';
import { BugzillaXmlReader } from './bugzilla-xml.ts';
import { buildActivityPage, buildBugPage, buildBugXml, buildComment, buildPageComment } from './fixture/bugzilla.ts';
import { GitHubReader } from './github.ts';
import { type ImportOptions, importIssues } from './importer.ts';
import type { ImportReport } from './report.ts';
import type { SourceReader } from './source.ts';

const MAIN = fileURLToPath(new URL('../cli/bugless.mjs', import.meta.url));
const SYSTEM = createSystemContext();

/** The real Model and the real logins, on PostgreSQL. */
const tracker = await startTestTracker(t, { model: '@bugless/model-postgres' });

function run(
  reader: SourceReader,
  source: string,
  options: Partial<ImportOptions> = {},
  { services }: TestTracker = tracker,
): Promise<ImportReport> {
  return importIssues({
    reader,
    source,
    model: services.model,
    authenticator: services.identity.withCapability('directory'),
    context: SYSTEM,
    into: '0',
    keepIds: false,
    dryRun: false,
    onProgress: () => {},
    ...options,
  });
}

function writeFiles(folder: string, files: Record<string, string>): string {
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return folder;
}

/** Every issue, archived ones too. */
async function listIssues({ services }: TestTracker = tracker): Promise<Issue[]> {
  const issues: Issue[] = [];
  let pageToken = '';
  do {
    const page = await services.model.searchIssues(
      { pageSize: 500, pageToken, view: IssueView.FULL, order: [{ field: 'id', descending: false }] },
      SYSTEM,
    );
    issues.push(...page.issues);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return issues;
}

async function listUpdates(issue: string, { services }: TestTracker = tracker): Promise<Update[]> {
  const { updates } = await services.model.listUpdates({ issue, pageSize: 500 }, SYSTEM);
  return updates;
}

/** Names of people by id. */
async function nameUser(id: string): Promise<string> {
  return (await tracker.services.identity.directory.getUsers([id])).get(id)!.displayName;
}

t.test('an export with every oddity, twice', async (t) => {
  const before = await listIssues();
  const folder = writeFiles(t.testdir({}), {
    '1.xml': buildBugXml(
      1,
      `<cc>dee</cc><keywords>ui</keywords><dependson>2</dependson>${buildComment('ada', '', 'It drips.')}
       ${buildComment('bo', '2009-10-01 08:00:00 +0100', 'Secret', 'isprivate="1"')}`,
      { bug_status: 'RESOLVED', resolution: 'LATER' },
    ),
    // Links forwards, backwards, into nowhere and in a circle.
    '2.xml': buildBugXml(2, '<dependson>1</dependson><dependson>99</dependson>', { short_desc: 'a\u0000b' }),
    '3.xml': buildBugXml(3, '<dup_id>1</dup_id><group id="1">security</group>', {
      bug_status: 'RESOLVED',
      resolution: 'DUPLICATE',
    }),
    '4.xml': buildBugXml(4, buildComment('ada', '', 'x'.repeat(1024 * 1024 + 10)), {
      bug_file_loc: `http://x/${'y'.repeat(30_000)}`,
    }),
    '5.xml': '<bug error="NotFound"><bug_id>5</bug_id></bug>',
    '6.xml': '<bug><bug_id>6',
    '7.xml': buildBugXml(7, '', { product: 'Ke>"ttle', component: 'Lid', short_desc: 't'.repeat(900) }),
  });
  const dry = await run(new BugzillaXmlReader(folder), 'test:xml', { dryRun: true });
  t.match(dry, { read: 5, created: 5, people: 4, components: 4 });
  t.same(await listIssues(), before, 'a dry run writes nothing');
  const { components } = await tracker.services.model.listComponents({}, SYSTEM);
  t.notOk(components.some(({ name }) => name === 'Kettle'));

  const first = await run(new BugzillaXmlReader(folder), 'test:xml');
  t.match(first, { read: 5, created: 5, unchanged: 0, changed: 0, people: 4, components: 4 });
  t.match(first.refused, [{ file: '6.xml', reason: /^is not well-formed XML/ }]);
  const again = await run(new BugzillaXmlReader(folder), 'test:xml');
  t.match(again, { read: 5, created: 0, unchanged: 5, changed: 0, people: 4, components: 0 });

  const issues = (await listIssues()).slice(before.length);
  t.equal(issues.length, 5, 'nothing doubled');
  const [one, two, three, four, seven] = issues as [Issue, Issue, Issue, Issue, Issue];
  t.match(one, {
    title: 'Bug 1',
    status: WORDS.status.parse('obsolete'),
    created: '2009-09-23T14:51:00.000Z',
    labels: ['ui'],
    description: 'It drips.',
    commentCount: 1,
  });
  t.equal(await nameUser(one.reporter), 'Ada L.');
  t.same([one.blockedBy, two.blockedBy].flat().length, 1, 'a circle is left open, a link into nowhere waits');
  t.equal(two.title, 'ab');
  t.match(three, {
    status: WORDS.status.parse('duplicate'),
    duplicateOf: one.id,
    accessLimit: WORDS.accessLimit.parse('limited_view'),
  });
  const long = await listUpdates(four.id);
  t.same(
    long.map(({ comment }) => comment.length),
    [1024 * 1024, 30_015, 10],
  );
  t.equal([...seven.title].length, 500);
  const place = await tracker.services.model.getComponent({ id: seven.component }, SYSTEM);
  t.same(place.component!.path, ['Ke ttle', 'Lid']);
  const updates = await listUpdates(one.id);
  t.match(
    updates.map(({ comment, restricted, created }) => [comment, restricted, created]),
    [
      ['It drips.', false, '2009-09-23T14:51:00.000Z'],
      ['Secret', true, '2009-10-01T07:00:00.000Z'],
      ['', false, '2009-12-31T23:00:00.000Z'],
    ],
  );
  t.equal(await nameUser(updates[1]!.author), 'Bo');

  writeFiles(folder, { '7.xml': buildBugXml(7, '', { short_desc: 'changed since' }) });
  const later = await run(new BugzillaXmlReader(folder), 'test:xml');
  t.match(later, { created: 0, unchanged: 4, changed: 1 });
  t.equal((await listIssues()).at(-1)!.title, seven.title, 'what has changed at the source is left as it is here');
});

t.test('a history whose fold is the state shown, also where the source contradicts itself', async (t) => {
  const before = (await listIssues()).length;
  const folder = writeFiles(t.testdir({}), {
    'a.html': buildBugPage(30, {
      status: 'RESOLVED FIXED',
      version: '2.0',
      component: 'Lid',
      assignee: '*Bo Diddley',
      cc: ['dee'],
      comments:
        buildPageComment(0, '*Ada Lovelace', '2014-05-27 11:44:02', 'It drips.') +
        buildPageComment(1, '*Bo Diddley', '2014-06-01 00:00:00', 'Done.'),
    }),
    'b.html': buildActivityPage(30, [
      [
        'dee',
        '2014-05-28 00:00:00',
        [
          ['CC', '', 'dee, eve'],
          ['Component', 'Spout', 'Old lid'],
        ],
      ],
      [
        'bo',
        '2014-06-01 00:00:00',
        [
          ['Status', 'NEW', 'RESOLVED'],
          ['Resolution', '---', 'FIXED'],
          ['Assignee', 'nobody', 'bo'],
        ],
      ],
    ]),
  });
  const report = await run(new BugzillaHtmlReader(folder), 'test:html');
  t.match(report, { read: 1, created: 1, refused: [] });
  t.same(report.disagreements, [
    { key: '30', what: 'CC, 2014-05-28 00:00:00 UTC: got "eve", which is not there afterwards' },
    { key: '30', what: 'Component, 2014-05-28 00:00:00 UTC: became "Old lid", the page shows "Lid"' },
  ]);
  const [issue] = (await listIssues()).slice(before) as [Issue];
  const updates = await listUpdates(issue.id);
  const folded = foldUpdates(updates);
  for (const field of ['title', 'status', 'component', 'assignee', 'cc', 'foundIn', 'customFields'] as const) {
    t.same(folded[field], issue[field], field);
  }
  t.match(issue, { status: WORDS.status.parse('fixed'), foundIn: ['2.0'], created: '2014-05-27T11:44:02.000Z' });
  t.equal(issue.cc.length, 1);
  t.equal(await nameUser(issue.assignee), 'Bo Diddley');
  t.equal(updates[2]!.author, issue.assignee, 'two names, one person');
  t.same(updates[2]!.changes.map(({ field }) => field).sort(), ['assignee', 'status']);
  t.match(updates[3], { significance: Significance.SILENT, comment: '' });
  t.match(report.format(1, false), /1 issues on which the source contradicts itself[\s\S]*issue 30: CC,/);
  t.match(await run(new BugzillaHtmlReader(folder), 'test:html'), { created: 0, unchanged: 1 });
});

t.test('ids can be kept, and a component chosen', async (t) => {
  const { model } = tracker.services;
  const { component: parent } = await model.createComponent({ component: { name: 'Imported' } }, SYSTEM);
  const folder = t.testdir({
    'archive.json': JSON.stringify({
      magic: 'E!vIA5L86J2I',
      repo: 'tea/kettle',
      issues: [70_001, 70_002].map((number) => ({
        number,
        title: `Issue ${number}`,
        state: 'OPEN',
        author: 'ada',
        body: 'Unclear.',
        labels: [],
        createdAt: '2020-01-01T00:00:00Z',
        updatedAt: '2020-01-01T00:00:00Z',
        comments: [],
      })),
      pulls: [],
    }),
  });
  const file = path.join(folder, 'archive.json');
  const options = { keepIds: true, into: parent!.id };
  t.match(await run(new GitHubReader(file, { pulls: true }), 'test:github', options), { created: 2, refused: [] });
  const { issue } = await model.getIssue({ id: '70001' }, SYSTEM);
  t.equal(issue!.title, 'Issue 70001');
  const { component } = await model.getComponent({ id: issue!.component }, SYSTEM);
  t.same(component!.path, ['Imported', 'tea/kettle']);
  t.match(await run(new GitHubReader(file, { pulls: true }), 'test:other', options), {
    created: 0,
    refused: [
      { file: 'issue 70001', reason: 'issue.id: there is an issue 70001 already' },
      { file: 'issue 70002', reason: 'issue.id: there is an issue 70002 already' },
    ],
  });
  const { issue: next } = await model.createIssue(
    { issue: { title: 'Next', component: tracker.component }, requestId: 'after-kept-ids' },
    SYSTEM,
  );
  t.ok(Number(next!.id) > 70_002, 'new issues come after the ids kept');
  await t.rejects(run(new GitHubReader(file, { pulls: true }), 'test:x', { into: '999999' }), {
    message: 'there is no component 999999 to import into',
  });
});

interface Run {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly ended: Promise<number | string>;
}

/** The command itself, on a folder of its own. */
function spawnImport(t: Test, directory: string, args: readonly string[]): Run {
  const child = spawn(process.execPath, ['--conditions=bugless-source', MAIN, 'import', ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    output.stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    output.stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return { child, output, ended };
}

t.test('killed in the middle and started again', async (t) => {
  const directory = t.testdir({});
  const folder = path.join(directory, 'export');
  mkdirSync(folder);
  const count = 900;
  for (let id = 1; id <= count; id += 1) {
    const link = id > 1 ? `<dependson>${id - 1}</dependson>` : '';
    const text = `${link}${buildComment('ada', '', 'It drips.')}${buildComment('bo', '', 'Again.')}`;
    writeFileSync(path.join(folder, `${String(id).padStart(5, '0')}.xml`), buildBugXml(id, text));
  }
  const first = spawnImport(t, directory, ['bugzilla-xml', 'export']);
  await new Promise<void>((resolve, reject) => {
    // The first line of progress comes with the first batch.
    first.child.stderr!.on('data', () => /issues/.test(first.output.stderr) && resolve());
    first.ended.then(() => reject(new Error(`ended at once: ${first.output.stdout}${first.output.stderr}`)));
  });
  first.child.kill('SIGKILL');
  t.equal(await first.ended, 'SIGKILL');

  const second = spawnImport(t, directory, ['bugzilla-xml', 'export', '--report', 'report.txt']);
  t.equal(await second.ended, 0, second.output.stderr);
  const written = Number(/([\d,]+) written/.exec(second.output.stdout)?.[1]?.replace(',', ''));
  const unchanged = Number(/([\d,]+) were there already/.exec(second.output.stdout)?.[1]?.replace(',', ''));
  t.equal(written + unchanged, count, second.output.stdout);
  t.ok(unchanged >= 200 && written > 0, `${unchanged} were there, ${written} came`);

  const defaults = loadConfig({ environment: {}, directory });
  const resumed = await startTestTracker(t, {
    model: '@bugless/model-postgres',
    config: { dataDir: defaults.dataDir },
  });
  t.match(await run(new BugzillaXmlReader(folder), 'bugzilla-xml:export', {}, resumed), {
    created: 0,
    unchanged: count,
  });
  const issues = await listIssues(resumed);
  t.equal(issues.length, count, 'each issue once');
  t.ok(
    issues.every(({ commentCount }) => commentCount === 1),
    'each comment once',
  );
  t.equal(issues.filter(({ blockedBy }) => blockedBy.length === 1).length, count - 1, 'each link once');
});

t.test('what cannot be imported at all gets one line', async (t) => {
  const directory = t.testdir({ empty: {} });
  const { output, ended } = spawnImport(t, directory, ['bugzilla-xml', 'nowhere']);
  t.equal(await ended, 1);
  t.equal(output.stderr, 'bugless: nowhere: no such file or folder\n');
  t.same(readdirSync(directory), ['empty'], 'before any database is made');
  await t.rejects(run(new BugzillaHtmlReader(path.join(directory, 'empty')), 'test:empty'), {
    message: 'nothing was found there that this format could be read from',
  });
});
