import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, createSystemContext, Permission, Status } from '@bugless/kit/service';
import { startTestDatabase } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t from 'tap';
import { ADMIN, ALICE, BOB, openModel } from './fixture/open-model.ts';
import { foldDays } from './issue-day.ts';

t.test('webhooks: one delivery for each event, whoever of two processes makes it', async (t) => {
  const test = await startTestDatabase(t);
  const a = await openModel(t, { test });
  const b = await openModel(t, { test });
  const { issue } = await a.model.createIssue({ issue: { title: 'x', component: '1' } }, ALICE);
  const { webhook } = await b.model.createWebhook({ webhook: { url: 'https://example.org/', enabled: true } }, ADMIN);
  const write = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        (index % 2 ? a : b).model.updateIssue({ id: issue!.id, comment: `${index}` }, ADMIN),
      ),
    );
  await write(10);
  // The lease changes hands in the middle.
  await a.store.feed.stop();
  await write(10);
  const read = async () => {
    const { rows } = await sql<{ position: string; body: string }>`
      select position, body from delivery where webhook_id = ${webhook!.id} order by position`.execute(b.store.kysely);
    return rows;
  };
  for (let round = 0; round < 400 && (await read()).length < 20; round += 1) await sleep(20);
  const versions = (await read()).map(({ body }) => JSON.parse(body).data.version as string);
  const expected = Array.from({ length: 20 }, (_, index) => String(index + 2));
  t.strictSame(versions.slice(-20), expected, 'all, in their order');
  // Two who lease at once get different ones.
  const system = createSystemContext();
  const leases = await Promise.all(
    [a, b, a, b].map(({ model }) => model.leaseDeliveries({ count: 6, leaseMillis: 60_000 }, system)),
  );
  const leased = leases.flatMap(({ deliveries }) => deliveries.map(({ delivery }) => delivery!.id));
  t.equal(new Set(leased).size, leased.length, 'none twice');
  t.ok(leased.length >= 6);
});

t.test('webhooks: what the owner may not see is not told', async (t) => {
  const { model, store } = await openModel(t);
  const grant = { principal: { $case: 'user' as const, value: BOB.user }, permission: Permission.ADMIN };
  const { component } = await model.createComponent(
    { component: { name: 'Bob', access: [grant], accessOverridden: true } },
    ADMIN,
  );
  const home = component!.id;
  const hidden = (
    await model.createComponent(
      { component: { name: 'Hidden', parent: home, owners: ['root'], access: [], accessOverridden: true } },
      ADMIN,
    )
  ).component!.id;
  await model.createWebhook({ webhook: { url: 'https://example.org/', component: home, enabled: true } }, BOB);
  await model.createIssue({ issue: { title: 'hidden', component: hidden } }, ADMIN);
  const { issue } = await model.createIssue({ issue: { title: 'shown', component: home } }, ADMIN);
  const read = async () => (await sql<{ body: string }>`select body from delivery`.execute(store.kysely)).rows;
  for (let round = 0; round < 200; round += 1) {
    if ((await read()).some(({ body }) => JSON.parse(body).data.issue === issue!.id)) break;
    await sleep(20);
  }
  const told = (await read()).map(({ body }) => JSON.parse(body).data).filter((data) => data.issue !== null);
  // Bob administers the component, and so owns what is below it.
  t.ok(told.some((data) => data.issue === issue!.id));
  t.equal(
    told.some((data) => data.component === hidden),
    await model.getComponent({ id: hidden }, BOB).then(
      () => true,
      () => false,
    ),
    'just what the owner sees',
  );
});

t.test('summaries: whatever happens at once, they say what a count of all issues says', async (t) => {
  const { model, store } = await openModel(t);
  const other = (await model.createComponent({ component: { name: 'Other', access: [] } }, ADMIN)).component!.id;
  const ids: string[] = [];
  for (let index = 0; index < 8; index += 1) {
    ids.push((await model.createIssue({ issue: { title: `${index}`, component: '1' } }, ADMIN)).issue!.id);
  }
  const statuses = [Status.FIXED, Status.NEW, Status.OBSOLETE, Status.ACCEPTED];
  const changes = Array.from({ length: 60 }, (_, index) => {
    const status = statuses[(index * 3) % 4]!;
    const component = index % 5 === 0 ? other : '1';
    const updateMask = index % 3 === 0 ? ['status', 'component'] : ['status'];
    const request = { id: ids[index % 8]!, issue: { status, component }, updateMask };
    return model.updateIssue(request, ADMIN).catch(() => undefined);
  });
  const folding = (async () => {
    for (let round = 0; round < 20; round += 1) {
      await foldDays(store.kysely);
      await sleep(10);
    }
  })();
  await Promise.all([...changes, folding]);
  const today = new Date().toISOString().slice(0, 10);
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  for (const folded of [false, true]) {
    if (folded) while ((await foldDays(store.kysely)) > 0) await sleep(1);
    const { days, groups } = await model.summarizeIssues(
      { firstDay: yesterday, lastDay: today, groupBy: ['component'] },
      ADMIN,
    );
    const { rows } = await sql<{ open: number }>`select count(*)::int4 as open from issue where is_open`.execute(
      store.kysely,
    );
    t.equal(days.at(-1)!.open, rows[0]!.open);
    t.equal(
      days.reduce((sum, day) => sum + day.opened - day.closed, 0),
      rows[0]!.open,
    );
    t.equal(
      groups.reduce((sum, group) => sum + group.count, 0),
      rows[0]!.open,
    );
  }
  const perClass = await sql<{ wrong: number }>`select count(*)::int4 as wrong from (
      select d.acl, d.opened - d.closed as open, (select count(*) from issue i where i.acl = d.acl and i.is_open) as found
      from issue_day d where d.day = '0001-01-01') x where x.open <> x.found`.execute(store.kysely);
  t.equal(perClass.rows[0]!.wrong, 0, 'in each class');
  const seen = await model.summarizeIssues({ firstDay: today, lastDay: today }, createContext({ user: 'stranger' }));
  const own = await sql<{ open: number }>`select count(*)::int4 as open from issue where is_open and acl < 8`.execute(
    store.kysely,
  );
  t.equal(seen.days[0]!.open, own.rows[0]!.open, 'as far as one sees');
});
