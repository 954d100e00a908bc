import assert from 'node:assert/strict';
import { Priority, Severity, Significance, Status } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { type ModelCase, NOWHERE } from './world.ts';

/** UpdateIssue: masks, collections, versions, all or nothing. */
export const UPDATE_CASES: readonly ModelCase[] = [
  {
    name: 'update: the mask decides which fields are set',
    rule: 'Fields to set, named as in Issue. Values for the fields named in the mask.',
    async run(world) {
      const issue = await world.issue({ priority: Priority.P3, severity: Severity.S3 });
      const fields = { priority: Priority.P0, severity: Severity.S0, title: 'not in the mask' };
      const request = { id: issue.id, issue: fields, updateMask: ['priority'] };
      const answer = await world.model.updateIssue(request, world.bob);
      assert.deepEqual(
        [answer.issue!.priority, answer.issue!.severity, answer.issue!.title],
        [Priority.P0, Severity.S3, issue.title],
      );
      assert.equal(answer.issue!.version, '2');
      assert.equal(answer.update!.author, world.bob.user);
      assert.equal(answer.update!.sequence, 2);
      assert.deepEqual(answer.update!.changes, [{ field: 'priority', oldValues: ['p3'], newValues: ['p0'] }]);
      assert.deepEqual(await world.get(issue.id, world.bob), answer.issue);
      assert.deepEqual((await world.updates(issue.id, world.bob)).at(-1), answer.update);
    },
  },
  {
    name: 'update: a field named with an empty value is cleared',
    rule: 'A field named with an empty value is cleared.',
    async run(world) {
      const parent = await world.issue();
      const issue = await world.issue({
        verifier: world.bob.user,
        cc: [world.bob.user],
        labels: ['x'],
        parent: parent.id,
      });
      const { issue: after, update } = await world.set(issue, { verifier: '', cc: [], labels: [], parent: '0' });
      assert.deepEqual([after!.verifier, after!.cc, after!.labels, after!.parent], ['', [], [], '0']);
      assert.deepEqual(
        update!.changes.map((change) => change.oldValues).toSorted(),
        [[parent.id], [world.bob.user], [world.bob.user], ['x']].toSorted(),
      );
      for (const change of update!.changes) assert.deepEqual(change.newValues, [], change.field);
    },
  },
  {
    name: 'update: a field that cannot be set is refused by name',
    rule: 'Another name is INVALID_ARGUMENT.',
    async run(world) {
      const issue = await world.issue();
      for (const path of [
        'nonsense',
        'reporter',
        'created',
        'id',
        'version',
        'stars',
        'description',
        'comment_count',
      ]) {
        const call = world.model.updateIssue(
          { id: issue.id, expectedVersion: '1', updateMask: [path], comment: 'lost' },
          world.alice,
        );
        await expectError(call, 'INVALID_FIELD', { field: /^update_mask/ });
      }
      assert.deepEqual(await world.get(issue.id, world.alice), issue);
    },
  },
  {
    name: 'update: elements are put into collections and taken out',
    rule: 'Elements already there are no error; elements not there are no error. Sorted, without doubles.',
    async run(world) {
      const [blocker, other] = await world.issues([{}, {}]);
      const { alice, bob, carol } = world;
      const start = { cc: [alice.user], labels: ['keep', 'out'], foundIn: ['1.0'], blockedBy: [blocker!.id] };
      const issue = await world.issue(start);
      const add = {
        cc: [bob.user, alice.user],
        collaborators: [carol.user],
        labels: ['new', 'keep'],
        targetedTo: ['2.0'],
        verifiedIn: ['2.1'],
        blockedBy: [other!.id],
      };
      const remove = { labels: ['out', 'never there'], foundIn: ['1.0'], blockedBy: [blocker!.id] };
      const { issue: after } = await world.model.updateIssue({ id: issue.id, add, remove }, alice);
      assert.deepEqual(after!.cc, [alice.user, bob.user].toSorted());
      assert.deepEqual([after!.collaborators, after!.labels], [[carol.user], ['keep', 'new']]);
      assert.deepEqual([after!.foundIn, after!.targetedTo, after!.verifiedIn], [[], ['2.0'], ['2.1']]);
      assert.deepEqual(after!.blockedBy, [other!.id]);
      assert.deepEqual(
        [(await world.get(blocker!.id)).blocking, (await world.get(other!.id)).blocking],
        [[], [issue.id]],
      );
    },
  },
  {
    name: 'update: a collection is in the mask or in add, not both',
    rule: 'A collection is either in the mask or here.',
    async run(world) {
      const issue = await world.issue();
      const request = { id: issue.id, issue: { labels: ['a'] }, updateMask: ['labels'], add: { labels: ['b'] } };
      await expectError(world.model.updateIssue(request, world.alice), 'INVALID_FIELD');
      assert.deepEqual((await world.get(issue.id)).labels, []);
    },
  },
  {
    name: 'update: a comment alone',
    rule: 'Changes fields and adds a comment, as one Update. comment_count: updates that hold a comment.',
    async run(world) {
      const issue = await world.issue({ description: 'first' });
      const answer = await world.model.updateIssue({ id: issue.id, comment: 'Seen here too' }, world.bob);
      assert.deepEqual([answer.issue!.version, answer.issue!.commentCount], ['2', 1]);
      assert.deepEqual(
        [answer.update!.comment, answer.update!.changes, answer.update!.author],
        ['Seen here too', [], world.bob.user],
      );
      assert.equal(answer.issue!.modified, answer.update!.created);
      assert.equal(answer.issue!.description, 'first');
    },
  },
  {
    name: 'update: what changes nothing writes nothing',
    rule: 'A request that changes nothing writes nothing and returns the issue as it is, without an update.',
    async run(world) {
      const issue = await world.issue({ labels: ['a'], priority: Priority.P1, cc: [world.bob.user] });
      const requests = [
        { id: issue.id },
        { id: issue.id, issue: { priority: Priority.P1 }, updateMask: ['priority'] },
        { id: issue.id, expectedVersion: '1', issue: { title: issue.title }, updateMask: ['title'] },
        { id: issue.id, issue: { labels: ['a'] }, updateMask: ['labels'] },
        { id: issue.id, add: { labels: ['A'], cc: [world.bob.user] }, remove: { labels: ['b'] } },
      ];
      for (const request of requests) {
        const answer = await world.model.updateIssue(request, world.alice);
        assert.equal(answer.update, undefined);
        assert.deepEqual(answer.issue, issue);
      }
      assert.equal((await world.updates(issue.id)).length, 1);
    },
  },
  {
    name: 'update: another version is a mismatch',
    rule: 'expected_version: another one is ABORTED (VERSION_MISMATCH, metadata `current`).',
    async run(world) {
      const issue = await world.issue();
      await world.model.updateIssue({ id: issue.id, comment: 'moves it on' }, world.bob);
      const before = await world.get(issue.id);
      for (const expectedVersion of ['1', '3']) {
        const request = {
          id: issue.id,
          expectedVersion,
          issue: { priority: Priority.P0 },
          updateMask: ['priority'],
          comment: 'late',
        };
        await expectError(world.model.updateIssue(request, world.alice), 'VERSION_MISMATCH', {
          metadata: { current: '2' },
        });
      }
      assert.deepEqual(await world.get(issue.id), before);
      assert.equal((await world.updates(issue.id)).length, 2);
    },
  },
  {
    name: 'update: replacing free text needs the version',
    rule: '0: do not compare; refused with FAILED_PRECONDITION (VERSION_REQUIRED) when free text is replaced.',
    async run(world) {
      const issue = await world.issue();
      const blind = { id: issue.id, issue: { title: 'Blind' }, updateMask: ['title'] };
      await expectError(world.model.updateIssue(blind, world.alice), 'VERSION_REQUIRED');
      const { issue: after } = await world.model.updateIssue({ ...blind, expectedVersion: '1' }, world.alice);
      assert.deepEqual([after!.title, after!.version], ['Blind', '2']);
    },
  },
  {
    name: 'update: all or nothing',
    rule: 'Changes fields and adds a comment, all or nothing. Bad input changes nothing.',
    async run(world) {
      const issue = await world.issue();
      const good = {
        id: issue.id,
        expectedVersion: '1',
        issue: { title: 'New', verifier: world.bob.user },
        updateMask: ['title', 'verifier'],
        comment: 'c',
      };
      const bad = [
        { ...good, add: { labels: ['two words'] } },
        { ...good, add: { blockedBy: [NOWHERE] } },
        { ...good, issue: { ...good.issue, component: NOWHERE }, updateMask: [...good.updateMask, 'component'] },
        { ...good, issue: { ...good.issue, status: Status.DUPLICATE }, updateMask: [...good.updateMask, 'status'] },
        { ...good, add: { cc: Array.from({ length: 501 }, (_, index) => `p${index}`) } },
      ];
      for (const request of bad)
        await expectError(world.model.updateIssue(request, world.alice), [
          'INVALID_FIELD',
          'ISSUE_NOT_FOUND',
          'COMPONENT_NOT_FOUND',
          'DUPLICATE_NEEDS_CANONICAL',
        ]);
      assert.deepEqual(await world.get(issue.id, world.alice), issue);
      assert.equal((await world.updates(issue.id)).length, 1);
    },
  },
  {
    name: 'update: an issue that is not there',
    rule: 'Errors: NOT_FOUND (ISSUE_NOT_FOUND, COMPONENT_NOT_FOUND).',
    async run(world) {
      await expectError(world.model.updateIssue({ id: NOWHERE, comment: 'x' }, world.alice), 'ISSUE_NOT_FOUND');
      const issue = await world.issue();
      const request = { id: issue.id, issue: { component: NOWHERE }, updateMask: ['component'] };
      await expectError(world.model.updateIssue(request, world.alice), 'COMPONENT_NOT_FOUND');
    },
  },
  {
    name: 'update: concurrent writers lose nothing',
    rule: 'Version: one more with every write to the issue. Sequence 1, 2, 3, … within its issue.',
    async run(world) {
      const issue = await world.issue();
      const labels = Array.from({ length: 12 }, (_, index) => `label-${String(index).padStart(2, '0')}`);
      const edit = (label: string, index: number) =>
        world.model.updateIssue(
          { id: issue.id, add: { labels: [label] }, comment: label },
          index % 2 === 0 ? world.alice : world.bob,
        );
      await Promise.all(labels.map(edit));
      const after = await world.get(issue.id);
      assert.deepEqual(after.labels, labels);
      assert.deepEqual([after.version, after.commentCount], ['13', 12]);
      const updates = await world.updates(issue.id);
      assert.deepEqual(
        updates.map((update) => update.sequence),
        Array.from({ length: 13 }, (_, index) => index + 1),
      );
      assert.deepEqual(new Set(updates.slice(1).map((update) => update.comment)), new Set(labels));
    },
  },
  {
    name: 'update: of concurrent writers with one version one wins',
    rule: 'expected_version: another one is ABORTED (VERSION_MISMATCH).',
    async run(world) {
      const issue = await world.issue();
      const edit = (index: number) =>
        world.set(issue, { title: `Title ${index}` }).then(
          () => index,
          () => -1,
        );
      const won = (await Promise.all([0, 1, 2, 3, 4, 5].map(edit))).filter((index) => index >= 0);
      const after = await world.get(issue.id);
      assert.equal(won.length, 1);
      assert.deepEqual([after.title, after.version], [`Title ${won[0]}`, '2']);
    },
  },
  {
    name: 'update: significance',
    rule: 'The Model decides: MAJOR for comments and status changes, else MINOR.',
    async run(world) {
      const issue = await world.issue();
      const write = async (request: object) =>
        (await world.model.updateIssue({ id: issue.id, ...request }, world.alice)).update!.significance;
      assert.equal(await write({ comment: 'x' }), Significance.MAJOR);
      assert.equal(
        await write({
          issue: { status: Status.ACCEPTED, assignee: world.bob.user },
          updateMask: ['assignee', 'status'],
        }),
        Significance.MAJOR,
      );
      assert.equal(await write({ add: { labels: ['x'] } }), Significance.MINOR);
      assert.equal(await write({ add: { labels: ['y'] }, significance: Significance.SILENT }), Significance.SILENT);
    },
  },
  {
    name: 'update: archived and back',
    rule: 'Hidden from lists unless asked for. Can be undone.',
    async run(world) {
      const issue = await world.issue();
      const { issue: hidden } = await world.set(issue, { archived: true });
      assert.equal(hidden!.archived, true);
      assert.equal((await world.get(issue.id, world.alice)).archived, true);
      assert.equal((await world.set(hidden!, { archived: false })).issue!.archived, false);
    },
  },
  {
    name: 'update: moved to another component',
    rule: 'Fields to set: … component …',
    async run(world) {
      const issue = await world.issue();
      const component = (await world.component({})).id;
      const { issue: after, update } = await world.set(issue, { component });
      assert.equal(after!.component, component);
      assert.deepEqual(update!.changes, [{ field: 'component', oldValues: [issue.component], newValues: [component] }]);
    },
  },
];

