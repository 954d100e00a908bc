import assert from 'node:assert/strict';
import { type CallContext, FilterOperator, Status, type SummarizeIssuesResponse } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import type { ModelCase, ModelWorld } from './world.ts';

const capability = 'summary';

const formatDay = (offset: number): string => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

/** A component, with all below it. */
const filterBelow = (id: string) => ({
  node: {
    $case: 'term' as const,
    value: {
      field: 'component',
      operator: FilterOperator.HAS,
      values: [{ kind: { $case: 'reference' as const, value: { id, subtree: true } } }],
    },
  },
});

async function summarize(
  world: ModelWorld,
  component: string,
  who: CallContext,
  groupBy: string[] = [],
): Promise<SummarizeIssuesResponse> {
  // From the day before to the day after: the case may run over midnight.
  const request = { filter: filterBelow(component), firstDay: formatDay(-1), lastDay: formatDay(1), groupBy };
  return world.model.summarizeIssues(request, who);
}

/** opened, closed, and open at the end. */
async function count(world: ModelWorld, component: string, who: CallContext): Promise<number[]> {
  const { days } = await summarize(world, component, who);
  assert.equal(days.length, 3);
  const sum = (read: (day: (typeof days)[number]) => number) => days.reduce((total, day) => total + read(day), 0);
  return [sum((day) => day.opened), sum((day) => day.closed), days.at(-1)!.open];
}

/** Counts by day and by field. */
export const SUMMARY_CASES: readonly ModelCase[] = [
  {
    name: 'summary: opened, closed and open on each day',
    capability,
    rule: 'Counts issues by day. open: at the end of the day.',
    async run(world) {
      const home = (await world.home()).id;
      assert.deepEqual(await count(world, home, world.alice), [0, 0, 0]);
      const [a, b] = await world.issues([{}, {}, {}]);
      const closed = (await world.set(a!, { status: Status.FIXED })).issue!;
      await world.set(b!, { status: Status.OBSOLETE });
      assert.deepEqual(await count(world, home, world.alice), [3, 2, 1]);
      await world.set(closed, { status: Status.NEW });
      assert.deepEqual(await count(world, home, world.alice), [4, 2, 2]);
      const { days } = await summarize(world, home, world.alice);
      assert.deepEqual(
        days.map(({ day }) => day).toSorted(),
        days.map(({ day }) => day),
        'in their order',
      );
    },
  },
  {
    name: 'summary: an issue that is moved takes its past along',
    capability,
    rule: 'Only `component` (with subtree) is required to be understood.',
    async run(world) {
      const home = (await world.home()).id;
      const below = (await world.component({ parent: home })).id;
      const other = (await world.component({})).id;
      const issue = await world.issue({ component: below });
      const closed = (await world.set(issue, { status: Status.FIXED })).issue!;
      assert.deepEqual(await count(world, home, world.alice), [1, 1, 0]);
      const reopened = (await world.set(closed, { status: Status.NEW, component: other })).issue!;
      assert.deepEqual(await count(world, home, world.alice), [0, 0, 0]);
      assert.deepEqual(await count(world, other, world.alice), [2, 1, 1]);
      await world.set(reopened, { component: below });
      assert.deepEqual(await count(world, home, world.alice), [2, 1, 1]);
    },
  },
  {
    name: 'summary: open issues by field',
    capability,
    rule: 'Fields to count open issues by: priority, severity, type, status, assignee, component.',
    async run(world) {
      const home = (await world.home()).id;
      await world.issues([{ assignee: world.bob.user }, { assignee: world.bob.user }, {}]);
      const closed = await world.issue({ assignee: world.bob.user });
      await world.set(closed, { status: Status.FIXED });
      const { groups } = await summarize(world, home, world.alice, ['assignee', 'status', 'component']);
      const found = new Map(groups.map(({ field, value, count }) => [`${field} ${value}`, count]));
      assert.deepEqual(
        [`assignee ${world.bob.user}`, 'assignee ', 'status assigned', 'status new', `component ${home}`].map((key) =>
          found.get(key),
        ),
        [2, 1, 2, 1, 3],
      );
      assert.equal(found.size, 5);
    },
  },
  {
    name: 'summary: only what the caller may see',
    capability,
    rule: 'Each call sees and does only what that user may.',
    async run(world) {
      const home = (await world.home()).id;
      const secret = (await world.component({ parent: home, accessOverridden: true, access: [] })).id;
      await world.issue({});
      await world.issue({ component: secret }, world.root);
      const limited = await world.issue({ accessLimit: 2, cc: [world.bob.user] });
      assert.deepEqual(await count(world, home, world.root), [3, 0, 3]);
      assert.deepEqual(await count(world, home, world.alice), [2, 0, 2]);
      assert.deepEqual(await count(world, home, world.bob), [2, 0, 2]);
      assert.deepEqual(await count(world, home, world.carol), [1, 0, 1]);
      assert.deepEqual(await count(world, home, world.eve), [0, 0, 0]);
      const { groups } = await summarize(world, home, world.carol, ['priority']);
      assert.equal(
        groups.reduce((total, group) => total + group.count, 0),
        1,
      );
      await world.set(limited, { accessLimit: 0 });
      assert.deepEqual(await count(world, home, world.carol), [2, 0, 2]);
    },
  },
  {
    name: 'summary: bounds',
    capability,
    rule: 'First and last day, YYYY-MM-DD in UTC, at most 1,100 days.',
    async run(world) {
      const ask = (request: object) => world.model.summarizeIssues(request, world.alice);
      const firstDay = '2024-01-01';
      await expectError(ask({ firstDay: '2024-02-30', lastDay: '2024-03-01' }), 'INVALID_FIELD', {
        field: 'first_day',
      });
      await expectError(ask({ firstDay, lastDay: '2023-12-31' }), 'INVALID_FIELD', { field: 'last_day' });
      await expectError(ask({ firstDay, lastDay: '2027-01-05' }), 'INVALID_FIELD', { field: 'last_day' });
      await expectError(ask({ firstDay, lastDay: firstDay, groupBy: ['title'] }), 'INVALID_FIELD', {
        field: 'group_by[0]',
      });
    },
  },
];
