import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import t from 'tap';
import { DIALECTS } from './dialect.ts';
import { checkMigrations, defineMigrations, type Migration, migrate } from './migrations.ts';
import { startTestDatabase } from './testing.ts';

const PACKAGE = dirname(fileURLToPath(import.meta.url));

const first: Migration = {
  name: '0001-first',
  up: () => ['create table if not exists a (n int4)', 'create index if not exists a_n on a (n)'],
};
const second: Migration = { name: '0002-second', up: () => ['create table if not exists b (n int4)'] };

for (const dialect of [DIALECTS.postgres, DIALECTS.cockroachdb]) {
  t.test(`in the manner of ${dialect.title}`, async (t) => {
    const test = await startTestDatabase(t);
    const db = await test.open({ dialect });
    const tables = async () => {
      const { rows } = await sql<{ name: string }>`select table_name as name from information_schema.tables
        where table_schema = 'public' order by 1`.execute(db.kysely());
      return rows.map(({ name }) => name).filter((name) => name.length === 1);
    };

    t.strictSame(await checkMigrations(db, defineMigrations('m', [first])), { applied: [], pending: [first.name] });
    t.strictSame(await tables(), [], 'checking changes nothing');
    t.strictSame(await migrate(db, defineMigrations('m', [first])), [first.name]);
    t.strictSame(await migrate(db, defineMigrations('m', [first, second])), [second.name]);
    t.strictSame(await migrate(db, defineMigrations('m', [first, second])), []);
    t.strictSame(await tables(), ['a', 'b']);
    t.strictSame(
      await migrate(db, defineMigrations('other', [first])),
      [first.name],
      'plugins have histories of their own',
    );

    const altered = { ...first, up: () => ['create table a (n int8)'] };
    await t.rejects(migrate(db, defineMigrations('m', [first])), { code: 'NEWER_DATABASE', message: /0002-second/ });
    await t.rejects(migrate(db, defineMigrations('m', [altered, second])), { code: 'ALTERED', message: /0001-first/ });
    await t.rejects(migrate(db, defineMigrations('m', [second, first])), {
      code: 'OUT_OF_ORDER',
      message: /0001-first/,
    });

    const broken = { name: '0003-broken', up: () => ['create table c (n int4)', 'select secret from nowhere'] };
    const failure = await migrate(db, defineMigrations('m', [first, second, broken])).catch((error) => error);
    t.match(failure, { code: 'FAILED', message: /0003-broken failed at statement 2 of 2 \(SQLSTATE 42P01\)/ });
    t.notMatch(failure.message, 'secret');
    t.strictSame(await tables(), dialect.transactionalDdl ? ['a', 'b'] : ['a', 'b', 'c']);
    t.strictSame((await checkMigrations(db, defineMigrations('m', [first, second, broken]))).pending, [broken.name]);
    await t.rejects(migrate(db, defineMigrations('m', [first, second, broken]), { signal: AbortSignal.abort() }), {
      code: 'CANCELLED',
    });
  });

  t.test(`three migrators at once, in the manner of ${dialect.title}`, async (t) => {
    const test = await startTestDatabase(t);
    // Neither statement may run twice.
    const list = ['x', 'y', 'z'].map((name) => ({ name, up: () => [`create table ${name} (n int4)`] }));
    const migrators = [1, 2, 3].map(async () => {
      const db = await test.open({ dialect });
      return migrate(db, defineMigrations('m', list));
    });
    t.strictSame((await Promise.all(migrators)).flat().sort(), ['x', 'y', 'z']);
  });

  t.test(`kill -9 in the middle, in the manner of ${dialect.title}`, async (t) => {
    const test = await startTestDatabase(t);
    const list = (pause: string): string =>
      `[{ name: 'x', up: () => ['create table if not exists x (n int4)', '${pause}', 'create table if not exists y (n int4)'] }]`;
    const statement = 'select pg_sleep(case when current_setting($$application_name$$) = $$slow$$ then 60 else 0 end)';
    const program = `
      import { defineMigrations, DIALECTS, migrate, openDatabase } from ${JSON.stringify(join(PACKAGE, 'index.ts'))};
      const db = await openDatabase({ engine: 'postgres', url: ${JSON.stringify(test.url)}, entities: [],
        dialect: DIALECTS.${dialect.engine}, applicationName: 'slow', timeouts: { statementMillis: 0 } });
      console.log('open');
      await migrate(db, defineMigrations('m', ${list(statement)}), { leaseMillis: 500 });`;
    const child = spawn(
      process.execPath,
      ['--no-warnings', '--conditions=bugless-source', '--input-type=module', '-e', program],
      { stdio: ['ignore', 'pipe', 'inherit'], cwd: PACKAGE },
    );
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    const db = await test.open({ dialect });
    for (;;) {
      const { rows } =
        await sql`select from pg_stat_activity where application_name = 'slow' and wait_event = 'PgSleep'`.execute(
          db.kysely(),
        );
      if (rows.length > 0) break;
    }
    const same = defineMigrations('m', new Function(`return ${list(statement)}`)());
    await t.rejects(migrate(db, same, { waitMillis: 200 }), { code: 'BUSY' }, 'one at a time');
    child.kill('SIGKILL');
    await once(child, 'exit');
    // The server would notice the dead client only at the end of the statement.
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'slow'`.execute(
      db.kysely(),
    );
    t.strictSame(await migrate(db, same), ['x']);
    t.strictSame((await checkMigrations(db, same)).pending, []);
  });
}

t.test('names are checked when defined', async (t) => {
  t.throws(() => defineMigrations('Bad name', []), TypeError);
  t.throws(() => defineMigrations('m', [first, first]), { message: /0001-first is listed twice/ });
});
