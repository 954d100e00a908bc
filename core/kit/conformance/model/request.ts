import assert from 'node:assert/strict';
import { type CallContext, type Filter, FilterOperator } from '../../service/index.ts';
import { expectError, repeat } from '../expectation.ts';
import type { ModelCase, ModelWorld } from './world.ts';

/** A write that carries a request id, and how to see how often it was done. */
interface RepeatedWrite {
  readonly name: string;
  readonly capability?: ModelCase['capability'];
  /** Prepares what it writes to; `other` has the same id and another body. */
  prepare(world: ModelWorld): Promise<{
    send(requestId: string, other?: boolean): Promise<unknown>;
    /** How often it was written. */
    count(): Promise<number>;
  }>;
}

const WRITES: readonly RepeatedWrite[] = [
  {
    name: 'CreateIssue',
    async prepare(world) {
      const component = (await world.home()).id;
      return {
        send: (requestId, other) =>
          world.model.createIssue({ issue: { title: other ? 'other' : 'once', component }, requestId }, world.alice),
        count: async () => (await countIn(world, component)).count,
      };
    },
  },
  {
    name: 'UpdateIssue',
    async prepare(world) {
      const { id } = await world.issue();
      return {
        send: (requestId, other) =>
          world.model.updateIssue({ id, comment: other ? 'other' : 'once', requestId }, world.alice),
        count: async () => (await world.get(id)).commentCount,
      };
    },
  },
  {
    name: 'BatchUpdateIssues',
    async prepare(world) {
      const { id } = await world.issue();
      return {
        send: (requestId, other) =>
          world.model.batchUpdateIssues(
            { updates: [{ id, comment: other ? 'other' : 'once' }], requestId },
            world.alice,
          ),
        count: async () => (await world.get(id)).commentCount,
      };
    },
  },
  {
    name: 'EditComment',
    capability: 'comment_editing',
    async prepare(world) {
      const { id: issue } = await world.issue({ description: 'first' });
      const edit = { issue, sequence: 1, expectedCommentVersion: 1 };
      return {
        send: (requestId, other) =>
          world.model.editComment({ ...edit, comment: other ? 'other' : 'second', requestId }, world.alice),
        count: async () => (await world.updates(issue))[0]!.commentVersion - 1,
      };
    },
  },
  {
    name: 'CreateComponent',
    async prepare(world) {
      const parent = (await world.home()).id;
      return {
        send: (requestId, other) =>
          world.model.createComponent({ component: { name: other ? 'other' : 'once', parent }, requestId }, world.root),
        count: async () => (await world.model.listComponents({ below: parent }, world.root)).components.length - 1,
      };
    },
  },
  {
    name: 'UpdateComponent',
    async prepare(world) {
      const { id } = await world.home();
      return {
        send: (requestId, other) => {
          const component = { description: other ? 'other' : 'once' };
          const request = { id, component, updateMask: ['description'], expectedVersion: '1', requestId };
          return world.model.updateComponent(request, world.root);
        },
        count: async () => Number((await world.model.getComponent({ id }, world.root)).component!.version) - 1,
      };
    },
  },
  {
    name: 'MoveComponent',
    async prepare(world) {
      const [from, to] = [await world.component({}), await world.component({})];
      const { id } = await world.component({ parent: from.id });
      return {
        send: (requestId, other) =>
          world.model.moveComponent(
            { id, newParent: other ? from.id : to.id, expectedVersion: '1', requestId },
            world.root,
          ),
        count: async () => Number((await world.model.getComponent({ id }, world.root)).component!.version) - 1,
      };
    },
  },
  {
    name: 'CreateHotlist',
    capability: 'hotlists',
    async prepare(world) {
      return {
        send: (requestId, other) =>
          world.model.createHotlist({ hotlist: { name: other ? 'other' : 'once' }, requestId }, world.alice),
        count: async () => (await world.model.listHotlists({ owner: world.alice.user }, world.alice)).hotlists.length,
      };
    },
  },
  {
    name: 'UpdateHotlist',
    capability: 'hotlists',
    async prepare(world) {
      const { hotlist } = await world.model.createHotlist({ hotlist: { name: world.tag } }, world.alice);
      const id = hotlist!.id;
      return {
        send: (requestId, other) => {
          const request = { id, hotlist: { description: other ? 'other' : 'once' }, updateMask: ['description'] };
          return world.model.updateHotlist({ ...request, expectedVersion: '1', requestId }, world.alice);
        },
        count: async () => Number((await world.model.getHotlist({ id }, world.alice)).hotlist!.version) - 1,
      };
    },
  },
];

