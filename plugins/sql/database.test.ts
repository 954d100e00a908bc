import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '@bugless/kit/service';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import t from 'tap';
import { openDatabase } from './database.ts';
import { DIALECTS } from './dialect.ts';
import { toServiceError } from './errors.ts';
import { checkVersion, parseVersion } from './server-version.ts';
import { StatementNames } from './statement-names.ts';
import { startTestDatabase } from './testing.ts';
import { TimestampType } from './timestamp-type.ts';
import { formatTimestamp } from './value-parser.ts';

interface Tables {
  thing: { id: string; at: string; fine: string; day: string; list: string[]; title: string };
}

const Thing = defineEntity({
  name: 'Thing',
  tableName: 'thing',
  properties: {
    id: p.bigint('string').primary(),
    at: p.type(TimestampType).$type<string>(),
    title: p.string(),
  },
});

const CREATE = `create table thing (id int8 primary key, at timestamptz(3) not null default now(),
  fine timestamptz(6), day date, list int8[], title text not null default '')`;

t.test('values come as text that other layers can use', async (t) => {
  const test = await startTestDatabase(t);
  const db = await test.open({ entities: [Thing] });
  await db.orm.em.fork().execute(CREATE);
  const k = db.kysely<Tables>();
  const row = {
    id: '9007199254740993',
    at: '2026-01-31T12:34:56.700Z',
    fine: '2026-01-31T12:34:56.789123Z',
    day: '2026-01-31',
    list: ['9007199254740993', '-1'],
    title: "it's",
  };
  await k.insertInto('thing').values(row).execute();
  t.strictSame(await k.selectFrom('thing').selectAll().executeTakeFirst(), row);
  const [other] = await db.orm.em.fork().execute(`select array[at, null] as times, count(*) over () as n from thing`);
  t.strictSame(other, { times: [row.at, null], n: '1' });

  const em = db.orm.em.fork();
  const thing = await em.findOneOrFail(Thing, { id: row.id });
  t.equal(thing.at, row.at);
  thing.title = 'changed';
  await em.flush();
  t.strictSame(await k.selectFrom('thing').select(['title', 'at']).execute(), [{ title: 'changed', at: row.at }]);

  for (const [text, iso] of [
    ['2026-01-31 12:34:56+00', '2026-01-31T12:34:56.000Z'],
    ['2026-01-31 12:34:56.78901+00', '2026-01-31T12:34:56.78901Z'],
    ['infinity', 'infinity'],
    ['0044-03-15 00:00:00+00 BC', '0044-03-15 00:00:00+00 BC'],
  ] as const) {
    t.equal(formatTimestamp(text), iso);
  }
});

t.test('statements that come again are prepared, and survive a changed schema', async (t) => {
  const test = await startTestDatabase(t);
  const db = await test.open({ pool: { max: 1 } });
  const k = db.kysely<Tables>();
  await sql.raw(CREATE).execute(k);
  const find = () => k.selectFrom('thing').selectAll().where('id', '=', '1').execute();
  const count = async () =>
    (await sql<{ n: number }>`select count(*)::int4 as n from pg_prepared_statements`.execute(k)).rows[0]?.n;
  await find();
  t.equal(await count(), 0);
  await find();
  await find();
  t.equal(await count(), 1);
  await sql.raw('alter table thing add column more text').execute(k);
  t.strictSame(await find(), [], 'a plan of another shape is replaced');
  await sql.raw('deallocate all').execute(k);

  const unprepared = await test.open({ pool: { max: 1 }, prepare: false });
  for (let i = 0; i < 3; i += 1)
    await unprepared.kysely<Tables>().selectFrom('thing').selectAll().where('id', '=', '1').execute();
  const { rows } = await sql`select from pg_prepared_statements`.execute(unprepared.kysely());
  t.equal(rows.length, 0);

  const names = new StatementNames();
  for (let i = 0; i < 1_000; i += 1) names.find(`select ${i}`);
  t.equal(names.find('select 1000'), undefined, 'not at first');
  t.match(names.find('select 1000'), /^bugless_\d+$/, 'from the second time on');
});

