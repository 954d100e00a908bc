import assert from 'node:assert/strict';
import { expectError } from '../expectation.ts';
import { type ModelCase, NOWHERE } from './world.ts';

/** What belongs to one user: stars and saved searches. */
export const PERSONAL_CASES: readonly ModelCase[] = [
  {
    name: 'stars: set and taken away, by each user alone',
    capability: 'stars',
    rule: 'Stars an issue for the caller, or takes the star away. May be repeated.',
    async run(world) {
      const issue = await world.issue();
      const set = (starred: boolean, who = world.alice) => world.model.setStar({ issue: issue.id, starred }, who);
      assert.equal((await set(true)).stars, 1);
      assert.equal((await set(true)).stars, 1);
      assert.equal((await set(true, world.carol)).stars, 2);
      const [mine, other] = [await world.get(issue.id, world.alice), await world.get(issue.id, world.bob)];
      assert.deepEqual([mine.stars, mine.starred, other.starred], [2, true, false]);
      assert.equal((await set(false)).stars, 1);
      assert.equal((await set(false)).stars, 1);
      const after = await world.get(issue.id, world.alice);
      assert.deepEqual([after.stars, after.starred], [1, false]);
      assert.equal((await world.updates(issue.id)).length, 1, 'a star is no update');
    },
  },
  {
    name: 'stars: at once',
    capability: 'stars',
    rule: 'stars: how many users starred it.',
    async run(world) {
      const issue = await world.issue();
      const access = { ...world.carol };
      const fans = Array.from({ length: 6 }, () => world.person({ groups: [world.team] }));
      await Promise.all(
        [...fans, access, access].map((who) => world.model.setStar({ issue: issue.id, starred: true }, who)),
      );
      assert.equal((await world.get(issue.id)).stars, 7);
    },
  },
  {
    name: 'stars: of an issue that may not be seen',
    capability: 'stars',
    rule: 'Errors: NOT_FOUND (ISSUE_NOT_FOUND).',
    async run(world) {
      const issue = await world.issue();
      for (const [id, who] of [
        [NOWHERE, world.alice],
        [issue.id, world.eve],
      ] as const)
        await expectError(world.model.setStar({ issue: id, starred: true }, who), 'ISSUE_NOT_FOUND');
    },
  },
  {
    name: 'saved searches: kept, replaced, listed, deleted',
    capability: 'saved_searches',
    rule: 'Creates or replaces a saved search of the caller. Lists by name. A missing one is no error.',
    async run(world) {
      const save = (name: string, query: string) => world.model.saveSearch({ search: { name, query } }, world.alice);
      const list = async (who = world.alice) =>
        (await world.model.listSavedSearches({}, who)).searches.map(({ name, query }) => [name, query]);
      await save('Mine', 'assignee:me');
      await save('Crashes', 'label:crash "null pointer"');
      await save('Mine', 'assignee:me is:open');
      assert.deepEqual(await list(), [
        ['Crashes', 'label:crash "null pointer"'],
        ['Mine', 'assignee:me is:open'],
      ]);
      assert.deepEqual(await list(world.bob), []);
      for (const name of ['Mine', 'Mine', 'never there']) await world.model.deleteSavedSearch({ name }, world.alice);
      assert.equal((await list()).length, 1);
    },
  },
  {
    name: 'saved searches: bounds',
    capability: 'saved_searches',
    rule: 'name: 1 to 100 characters; query: at most 4,000. Errors: FAILED_PRECONDITION (TOO_MANY) beyond 200.',
    async run(world) {
      const save = (name: string, query = 'p0') => world.model.saveSearch({ search: { name, query } }, world.alice);
      for (const name of ['', 'x'.repeat(101)])
        await expectError(save(name), 'INVALID_FIELD', { field: 'search.name' });
      await expectError(save('x', 'y'.repeat(4_001)), 'INVALID_FIELD', { field: 'search.query' });
      for (let index = 0; index < 200; index += 1) await save(`search ${index}`);
      await expectError(save('one more'), 'TOO_MANY');
      await save('search 7', 'replaced');
    },
  },
];
