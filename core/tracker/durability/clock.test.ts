/** A machine's clock that is set back an hour, and forward again, between writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, Status } from '@bugless/kit/service';
import t from 'tap';
import { COCKROACH_ON_POSTGRES } from '../../../plugins/model-sql/fixture/cockroach-dialect.ts';
import { openModel } from '../../../plugins/model-sql/fixture/open-model.ts';

const HOUR = 3_600_000;
const admin = createContext({ user: 'admin', admin: true });

const kinds = [
  { name: 'ids of a sequence', options: {} },
  { name: 'Snowflake ids', options: { dialect: COCKROACH_ON_POSTGRES } },
] as const;

for (const { name, options } of kinds) {
  t.test(`the clock steps back: ${name}`, async (t) => {
    let offset = 0;
    const { model } = await openModel(t, { ...options, now: () => Date.now() + offset });
    const { component } = await model.createComponent({ component: { name: 'Clock' } }, admin);
    const ids: string[] = [];
    const create = async (title: string): Promise<string> => {
      const { issue } = await model.createIssue({ issue: { title, component: component!.id } }, admin);
      ids.push(issue!.id);
      return issue!.id;
    };
    const comment = async (id: string, requestId: string, text: string) => {
      const { update } = await model.updateIssue({ id, comment: text, requestId }, admin);
      return update!;
    };

    const old = await create('From before');
    const other = await create('Another from before');
    await comment(old, 'c1', 'First');
    offset = -HOUR;
    for (let i = 0; i < 20; i++) await create(`From the past ${i}`);
    const late = await comment(old, 'c2', 'Second');
    await model.updateIssue({ id: old, add: { labels: ['late'] } }, admin);
    const { update: edited } = await model.editComment(
      { issue: old, sequence: late.sequence, comment: 'Second, edited', expectedCommentVersion: 1 },
      admin,
    );
    t.ok(edited!.edited! >= late.created!, 'an edit is not older than what it edits');
    const again = await comment(old, 'c2', 'Second');
    t.same(
      [again.sequence, again.comment, again.created],
      [late.sequence, 'Second', late.created],
      'a repetition answers as at first, whatever the clock said',
    );
    // One from the past becomes a duplicate of one from the future, which gains its people.
    const past = ids.at(-1)!;
    await model.updateIssue(
      {
        id: past,
        issue: { status: Status.DUPLICATE, duplicateOf: other },
        updateMask: ['status', 'duplicate_of'],
        add: { cc: ['somebody'] },
        expectedVersion: '1',
      },
      admin,
    );
    await model.updateIssue(
      { id: old, issue: { status: Status.FIXED }, updateMask: ['status'], comment: 'Done', expectedVersion: '0' },
      admin,
    );
    offset = HOUR;
    // The node number of Snowflake ids was leased for a minute; one more is asked for at once.
    const third = () => comment(old, 'c3', 'Third');
    await third().catch(async (error) => {
      t.match(error, { reason: 'NOT_READY' });
      await sleep(1_000);
      await third();
    });
    offset = 0;
    await comment(old, 'c4', 'Fourth');
    await comment(past, 'c5', 'Fifth');
    for (let i = 0; i < 5; i++) await create(`From now ${i}`);

    t.equal(new Set(ids).size, ids.length, 'no id twice');
    const sorted = ids.toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
    t.same(ids, sorted, 'ids rise');
    const wrong: string[] = [];
    for (const id of ids) {
      const { issue } = await model.getIssue({ id }, admin);
      const { updates } = await model.listUpdates({ issue: id, pageSize: 100 }, admin);
      const times = updates.map(({ created }) => created!);
      if (times.join() !== times.toSorted().join()) wrong.push(`${id}: ${times.join(' ')}`);
      if (issue!.created !== times[0] || issue!.modified! < times.at(-1)!) wrong.push(`${id}: ${issue!.modified}`);
      if (issue!.resolved !== undefined && issue!.resolved < issue!.created!) wrong.push(`${id}: ${issue!.resolved}`);
      if (updates.some(({ sequence }, index) => sequence !== index + 1)) wrong.push(`${id}: sequence`);
    }
    t.same(wrong, [], 'the history of each issue goes forward');
    const { issues } = await model.searchIssues({ pageSize: 100 }, admin);
    t.equal(issues.length, ids.length, 'all are found');
    t.equal(new Set(issues.map(({ id }) => id)).size, ids.length, 'each once');
  });
}
