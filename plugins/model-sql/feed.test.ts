import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createContext, type Event, EventKind, type Model } from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import { startTestDatabase } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t from 'tap';
import { ADMIN, ALICE, BOB, openModel } from './fixture/open-model.ts';
import { refusalOf } from './fixture/refusal.ts';
import type { ModelTables } from './schema/tables.ts';

async function createIssue(model: Model): Promise<string> {
  const { issue } = await model.createIssue({ issue: { title: 'An issue', component: '1' } }, ADMIN);
  return issue!.id;
}

/** Everything behind a cursor, to the end. */
async function walk(model: Model, cursor: string, context = ADMIN): Promise<{ events: Event[]; cursor: string }> {
  const events: Event[] = [];
  let end = cursor;
  const request = { cursor, stopAtEnd: true, fromOldest: cursor === '' };
  for await (const answer of model.watchEvents(request, context)) {
    events.push(...answer.events);
    end = answer.cursor || end;
  }
  return { events, cursor: end };
}

function checkOrder(
  t: { ok(value: boolean, name: string): unknown; fail(name: string): unknown },
  events: readonly Event[],
): void {
  const cursors = events.map((event) => BigInt(event.cursor));
  t.ok(
    cursors.every((cursor, index) => index === 0 || cursor > cursors[index - 1]!),
    'cursors rise',
  );
  const newest = new Map<string, number>();
  for (const { issue, version } of events) {
    if (issue === '0') continue;
    if (Number(version) <= (newest.get(issue) ?? 0)) t.fail(`issue ${issue} tells version ${version} late or twice`);
    newest.set(issue, Number(version));
  }
}

