import assert from 'node:assert/strict';
import { IssueType, type IssueView } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import type { ModelCase } from './world.ts';

/** Texts that have broken systems before. */
const TEXTS = [
  'naïve café', // composed
  'nai\u0308ve cafe\u0301', // the same, with combining marks: kept as sent
  '👩‍👩‍👧‍👦 🏳️‍🌈 🦔',
  'שלום עולם, مرحبا بالعالم',
  '\u202Eright to left override\u202C',
  'İstanbul ıẞß ﬁ Ω Å',
  'a\u200Bb\u00ADc\uFEFFd',
  '漢字かな交じり文 한국어',
  'O\'Brien \\ % _ "quoted" $1 #{x} <script>&amp;',
  '\u{10FFFF}\u{1F600}',
] as const;

const MEBIBYTE = 1024 * 1024;

/** Text, numbers and sizes at their edges. */
export const VALUE_CASES: readonly ModelCase[] = [
  {
    name: 'values: text comes back as it was sent',
    rule: 'title: one line, 1 to 500 characters. Markdown, at most 1 MiB.',
    async run(world) {
      for (const text of TEXTS) {
        const issue = await world.issue({ title: text, description: `${text}\r\n\t${text}` });
        const { update } = await world.model.updateIssue({ id: issue.id, comment: text }, world.alice);
        const read = await world.get(issue.id);
        assert.deepEqual([read.title, read.description, update!.comment], [text, `${text}\r\n\t${text}`, text]);
        assert.equal((await world.updates(issue.id))[1]!.comment, text);
      }
    },
  },
  {
    name: 'values: labels in any script',
    rule: 'Labels: 1 to 100 characters without white space or comma; compared without case.',
    async run(world) {
      const labels = ['éclair', '漢字', '🦔', "o'brien", 'a\\b'];
      const issue = await world.issue({ labels });
      assert.deepEqual(new Set(issue.labels), new Set(labels));
      const { update } = await world.model.updateIssue({ id: issue.id, add: { labels: ['ÉCLAIR'] } }, world.alice);
      assert.equal(update, undefined, 'ÉCLAIR is there as éclair');
    },
  },
  {
    name: 'values: NUL is refused by name',
    rule: 'Bad input gets a clear error that names the field, and changes nothing.',
    async run(world) {
      const issue = await world.issue();
      const component = issue.component;
      const create = (fields: object) =>
        world.model.createIssue({ issue: { title: 'x', component, ...fields } }, world.alice);
      await expectError(create({ title: 'a\0b' }), 'INVALID_FIELD', { field: 'issue.title' });
      await expectError(create({ description: 'a\0b' }), 'INVALID_FIELD', { field: 'issue.description' });
      await expectError(create({ labels: ['a\0b'] }), 'INVALID_FIELD', { field: /^issue\.labels/ });
      await expectError(world.model.updateIssue({ id: issue.id, comment: 'a\0b' }, world.alice), 'INVALID_FIELD', {
        field: 'comment',
      });
      assert.equal((await world.get(issue.id)).version, '1');
    },
  },
  {
    name: 'values: half a surrogate pair does no harm',
    rule: 'Bad input gets a clear error that names the field, and changes nothing.',
    async run(world) {
      // On the wire it becomes U+FFFD; in process it has to be refused or replaced alike.
      const made = world.issue({ title: 'half \uD83D pair' });
      const title = await made.then(
        (issue) => issue.title,
        () => 'half \uFFFD pair',
      );
      assert.ok(['half \uFFFD pair', 'half \uFFFD\uFFFD\uFFFD pair'].includes(title), JSON.stringify(title));
    },
  },
  {
    name: 'values: the largest comment fits, a larger one does not',
    rule: 'comment: Markdown, at most 1 MiB.',
    async run(world) {
      const issue = await world.issue();
      const text = 'lorem ipsum dolor sit amet '.repeat(Math.ceil(MEBIBYTE / 27)).slice(0, MEBIBYTE);
      const { update } = await world.model.updateIssue({ id: issue.id, comment: text }, world.alice);
      assert.ok(update!.comment === text);
      assert.ok((await world.updates(issue.id))[1]!.comment === text);
      const large = world.model.updateIssue({ id: issue.id, comment: `${text}x` }, world.alice);
      await expectError(large, ['INVALID_FIELD', 'TOO_LARGE']);
      const wide = 'é'.repeat(MEBIBYTE / 2 + 1);
      await expectError(world.model.updateIssue({ id: issue.id, comment: wide }, world.alice), [
        'INVALID_FIELD',
        'TOO_LARGE',
      ]);
      assert.equal((await world.get(issue.id)).version, '2');
    },
  },
  {
    name: 'values: ids above 2^53 are exact',
    rule: 'id: unique for ever, positive int64; a string in JSON and TypeScript.',
    async run(world) {
      for (const id of ['9007199254740993', '9223372036854775807']) {
        await expectError(world.model.getIssue({ id }, world.root), 'ISSUE_NOT_FOUND');
        assert.deepEqual((await world.model.batchGetIssues({ ids: [id] }, world.root)).issues, []);
      }
      if (!world.has('import')) return;
      const id = `90071992547${(Date.now() % 10 ** 8).toString().padStart(8, '0')}1`.slice(0, 18);
      const issue = {
        id,
        title: 'Large',
        component: (await world.home()).id,
        reporter: world.alice.user,
        type: 1,
        priority: 3,
        severity: 3,
        status: 1,
      } as const;
      const created = '2020-01-01T00:00:00.000Z';
      const imported = {
        key: '1',
        issue: { ...issue, created, modified: created },
        updates: [{ author: world.alice.user, created, comment: 'x' }],
      };
      const { results } = await world.model.importIssues(
        { source: `large:${world.tag}`, issues: [imported] },
        world.root,
      );
      assert.deepEqual([results[0]!.id, results[0]!.error], [id, undefined]);
      assert.equal((await world.get(id)).title, 'Large');
      const child = await world.issue({ parent: id, blockedBy: [id] });
      assert.deepEqual([child.parent, child.blockedBy, (await world.get(id)).blocking], [id, [id], [child.id]]);
      const [update] = await world.updates(child.id);
      assert.deepEqual(update!.changes.find((change) => change.field === 'parent')?.newValues, [id]);
    },
  },
  {
    name: 'values: an id that is no number is no issue',
    rule: 'INVALID_ARGUMENT (INVALID_FIELD) with field paths, or NOT_FOUND; never INTERNAL.',
    async run(world) {
      for (const id of ['-1', '0'])
        await expectError(world.model.getIssue({ id }, world.root), ['ISSUE_NOT_FOUND', 'INVALID_FIELD']);
    },
  },
  {
    name: 'values: an enum number that is not known is kept or refused by name',
    rule: 'A receiver keeps a number that it does not know.',
    async run(world) {
      const component = (await world.home()).id;
      const call = world.model.createIssue({ issue: { title: 'x', component, type: 77 as IssueType } }, world.alice);
      // One who writes has to mean something that is known here; what is stored already is kept.
      const made = await call.then(
        ({ issue }) => issue!,
        () => world.issue(),
      );
      if (made.type !== IssueType.BUG) assert.equal((await world.get(made.id)).type, 77);
      else await expectError(call, 'INVALID_FIELD', { field: 'issue.type' });
      const { issues } = await world.model.batchGetIssues({ ids: [made.id], view: 9 as IssueView }, world.alice);
      assert.equal(issues.length, 1);
    },
  },
  {
    name: 'values: user ids are opaque',
    rule: 'Opaque user id: ASCII, at most 64 characters.',
    async run(world) {
      const odd = world.person({ user: `we!rd|id;"'${world.tag}`.padEnd(64, '~') });
      const component = (await world.component({ access: [], owners: [odd.user] })).id;
      const issue = await world.issue({ component, assignee: odd.user, cc: [odd.user] }, odd);
      assert.deepEqual([issue.reporter, issue.assignee, issue.cc], [odd.user, odd.user, [odd.user]]);
    },
  },
];
