import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '@bugless/kit/service';
import { defineEntity, LockMode, p } from '@mikro-orm/postgresql';
import t, { type Test } from 'tap';
import type { Database } from './database.ts';
import { DIALECTS } from './dialect.ts';
import { AmbiguousCommitError, toServiceError } from './errors.ts';
import type { FaultHook, FaultPoint } from './fault.ts';
import { sqlState } from './sql-state.ts';
import { makeFault, startTestDatabase, type TestDatabase } from './testing.ts';
import { runTransaction, type TransactionOptions } from './transaction.ts';

interface Tables {
  counter: { id: number; n: number };
  request: { id: string; answer: number };
}

const Counter = defineEntity({
  name: 'Counter',
  tableName: 'counter',
  properties: { id: p.integer().primary().columnType('int4'), n: p.integer().columnType('int4') },
});

async function prepare(
  t: Test,
  options: Parameters<TestDatabase['open']>[0] = {},
): Promise<{ test: TestDatabase; db: Database; read: () => Promise<number> }> {
  const test = await startTestDatabase(t);
  const db = await test.open({ entities: [Counter], ...options });
  await db.orm.em.fork().execute('create table counter (id int4 primary key, n int4 not null)');
  await db.orm.em.fork().execute('create table request (id text primary key, answer int4 not null)');
  await db.orm.em.fork().execute('insert into counter values (1, 0)');
  const read = async () => (await db.kysely<Tables>().selectFrom('counter').select('n').executeTakeFirstOrThrow()).n;
  return { test, db, read };
}

