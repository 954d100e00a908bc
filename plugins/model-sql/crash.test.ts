import { setTimeout as sleep } from 'node:timers/promises';
import { foldUpdates } from '@bugless/kit/domain';
import { sql } from 'kysely';
import t from 'tap';
import { ADMIN, openModel } from './fixture/open-model.ts';

/** Ends of the server, and issues that are written to meanwhile. */
const KILLS = 3;
const ISSUES = 5;

t.test('kill -9 of the database under concurrent updates loses and doubles nothing', async (t) => {
  const { model, store, test } = await openModel(t, { pool: { max: 8 } });
  const ids: string[] = [];
  for (let n = 0; n < ISSUES; n++) {
    ids.push((await model.createIssue({ issue: { title: `issue ${n}`, component: '1' } }, ADMIN)).issue!.id);
  }
  const acknowledged: { id: string; text: string }[] = [];
  let done = false;
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; !done; n++) {
      const id = ids[(writer + n) % ISSUES]!;
      const text = `${writer}-${n}`;
      // As a caller does: the same request id until there is an answer.
      for (let tries = 0; ; tries++) {
        try {
          await model.updateIssue(
            {
              id,
              requestId: `w${text}`,
              comment: text,
              add: { labels: [`l${text}`] },
              remove: { labels: [`l${writer}-${n - ISSUES}`] },
            },
            ADMIN,
          );
          acknowledged.push({ id, text });
          break;
        } catch (error) {
          if (tries > 400) throw error;
          await sleep(10);
        }
      }
    }
  };
  const writers = Promise.all(Array.from({ length: 6 }, (_, writer) => write(writer)));
  for (let kill = 0; kill < KILLS; kill++) {
    const before = acknowledged.length;
    const until = Date.now() + 15_000;
    while (acknowledged.length < before + 30 && Date.now() < until) await sleep(5);
    process.kill(test.server.pid, 'SIGKILL');
  }
  const enough = acknowledged.length + 30;
  const until = Date.now() + 15_000;
  while (acknowledged.length < enough && Date.now() < until) await sleep(5);
  done = true;
  await writers;

  const comments = new Map<string, number>();
  for (const id of ids) {
    const { issue } = await model.getIssue({ id }, ADMIN);
    const updates = [];
    for (let pageToken = ''; ; ) {
      const page = await model.listUpdates({ issue: id, pageSize: 500, pageToken }, ADMIN);
      updates.push(...page.updates);
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    for (const { comment } of updates) comments.set(`${id} ${comment}`, (comments.get(`${id} ${comment}`) ?? 0) + 1);
    t.same({ ...foldUpdates(updates), id }, { ...issue, permissions: [], blocking: [] }, 'state and history agree');
    t.same(
      updates.map(({ sequence }) => sequence),
      updates.map((_, index) => index + 1),
    );
  }
  const wrong = acknowledged.filter(({ id, text }) => comments.get(`${id} ${text}`) !== 1);
  t.same(wrong, [], `${acknowledged.length} acknowledged updates are there once`);
  const { rows } = await sql<{ n: number }>`select count(*)::int4 as n from issue_update u
    where 1 <> (select count(*) from (select issue_id, sequence from outbox union all select issue_id, sequence from feed) o
          where o.issue_id = u.issue_id and o.sequence = u.sequence)
       or (u.comment <> '' and not exists (select 1 from doc d where d.issue_id = u.issue_id and d.sequence = u.sequence))
       or not exists (select 1 from issue_key k join issue i on i.id = k.issue_id
          where k.issue_id = u.issue_id and k.modified = i.modified)`.execute(store.kysely);
  t.equal(rows[0]!.n, 0, 'events, words and keys agree with the history');
});