t.test('the pool bounds waiting, and the server bounds statements and locks', async (t) => {
  const test = await startTestDatabase(t);
  const db = await test.open({
    pool: { max: 1, acquireMillis: 100 },
    timeouts: { statementMillis: 300, lockMillis: 100 },
  });
  const slow = sql`select pg_sleep(10)`.execute(db.kysely());
  slow.catch(() => {});
  const waiting = await sql`select 1`.execute(db.kysely()).catch(toServiceError);
  t.match(waiting, { reason: 'OVERLOADED', retryAfterMillis: 1_000 });
  t.match(await slow.catch(toServiceError), { reason: 'DEADLINE_EXCEEDED' });

  const holder = await test.open();
  await sql.raw(CREATE).execute(holder.kysely());
  await holder
    .kysely()
    .transaction()
    .execute(async (transaction) => {
      await sql`lock table thing`.execute(transaction);
      const blocked = await sql`select * from thing`.execute(db.kysely()).catch(toServiceError);
      t.match(blocked, { reason: 'CONFLICT' });
    });
  const { rows } = await sql<
    Record<string, string>
  >`select current_setting('idle_in_transaction_session_timeout') as idle,
    current_setting('TimeZone') as zone, current_setting('application_name') as name`.execute(holder.kysely());
  t.strictSame(rows, [{ idle: '30s', zone: 'UTC', name: 'bugless' }]);
});

t.test('a server that is killed and comes back: idle connections and pings recover', async (t) => {
  const test = await startTestDatabase(t);
  const db = await test.open({ pool: { max: 4 } });
  await Promise.all([1, 2, 3, 4].map(() => sql`select pg_sleep(0.02)`.execute(db.kysely())));
  t.equal(db.stats().total, 4);
  const { pid } = test.server;
  process.kill(pid, 'SIGKILL');
  while (test.server.pid === pid) {
    const failure = await db.ping().catch((error) => error);
    if (failure) t.match(failure, { reason: 'BACKEND_UNAVAILABLE' });
    await sleep(5);
  }
  await db.ping();
  await Promise.all([1, 2, 3, 4, 5, 6].map(() => sql`select 1`.execute(db.kysely())));
  t.equal(db.stats().waiting, 0);
});

t.test('a frozen server fails a ping in time', async (t) => {
  const test = await startTestDatabase(t);
  const db = await test.open({ pool: { max: 1 } });
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db.kysely());
  const backend = rows[0]?.pid as number;
  process.kill(backend, 'SIGSTOP');
  t.teardown(() => process.kill(backend, 'SIGCONT'));
  await t.rejects(db.ping({ millis: 100 }), {
    code: 'UNAVAILABLE',
    message: 'the database did not answer within 100 ms',
  });
  process.kill(backend, 'SIGCONT');
  await db.ping();
});

