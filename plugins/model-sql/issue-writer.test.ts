import { foldUpdates } from '@bugless/kit/domain';
import { type Issue, Permission, type ServiceError, Status } from '@bugless/kit/service';
import { makeFault, startTestDatabase } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { meetAtLock } from './fixture/barrier.ts';
import { COCKROACH_ON_POSTGRES } from './fixture/cockroach-dialect.ts';
import { ADMIN, ALICE, BOB, openModel, type TestModel } from './fixture/open-model.ts';
import { refusalOf } from './fixture/refusal.ts';
import { sweepRequestLog } from './request-log.ts';

const DIALECTS = { postgres: undefined, 'cockroachdb on postgres': COCKROACH_ON_POSTGRES };

async function openBoth(t: Test, dialect: (typeof DIALECTS)[keyof typeof DIALECTS]): Promise<TestModel> {
  const test = await startTestDatabase(t);
  if (dialect) await sql`create extension btree_gin`.execute((await test.open()).kysely());
  return openModel(t, { test, dialect });
}

async function file(at: TestModel, title: string): Promise<Issue> {
  const { issue } = await at.model.createIssue({ issue: { title, component: '1', description: 'text' } }, ALICE);
  return issue!;
}

async function checkFold(t: Test, at: TestModel, id: string): Promise<void> {
  const { issue } = await at.model.getIssue({ id }, ADMIN);
  const { updates } = await at.model.listUpdates({ issue: id, pageSize: 500 }, ADMIN);
  t.same(
    updates.map((update) => update.sequence),
    updates.map((_, index) => index + 1),
    'no gap in the history',
  );
  t.same({ ...foldUpdates(updates), id }, { ...issue, permissions: [], blocking: [] }, 'the fold is the issue');
}

const lockIssue = (id: string) => (held: Parameters<Parameters<typeof meetAtLock>[1]>[0]) =>
  sql`select 1 from issue where id = ${id} for update`.execute(held);

