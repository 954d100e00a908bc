import assert from 'node:assert/strict';
import { IssueType, Priority, Severity, Status } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { type ModelCase, NOWHERE } from './world.ts';

const MILLISECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** CreateIssue: what a new issue starts with, and what is refused. */
export const CREATE_CASES: readonly ModelCase[] = [
  {
    name: 'create: defaults are filled in',
    rule: 'In a new issue: BUG, P2, S2, NEW; reporter set by the Model from the caller; version 1.',
    async run(world) {
      const issue = await world.issue({ title: 'Only a title' });
      assert.match(issue.id, /^[1-9]\d*$/);
      assert.equal(issue.version, '1');
      assert.deepEqual(
        [issue.type, issue.priority, issue.severity, issue.status],
        [IssueType.BUG, Priority.P2, Severity.S2, Status.NEW],
      );
      assert.equal(issue.reporter, world.alice.user);
      assert.match(issue.created ?? '', MILLISECONDS);
      assert.equal(issue.modified, issue.created);
      assert.deepEqual([issue.assignee, issue.verifier, issue.parent, issue.duplicateOf], ['', '', '0', '0']);
      assert.deepEqual(
        [issue.labels, issue.cc, issue.blockedBy, issue.blocking, issue.customFields],
        [[], [], [], [], []],
      );
      assert.deepEqual([issue.stars, issue.starred, issue.commentCount, issue.archived], [0, false, 0, false]);
      assert.deepEqual([issue.resolved, issue.verified], [undefined, undefined]);
      assert.deepEqual(await world.get(issue.id, world.alice), issue);
    },
  },
  {
    name: 'create: an assignee makes it assigned',
    rule: 'In a new issue: ASSIGNED with an assignee, else NEW.',
    async run(world) {
      assert.equal((await world.issue({ assignee: world.bob.user })).status, Status.ASSIGNED);
    },
  },
  {
    name: 'create: every field that is read is kept',
    rule: 'Read: title, description, type, priority, severity, status, component, assignee, verifier, collaborators, …',
    async run(world) {
      const [parent, blocker] = await world.issues([{}, {}]);
      const fields = {
        title: 'All of it',
        description: 'A *description*\n\nof two paragraphs',
        type: IssueType.VULNERABILITY,
        priority: Priority.P0,
        severity: Severity.S4,
        status: Status.ACCEPTED,
        assignee: world.bob.user,
        verifier: world.carol.user,
        collaborators: [world.dave.user],
        cc: [world.eve.user],
        labels: ['crash', 'ui'],
        foundIn: ['1.0 beta'],
        targetedTo: ['2.0'],
        parent: parent!.id,
        blockedBy: [blocker!.id],
        accessLimit: 1 as const,
      };
      const issue = await world.issue(fields);
      const kept: Record<string, unknown> = { ...(await world.get(issue.id)) };
      for (const [name, value] of Object.entries(fields)) assert.deepEqual(kept[name], value, name);
      assert.deepEqual((await world.get(blocker!.id)).blocking, [issue.id]);
    },
  },
  {
    name: 'create: collections are sorted and without doubles',
    rule: 'Sorted, without doubles; labels compared without case.',
    async run(world) {
      const people = [world.carol.user, world.alice.user, world.bob.user];
      const issue = await world.issue({
        cc: [...people, world.alice.user],
        collaborators: [...people, ...people],
        labels: ['zeta', 'Alpha', 'alpha', 'mid'],
      });
      assert.deepEqual(issue.cc, people.toSorted());
      assert.deepEqual(issue.collaborators, people.toSorted());
      assert.equal(issue.labels.length, 3);
      assert.deepEqual(
        issue.labels.map((label) => label.toLowerCase()),
        ['alpha', 'mid', 'zeta'],
      );
    },
  },
  {
    name: 'create: all other fields are ignored',
    rule: 'All others are ignored: the reporter is set by the Model from the caller.',
    async run(world) {
      const old = '2001-01-01T00:00:00.000Z';
      const forged = {
        id: NOWHERE,
        version: '77',
        reporter: world.bob.user,
        stars: 9,
        starred: true,
        commentCount: 4,
        archived: true,
      };
      const issue = await world.issue({
        ...forged,
        created: old,
        modified: old,
        resolved: old,
        verified: old,
        verifiedIn: ['9'],
      });
      assert.notEqual(issue.id, forged.id);
      assert.deepEqual([issue.version, issue.reporter, issue.stars, issue.starred], ['1', world.alice.user, 0, false]);
      assert.deepEqual([issue.commentCount, issue.archived, issue.verifiedIn], [0, false, []]);
      assert.notEqual(issue.created, old);
      assert.deepEqual([issue.resolved, issue.verified], [undefined, undefined]);
    },
  },
  {
    name: 'create: the description is the comment of update 1',
    rule: 'The description: the comment of the first update. Update 1 lists the fields set at creation.',
    async run(world) {
      const issue = await world.issue({ description: 'What happens', labels: ['a'], priority: Priority.P1 });
      const updates = await world.updates(issue.id);
      assert.equal(updates.length, 1);
      const [first] = updates;
      assert.deepEqual(
        [first!.issue, first!.sequence, first!.author, first!.comment, first!.created, first!.commentVersion],
        [issue.id, 1, world.alice.user, 'What happens', issue.created, 1],
      );
      const fields = first!.changes.map((change) => change.field);
      for (const field of ['title', 'priority', 'component', 'labels'])
        assert.ok(fields.includes(field), `update 1 lists ${field}`);
      assert.deepEqual(first!.changes.find((change) => change.field === 'priority')?.newValues, ['p1']);
      for (const change of first!.changes) assert.deepEqual(change.oldValues, [], `${change.field} was nothing before`);
    },
  },
  {
    name: 'create: the component gives its default assignee and cc',
    rule: 'Creates an issue … and whatever follows from them (default assignee and cc of the component).',
    async run(world) {
      const component = (await world.component({ defaultAssignee: world.bob.user, defaultCc: [world.carol.user] })).id;
      const issue = await world.issue({ component, cc: [world.dave.user] });
      assert.equal(issue.assignee, world.bob.user);
      assert.equal(issue.status, Status.ASSIGNED);
      assert.deepEqual(issue.cc, [world.carol.user, world.dave.user].toSorted());
      assert.equal((await world.issue({ component, assignee: world.alice.user })).assignee, world.alice.user);
    },
  },
  {
    name: 'create: a bad title is refused',
    rule: 'One line, 1 to 500 characters, no line breaks. INVALID_ARGUMENT (INVALID_FIELD) with field paths.',
    async run(world) {
      const component = (await world.home()).id;
      for (const title of ['', 'two\nlines', 'x'.repeat(501)]) {
        const call = world.model.createIssue({ issue: { title, component } }, world.alice);
        await expectError(call, 'INVALID_FIELD', { field: 'issue.title' });
      }
      assert.equal((await world.issue({ title: 'é'.repeat(500) })).title.length, 500);
    },
  },
  {
    name: 'create: a request without an issue is refused',
    rule: 'INVALID_ARGUMENT (INVALID_FIELD) with BadRequest field paths; change the request.',
    async run(world) {
      await expectError(world.model.createIssue({}, world.alice), 'INVALID_FIELD', { field: /^issue/ });
    },
  },
  {
    name: 'create: the component has to be there',
    rule: 'Errors: NOT_FOUND (COMPONENT_NOT_FOUND). The component is required.',
    async run(world) {
      const create = (component: string) => world.model.createIssue({ issue: { title: 'x', component } }, world.alice);
      await expectError(create(NOWHERE), 'COMPONENT_NOT_FOUND');
      await expectError(create('0'), ['INVALID_FIELD', 'COMPONENT_NOT_FOUND']);
    },
  },
  {
    name: 'create: an archived component takes no new issues',
    rule: 'Errors: FAILED_PRECONDITION (COMPONENT_ARCHIVED).',
    async run(world) {
      const component = (await world.component({ archived: true })).id;
      await expectError(
        world.model.createIssue({ issue: { title: 'x', component } }, world.alice),
        'COMPONENT_ARCHIVED',
      );
    },
  },
  {
    name: 'create: a closed status is refused',
    rule: 'Read: status (new, assigned or accepted).',
    async run(world) {
      const component = (await world.home()).id;
      for (const status of [Status.FIXED, Status.VERIFIED, Status.OBSOLETE, Status.DUPLICATE]) {
        const call = world.model.createIssue({ issue: { title: 'x', component, status } }, world.alice);
        await expectError(call, ['INVALID_FIELD', 'BAD_TRANSITION']);
      }
    },
  },
  {
    name: 'create: too many or wrong elements are refused',
    rule: 'At most 50, each 1 to 100 characters without white space or comma; at most 100 collaborators, 500 in cc.',
    async run(world) {
      const component = (await world.home()).id;
      const people = (count: number) => Array.from({ length: count }, (_, index) => `person-${index}`);
      const refused: readonly [string, object][] = [
        ['labels', { labels: Array.from({ length: 51 }, (_, index) => `l${index}`) }],
        ['labels', { labels: ['fine', 'not fine'] }],
        ['labels', { labels: ['a,b'] }],
        ['labels', { labels: [''] }],
        ['labels', { labels: ['x'.repeat(101)] }],
        ['collaborators', { collaborators: people(101) }],
        ['cc', { cc: people(501) }],
        ['cc', { cc: ['x'.repeat(65)] }],
        ['assignee', { assignee: 'x'.repeat(65) }],
        ['found_in', { foundIn: ['x'.repeat(101)] }],
      ];
      for (const [field, fields] of refused) {
        const call = world.model.createIssue({ issue: { title: 'x', component, ...fields } }, world.alice);
        await expectError(call, 'INVALID_FIELD', { field: new RegExp(`^issue\\.${field}`) });
      }
      const issue = await world.issue({ cc: people(500), collaborators: people(100) });
      assert.deepEqual([issue.cc.length, issue.collaborators.length], [500, 100]);
    },
  },
  {
    name: 'create: a reference to an issue that is not there is refused',
    rule: 'What the caller may not see is NOT_FOUND, as if it did not exist.',
    async run(world) {
      const component = (await world.home()).id;
      for (const fields of [{ parent: NOWHERE }, { blockedBy: [NOWHERE] }]) {
        const call = world.model.createIssue({ issue: { title: 'x', component, ...fields } }, world.alice);
        await expectError(call, ['ISSUE_NOT_FOUND', 'INVALID_FIELD']);
      }
    },
  },
  {
    name: 'create: a restricted description is for those with EDIT',
    capability: 'access',
    rule: 'The description is shown only to those with EDIT.',
    async run(world) {
      const issue = { title: 'x', description: 'secret', component: (await world.home()).id };
      const { issue: made } = await world.model.createIssue({ issue, restricted: true }, world.alice);
      assert.equal((await world.get(made!.id, world.bob)).description, 'secret');
      assert.equal((await world.get(made!.id, world.carol)).description, '');
      const [first] = await world.updates(made!.id, world.carol);
      assert.deepEqual([first?.comment ?? '', first?.restricted ?? true], ['', true]);
    },
  },
];
