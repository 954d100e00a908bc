import { createContext, HotlistPermission, type Model } from '@bugless/kit/service';
import { sql } from 'kysely';
import t from 'tap';
import { LONGEST_POSITION, placeAll, placeBetween, placeOnTop } from './entry-position.ts';
import { ADMIN, ALICE, BOB, openModel } from './fixture/open-model.ts';

t.test('positions: any place between any two, in order byte by byte', async (t) => {
  // A generator of its own (Lehmer), so that a failure comes again.
  let state = 42;
  const draw = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  const list = placeAll(3);
  for (let round = 0; round < 3_000; round += 1) {
    // Mostly at the same few spots, where positions grow.
    const at = draw(3) === 0 ? draw(list.length + 1) : draw(3);
    list.splice(at, 0, placeBetween(list[at - 1], list[at]));
  }
  t.strictSame(list, list.toSorted(), 'sorted as they stand');
  t.equal(new Set(list).size, list.length, 'none twice');
  t.notOk(
    list.some((position) => position.length > 8 && position.endsWith('0')),
    'there is room before each',
  );
  t.strictSame([...placeOnTop(list[0], 3), list[0]], [...placeOnTop(list[0], 3), list[0]].toSorted());
  let [low, high] = placeAll(2) as [string, string];
  let count = 0;
  for (; low.length <= LONGEST_POSITION; count += 1) {
    const middle = placeBetween(low, high);
    if (count % 2 === 0) low = middle;
    else high = middle;
  }
  t.ok(count > 500, `${count} insertions at one spot before positions are given anew`);
});

async function makeList(model: Model, count: number): Promise<{ hotlist: string; issues: string[] }> {
  const issues: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { issue } = await model.createIssue({ issue: { title: `${index}`, component: '1' } }, ALICE);
    issues.push(issue!.id);
  }
  const access = [{ principal: { $case: 'user' as const, value: BOB.user }, permission: HotlistPermission.APPEND }];
  const { hotlist } = await model.createHotlist({ hotlist: { name: 'Next', access } }, ALICE);
  await model.addHotlistEntries({ hotlist: hotlist!.id, issues }, ALICE);
  return { hotlist: hotlist!.id, issues };
}

async function listIssues(model: Model, hotlist: string, pageSize = 500): Promise<string[]> {
  const issues: string[] = [];
  let pageToken = '';
  do {
    const page = await model.listHotlistEntries({ hotlist, pageSize, pageToken }, ALICE);
    issues.push(...page.entries.map((entry) => entry.issue));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return issues;
}

t.test('hotlists: entries moved, added and taken out at once', async (t) => {
  const { model, store } = await openModel(t);
  const { hotlist, issues } = await makeList(model, 12);

  const moves = Array.from({ length: 40 }, (_, index) => {
    const issue = issues[(index * 5) % 12]!;
    const after = index % 3 === 0 ? '0' : issues[(index * 7 + 1) % 12]!;
    const who = index % 2 === 0 ? ALICE : BOB;
    return model.moveHotlistEntry({ hotlist, issue, after }, who);
  });
  const again = issues.slice(0, 4).map((issue) => model.addHotlistEntries({ hotlist, issues: [issue] }, BOB));
  await Promise.all([...moves, ...again]);
  const found = await listIssues(model, hotlist);
  t.strictSame(found.toSorted(), issues.toSorted(), 'each there once');
  const { rows } = await sql<{ n: number }>`
    select count(distinct position)::int4 as n from hotlist_entry where hotlist_id = ${hotlist}`.execute(store.kysely);
  t.equal(rows[0]!.n, 12, 'no two in one place');
  t.strictSame(await listIssues(model, hotlist, 3), found, 'the same page by page');
});

t.test('hotlists: positions grown too long are given anew, and a page begun before goes on', async (t) => {
  const { model, store } = await openModel(t);
  const { hotlist, issues } = await makeList(model, 8);
  const first = await model.listHotlistEntries({ hotlist, pageSize: 5 }, ALICE);
  const long = `${'z'.repeat(LONGEST_POSITION - 1)}`;
  await sql`update hotlist_entry set position = position || ${long} where hotlist_id = ${hotlist} and issue_id = ${issues[0]}`.execute(
    store.kysely,
  );
  // Between the first entry and the second, where a long position has to grow.
  await model.moveHotlistEntry({ hotlist, issue: issues[1]!, after: '0' }, ALICE);
  await model.moveHotlistEntry({ hotlist, issue: issues[1]!, after: issues[0]! }, ALICE);
  for (let time = 0; time < 12; time += 1) {
    const issue = issues[1 + (time % 2)]!;
    await model.moveHotlistEntry({ hotlist, issue, after: '0' }, ALICE);
    await model.moveHotlistEntry({ hotlist, issue, after: issues[0]! }, ALICE);
  }
  const { rows } = await sql<{ numbering: number; longest: number }>`
    select h.numbering, max(length(e.position)) as longest from hotlist h join hotlist_entry e on e.hotlist_id = h.id
    where h.id = ${hotlist} group by h.numbering`.execute(store.kysely);
  t.ok(rows[0]!.numbering > 0, 'given anew');
  t.ok(rows[0]!.longest < 20, 'and short');
  const pageToken = first.nextPageToken;
  const rest = await model.listHotlistEntries({ hotlist, pageSize: 5, pageToken }, ALICE);
  t.strictSame(
    rest.entries.map((entry) => entry.issue),
    issues.slice(5),
  );
});

t.test('stars and saved searches at once', async (t) => {
  const { model, store } = await openModel(t);
  const { issue } = await model.createIssue({ issue: { title: 'x', component: '1' } }, ALICE);
  const { id } = issue!;
  const fans = Array.from({ length: 10 }, (_, index) => createContext({ user: `fan-${index}` }));
  const edits = Array.from({ length: 5 }, (_, index) => model.updateIssue({ id, comment: `${index}` }, ADMIN));
  await Promise.all([
    ...edits,
    ...fans.flatMap((fan) => [true, true, false, true].map((starred) => model.setStar({ issue: id, starred }, fan))),
  ]);
  const { rows } = await sql<{ n: number }>`select count(*)::int4 as n from star where issue_id = ${id}`.execute(
    store.kysely,
  );
  const after = (await model.getIssue({ id }, ADMIN)).issue!;
  t.equal(after.stars, rows[0]!.n, 'the count is that of the rows');
  t.equal(after.version, '6', 'only comments are writes');
  const saves = Array.from({ length: 210 }, (_, index) =>
    model.saveSearch({ search: { name: `s${index}`, query: 'p0' } }, ALICE).then(
      () => 1,
      () => 0,
    ),
  );
  const saved = (await Promise.all(saves)).reduce((sum: number, one) => sum + one, 0);
  t.equal(saved, 200, 'no more than the limit, however they come');
});
