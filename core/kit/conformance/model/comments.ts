import assert from 'node:assert/strict';
import { expectError } from '../expectation.ts';
import { type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

const capability = 'comment_editing';

async function commented(world: ModelWorld) {
  const issue = await world.issue({ description: 'first' });
  const { update } = await world.model.updateIssue({ id: issue.id, comment: 'one' }, world.dave);
  return { issue: issue.id, sequence: update!.sequence };
}

/** EditComment, RedactComment, ListCommentVersions. */
export const COMMENT_CASES: readonly ModelCase[] = [
  {
    name: 'comments: an edit keeps the earlier text',
    capability,
    rule: 'Replaces the text of a comment; the earlier text is kept. comment_version: one more with each edit.',
    async run(world) {
      const at = await commented(world);
      const { update } = await world.model.editComment(
        { ...at, comment: 'two', expectedCommentVersion: 1 },
        world.dave,
      );
      assert.deepEqual([update!.comment, update!.commentVersion, update!.editor], ['two', 2, world.dave.user]);
      assert.ok(update!.edited);
      await world.model.editComment({ ...at, comment: 'three', expectedCommentVersion: 2 }, world.root);
      assert.deepEqual((await world.updates(at.issue)).at(-1)?.comment, 'three');
      const { versions } = await world.model.listCommentVersions(at, world.carol);
      assert.deepEqual(
        versions.map((version) => [version.version, version.comment, version.author]),
        [
          [1, 'one', world.dave.user],
          [2, 'two', world.dave.user],
          [3, 'three', world.root.user],
        ],
      );
    },
  },
  {
    name: 'comments: the description is edited as update 1',
    capability,
    rule: 'Sequence of the update whose comment is edited; 1: the description.',
    async run(world) {
      const { issue } = await commented(world);
      const before = await world.get(issue);
      await world.model.editComment({ issue, sequence: 1, comment: 'better', expectedCommentVersion: 1 }, world.alice);
      const after = await world.get(issue);
      assert.equal(after.description, 'better');
      assert.equal(Number(after.version), Number(before.version) + 1, 'a write to the issue');
      assert.equal(after.commentCount, 1);
      assert.equal((await world.updates(issue)).length, 2);
    },
  },
  {
    name: 'comments: edited by its author and ADMIN alone',
    capability,
    rule: 'For its author, and ADMIN.',
    async run(world) {
      const at = await commented(world);
      for (const who of [world.alice, world.bob, world.carol])
        await expectError(
          world.model.editComment({ ...at, comment: 'mine', expectedCommentVersion: 1 }, who),
          'FORBIDDEN',
        );
      for (const who of [world.alice, world.carol]) await expectError(world.model.redactComment(at, who), 'FORBIDDEN');
      await expectError(
        world.model.editComment({ ...at, comment: 'mine', expectedCommentVersion: 1 }, world.eve),
        'ISSUE_NOT_FOUND',
      );
      assert.equal((await world.updates(at.issue)).at(-1)?.comment, 'one');
    },
  },
  {
    name: 'comments: an edit needs the version seen and a text',
    capability,
    rule: 'expected_comment_version is required; ABORTED (VERSION_MISMATCH). comment: the new text, not empty.',
    async run(world) {
      const at = await commented(world);
      const edit = (fields: object) =>
        world.model.editComment({ ...at, comment: 'new', expectedCommentVersion: 1, ...fields }, world.dave);
      await expectError(edit({ expectedCommentVersion: 2 }), 'VERSION_MISMATCH', { metadata: { current: '1' } });
      await expectError(edit({ expectedCommentVersion: 0 }), ['INVALID_FIELD', 'VERSION_REQUIRED']);
      await expectError(edit({ comment: '' }), 'INVALID_FIELD', { field: 'comment' });
      await expectError(edit({ sequence: 99 }), 'UPDATE_NOT_FOUND');
      await expectError(edit({ issue: NOWHERE }), 'ISSUE_NOT_FOUND');
      await expectError(world.model.redactComment({ ...at, sequence: 99 }, world.root), 'UPDATE_NOT_FOUND');
      await expectError(world.model.listCommentVersions({ ...at, sequence: 99 }, world.root), 'UPDATE_NOT_FOUND');
      assert.equal((await world.updates(at.issue)).at(-1)?.commentVersion, 1);
    },
  },
  {
    name: 'comments: redacted texts are for ADMIN',
    capability,
    rule: 'Withdraws a comment: its texts are shown to ADMIN only. Errors of an edit: FAILED_PRECONDITION (REDACTED).',
    async run(world) {
      const at = await commented(world);
      await world.model.editComment({ ...at, comment: 'secret', expectedCommentVersion: 1 }, world.dave);
      const { update } = await world.model.redactComment(at, world.dave);
      assert.deepEqual([update!.redacted, update!.comment], [true, '']);
      await world.model.redactComment(at, world.dave);
      const seen = (await world.updates(at.issue, world.alice)).at(-1)!;
      assert.deepEqual([seen.redacted, seen.comment], [true, '']);
      const { versions } = await world.model.listCommentVersions(at, world.root);
      assert.deepEqual(
        versions.map((version) => version.comment),
        ['one', 'secret'],
      );
      const others = await world.model.listCommentVersions(at, world.carol).then(
        (answer) => answer.versions,
        () => [],
      );
      assert.ok(
        others.every((version) => version.comment === ''),
        'only ADMIN reads withdrawn texts',
      );
      await expectError(
        world.model.editComment({ ...at, comment: 'back', expectedCommentVersion: 2 }, world.dave),
        'REDACTED',
      );
    },
  },
  {
    name: 'comments: a withdrawn description is withdrawn everywhere',
    capability,
    rule: 'Withdraws a comment: its texts are shown to ADMIN only.',
    async run(world) {
      const { issue } = await commented(world);
      await world.model.redactComment({ issue, sequence: 1 }, world.alice);
      assert.equal((await world.get(issue, world.carol)).description, '');
    },
  },
];
