import assert from 'node:assert/strict';
import { canFollow, STATUS_RULES } from '../../domain/index.ts';
import { Status } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import type { ModelCase } from './world.ts';

/** Statuses, duplicates, parents and blockers. */
export const STATUS_CASES: readonly ModelCase[] = [
  {
    name: 'status: assigning a new issue makes it assigned',
    rule: 'Assigning a NEW issue makes it ASSIGNED.',
    async run(world) {
      const issue = await world.issue();
      const { issue: after, update } = await world.set(issue, { assignee: world.bob.user });
      assert.deepEqual([after!.status, after!.assignee], [Status.ASSIGNED, world.bob.user]);
      assert.deepEqual(
        update!.changes.toSorted((a, b) => a.field.localeCompare(b.field)),
        [
          { field: 'assignee', oldValues: [], newValues: [world.bob.user] },
          { field: 'status', oldValues: ['new'], newValues: ['assigned'] },
        ],
      );
    },
  },
  {
    name: 'status: closing and reopening keep the times',
    rule: 'resolved: when it last became closed; absent while open. verified: absent unless it is VERIFIED.',
    async run(world) {
      const issue = await world.issue({ assignee: world.bob.user });
      const fixed = (await world.set(issue, { status: Status.FIXED })).issue!;
      assert.equal(fixed.resolved, fixed.modified);
      assert.equal(fixed.verified, undefined);
      const verified = (await world.set(fixed, { status: Status.VERIFIED })).issue!;
      assert.equal(verified.verified, verified.modified);
      assert.equal(verified.resolved, fixed.resolved, 'it became closed before');
      const open = (await world.set(verified, { status: Status.ASSIGNED })).issue!;
      assert.deepEqual([open.resolved, open.verified], [undefined, undefined]);
    },
  },
  {
    name: 'status: each transition as the table says',
    rule: 'Errors: FAILED_PRECONDITION (BAD_TRANSITION).',
    async run(world) {
      const canonical = (await world.issue()).id;
      const set = (id: string, status: Status) => {
        const duplicate = status === Status.DUPLICATE;
        const fields = { status, ...(duplicate ? { duplicateOf: canonical } : {}) };
        const updateMask = duplicate ? ['status', 'duplicate_of'] : ['status'];
        return world.model.updateIssue({ id, issue: fields, updateMask }, world.alice);
      };
      const tryFrom = async (from: Status): Promise<void> => {
        for (const to of STATUS_RULES.keys()) {
          const { id } = await world.issue();
          if (from === Status.VERIFIED) await set(id, Status.FIXED);
          if (from !== Status.NEW) await set(id, from);
          if (canFollow(from, to)) assert.equal((await set(id, to)).issue!.status, to, `${from} → ${to}`);
          else await expectError(set(id, to), 'BAD_TRANSITION');
        }
      };
      await Promise.all([Status.NEW, Status.VERIFIED, Status.DUPLICATE].map(tryFrom));
    },
  },
  {
    name: 'status: a duplicate needs its canonical issue',
    rule: 'Errors: FAILED_PRECONDITION (DUPLICATE_NEEDS_CANONICAL).',
    async run(world) {
      const issue = await world.issue();
      const request = { id: issue.id, issue: { status: Status.DUPLICATE }, updateMask: ['status'] };
      await expectError(world.model.updateIssue(request, world.alice), 'DUPLICATE_NEEDS_CANONICAL');
      assert.equal((await world.get(issue.id)).version, '1');
    },
  },
  {
    name: 'status: a duplicate copies reporter and cc to its canonical issue',
    rule: 'DUPLICATE needs `duplicate_of`, and copies reporter and cc there.',
    async run(world) {
      const canonical = await world.issue({}, world.bob);
      const issue = await world.issue({ cc: [world.carol.user] });
      const { issue: after } = await world.set(issue, { status: Status.DUPLICATE, duplicateOf: canonical.id });
      assert.deepEqual([after!.status, after!.duplicateOf], [Status.DUPLICATE, canonical.id]);
      assert.ok(after!.resolved);
      const there = await world.get(canonical.id);
      assert.deepEqual(there.cc, [world.alice.user, world.carol.user].toSorted());
      const updates = await world.updates(canonical.id);
      assert.equal(there.version, String(updates.length), 'the canonical issue was written, with an update');
      const open = (await world.set(after!, { status: Status.NEW })).issue!;
      assert.equal(open.duplicateOf, '0');
    },
  },
  {
    name: 'status: duplicates form no loop',
    rule: 'duplicate_of: no cycles. Errors: FAILED_PRECONDITION (CYCLE).',
    async run(world) {
      const [a, b, c] = await world.issues([{}, {}, {}]);
      const mark = async (id: string, duplicateOf: string) => {
        const request = {
          id,
          issue: { status: Status.DUPLICATE, duplicateOf },
          updateMask: ['status', 'duplicate_of'],
        };
        return world.model.updateIssue(request, world.alice);
      };
      await expectError(mark(a!.id, a!.id), 'CYCLE');
      await mark(a!.id, b!.id);
      await expectError(mark(b!.id, a!.id), 'CYCLE');
      await mark(b!.id, c!.id);
      await expectError(mark(c!.id, a!.id), 'CYCLE');
      assert.equal((await world.get(c!.id)).status, Status.NEW);
    },
  },
  {
    name: 'status: of two that would close a loop at once one is refused',
    rule: 'duplicate_of: no cycles. Errors: FAILED_PRECONDITION (CYCLE).',
    async run(world) {
      const [a, b] = await world.issues([{}, {}]);
      const block = (id: string, by: string) =>
        world.model.updateIssue({ id, add: { blockedBy: [by] } }, world.alice).then(
          () => true,
          () => false,
        );
      const done = await Promise.all([block(a!.id, b!.id), block(b!.id, a!.id)]);
      const blockers = [(await world.get(a!.id)).blockedBy.length, (await world.get(b!.id)).blockedBy.length];
      assert.deepEqual(blockers, done.map(Number));
      assert.ok(blockers[0]! + blockers[1]! <= 1, 'both were accepted: a loop');
    },
  },
  {
    name: 'links: parents and blockers form no loop',
    rule: 'parent: no cycles. blocked_by: no cycles. Errors: FAILED_PRECONDITION (CYCLE).',
    async run(world) {
      const [a, b, c] = await world.issues([{}, {}, {}]);
      const setParent = (id: string, parent: string) =>
        world.model.updateIssue({ id, issue: { parent }, updateMask: ['parent'] }, world.alice);
      const block = (id: string, by: string) => world.model.updateIssue({ id, add: { blockedBy: [by] } }, world.alice);
      for (const link of [setParent, block]) {
        await expectError(link(a!.id, a!.id), 'CYCLE');
        await link(a!.id, b!.id);
        await link(b!.id, c!.id);
        await expectError(link(c!.id, a!.id), 'CYCLE');
      }
      const last = await world.get(c!.id);
      assert.deepEqual([last.parent, last.blockedBy, last.blocking], ['0', [], [b!.id]]);
    },
  },
];
