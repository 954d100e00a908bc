import { foldUpdates } from '@bugless/kit/domain';
import { type DeepPartial, type ImportedIssue, ImportOutcome, Significance, Status } from '@bugless/kit/service';
import { sql } from 'kysely';
import t from 'tap';
import { ADMIN, ALICE, openModel } from './fixture/open-model.ts';
import { refusalOf } from './fixture/refusal.ts';

const at = (minute: number): string => new Date(Date.UTC(2012, 3, 1, 0, minute)).toISOString();

/** An issue with a history, as another tracker would have had it. */
function imported(key: number, rest: DeepPartial<ImportedIssue> = {}): DeepPartial<ImportedIssue> {
  return {
    key: String(key),
    issue: {
      title: `Issue ${key}`,
      component: '1',
      reporter: 'rita',
      assignee: 'otto',
      status: Status.FIXED,
      priority: 2,
      labels: ['ui', `n${key % 7}`],
      created: at(key),
    },
    updates: [
      { author: 'rita', created: at(key), comment: `Words of ${key}`, changes: [] },
      {
        author: 'otto',
        created: at(key + 10),
        comment: 'taken',
        changes: [
          { field: 'assignee', oldValues: [], newValues: ['otto'] },
          { field: 'status', oldValues: ['new'], newValues: ['assigned'] },
        ],
      },
      {
        author: 'otto',
        created: at(key + 20),
        comment: '',
        changes: [{ field: 'status', oldValues: ['assigned'], newValues: ['fixed'] }],
      },
    ],
    ...rest,
  };
}