/** Adds one by the unit of work, and answers the new number; claims the request id if there is one. */
function increment(db: Database, options: TransactionOptions<number> = {}, request?: string): Promise<number> {
  return runTransaction(
    db,
    async (em) => {
      const counter = await em.findOneOrFail(Counter, { id: 1 }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      counter.n += 1;
      await em.flush();
      if (request !== undefined) {
        await em.getKysely<Tables>().insertInto('request').values({ id: request, answer: counter.n }).execute();
      }
      return counter.n;
    },
    options,
  );
}

function settleBy(request: string): NonNullable<TransactionOptions<number>['settle']> {
  return async (em) => {
    const row = await em
      .getKysely<Tables>()
      .selectFrom('request')
      .select('answer')
      .where('id', '=', request)
      .executeTakeFirst();
    return row && { value: row.answer };
  };
}

/** Fails once at the nth point of the run, counted over all tries. */
function failOnceAt(position: number, fault: () => Error): { hook: FaultHook; points: FaultPoint[] } {
  const points: FaultPoint[] = [];
  return {
    points,
    hook: (point) => {
      points.push(point);
      return points.length === position ? fault() : undefined;
    },
  };
}

t.test('commits, or leaves nothing', async (t) => {
  const { db, read } = await prepare(t);
  t.equal(await increment(db), 1);
  const own = new ServiceError('BAD_TRANSITION', 'no');
  await t.rejects(
    runTransaction(db, async (em) => {
      await em.getKysely<Tables>().updateTable('counter').set({ n: 99 }).execute();
      throw own;
    }),
    own,
  );
  t.equal(await read(), 1);
  await t.rejects(
    runTransaction(db, (em) => em.getKysely<Tables>().updateTable('counter').set({ n: 5 }).execute(), {
      readOnly: true,
    }),
    { code: '25006' },
  );
});

t.test('a swallowed error does not pass for a commit', async (t) => {
  const { db, read } = await prepare(t);
  await t.rejects(
    runTransaction(db, async (em) => {
      await em.getKysely<Tables>().updateTable('counter').set({ n: 7 }).execute();
      await em.execute('select nothing from nowhere').catch(() => {});
    }),
    { code: '25P02' },
  );
  t.equal(await read(), 0);
});

t.test('a fault at any point of the transaction, once: stored exactly once', async (t) => {
  for (const dialect of [DIALECTS.postgres, DIALECTS.cockroachdb]) {
    const { db, read } = await prepare(t, { dialect });
    const { rows } = await runTransaction(db, async (em) => ({
      rows: await em.execute('show transaction_isolation'),
    }));
    t.strictSame(rows, [{ transaction_isolation: dialect.defaultIsolation }]);
    const observed = failOnceAt(0, makeFault);
    await increment(db, { inject: observed.hook }, 'plain');
    t.strictSame(observed.points, ['begin', 'statement', 'statement', 'statement', 'commit', 'committed']);
    let expected = 1;
    for (const fault of ['40001', '40P01', '57P01', undefined]) {
      for (let position = 1; position <= observed.points.length; position += 1) {
        const isLost = observed.points[position - 1] === 'committed';
        const request = `${fault}/${position}`;
        const { hook, points } = failOnceAt(position, () => makeFault(fault));
        const answer = await increment(db, { inject: hook, settle: settleBy(request) }, request);
        expected += 1;
        t.equal(
          answer,
          expected,
          `${dialect.engine}, ${fault ?? 'lost connection'} at ${observed.points[position - 1]} ${position}`,
        );
        t.equal(points.length, isLost ? 6 : 6 + position, isLost ? 'settled' : 'tried again');
      }
    }
    t.equal(await read(), expected);
  }
});

t.test('an ambiguous commit is told apart, and settled by the request id', async (t) => {
  const { db, read } = await prepare(t);
  const lost: FaultHook = (point) => (point === 'committed' ? makeFault() : undefined);
  const failure = await increment(db, { inject: lost }).catch((error) => error);
  t.type(failure, AmbiguousCommitError);
  t.equal(failure.code, '40003');
  t.match(toServiceError(failure), { reason: 'BACKEND_UNAVAILABLE', message: /same request id/ });
  t.equal(await read(), 1, 'here it was stored');

  let asked = 0;
  const late: TransactionOptions<number>['settle'] = async (em) => {
    asked += 1;
    // The first look comes before the server has finished the COMMIT.
    return asked === 1 ? undefined : settleBy('late')(em);
  };
  const { hook } = failOnceAt(6, makeFault);
  t.equal(await increment(db, { inject: hook, settle: late }, 'late'), 2);
  t.equal(asked, 2, 'the second try met the unique key and asked again');
  t.equal(await read(), 2);

  const unknown = increment(db, { inject: lost, attempts: 2, settle: () => Promise.reject(makeFault('08006')) });
  await t.rejects(unknown, { name: 'AmbiguousCommitError' }, 'a database that stays away leaves it open');
});

t.test('gives up after the tries allowed, at the deadline, or when called off', async (t) => {
  const { db, read } = await prepare(t, {
    faults: (point) => (point === 'statement' ? makeFault('40001') : undefined),
  });
  let tries = 0;
  const conflicting = (options: TransactionOptions<void>) =>
    runTransaction(
      db,
      async (em, { attempt }) => {
        tries = attempt;
        await em.execute('select 1');
      },
      options,
    );
  const failure = await conflicting({ attempts: 3 }).catch((error) => error);
  t.equal(sqlState(failure), '40001');
  t.match(toServiceError(failure), { reason: 'CONFLICT' });
  t.equal(tries, 3);
  await t.rejects(conflicting({ deadline: Date.now() + 50, attempts: 1_000 }), { code: 'DEADLINE_EXCEEDED' });
  await t.rejects(conflicting({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 30);
  await t.rejects(conflicting({ signal: controller.signal, attempts: 1_000 }), { code: 'CANCELLED' });

  const deadline = Date.now() + 60;
  const late = runTransaction(
    db,
    async (em) => {
      await em.getKysely<Tables>().updateTable('counter').set({ n: 50 }).execute();
      await sleep(80);
      await em.execute('select 1');
    },
    { deadline, inject: () => undefined },
  );
  await t.rejects(late, { code: 'DEADLINE_EXCEEDED' });
  t.equal(await read(), 0, 'nothing is stored past the deadline');
});

t.test('real conflicts: sixteen writers lose nothing', async (t) => {
  for (const isolation of ['read committed', 'serializable'] as const) {
    const { db, read } = await prepare(t);
    const add = async () => {
      for (let i = 0; i < 5; i += 1) await increment(db, { isolation, attempts: 100 });
    };
    await Promise.all(Array.from({ length: 16 }, add));
    t.equal(await read(), 80, isolation);
  }
});

t.test('a failing BEGIN, ROLLBACK or savepoint leaks no connection', async (t) => {
  const { db } = await prepare(t, { pool: { max: 2, acquireMillis: 500 } });
  const k = db.kysely<Tables>();
  for (let i = 0; i < 4; i += 1) {
    await t.rejects(
      runTransaction(
        db,
        async (em) => {
          const [row] = await em.execute('select pg_backend_pid() as pid');
          await db.orm.em.fork().execute(`select pg_terminate_backend(${row?.pid})`);
          await em.transactional((nested) => nested.execute('select 1'));
        },
        { attempts: 1 },
      ),
      { code: /^57P01|08006$/ },
    );
    await t.rejects(
      k.transaction().execute(async (transaction) => {
        await transaction
          .selectFrom('nowhere' as 'counter')
          .selectAll()
          .execute();
      }),
      { code: '42P01' },
    );
    await t.rejects(increment(db, { attempts: 1, inject: (point) => (point === 'begin' ? makeFault() : undefined) }), {
      code: '08006',
    });
  }
  await Promise.all([1, 2, 3, 4].map(() => increment(db)));
});

t.test('kill -9 of the server under a stream of writes: every acknowledged one is there once', async (t) => {
  const { test, db, read } = await prepare(t);
  const acknowledged = new Set<string>();
  let running = true;
  const write = async (writer: number) => {
    for (let i = 0; running; i += 1) {
      const request = `${writer}/${i}`;
      await increment(db, { attempts: 40, settle: settleBy(request) }, request);
      acknowledged.add(request);
    }
  };
  const writers = Promise.allSettled([1, 2, 3, 4].map(write));
  for (let kill = 0; kill < 3; kill += 1) {
    await sleep(150);
    const { pid } = test.server;
    process.kill(pid, 'SIGKILL');
    while (test.server.pid === pid) await sleep(5);
    const before = acknowledged.size;
    const patience = Date.now() + 10_000;
    const began = performance.now();
    while (acknowledged.size === before && Date.now() < patience) await sleep(1);
    t.comment(`first write ${Math.round(performance.now() - began)} ms after the server was ready`);
  }
  running = false;
  for (const result of await writers)
    t.equal(result.status, 'fulfilled', String((result as { reason?: unknown }).reason ?? 'no writer failed'));
  const stored = await db.kysely<Tables>().selectFrom('request').select('id').execute();
  t.ok(acknowledged.size > 20, `${acknowledged.size} writes`);
  t.strictSame(new Set(stored.map(({ id }) => id)), acknowledged);
  t.equal(await read(), acknowledged.size);
});