/** request_id: the promise that nothing is doubled, for each write that carries one. */
export const REQUEST_CASES: readonly ModelCase[] = [
  ...WRITES.map((write): ModelCase => {
    return {
      name: `request id: ${write.name} ten times is once`,
      ...(write.capability === undefined ? {} : { capability: write.capability }),
      rule: 'A write repeated with the same id and body does nothing and gets the first answer; with another body it is REQUEST_ID_REUSED.',
      async run(world) {
        const { send, count } = await write.prepare(world);
        const requestId = `once-${world.tag}`;
        const answers = await repeat(10, () => send(requestId));
        for (const answer of answers) assert.deepEqual(answer, answers[0]);
        assert.equal(await count(), 1, 'how often it was written');
        await expectError(send(requestId, true), 'REQUEST_ID_REUSED');
        assert.equal(await count(), 1, 'how often it was written after the id was reused');
      },
    };
  }),
  {
    name: 'request id: ten at once are one',
    rule: 'A write repeated with the same id and body does nothing and gets the first answer.',
    async run(world) {
      const component = (await world.home()).id;
      const request = { issue: { title: 'once', component }, requestId: `at-once-${world.tag}` };
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => world.model.createIssue(request, world.alice)),
      );
      assert.equal(new Set(answers.map((answer) => answer.issue!.id)).size, 1);
      assert.equal((await countIn(world, component)).count, 1);
    },
  },
  {
    name: 'request id: the first answer, also after the issue has moved on',
    rule: 'A write repeated with the same id and body … gets the first answer.',
    async run(world) {
      const issue = await world.issue();
      const request = { id: issue.id, comment: 'first', requestId: `moved-${world.tag}` };
      const first = await world.model.updateIssue(request, world.alice);
      await world.model.updateIssue({ id: issue.id, comment: 'second' }, world.bob);
      const again = await world.model.updateIssue(request, world.alice);
      assert.deepEqual([again.issue!.version, again.update?.sequence], [first.issue!.version, first.update?.sequence]);
      assert.equal((await world.updates(issue.id)).length, 3);
    },
  },
  {
    name: 'request id: unique per user',
    rule: 'request_id: chosen by the caller, unique per user.',
    async run(world) {
      const issue = await world.issue();
      const write = (who: CallContext) =>
        world.model.updateIssue({ id: issue.id, comment: 'mine', requestId: `user-${world.tag}` }, who);
      await write(world.alice);
      assert.equal((await write(world.bob)).update?.author, world.bob.user);
      assert.equal((await world.get(issue.id)).commentCount, 2);
    },
  },
  {
    name: 'request id: one RPC does not answer for another',
    rule: 'With another body it is ALREADY_EXISTS (REQUEST_ID_REUSED).',
    async run(world) {
      const issue = await world.issue();
      const requestId = `rpc-${world.tag}`;
      await world.model.updateIssue({ id: issue.id, comment: 'x', requestId }, world.alice);
      const component = (await world.home()).id;
      await expectError(
        world.model.createIssue({ issue: { title: 'x', component }, requestId }, world.alice),
        'REQUEST_ID_REUSED',
      );
    },
  },
  {
    name: 'request id: a malformed one is refused',
    rule: '1 to 128 visible ASCII characters.',
    async run(world) {
      const component = (await world.home()).id;
      for (const requestId of ['with space', 'é', 'x'.repeat(129), 'new\nline']) {
        const call = world.model.createIssue({ issue: { title: 'x', component }, requestId }, world.alice);
        await expectError(call, 'INVALID_FIELD', { field: 'request_id' });
      }
      await world.model.createIssue({ issue: { title: 'x', component }, requestId: 'x'.repeat(128) }, world.alice);
    },
  },
];

/** CountIssues of one component. */
export async function countIn(world: ModelWorld, component: string, context: CallContext = world.root) {
  return world.model.countIssues({ filter: filterComponent(component) }, context);
}

/** A Filter for the issues of one component, or with `subtree` also those below it. */
export function filterComponent(id: string, subtree = false): Filter {
  const value = { kind: { $case: 'reference', value: { id, subtree } } } as const;
  return { node: { $case: 'term', value: { field: 'component', operator: FilterOperator.HAS, values: [value] } } };
}