t.test('imports', async (t) => {
  const { model, store } = await openModel(t);
  const run = async (issues: DeepPartial<ImportedIssue>[], source = 'old') =>
    (await model.importIssues({ source, issues }, ADMIN)).results;
  const count = async () =>
    (await sql<{ n: number }>`select count(*)::int4 as n from issue`.execute(store.kysely)).rows[0]!.n;
  const check = async (id: string) => {
    const { issue } = await model.getIssue({ id }, ADMIN);
    const { updates } = await model.listUpdates({ issue: id, pageSize: 500 }, ADMIN);
    t.same(
      { ...foldUpdates(updates), id },
      { ...issue, permissions: [], blocking: [], resolved: foldUpdates(updates).resolved },
    );
    return { issue: issue!, updates };
  };

  t.test('a hundred issues, twice: authors and times kept, nothing doubled', async (t) => {
    const issues = Array.from({ length: 100 }, (_, key) => imported(key));
    const first = await run(issues);
    t.ok(first.every((result) => result.outcome === ImportOutcome.CREATED));
    const second = await run(issues);
    t.ok(second.every((result) => result.outcome === ImportOutcome.UNCHANGED));
    t.same(
      second.map(({ id }) => id),
      first.map(({ id }) => id),
    );
    t.equal(await count(), 100);
    const { issue, updates } = await check(first[5]!.id);
    t.match(issue, {
      reporter: 'rita',
      created: at(5),
      modified: at(25),
      resolved: at(25),
      version: '3',
      commentCount: 1,
    });
    t.same(
      updates.map(({ author, created }) => [author, created]),
      [
        ['rita', at(5)],
        ['otto', at(15)],
        ['otto', at(25)],
      ],
    );
    t.match(
      updates[0]!.changes.find(({ field }) => field === 'status'),
      { newValues: ['new'] },
      'told by going back',
    );
    const [changed] = await run([imported(5, { updates: [] })]);
    t.match(changed, { id: first[5]!.id, outcome: ImportOutcome.CHANGED });
    t.equal((await model.getIssue({ id: first[5]!.id }, ADMIN)).issue!.version, '3', 'left as it is');
  });

  t.test('a history that does not lead to the end is mended by a silent update', async (t) => {
    const [result] = await run([
      imported(200, { issue: { ...imported(200).issue, priority: 1, status: Status.INTENDED } }),
    ]);
    const { issue, updates } = await check(result!.id);
    t.equal(issue.status, Status.INTENDED);
    t.match(updates.at(-1), { author: 'admin', significance: Significance.SILENT, created: at(220) });
  });

  t.test('links to issues before, beside and after', async (t) => {
    const link = (field: string, key: number) => ({ field, key: String(key) });
    const [a, b] = await run([
      imported(300, { links: [link('blocked_by', 5), link('blocked_by', 301), link('parent', 999)] }),
      imported(301, { links: [link('blocked_by', 300), link('parent', 300)] }),
    ]);
    const [five] = await run([imported(5)]);
    t.same((await check(a!.id)).issue.blockedBy, [five!.id], 'the ring 300 ⇄ 301 is left open');
    t.match((await check(b!.id)).issue, { blockedBy: [a!.id], parent: a!.id });
    const [parent] = await run([imported(999)]);
    t.equal((await check(a!.id)).issue.parent, parent!.id, 'made when the other end came');
    const waiting = await sql`select 1 from import_link`.execute(store.kysely);
    t.equal(waiting.rows.length, 0);
  });

  t.test('a duplicate whose original never came can still be commented on', async (t) => {
    const issue = { ...imported(350).issue, status: Status.DUPLICATE };
    const [result] = await run([
      imported(350, { issue, updates: [], links: [{ field: 'duplicate_of', key: 'gone' }] }),
    ]);
    t.equal(result!.outcome, ImportOutcome.CREATED);
    t.ok((await model.updateIssue({ id: result!.id, comment: 'seen' }, ADMIN)).update);
  });

  t.test('what is wrong with one issue does not touch the others', async (t) => {
    const before = await count();
    const results = await run([
      imported(400),
      imported(401, { issue: { ...imported(401).issue, component: '77' } }),
      imported(402, { updates: [{ author: 'rita', created: at(1), comment: 'a\0b' }] }),
      imported(403, { issue: { ...imported(403).issue, id: '1' } }),
      imported(400),
      imported(404),
    ]);
    t.same(
      results.map(({ error }) => error?.reason),
      [undefined, 'COMPONENT_NOT_FOUND', 'INVALID_FIELD', 'ID_TAKEN', 'INVALID_FIELD', undefined],
    );
    t.match(results[2]!.error, { field: 'updates[0].comment', code: 3 });
    t.equal(await count(), before + 2);
  });

  t.test('a dry run writes nothing', async (t) => {
    const before = await count();
    const { results } = await model.importIssues({ source: 'old', issues: [imported(500)], dryRun: true }, ADMIN);
    t.match(results, [{ id: '0', outcome: ImportOutcome.CREATED }]);
    t.equal(await count(), before);
  });

  t.test('ids given are kept, and never given again', async (t) => {
    const [kept] = await run([imported(600, { issue: { ...imported(600).issue, id: '70000' } })]);
    t.equal(kept!.id, '70000');
    const { issue } = await model.createIssue({ issue: { title: 'next', component: '1' } }, ALICE);
    t.equal(issue!.id, '70001');
    // Somebody wrote the next id in behind the sequence's back.
    await sql`select setval('issue_id_sequence', 69999)`.execute(store.kysely);
    const again = await model.createIssue({ issue: { title: 'after', component: '1' } }, ALICE);
    t.equal(again.issue!.id, '70002');
  });

  t.test('importers of overlapping issues at once', async (t) => {
    const before = await count();
    // Ids that the sequence is about to give are taken already, too.
    await sql`select setval('issue_id_sequence', 69999)`.execute(store.kysely);
    const part = (from: number) => run(Array.from({ length: 40 }, (_, n) => imported(700 + from + n)));
    const all = (await Promise.all([part(0), part(20), part(0), part(40)])).flat();
    t.equal(await count(), before + 80);
    t.same(new Set(all.map(({ outcome }) => outcome)), new Set([ImportOutcome.CREATED, ImportOutcome.UNCHANGED]));
    const ids = new Map<string, Set<string>>();
    for (const { key, id } of all) ids.set(key, (ids.get(key) ?? new Set()).add(id));
    t.ok(
      [...ids.values()].every((each) => each.size === 1),
      'all were told the same id',
    );
  });

  t.test('only for administrators', async (t) => {
    t.equal(await refusalOf(model.importIssues({ source: 'x', issues: [imported(1)] }, ALICE)), 'FORBIDDEN');
    t.equal(await refusalOf(model.importIssues({ source: '', issues: [imported(1)] }, ADMIN)), 'INVALID_FIELD');
  });

  t.test('the text index goes back to single writes when it is over', async (t) => {
    await store.textIndex.stop();
    const { rows } = await sql<{ o: string }>`select array_to_string(reloptions, ' ') as o from pg_class
      where oid = 'doc_words'::regclass`.execute(store.kysely);
    t.match(rows[0]!.o, /fastupdate=off/);
  });
});