for (const [name, dialect] of Object.entries(DIALECTS)) {
  t.test(name, async (t) => {
    const at = await openBoth(t, dialect);
    const { model, db } = at;

    t.test('two writers who met at the row both keep their edit', async (t) => {
      const { id } = await file(at, 'met');
      const ends = await meetAtLock(db, lockIssue(id), [
        () => model.updateIssue({ id, add: { cc: ['x'] }, comment: 'one' }, ADMIN),
        () => model.updateIssue({ id, add: { cc: ['y'] }, comment: 'two' }, ADMIN),
        () => model.updateIssue({ id, remove: { cc: ['z'] }, updateMask: ['priority'], issue: { priority: 1 } }, ADMIN),
      ]);
      t.same(
        ends.map((end) => end.status),
        ['fulfilled', 'fulfilled', 'fulfilled'],
      );
      const { issue } = await model.getIssue({ id }, ADMIN);
      t.match(issue, { cc: ['x', 'y'], version: '4', priority: 1, commentCount: 2 });
      await checkFold(t, at, id);
    });

    t.test('of two who saw the same version one is told', async (t) => {
      const { id } = await file(at, 'raced');
      const write = (title: string) => () =>
        model.updateIssue({ id, expectedVersion: '1', updateMask: ['title'], issue: { title } }, ADMIN);
      const ends = await meetAtLock(db, lockIssue(id), [write('left'), write('right')]);
      const lost = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as ServiceError] : []));
      t.same(
        lost.map(({ reason, metadata }) => [reason, metadata.current]),
        [['VERSION_MISMATCH', '2']],
      );
      await checkFold(t, at, id);
    });

    t.test('a writer who waited sees the links that were made meanwhile', async (t) => {
      const [a, b] = [await file(at, 'a'), await file(at, 'b')];
      const ends = await meetAtLock(db, lockIssue(a.id), [
        () => model.updateIssue({ id: a.id, add: { blockedBy: [b.id] } }, ADMIN),
        () => model.updateIssue({ id: a.id, remove: { blockedBy: [b.id] }, comment: 'not any more' }, ADMIN),
      ]);
      t.same(
        ends.map((end) => end.status),
        ['fulfilled', 'fulfilled'],
      );
      await checkFold(t, at, a.id);
      const { issue } = await model.getIssue({ id: a.id }, ADMIN);
      // At SERIALIZABLE the second one begins anew and may come first.
      if (dialect === undefined) t.same(issue!.blockedBy, []);
      t.same((await model.getIssue({ id: b.id }, ADMIN)).issue!.blocking, issue!.blockedBy.length ? [a.id] : []);
    });

    t.test('rings of four that two writers close from both sides stay open', async (t) => {
      for (const field of ['parent', 'blocked_by'] as const) {
        for (let round = 0; round < 4; round++) {
          const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map((title) => file(at, title)));
          const link = (from: Issue, to: Issue) =>
            field === 'parent'
              ? model.updateIssue({ id: from.id, updateMask: ['parent'], issue: { parent: to.id } }, ADMIN)
              : model.updateIssue({ id: from.id, add: { blockedBy: [to.id] } }, ADMIN);
          await link(b!, c!);
          await link(d!, a!);
          const ends = await Promise.allSettled([link(a!, b!), link(c!, d!)]);
          const lost = ends.flatMap((end) => (end.status === 'rejected' ? [(end.reason as ServiceError).reason] : []));
          t.same(lost, ['CYCLE'], field);
        }
      }
    });

    t.test('a duplicate gives its people to the canonical issue, whoever else writes there', async (t) => {
      const canonical = await file(at, 'canonical');
      const { issue: twin } = await model.createIssue({ issue: { title: 'twin', component: '1', cc: ['carol'] } }, BOB);
      const ends = await meetAtLock(db, lockIssue(canonical.id), [
        () =>
          model.updateIssue(
            { id: twin!.id, updateMask: ['duplicate_of'], issue: { duplicateOf: canonical.id } },
            ADMIN,
          ),
        () => model.updateIssue({ id: canonical.id, comment: 'mine' }, ALICE),
      ]);
      t.same(
        ends.map((end) => end.status),
        ['fulfilled', 'fulfilled'],
      );
      const { issue } = await model.getIssue({ id: canonical.id }, ADMIN);
      t.match(issue, { cc: ['bob', 'carol'], version: '3' });
      t.equal((await model.getIssue({ id: twin!.id }, ADMIN)).issue!.status, Status.DUPLICATE);
      await checkFold(t, at, canonical.id);
      const looped = model.updateIssue(
        { id: canonical.id, updateMask: ['duplicate_of'], issue: { duplicateOf: twin!.id } },
        ADMIN,
      );
      t.equal(await refusalOf(looped), 'CYCLE');
    });

    t.test('sixteen writers at once lose nothing', async (t) => {
      const { id } = await file(at, 'busy');
      await Promise.all(
        Array.from({ length: 16 }, (_, n) =>
          model.updateIssue({ id, add: { labels: [`l${n}`] }, comment: `${n}` }, ADMIN),
        ),
      );
      const { issue } = await model.getIssue({ id }, ADMIN);
      t.match(issue, { version: '17', commentCount: 16 });
      t.equal(issue!.labels.length, 16);
      await checkFold(t, at, id);
    });
  });
}