t.test('opening says what to change', async (t) => {
  const test = await startTestDatabase(t);
  const closed = net.createServer().listen(0, '127.0.0.1');
  await new Promise((done) => closed.once('listening', done));
  const { port } = closed.address() as net.AddressInfo;
  await new Promise((done) => closed.close(done));
  const cases: [object, string, RegExp][] = [
    [{}, 'BAD_OPTIONS', /either the url/],
    [{ url: 'x', embedded: { database: 'y' } }, 'BAD_OPTIONS', /either the url/],
    [{ url: 'localhost:5432/x' }, 'BAD_OPTIONS', /form postgresql:/],
    [{ url: 'postgresql://u:secret@localhost' }, 'BAD_OPTIONS', /form postgresql:/],
    [{ embedded: { database: 'y' }, engine: 'cockroachdb' }, 'BAD_OPTIONS', /not embedded/],
    [{ url: `postgresql://u:secret@127.0.0.1:${port}/x` }, 'UNREACHABLE', /127\.0\.0\.1:\d+ cannot be reached/],
    [{ url: test.server.url('missing') }, 'REFUSED', /no database missing/],
    [{ url: test.url.replace('bugless@', 'stranger@') }, 'REFUSED', /refuses the user stranger/],
    [{ url: test.url, engine: 'cockroachdb' }, 'WRONG_ENGINE', /is PostgreSQL 18\.\d.*is for CockroachDB/],
  ];
  for (const [options, code, message] of cases) {
    const failure = openDatabase({ engine: 'postgres', entities: [], ...options });
    await t.rejects(failure, { name: 'DatabaseError', code, message });
    t.notMatch(await failure.catch(String), 'secret');
  }
  const titles = { postgres: 'PostgreSQL', cockroachdb: 'CockroachDB' };
  const crdb = parseVersion('CockroachDB CCL v22.1.22 (x86_64-pc-linux-gnu, built 2023)');
  t.strictSame(crdb, { engine: 'cockroachdb', text: 'v22.1.22', major: 22, minor: 1 });
  t.match(checkVersion(crdb, DIALECTS.cockroachdb, titles), /older than 23\.2/);
  t.equal(checkVersion(parseVersion('CockroachDB CCL v24.1.0 (x)'), DIALECTS.cockroachdb, titles), undefined);
  t.throws(() => checkVersion(parseVersion('CockroachDB OSS v21.2.0'), DIALECTS.cockroachdb, titles), {
    code: 'OLD_SERVER',
  });
  t.throws(() => checkVersion(parseVersion('PostgreSQL 13.4 on x'), DIALECTS.postgres, titles), { code: 'OLD_SERVER' });
  t.throws(() => parseVersion('8.0.35 MySQL'), { code: 'WRONG_ENGINE' });
});

t.test('errors leave without the words of the driver', async (t) => {
  const cases: [unknown, string][] = [
    [Object.assign(new Error('secret'), { code: '40001' }), 'CONFLICT'],
    [Object.assign(new Error('secret'), { code: '40003' }), 'BACKEND_UNAVAILABLE'],
    [Object.assign(new Error('secret'), { code: '57P01' }), 'BACKEND_UNAVAILABLE'],
    [Object.assign(new Error('secret'), { code: '53300' }), 'OVERLOADED'],
    [Object.assign(new Error('secret'), { code: '23505' }), 'INTERNAL'],
    [Object.assign(new Error('secret'), { code: 'EPIPE', syscall: 'write' }), 'INTERNAL'],
    [new TypeError('secret'), 'INTERNAL'],
    ['secret', 'INTERNAL'],
  ];
  for (const [error, reason] of cases) {
    const converted = toServiceError(error);
    t.match(converted, { reason, cause: error });
    t.notMatch(converted.message, 'secret');
  }
  const own = new ServiceError('ISSUE_NOT_FOUND', 'no issue 7');
  t.equal(toServiceError(own), own);
});

const hasCockroach = (() => {
  try {
    execFileSync('cockroach', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const url = process.env.COCKROACH_URL;
const reason = hasCockroach
  ? 'needs COCKROACH_URL: a cockroach program is there, start it with `cockroach demo` and name its address'
  : 'needs COCKROACH_URL: there is no CockroachDB here';
t.test('on a real CockroachDB', { skip: url ? false : reason }, async (t) => {
  const db = await openDatabase({ engine: 'cockroachdb', url: url as string, entities: [] });
  t.teardown(() => db.close());
  const { rows } = await sql`select 1::int8 as n, '2026-01-31 12:34:56.7+00'::timestamptz as at`.execute(db.kysely());
  t.strictSame(rows, [{ n: '1', at: '2026-01-31T12:34:56.700Z' }]);
});
