import assert from 'node:assert/strict';
import type { Issue } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { filterComponent } from './request.ts';
import type { ModelCase } from './world.ts';

/** What holds for each call, over whichever transport. */
export const CALL_CASES: readonly ModelCase[] = [
  {
    name: 'calls: what was answered belongs to the caller',
    rule: 'Same behaviour on every transport: no shared mutable state.',
    async run(world) {
      const issue = await world.issue({ labels: ['a'], cc: [world.bob.user] });
      const damage = (seen: Issue) => {
        seen.title = 'damaged';
        seen.labels.push('damaged');
        seen.cc.length = 0;
      };
      damage(await world.get(issue.id));
      damage((await world.model.updateIssue({ id: issue.id }, world.alice)).issue!);
      damage((await world.model.searchIssues({ filter: filterComponent(issue.component) }, world.alice)).issues[0]!);
      const updates = await world.updates(issue.id);
      updates[0]!.changes[0]!.newValues.push('damaged');
      assert.deepEqual(await world.get(issue.id, world.alice), issue);
      assert.ok((await world.updates(issue.id))[0]!.changes.every((change) => !change.newValues.includes('damaged')));
    },
  },
  {
    name: 'calls: what was sent belongs to the caller',
    rule: 'Same behaviour on every transport: no shared mutable state.',
    async run(world) {
      const labels = ['a'];
      const request = { issue: { title: 'mine', labels, component: (await world.home()).id } };
      const call = world.model.createIssue(request, world.alice);
      labels.push('late');
      request.issue.title = 'late';
      const { issue } = await call;
      labels.push('later');
      const read = await world.get(issue!.id);
      assert.deepEqual([read.title, read.labels], ['mine', ['a']]);
      assert.deepEqual(labels, ['a', 'late', 'later'], 'nor does the Model change it');
    },
  },
  {
    name: 'calls: fields that no message knows are dropped',
    rule: 'Same behaviour on every transport: defaults filled, unknown fields dropped.',
    async run(world) {
      const unknown = { title: 'x', component: (await world.home()).id, nonsense: { deep: 1 } };
      const { issue } = await world.model.createIssue({ issue: unknown }, world.alice);
      assert.ok(!('nonsense' in issue!));
    },
  },
  {
    name: 'calls: a deadline that has passed',
    rule: 'DEADLINE_EXCEEDED; the write may have happened: repeat it with the same request id.',
    async run(world) {
      const issue = await world.issue();
      const late = { ...world.alice, deadline: Date.now() - 1_000 };
      await expectError(world.model.getIssue({ id: issue.id }, late), 'DEADLINE_EXCEEDED');
      await expectError(world.model.updateIssue({ id: issue.id, comment: 'late' }, late), 'DEADLINE_EXCEEDED');
      const soon = { ...world.alice, deadline: Date.now() + 10_000 };
      await world.model.updateIssue({ id: issue.id, comment: 'in time' }, soon);
      assert.equal((await world.updates(issue.id)).at(-1)?.comment, 'in time');
    },
  },
  {
    name: 'calls: a caller that has gone away',
    rule: 'Same behaviour on every transport: deadlines, cancellation.',
    async run(world) {
      const issue = await world.issue();
      const gone = { ...world.alice, signal: AbortSignal.abort() };
      await expectError(world.model.getIssue({ id: issue.id }, gone), 'CANCELLED');
    },
  },
  {
    name: 'calls: a write cut short is whole or not at all',
    rule: 'Nothing acknowledged is ever lost or doubled.',
    async run(world) {
      const issue = await world.issue();
      const requests = Array.from({ length: 8 }, (_, index) => ({
        id: issue.id,
        comment: `cut ${index}`,
        add: { labels: [`cut-${index}`] },
        requestId: `cut-${index}-${world.tag}`,
      }));
      await Promise.all(
        requests.map(async (request, index) => {
          const abort = new AbortController();
          const call = world.model.updateIssue(request, { ...world.alice, signal: abort.signal });
          setTimeout(() => abort.abort(), index);
          await call.catch(() => undefined);
        }),
      );
      for (const request of requests) await world.model.updateIssue(request, world.alice);
      const after = await world.get(issue.id);
      assert.deepEqual([after.labels.length, after.commentCount, after.version], [8, 8, '9']);
      const updates = await world.updates(issue.id);
      assert.equal(new Set(updates.map((update) => update.comment)).size, 9);
    },
  },
  {
    name: 'calls: absent capabilities say so',
    rule: 'RPCs of an absent one answer UNIMPLEMENTED (CAPABILITY_ABSENT).',
    async run(world) {
      const attempts = {
        hotlists: () => world.model.listHotlists({}, world.alice),
        stars: () => world.model.setStar({ issue: '1', starred: true }, world.alice),
        saved_searches: () => world.model.listSavedSearches({}, world.alice),
        attachments: () => world.model.listAttachments({ issue: '1' }, world.alice),
        webhooks: () => world.model.listWebhooks({}, world.root),
        import: () => world.model.importIssues({ source: 'x', issues: [] }, world.root),
        summary: () => world.model.summarizeIssues({ firstDay: '2026-01-01', lastDay: '2026-01-02' }, world.alice),
        comment_editing: () => world.model.redactComment({ issue: '1', sequence: 1 }, world.alice),
      } as const;
      for (const [capability, call] of Object.entries(attempts))
        if (!world.has(capability as keyof typeof attempts)) await expectError(call(), 'CAPABILITY_ABSENT');
    },
  },
];