t.test('a COMMIT whose answer is lost', async (t) => {
  let lose = false;
  const at = await openModel(t, {
    faults: (point) => {
      if (point !== 'committed' || !lose) return undefined;
      lose = false;
      return makeFault();
    },
  });
  const count = async () =>
    (await sql<{ n: string }>`select count(*) as n from issue`.execute(at.store.kysely)).rows[0]!.n;

  t.test('is settled by the request id: done once, answered as done', async (t) => {
    lose = true;
    const request = { requestId: 'one', issue: { title: 'once', component: '1', description: 'first text' } };
    const { issue } = await at.model.createIssue(request, ALICE);
    t.equal(await count(), '1');
    t.match(issue, { title: 'once', description: 'first text', permissions: [Permission.VIEW, Permission.COMMENT] });
    t.same((await at.model.createIssue(request, ALICE)).issue, issue, 'and again the same answer');
    lose = true;
    const write = { id: issue!.id, requestId: 'two', comment: 'said once' };
    const first = await at.model.updateIssue(write, ALICE);
    t.match(first, { issue: { version: '2' }, update: { comment: 'said once', sequence: 2 } });
    t.same(await at.model.updateIssue(write, ALICE), first);
    await checkFold(t, at, issue!.id);
  });

  t.test('without one it is said to be unknown', async (t) => {
    lose = true;
    const write = at.model.createIssue({ issue: { title: 'who knows', component: '1' } }, ALICE);
    t.equal(await refusalOf(write), 'BACKEND_UNAVAILABLE');
  });

  t.test('answers give the texts of their time, and none that was withdrawn', async (t) => {
    const create = { requestId: 'three', issue: { title: 'text', component: '1', description: 'as it was' } };
    const { issue } = await at.model.createIssue(create, ALICE);
    const edit = { issue: issue!.id, sequence: 1, expectedCommentVersion: 1, comment: 'as it is' };
    await at.model.editComment(edit, ALICE);
    t.equal((await at.model.createIssue(create, ALICE)).issue!.description, 'as it was');
    await at.model.redactComment({ issue: issue!.id, sequence: 1 }, ALICE);
    t.equal((await at.model.createIssue(create, ALICE)).issue!.description, '');
    t.equal(await sweepRequestLog(at.store), 0, 'kept for a day');
    const tomorrow = { ...at.store, now: () => Date.now() + 25 * 3_600_000 };
    t.ok((await sweepRequestLog(tomorrow)) >= 3);
  });
});

t.test('access changed by another process counts at once', async (t) => {
  const here = await openModel(t);
  const there = await openModel(t, { test: here.test });
  t.equal(there.dataId, here.dataId);
  const issue = await file(here, 'secret');
  await here.model.getIssue({ id: issue.id }, BOB);
  const access = [{ principal: { $case: 'user' as const, value: 'alice' }, permission: Permission.EDIT }];
  await there.model.updateComponent({ id: '1', updateMask: ['access'], component: { access } }, ADMIN);
  t.equal(await refusalOf(here.model.getIssue({ id: issue.id }, BOB)), 'ISSUE_NOT_FOUND');
  t.equal(await refusalOf(here.model.updateIssue({ id: issue.id, comment: 'x' }, BOB)), 'ISSUE_NOT_FOUND');
  t.equal(
    await refusalOf(here.model.createIssue({ issue: { title: 'x', component: '1' } }, BOB)),
    'COMPONENT_NOT_FOUND',
  );
  t.ok((await here.model.updateIssue({ id: issue.id, add: { labels: ['null', 'NULL x'.slice(0, 4)] } }, ALICE)).update);
  t.same((await here.model.getIssue({ id: issue.id }, ALICE)).issue!.labels, ['null'], 'a label called null stays one');
});

t.test('every commit left one row in the outbox', async (t) => {
  const at = await openModel(t);
  const { id } = await file(at, 'told');
  await at.model.updateIssue({ id, comment: 'more' }, ALICE);
  await at.model.updateIssue({ id }, ALICE);
  await at.model.editComment({ issue: id, sequence: 2, expectedCommentVersion: 1, comment: 'less' }, ALICE);
  await at.model.updateComponent({ id: '1', updateMask: ['default_cc'], component: { defaultCc: ['zoe'] } }, ADMIN);
  // The feed may have moved some of them on already.
  const columns = sql.raw('kind, issue_id, sequence, version, component, author');
  const { rows } = await sql`select ${columns} from outbox union all select ${columns} from feed order by kind`.execute(
    at.store.kysely,
  );
  t.same(rows, [
    { kind: 1, issue_id: id, sequence: 1, version: '1', component: 1, author: 'alice' },
    { kind: 2, issue_id: id, sequence: 2, version: '2', component: 1, author: 'alice' },
    { kind: 3, issue_id: id, sequence: 2, version: '3', component: 1, author: 'alice' },
    { kind: 4, issue_id: '0', sequence: 0, version: '2', component: 1, author: 'admin' },
  ]);
});
