import assert from 'node:assert/strict';
import { HotlistPermission } from '../../service/index.ts';
import { expectError, walkPages } from '../expectation.ts';
import { type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

const capability = 'hotlists';

async function makeHotlist(world: ModelWorld, fields: object = {}) {
  const { hotlist } = await world.model.createHotlist(
    { hotlist: { name: `list ${world.tag}`, ...fields } },
    world.alice,
  );
  return hotlist!;
}

async function listIssues(world: ModelWorld, hotlist: string, context = world.alice, pageSize = 3): Promise<string[]> {
  const rows = await walkPages(pageSize, async (pageToken) => {
    const answer = await world.model.listHotlistEntries({ hotlist, pageSize, pageToken }, context);
    return { rows: answer.entries, nextPageToken: answer.nextPageToken };
  });
  return rows.map((entry) => entry.issue);
}

/** Hotlists and their entries. */
export const HOTLIST_CASES: readonly ModelCase[] = [
  {
    name: 'hotlists: created, changed, deleted',
    capability,
    rule: 'Creates a hotlist owned by the caller. Deletes a hotlist and its entries; issues stay.',
    async run(world) {
      const list = await makeHotlist(world, { description: '# Next' });
      assert.deepEqual(
        [list.owner, list.version, list.description, list.archived],
        [world.alice.user, '1', '# Next', false],
      );
      assert.deepEqual((await world.model.getHotlist({ id: list.id }, world.alice)).hotlist, list);
      const update = { id: list.id, hotlist: { description: 'New' }, updateMask: ['description'] };
      await expectError(
        world.model.updateHotlist({ ...update, expectedVersion: '7' }, world.alice),
        'VERSION_MISMATCH',
      );
      const { hotlist } = await world.model.updateHotlist({ ...update, expectedVersion: '1' }, world.alice);
      assert.deepEqual([hotlist!.description, hotlist!.version, hotlist!.name], ['New', '2', list.name]);
      const issue = await world.issue();
      await world.model.addHotlistEntries({ hotlist: list.id, issues: [issue.id] }, world.alice);
      await world.model.deleteHotlist({ id: list.id }, world.alice);
      await expectError(world.model.getHotlist({ id: list.id }, world.alice), 'HOTLIST_NOT_FOUND');
      await expectError(world.model.deleteHotlist({ id: list.id }, world.alice), 'HOTLIST_NOT_FOUND');
      assert.deepEqual((await world.get(issue.id, world.alice)).hotlists, []);
    },
  },
  {
    name: 'hotlists: names',
    capability,
    rule: "name: 1 to 100 characters. Errors: ALREADY_EXISTS (NAME_TAKEN) among the owner's.",
    async run(world) {
      const list = await makeHotlist(world);
      await expectError(makeHotlist(world), 'NAME_TAKEN');
      await world.model.createHotlist({ hotlist: { name: list.name } }, world.bob);
      for (const name of ['', 'x'.repeat(101)])
        await expectError(makeHotlist(world, { name }), 'INVALID_FIELD', { field: 'hotlist.name' });
    },
  },
  {
    name: 'hotlists: added on top, added again moves up',
    capability,
    rule: 'Puts issues on top, in the order given; an issue already there moves up and keeps its note.',
    async run(world) {
      const { id: hotlist } = await makeHotlist(world);
      const [a, b, c, d] = (await world.issues([{}, {}, {}, {}])).map((issue) => issue.id) as [
        string,
        string,
        string,
        string,
      ];
      const add = (issues: string[], note = '') =>
        world.model.addHotlistEntries({ hotlist, issues, note }, world.alice);
      await add([a, b], 'first');
      await add([c, d]);
      assert.deepEqual(await listIssues(world, hotlist), [c, d, a, b]);
      await add([b, c]);
      assert.deepEqual(await listIssues(world, hotlist), [b, c, d, a]);
      const { entries } = await world.model.listHotlistEntries({ hotlist }, world.alice);
      assert.deepEqual(
        entries.map((entry) => entry.note),
        ['first', '', '', 'first'],
      );
      assert.deepEqual(
        [entries[0]!.author, entries[0]!.hotlist, entries[0]!.summary?.title],
        [world.alice.user, hotlist, 'An issue'],
      );
      assert.deepEqual((await world.get(a, world.alice)).hotlists, [hotlist]);
    },
  },
  {
    name: 'hotlists: moved behind another entry or to the top',
    capability,
    rule: 'Moves an entry behind another one, or to the top.',
    async run(world) {
      const { id: hotlist } = await makeHotlist(world);
      const ids = (await world.issues(Array.from({ length: 6 }, () => ({})))).map((issue) => issue.id);
      await world.model.addHotlistEntries({ hotlist, issues: ids }, world.alice);
      const expected = [...ids];
      const move = async (from: number, behind: number) => {
        const issue = expected[from]!;
        const after = behind < 0 ? '0' : expected[behind]!;
        await world.model.moveHotlistEntry({ hotlist, issue, after }, world.alice);
        expected.splice(from, 1);
        expected.splice(after === '0' ? 0 : expected.indexOf(after) + 1, 0, issue);
        assert.deepEqual(await listIssues(world, hotlist), expected);
      };
      for (const [from, behind] of [
        [5, -1],
        [0, 5],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 2],
        [1, 1 + 2],
      ] as const)
        await move(from, behind);
      await expectError(
        world.model.moveHotlistEntry({ hotlist, issue: ids[0]!, after: NOWHERE }, world.alice),
        'ISSUE_NOT_FOUND',
      );
      assert.deepEqual(await listIssues(world, hotlist), expected);
    },
  },
  {
    name: 'hotlists: taken out and annotated',
    capability,
    rule: 'Takes issues out; those not there are ignored. Sets the note of an entry.',
    async run(world) {
      const { id: hotlist } = await makeHotlist(world);
      const [a, b] = (await world.issues([{}, {}])).map((issue) => issue.id) as [string, string];
      await world.model.addHotlistEntries({ hotlist, issues: [a, b] }, world.alice);
      await world.model.annotateHotlistEntry({ hotlist, issue: b, note: 'soon' }, world.alice);
      for (let time = 0; time < 2; time += 1)
        await world.model.removeHotlistEntries({ hotlist, issues: [a, NOWHERE] }, world.alice);
      const { entries } = await world.model.listHotlistEntries({ hotlist }, world.alice);
      assert.deepEqual(
        entries.map((entry) => [entry.issue, entry.note]),
        [[b, 'soon']],
      );
      await expectError(
        world.model.annotateHotlistEntry({ hotlist, issue: a, note: 'x' }, world.alice),
        'ISSUE_NOT_FOUND',
      );
    },
  },
  {
    name: 'hotlists: a viewer sees the entries whose issues it may see',
    capability,
    rule: 'Lists entries in their order; entries whose issue the caller may not see are left out.',
    async run(world) {
      const secret = (await world.component({ access: [] })).id;
      const list = await makeHotlist(world, {
        access: [{ principal: { $case: 'everyone', value: true }, permission: HotlistPermission.VIEW }],
      });
      const open = (await world.issues([{}, {}, {}, {}])).map((issue) => issue.id);
      const closed: string[] = [];
      for (let index = 0; index < 4; index += 1) closed.push((await world.issue({ component: secret }, world.root)).id);
      const mixed = open.flatMap((id, index) => [closed[index]!, id]);
      await world.model.addHotlistEntries({ hotlist: list.id, issues: mixed }, world.root);
      assert.deepEqual(await listIssues(world, list.id, world.root), mixed);
      assert.deepEqual(await listIssues(world, list.id, world.carol, 2), open);
    },
  },
  {
    name: 'hotlists: VIEW, APPEND, ADMIN',
    capability,
    rule: 'VIEW: see it; APPEND: add, remove, order and annotate entries; ADMIN: rename it, change its access, delete it.',
    async run(world) {
      const grant = (who: { user: string }, permission: HotlistPermission) => ({
        principal: { $case: 'user', value: who.user } as const,
        permission,
      });
      const access = [grant(world.carol, HotlistPermission.VIEW), grant(world.bob, HotlistPermission.APPEND)];
      const { id, name } = await makeHotlist(world, { access });
      const issue = (await world.issue()).id;
      await expectError(world.model.getHotlist({ id }, world.eve), 'HOTLIST_NOT_FOUND');
      await expectError(world.model.listHotlistEntries({ hotlist: id }, world.eve), 'HOTLIST_NOT_FOUND');
      await expectError(
        world.model.addHotlistEntries({ hotlist: id, issues: [issue] }, world.eve),
        'HOTLIST_NOT_FOUND',
      );
      assert.equal((await world.model.getHotlist({ id }, world.carol)).hotlist!.name, name);
      await expectError(world.model.addHotlistEntries({ hotlist: id, issues: [issue] }, world.carol), 'FORBIDDEN');
      await world.model.addHotlistEntries({ hotlist: id, issues: [issue] }, world.bob);
      await expectError(
        world.model.addHotlistEntries({ hotlist: id, issues: [NOWHERE] }, world.bob),
        'ISSUE_NOT_FOUND',
      );
      const rename = { id, hotlist: { name: 'x' }, updateMask: ['name'], expectedVersion: '1' };
      await expectError(world.model.updateHotlist(rename, world.bob), 'FORBIDDEN');
      await expectError(world.model.deleteHotlist({ id }, world.bob), 'FORBIDDEN');
      assert.deepEqual((await world.get(issue, world.eve).catch(() => ({ hotlists: [] }))).hotlists, []);
    },
  },
  {
    name: 'hotlists: listed by name, as far as they may be seen',
    capability,
    rule: 'Lists the hotlists that the caller may see, by name. Only those of this owner; only those that hold this issue.',
    async run(world) {
      const issue = (await world.issue()).id;
      for (const name of ['c', 'a', 'B', 'd']) await makeHotlist(world, { name: `${name} ${world.tag}` });
      const read = async (request: object, who = world.alice) => {
        const rows = await walkPages(3, async (pageToken) => {
          const answer = await world.model.listHotlists(
            { owner: world.alice.user, ...request, pageSize: 3, pageToken },
            who,
          );
          return { rows: answer.hotlists, nextPageToken: answer.nextPageToken };
        });
        return rows.map((list) => list.name[0]!.toLowerCase());
      };
      assert.deepEqual((await read({})).toSorted(), ['a', 'b', 'c', 'd']);
      assert.deepEqual(await read({}, world.bob), []);
      assert.deepEqual(await read({ name: `B ${world.tag}`.toUpperCase() }), ['b']);
      const { hotlists } = await world.model.listHotlists({ owner: world.alice.user, name: 'd' }, world.alice);
      await world.model.addHotlistEntries(
        { hotlist: hotlists.find((list) => list.name.startsWith('d'))!.id, issues: [issue] },
        world.alice,
      );
      assert.deepEqual(await read({ issue }), ['d']);
    },
  },
];