t.test('two processes on one database: each event once, in order per issue, for those who watch either', async (t) => {
  const test = await startTestDatabase(t);
  const a = await openModel(t, { test });
  const b = await openModel(t, { test });
  const issues = [await createIssue(a.model), await createIssue(b.model), await createIssue(a.model)];
  const { cursor } = await walk(b.model, '');
  const stop = new AbortController();
  const listen = async (model: Model): Promise<Event[]> => {
    const heard: Event[] = [];
    const context = createContext({ ...ADMIN, signal: stop.signal });
    try {
      for await (const { events } of model.watchEvents({ cursor }, context)) heard.push(...events);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
    return heard;
  };
  const listening = [listen(a.model), listen(b.model)];
  const writing = Array.from({ length: 60 }, (_, index) => {
    const { model } = index % 2 === 0 ? a : b;
    return model
      .updateIssue({ id: issues[index % 3]!, comment: `${index}` }, index % 4 === 0 ? ALICE : BOB)
      .catch(() => model.updateIssue({ id: issues[index % 3]!, comment: `${index}` }, ADMIN));
  });
  await Promise.all(writing);
  const { events } = await walk(a.model, cursor);
  t.equal(events.length, 60);
  t.equal(new Set(events.map((event) => event.update!.comment)).size, 60, 'none twice');
  checkOrder(t, events);
  await sleep(150);
  stop.abort();
  for (const heard of await Promise.all(listening)) t.strictSame(heard, events, 'a watcher hears the same');
  const middle = events[29]!.cursor;
  t.strictSame((await walk(b.model, middle)).events, events.slice(30));
});

t.test('what commits late is not skipped, and holds nothing up', async (t) => {
  const { model, db, store } = await openModel(t);
  const issue = await createIssue(model);
  const { cursor } = await walk(model, '');
  const release = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const late = runTransaction(db, async (em) => {
    const tables = em.getKysely<ModelTables>();
    await sql`insert into outbox (kind, issue_id, sequence, version, component, hotlist, acl, author, created)
      values (${EventKind.COMPONENT_CHANGED}, 0, 0, 1, 1, 0, 4, 'late', ${new Date().toISOString()})`.execute(tables);
    begun.resolve();
    await release.promise;
  });
  await begun.promise;
  // Longer than rows count as fresh, so that the look at everything has to find it.
  for (let round = 0; round < 5; round += 1) {
    const before = performance.now();
    await model.updateIssue({ id: issue, comment: `${round}` }, ADMIN);
    const { events } = await walk(model, cursor);
    t.equal(events.length, round + 1, 'told while the other transaction is open');
    t.ok(performance.now() - before < 1_000, 'without waiting for it');
    await sleep(450);
  }
  // Found also while others write without a pause, each write waking the feed.
  const writing = new AbortController();
  const busy = (async () => {
    while (!writing.signal.aborted) {
      store.feed.nudge();
      await sleep(2);
    }
  })();
  await sleep(100);
  release.resolve();
  await late;
  const { events } = await walk(model, cursor);
  writing.abort();
  await busy;
  t.strictSame(
    events.map((event) => event.author).filter((author) => author === 'late'),
    ['late'],
  );
  t.equal(events.length, 6);
});

t.test('a holder is killed: the next one goes on, nothing is lost or told twice', async (t) => {
  const { model, test, store } = await openModel(t);
  const issue = await createIssue(model);
  const { cursor } = await walk(model, '');
  // From here on one of the children holds the lease.
  await store.feed.stop();
  const acknowledged = new Set<number>();
  const spawnWriter = () => {
    const child = spawn(
      process.execPath,
      [
        '--conditions=bugless-source',
        fileURLToPath(new URL('fixture/event-writer.ts', import.meta.url)),
        test.url,
        issue,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    t.teardown(() => child.kill('SIGKILL'));
    createInterface({ input: child.stdout }).on('line', (line) => acknowledged.add(Number(line)));
    return child;
  };
  const children = [spawnWriter(), spawnWriter()];
  while (acknowledged.size < 30) await sleep(20);
  const { rows } = await sql<{ last: string }>`select last_position as last from feed_lease where id = 1`.execute(
    store.kysely,
  );
  t.ok(BigInt(rows[0]!.last) > BigInt(cursor), 'they moved events');
  for (const child of children) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const { model: next } = await openModel(t, { test });
  const { events } = await walk(next, cursor);
  checkOrder(t, events);
  const told = events.map((event) => event.update!.sequence);
  t.strictSame(
    told,
    Array.from({ length: told.length }, (_, index) => index + 2),
    'each sequence once',
  );
  t.ok(
    [...acknowledged].every((sequence) => told.includes(sequence)),
    'all that was acknowledged is told',
  );
});

t.test('the lease: a holder who lost it moves nothing; the other one goes on', async (t) => {
  const test = await startTestDatabase(t);
  const a = await openModel(t, { test });
  const issue = await createIssue(a.model);
  const { cursor } = await walk(a.model, '');
  // Somebody took over while this holder did not look.
  await sql`update feed_lease set token = token + 1, holder = 'other', expires = now() + interval '2 seconds' where id = 1`.execute(
    a.store.kysely,
  );
  const begun = performance.now();
  await a.model.updateIssue({ id: issue, comment: 'x' }, ADMIN);
  await sleep(500);
  const { rows } = await sql<{ n: number }>`select count(*)::int4 as n from outbox`.execute(a.store.kysely);
  t.equal(rows[0]!.n, 1, 'left alone by the one who lost the lease');
  const { events } = await walk(a.model, cursor);
  t.equal(events.length, 1);
  t.ok(performance.now() - begun > 1_500, 'only after the other lease had run out');
});

t.test('events past their time: gone, and cursors before them expired', async (t) => {
  const { model, store } = await openModel(t);
  const issue = await createIssue(model);
  for (let index = 0; index < 5; index += 1) await model.updateIssue({ id: issue, comment: `${index}` }, ADMIN);
  const { events } = await walk(model, '');
  await sql`update feed set moved = now() - interval '30 days' where position <= ${events[2]!.cursor}`.execute(
    store.kysely,
  );
  await store.feed.sweep();
  t.equal(await refusalOf(walk(model, events[0]!.cursor)), 'CURSOR_EXPIRED');
  t.strictSame((await walk(model, events[2]!.cursor)).events, events.slice(3), 'the last one deleted is a good cursor');
  t.strictSame((await walk(model, '')).events, events.slice(3), 'the oldest kept');
  t.equal(await refusalOf(walk(model, '999999')), 'BAD_CURSOR');
});

t.test('streams end when the store does', async (t) => {
  const { model, store } = await openModel(t);
  const heard: string[] = [];
  const listening = (async () => {
    for await (const { cursor } of model.watchEvents({}, ADMIN)) heard.push(cursor);
  })();
  while (heard.length === 0) await sleep(5);
  store.feed.end();
  await listening;
  t.pass('ended without an error');
});

t.test('from commit to event', async (t) => {
  const { model } = await openModel(t);
  const issue = await createIssue(model);
  const { cursor } = await walk(model, '');
  const stop = new AbortController();
  const sent = new Map<string, number>();
  const latencies: number[] = [];
  const listening = (async () => {
    for await (const { events } of model.watchEvents({ cursor }, createContext({ ...ADMIN, signal: stop.signal }))) {
      for (const event of events)
        latencies.push(performance.now() - (sent.get(event.update!.comment) ?? performance.now()));
    }
  })().catch(() => undefined);
  for (let index = 0; index < 100; index += 1) {
    await model.updateIssue({ id: issue, comment: `${index}` }, ADMIN);
    sent.set(`${index}`, performance.now());
    await sleep(7);
  }
  while (latencies.length < 100) await sleep(5);
  stop.abort();
  await listening;
  latencies.sort((a, b) => a - b);
  t.comment(`commit to event: p50 ${latencies[50]!.toFixed(1)} ms, p99 ${latencies[98]!.toFixed(1)} ms`);
  t.ok(latencies[50]! < 50, 'median below 50 ms');
});
