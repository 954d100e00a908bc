import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { conformModel } from '@bugless/kit/conformance';
import { openPlugin } from '@bugless/kit/plugin';
import { openDatabase } from '@bugless/sql';
import { startTestDatabase } from '@bugless/sql/testing';
import { CompiledQuery } from 'kysely';
import t from 'tap';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
/** How long a server of our own may take to start, in milliseconds. */
const START_MILLIS = 60_000;

t.test('a server that is no CockroachDB is refused in one line', async (t) => {
  const { url } = await startTestDatabase(t);
  const environment = { log: SILENT, dataDirectory: tmpdir(), now: Date.now };
  const open = openPlugin({
    section: 'model',
    plugin: '@bugless/model-cockroachdb',
    service: 'bugless.v1.ModelService',
    transport: 'in-process',
    config: { url },
    environment,
    folder: process.cwd(),
  });
  const error: Error = await open.then(
    () => t.fail('it was opened') as never,
    (error) => error,
  );
  t.match(
    error.message,
    /the server is PostgreSQL [\d.]+, but this plugin is for CockroachDB: use the plugin for that/,
  );
  t.notMatch(error.message, '\n');
});

const executable = findExecutable();
const skip =
  process.env.COCKROACH_URL || executable
    ? false
    : 'no CockroachDB here: set COCKROACH_URL, or put a cockroach executable in the PATH';

t.test('on a real CockroachDB', { skip }, async (t) => {
  const server = process.env.COCKROACH_URL ?? (await startServer(t, executable!));
  const url = await createDatabase(t, server);
  await conformModel(t, { plugin: '@bugless/model-cockroachdb', config: { url } });
  await conformModel(t, {
    plugin: '@bugless/model-cockroachdb',
    config: { url: await createDatabase(t, server), prepare: false },
    transports: ['in process'],
    only: /^(search:|order|pages|count)/,
  });
});

interface Teardown {
  teardown(run: () => unknown): unknown;
}

function findExecutable(): string | undefined {
  const { status } = spawnSync('cockroach', ['version', '--build-tag'], { stdio: 'ignore' });
  return status === 0 ? 'cockroach' : undefined;
}

/** One node in memory, with ports that the system chooses; gone after the test. */
async function startServer(t: Teardown, executable: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bugless-cockroach-'));
  const urlFile = join(folder, 'url');
  const child = spawn(
    executable,
    [
      'start-single-node',
      '--insecure',
      '--store=type=mem,size=1GiB',
      '--listen-addr=127.0.0.1:0',
      '--http-addr=127.0.0.1:0',
      `--listening-url-file=${urlFile}`,
    ],
    { cwd: folder, stdio: 'ignore' },
  );
  t.teardown(async () => {
    await stopServer(child);
    await rm(folder, { recursive: true, force: true });
  });
  const until = Date.now() + START_MILLIS;
  while (Date.now() < until && child.exitCode === null) {
    const url = (await readFile(urlFile, 'utf8').catch(() => '')).trim();
    if (url !== '') return url;
    await sleep(100);
  }
  throw new Error(`cockroach did not start within ${START_MILLIS} ms; exit code ${child.exitCode}`);
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** A database of its own on the server; dropped after the test. */
async function createDatabase(t: Teardown, server: string): Promise<string> {
  const name = `bugless_test_${randomBytes(6).toString('hex')}`;
  const admin = new URL(server);
  if (admin.pathname.length < 2) admin.pathname = '/defaultdb';
  const run = async (statement: string) => {
    const db = await openDatabase({ engine: 'cockroachdb', url: admin.href, entities: [] });
    await db.kysely<unknown>().executeQuery(CompiledQuery.raw(statement));
    await db.close();
  };
  await run(`create database ${name}`);
  t.teardown(() => run(`drop database ${name} cascade`));
  const own = new URL(admin);
  own.pathname = `/${name}`;
  return own.href;
}
