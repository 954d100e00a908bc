import assert from 'node:assert/strict';
import { FIELDS, type IssueField } from '../../domain/index.ts';
import { type Issue, Priority, Severity, Status, type Update } from '../../service/index.ts';
import { Chance, expectError, walkPages } from '../expectation.ts';
import { type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

/** ListUpdates, and the promise that an issue is the fold of its updates. */
export const HISTORY_CASES: readonly ModelCase[] = [
  {
    name: 'history: an issue is the fold of its updates',
    rule: 'An issue as it stands: the fold of its updates.',
    async run(world) {
      const chance = new Chance(20_261);
      const others = await world.issues([{}, {}, {}]);
      let issue = await world.issue({ assignee: world.bob.user, labels: ['start'], description: 'x' });
      for (let step = 0; step < 40; step += 1) issue = await changeAtRandom(world, issue, others, chance);
      const updates = await world.updates(issue.id);
      assert.equal(issue.version, String(updates.length));
      assert.deepEqual(foldUpdates(updates), formatState(issue));
      for (const other of others)
        assert.deepEqual(foldUpdates(await world.updates(other.id)), formatState(await world.get(other.id)));
    },
  },
  {
    name: 'history: pages in both directions',
    rule: 'Lists the updates of an issue, oldest first unless `descending`.',
    async run(world) {
      const issue = await world.issue();
      for (let index = 0; index < 10; index += 1)
        await world.model.updateIssue({ id: issue.id, comment: `${index}` }, world.alice);
      for (const descending of [false, true]) {
        const rows = await walkPages(3, async (pageToken) => {
          const answer = await world.model.listUpdates(
            { issue: issue.id, descending, pageSize: 3, pageToken },
            world.carol,
          );
          return { rows: answer.updates, nextPageToken: answer.nextPageToken };
        });
        const expected = Array.from({ length: 11 }, (_, index) => index + 1);
        assert.deepEqual(
          rows.map((row) => row.sequence),
          descending ? expected.toReversed() : expected,
        );
        for (const row of rows) assert.equal(row.issue, issue.id);
      }
    },
  },
  {
    name: 'history: time does not run backwards',
    rule: 'created: never before the update that precedes it in the same issue.',
    async run(world) {
      const issue = await world.issue();
      await Promise.all(
        Array.from({ length: 8 }, () => world.model.updateIssue({ id: issue.id, comment: 'x' }, world.alice)),
      );
      const times = (await world.updates(issue.id)).map((update) => update.created!);
      assert.deepEqual(times, times.toSorted());
      assert.equal((await world.get(issue.id)).modified, times.at(-1));
    },
  },
  {
    name: 'history: of an issue that is not there',
    rule: 'Errors: NOT_FOUND (ISSUE_NOT_FOUND).',
    async run(world) {
      await expectError(world.model.listUpdates({ issue: NOWHERE }, world.root), 'ISSUE_NOT_FOUND');
    },
  },
  {
    name: 'history: a malformed page token is refused',
    rule: 'page_token: INVALID_ARGUMENT (BAD_PAGE_TOKEN) when malformed or used with another request.',
    async run(world) {
      const [a, b] = await world.issues([{}, {}]);
      for (const { id } of [a!, b!])
        for (const comment of ['1', '2']) await world.model.updateIssue({ id, comment }, world.alice);
      const { nextPageToken } = await world.model.listUpdates({ issue: a!.id, pageSize: 1 }, world.alice);
      assert.notEqual(nextPageToken, '');
      await expectError(
        world.model.listUpdates({ issue: a!.id, pageToken: 'nonsense' }, world.alice),
        'BAD_PAGE_TOKEN',
      );
      await expectError(
        world.model.listUpdates({ issue: b!.id, pageSize: 1, pageToken: nextPageToken }, world.alice),
        'BAD_PAGE_TOKEN',
      );
    },
  },
  {
    name: 'history: a restricted comment is for those with EDIT',
    capability: 'access',
    rule: 'The comment is shown only to those with EDIT on the issue.',
    async run(world) {
      const issue = await world.issue();
      await world.model.updateIssue(
        { id: issue.id, comment: 'between us', restricted: true, add: { labels: ['x'] } },
        world.alice,
      );
      assert.equal((await world.updates(issue.id, world.bob)).at(-1)?.comment, 'between us');
      for (const who of [world.carol, world.dave])
        assert.ok(!(await world.updates(issue.id, who)).some((update) => update.comment === 'between us'));
    },
  },
];

/** Fields whose values the fold gives. */
const RECORDED = FIELDS.filter((field) => field.recorded && field.property !== undefined);

/** The state that a history leads to: values by field, collections sorted. */
export function foldUpdates(updates: readonly Update[]): Record<string, string[]> {
  const state = new Map<string, Set<string>>();
  for (const change of updates.flatMap((update) => update.changes)) {
    const values = state.get(change.field) ?? new Set();
    for (const old of change.oldValues)
      assert.ok(values.delete(old), `${change.field} had ${old} when it was taken out`);
    for (const value of change.newValues) values.add(value);
    state.set(change.field, values);
  }
  const rows = RECORDED.map((field): [string, string[]] => [field.name, [...(state.get(field.name) ?? [])].sort()]);
  return Object.fromEntries(rows);
}

/** The same of the issue as it stands. */
export function formatState(issue: Issue): Record<string, string[]> {
  return Object.fromEntries(
    RECORDED.map((field): [string, string[]] => [field.name, formatValues(field, issue).sort()]),
  );
}

// History leaves out what is empty: no value, no issue, a flag not set, the default limit.
const EMPTY = ['', '0', 'false', 'default'];

function formatValues(field: IssueField, issue: Issue): string[] {
  const value = issue[field.property!];
  if (Array.isArray(value)) return value.map(String);
  const text = field.words ? field.words.format(value as number) : String(value);
  return EMPTY.includes(text) ? [] : [text];
}

async function changeAtRandom(
  world: ModelWorld,
  issue: Issue,
  others: readonly Issue[],
  chance: Chance,
): Promise<Issue> {
  const people = [world.alice.user, world.bob.user, world.carol.user];
  const labels = ['a', 'b', 'c', 'd'];
  const other = chance.pick(others);
  const choices: readonly (() => object)[] = [
    () => ({ issue: { priority: chance.pick(Object.values(Priority).filter(Boolean)) }, updateMask: ['priority'] }),
    () => ({ issue: { severity: chance.pick(Object.values(Severity).filter(Boolean)) }, updateMask: ['severity'] }),
    () => ({ issue: { assignee: chance.pick([...people, '']) }, updateMask: ['assignee'] }),
    () => ({
      issue: { status: chance.pick([Status.ASSIGNED, Status.ACCEPTED, Status.FIXED, Status.OBSOLETE]) },
      updateMask: ['status'],
    }),
    () => ({ issue: { status: Status.DUPLICATE, duplicateOf: other.id }, updateMask: ['status', 'duplicate_of'] }),
    () => ({
      issue: { title: `Title ${chance.below(5)}`, parent: chance.pick([other.id, '0']) },
      updateMask: ['title', 'parent'],
    }),
    () => ({ add: { labels: chance.some(labels, 3), cc: chance.some(people, 2) }, remove: { blockedBy: [other.id] } }),
    () => ({ remove: { labels: chance.some(labels, 3), cc: chance.some(people, 2) }, add: { blockedBy: [other.id] } }),
    () => ({
      issue: { labels: chance.some(labels, 4), archived: chance.below(2) === 1 },
      updateMask: ['labels', 'archived'],
    }),
    () => ({ comment: `comment ${chance.below(100)}` }),
    () => ({ issue: { accessLimit: chance.below(3) as 0 | 1 | 2 }, updateMask: ['access_limit'] }),
  ];
  const request = { ...chance.pick(choices)(), id: issue.id, expectedVersion: issue.version };
  return (await world.model.updateIssue(request, world.alice)).issue!;
}
