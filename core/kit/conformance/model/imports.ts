import assert from 'node:assert/strict';
import { createEmptyIssue, diffIssues } from '../../domain/index.ts';
import {
  type DeepPartial,
  type ImportedIssue,
  ImportOutcome,
  Issue,
  IssueType,
  Priority,
  Severity,
  Status,
  type Update,
} from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { foldUpdates, formatState } from './history.ts';
import { countIn } from './request.ts';
import { type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

const capability = 'import';
const { CREATED, UNCHANGED, CHANGED, REFUSED } = ImportOutcome;

/** An issue as a tool would send it: three updates whose fold is the state at the end. */
async function makeImported(world: ModelWorld, key: string, fields: DeepPartial<Issue> = {}): Promise<ImportedIssue> {
  const [ann, ben] = [`ann-${world.tag}`, `ben-${world.tag}`];
  const [created, changed, closed] = [
    '2019-03-01T10:00:00.000Z',
    '2019-03-02T11:30:00.250Z',
    '2020-02-29T23:59:59.999Z',
  ];
  const component = (await world.home()).id;
  const base = { type: IssueType.BUG, severity: Severity.S2, accessLimit: 0, component, reporter: ann } as const;
  const start = Issue.fromPartial({
    ...createEmptyIssue(),
    ...base,
    title: `Old ${key}`,
    priority: Priority.P2,
    status: Status.NEW,
    created,
  });
  const middle = Issue.fromPartial({ ...start, assignee: ben, status: Status.ASSIGNED, labels: ['old'] });
  const end = Issue.fromPartial({
    ...middle,
    priority: Priority.P1,
    status: Status.FIXED,
    modified: closed,
    resolved: closed,
    description: 'It broke',
    ...(fields as Partial<Issue>),
  });
  const update = (author: string, at: string, comment: string, before: Issue, after: Issue) =>
    ({ author, created: at, comment, changes: diffIssues(before, after) }) as Update;
  return {
    key,
    issue: end,
    updates: [
      update(ann, created, 'It broke', createEmptyIssue(), start),
      update(ben, changed, '', start, middle),
      update(
        ben,
        closed,
        'Mended',
        middle,
        Issue.fromPartial({ ...middle, priority: Priority.P1, status: Status.FIXED }),
      ),
    ],
    links: [],
  };
}

/** ImportIssues. */
export const IMPORT_CASES: readonly ModelCase[] = [
  {
    name: 'import: authors, times and history as they were',
    capability,
    rule: 'Stores issues with their history as another tracker had them: authors and times given.',
    async run(world) {
      const item = await makeImported(world, '1');
      const { results } = await world.model.importIssues({ source: world.tag, issues: [item] }, world.root);
      assert.deepEqual([results[0]!.key, results[0]!.outcome, results[0]!.error], ['1', CREATED, undefined]);
      const issue = await world.get(results[0]!.id);
      const { issue: wanted } = item;
      assert.deepEqual(
        [issue.title, issue.description, issue.reporter, issue.assignee],
        [wanted!.title, 'It broke', wanted!.reporter, wanted!.assignee],
      );
      assert.deepEqual([issue.status, issue.priority, issue.labels], [Status.FIXED, Priority.P1, ['old']]);
      assert.deepEqual(
        [issue.created, issue.modified, issue.resolved],
        [wanted!.created, wanted!.modified, wanted!.resolved],
      );
      assert.deepEqual([issue.version, issue.commentCount], ['3', 1]);
      const updates = await world.updates(issue.id);
      assert.deepEqual(
        updates.map(({ sequence, author, created, comment }) => [sequence, author, created, comment]),
        item.updates.map(({ author, created, comment }, index) => [index + 1, author, created, comment]),
      );
      assert.deepEqual(foldUpdates(updates), formatState(issue));
    },
  },
  {
    name: 'import: a second run adds nothing',
    capability,
    rule: 'One already there with the same content is left alone, so a run may be repeated and resumed.',
    async run(world) {
      const items = [];
      for (const key of ['1', '2', '3', '4']) items.push(await makeImported(world, key));
      const send = async (issues: ImportedIssue[]) =>
        (await world.model.importIssues({ source: world.tag, issues }, world.root)).results;
      const first = await send(items.slice(0, 2));
      const second = await send(items);
      assert.deepEqual(
        second.map((result) => result.outcome),
        [UNCHANGED, UNCHANGED, CREATED, CREATED],
      );
      assert.deepEqual(
        second.slice(0, 2).map((result) => result.id),
        first.map((result) => result.id),
      );
      assert.deepEqual(
        (await send(items)).map((result) => [result.outcome, result.id]),
        second.map((result) => [UNCHANGED, result.id]),
      );
      assert.equal((await countIn(world, (await world.home()).id)).count, 4);
      assert.equal((await world.updates(first[0]!.id)).length, 3);
    },
  },
  {
    name: 'import: one that has changed since is left as it is here',
    capability,
    rule: 'CHANGED: was there, and the source has changed since: left as it is here.',
    async run(world) {
      const send = async (item: ImportedIssue, source = world.tag) =>
        (await world.model.importIssues({ source, issues: [item] }, world.root)).results[0]!;
      const first = await send(await makeImported(world, '1'));
      const again = await send(await makeImported(world, '1', { title: 'Renamed there' }));
      assert.deepEqual([again.outcome, again.id], [CHANGED, first.id]);
      assert.equal((await world.get(first.id)).title, 'Old 1');
      const other = await send(await makeImported(world, '1'), `${world.tag} other`);
      assert.equal(other.outcome, CREATED, 'keys are unique within their source');
      assert.notEqual(other.id, first.id);
    },
  },
  {
    name: 'import: a bad item is refused alone',
    capability,
    rule: 'All or nothing per issue. Errors of single issues stand in the results.',
    async run(world) {
      const bad = [
        await makeImported(world, 'b1', { title: '' }),
        await makeImported(world, 'b2', { component: NOWHERE }),
      ];
      const items = [await makeImported(world, '1'), ...bad, await makeImported(world, '2')];
      const { results } = await world.model.importIssues({ source: world.tag, issues: items }, world.root);
      assert.deepEqual(
        results.map((result) => result.outcome),
        [CREATED, REFUSED, REFUSED, CREATED],
      );
      assert.deepEqual(
        results.map((result) => result.key),
        ['1', 'b1', 'b2', '2'],
      );
      assert.deepEqual([results[1]!.id, results[1]!.error?.reason], ['0', 'INVALID_FIELD']);
      assert.match(results[1]!.error?.field ?? '', /title/);
      assert.equal(results[2]!.error?.reason, 'COMPONENT_NOT_FOUND');
      assert.equal((await countIn(world, (await world.home()).id)).count, 2);
    },
  },
  {
    name: 'import: links are made when both ends are there',
    capability,
    rule: 'References by key within the source. One to an issue not imported yet is kept and made when that issue comes.',
    async run(world) {
      const [a, b, c] = [
        await makeImported(world, 'a'),
        await makeImported(world, 'b'),
        await makeImported(world, 'c'),
      ];
      a.links = [
        { field: 'blocked_by', key: 'b' },
        { field: 'parent', key: 'c' },
      ];
      c.links = [{ field: 'blocked_by', key: 'b' }];
      const send = async (item: ImportedIssue) =>
        (await world.model.importIssues({ source: world.tag, issues: [item] }, world.root)).results[0]!.id;
      const idA = await send(a);
      assert.deepEqual([(await world.get(idA)).blockedBy, (await world.get(idA)).parent], [[], '0']);
      const idB = await send(b);
      const idC = await send(c);
      const [first, last] = [await world.get(idA), await world.get(idC)];
      assert.deepEqual([first.blockedBy, first.parent, last.blockedBy], [[idB], idC, [idB]]);
      assert.deepEqual((await world.get(idB)).blocking.toSorted(), [idA, idC].toSorted());
      for (const issue of [first, last])
        assert.deepEqual(foldUpdates(await world.updates(issue.id)), formatState(issue));
    },
  },
  {
    name: 'import: a history that does not add up is completed',
    capability,
    rule: 'When it does not, the Model appends a silent update by the importing user that makes it so.',
    async run(world) {
      const item = await makeImported(world, '1', { priority: Priority.P4, labels: ['new', 'old'] });
      const { results } = await world.model.importIssues({ source: world.tag, issues: [item] }, world.root);
      const issue = await world.get(results[0]!.id);
      assert.deepEqual([issue.priority, issue.labels], [Priority.P4, ['new', 'old']]);
      const updates = await world.updates(issue.id);
      assert.deepEqual(foldUpdates(updates), formatState(issue));
      assert.deepEqual([updates.length, updates.at(-1)!.author, updates.at(-1)!.significance], [4, world.root.user, 1]);
      assert.equal(issue.version, '4');
    },
  },
  {
    name: 'import: an id that is given is kept',
    capability,
    rule: 'id: 0 lets the Model choose, else it is kept, and ALREADY_EXISTS when taken by another.',
    async run(world) {
      const id = String(4_000_000_000_000 + Number.parseInt(world.tag.slice(0, 8), 16));
      const send = async (item: ImportedIssue) =>
        (await world.model.importIssues({ source: world.tag, issues: [item] }, world.root)).results[0]!;
      assert.deepEqual((await send(await makeImported(world, '1', { id }))).id, id);
      assert.equal((await world.get(id)).title, 'Old 1');
      const taken = await send(await makeImported(world, '2', { id }));
      assert.deepEqual([taken.outcome, taken.error?.reason], [REFUSED, 'ID_TAKEN']);
      assert.notEqual((await world.issue()).id, id);
    },
  },
  {
    name: 'import: a dry run writes nothing',
    capability,
    rule: 'Check everything, write nothing.',
    async run(world) {
      const items = [await makeImported(world, '1'), await makeImported(world, 'bad', { title: '' })];
      const { results } = await world.model.importIssues(
        { source: world.tag, issues: items, dryRun: true },
        world.root,
      );
      assert.deepEqual(
        results.map((result) => [result.id, result.outcome]),
        [
          ['0', CREATED],
          ['0', REFUSED],
        ],
      );
      assert.equal((await countIn(world, (await world.home()).id)).count, 0);
      const { results: real } = await world.model.importIssues(
        { source: world.tag, issues: items.slice(0, 1) },
        world.root,
      );
      assert.equal(real[0]!.outcome, CREATED);
    },
  },
  {
    name: 'import: for administrators',
    capability,
    rule: 'For administrators. source: 1 to 100 characters; 1 to 500 issues.',
    async run(world) {
      const item = await makeImported(world, '1');
      await expectError(world.model.importIssues({ source: world.tag, issues: [item] }, world.alice), 'FORBIDDEN');
      await expectError(world.model.importIssues({ source: '', issues: [item] }, world.root), 'INVALID_FIELD', {
        field: 'source',
      });
      await expectError(world.model.importIssues({ source: world.tag, issues: [] }, world.root), 'INVALID_FIELD', {
        field: 'issues',
      });
    },
  },
  {
    name: 'import: an imported issue is like any other',
    capability,
    rule: 'Stores issues with their history.',
    async run(world) {
      const item = await makeImported(world, '1');
      const { results } = await world.model.importIssues({ source: world.tag, issues: [item] }, world.system);
      const issue = await world.get(results[0]!.id, world.alice);
      const { update } = await world.set(issue, { status: Status.ASSIGNED, title: 'Again' });
      assert.equal(update!.sequence, 4);
      const updates = await world.updates(issue.id);
      assert.deepEqual(foldUpdates(updates), formatState(await world.get(issue.id)));
    },
  },
];
