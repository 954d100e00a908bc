import assert from 'node:assert/strict';
import { IssueView } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { type ModelCase, NOWHERE } from './world.ts';

/** GetIssue and BatchGetIssues. */
export const READ_CASES: readonly ModelCase[] = [
  {
    name: 'get: an issue that is not there',
    rule: 'Errors: NOT_FOUND (ISSUE_NOT_FOUND).',
    async run(world) {
      await expectError(world.model.getIssue({ id: NOWHERE }, world.root), 'ISSUE_NOT_FOUND');
      await expectError(world.model.getIssue({}, world.root), ['ISSUE_NOT_FOUND', 'INVALID_FIELD']);
    },
  },
  {
    name: 'get: a batch keeps the order of the request',
    rule: 'Returns up to 500 issues in the order of the request. Ids that do not exist or may not be seen are left out.',
    async run(world) {
      const [a, b, c] = await world.issues([{ title: 'a' }, { title: 'b' }, { title: 'c' }]);
      const ids = [c!.id, NOWHERE, a!.id, b!.id];
      const { issues } = await world.model.batchGetIssues({ ids }, world.alice);
      assert.deepEqual(
        issues.map((issue) => issue.title),
        ['c', 'a', 'b'],
      );
      assert.deepEqual(issues[0], await world.get(c!.id, world.alice));
    },
  },
  {
    name: 'get: a batch of none or too many is refused',
    rule: 'BatchGetIssuesRequest.ids: 1 to 500.',
    async run(world) {
      await expectError(world.model.batchGetIssues({ ids: [] }, world.alice), 'INVALID_FIELD', { field: 'ids' });
      const ids = Array.from({ length: 501 }, (_, index) => String(index + 1));
      await expectError(world.model.batchGetIssues({ ids }, world.alice), 'INVALID_FIELD', { field: 'ids' });
    },
  },
  {
    name: 'get: a batch leaves out what may not be seen',
    capability: 'access',
    rule: 'Ids that do not exist or may not be seen are left out.',
    async run(world) {
      const issue = await world.issue();
      assert.deepEqual((await world.model.batchGetIssues({ ids: [issue.id] }, world.eve)).issues, []);
    },
  },
  {
    name: 'get: the basic view is short',
    rule: 'BASIC: without description, blocked_by, blocking, hotlists, custom_fields, permissions.',
    async run(world) {
      const [blocker] = await world.issues([{}]);
      const issue = await world.issue({ description: 'long', blockedBy: [blocker!.id], labels: ['kept'] });
      const { issues } = await world.model.batchGetIssues({ ids: [issue.id], view: IssueView.BASIC }, world.alice);
      const basic = issues[0]!;
      assert.deepEqual([basic.description, basic.blockedBy, basic.permissions], ['', [], []]);
      assert.deepEqual([basic.labels, basic.title, basic.version], [['kept'], issue.title, '1']);
      const whole = await world.get(issue.id, world.alice);
      assert.deepEqual([whole.description, whole.blockedBy], ['long', [blocker!.id]]);
    },
  },
];