/** BatchUpdateIssues. */
export const BATCH_CASES: readonly ModelCase[] = [
  {
    name: 'batch: each update by itself',
    rule: 'Applies up to 500 updates, each as UpdateIssue would; errors stand in the results, one for each update, in order.',
    async run(world) {
      const [a, b] = await world.issues([{}, {}]);
      const updates = [
        { id: a!.id, add: { labels: ['done'] } },
        { id: NOWHERE, add: { labels: ['done'] } },
        { id: b!.id, add: { labels: ['two words'] } },
      ];
      const { results } = await world.model.batchUpdateIssues({ updates }, world.alice);
      assert.deepEqual(
        results.map((result) => result.id),
        updates.map((update) => update.id),
      );
      assert.deepEqual([results[0]!.issue?.labels, results[0]!.error], [['done'], undefined]);
      assert.deepEqual([results[1]!.error?.reason, results[1]!.error?.code], ['ISSUE_NOT_FOUND', 5]);
      assert.deepEqual([results[2]!.error?.reason, results[2]!.issue], ['INVALID_FIELD', undefined]);
      assert.match(results[2]!.error?.field ?? '', /labels/);
      assert.equal((await world.get(a!.id)).version, '2');
    },
  },
  {
    name: 'batch: all or nothing',
    rule: 'With all_or_nothing the first error of any update, and nothing is written.',
    async run(world) {
      const [a, b] = await world.issues([{}, {}]);
      const updates = [
        { id: a!.id, comment: 'x' },
        { id: b!.id, expectedVersion: '9', comment: 'x' },
      ];
      const call = world.model.batchUpdateIssues({ updates, allOrNothing: true }, world.alice);
      await expectError(call, 'VERSION_MISMATCH');
      assert.deepEqual([(await world.get(a!.id)).version, (await world.get(b!.id)).version], ['1', '1']);
      const fine = [
        { id: a!.id, comment: 'x' },
        { id: b!.id, comment: 'y' },
      ];
      const { results } = await world.model.batchUpdateIssues({ updates: fine, allOrNothing: true }, world.alice);
      assert.deepEqual(
        results.map((result) => result.issue?.version),
        ['2', '2'],
      );
    },
  },
  {
    name: 'batch: none, too many or doubles are refused',
    rule: '1 to 500, of different issues.',
    async run(world) {
      const issue = await world.issue();
      const same = [
        { id: issue.id, comment: 'a' },
        { id: issue.id, comment: 'b' },
      ];
      const many = Array.from({ length: 501 }, (_, index) => ({ id: String(index + 1), comment: 'x' }));
      for (const updates of [[], same, many]) {
        await expectError(world.model.batchUpdateIssues({ updates }, world.alice), 'INVALID_FIELD', {
          field: /^updates/,
        });
      }
      assert.equal((await world.get(issue.id)).version, '1');
    },
  },
  {
    name: 'batch: several replayed with a request id',
    rule: 'A write repeated with the same id and body does nothing and gets the first answer.',
    async run(world) {
      const [a, b] = await world.issues([{}, {}]);
      const request = {
        updates: [
          { id: a!.id, comment: 'x' },
          { id: b!.id, comment: 'y' },
        ],
        requestId: `batch-${world.tag}`,
      };
      const first = await world.model.batchUpdateIssues(request, world.alice);
      assert.deepEqual(await world.model.batchUpdateIssues(request, world.alice), first);
      assert.deepEqual([(await world.get(a!.id)).version, (await world.get(b!.id)).version], ['2', '2']);
    },
  },
];
