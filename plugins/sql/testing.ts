/** Test aids: a real PostgreSQL for each test process, a fresh database for each test. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, existsSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type DatabaseOptions, openDatabase } from './database.ts';
import { chooseAccount } from './embedded/account.ts';
import { prepareBinaries } from './embedded/binaries.ts';
import { type EmbeddedServer, listInitialArguments, startEmbeddedPostgres } from './embedded/server.ts';

export { type FaultHook, type FaultPoint, makeFault } from './fault.ts';

/** The part of a tap test that is used. */
export interface Teardown {
  teardown(run: () => unknown): unknown;
}

/** A fresh, empty database. */
export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Shared by all tests of this process. `kill -9` its pid if you like: it comes back. */
  readonly server: EmbeddedServer;
  /** Opens it; closed after the test, which fails if a connection was not given back. */
  open(options?: Partial<DatabaseOptions>): Promise<Database>;
}

let server: Promise<EmbeddedServer> | undefined;
let databases = 0;

/**
 * Gives a test its own database on this process's server, which starts with the first
 * call (about 0.2 s, as a finished data folder is kept under the system's temporary
 * folder and copied), writes without fsync, and goes, folder and all, when the process ends.
 */
export async function startTestDatabase(t: Teardown): Promise<TestDatabase> {
  server ??= startTestServer();
  const running = await server;
  databases += 1;
  const name = `test_${databases}`;
  await running.createDatabase(name);
  const url = running.url(name);
  return {
    url,
    name,
    server: running,
    async open(options = {}) {
      const db = await openDatabase({ engine: 'postgres', url, entities: [], ...options });
      t.teardown(() => closeChecked(db));
      return db;
    },
  };
}

/** Closes a database and fails if a connection was not given back within a second. */
async function closeChecked(db: Database): Promise<void> {
  const until = Date.now() + 1_000;
  while (db.stats().idle !== db.stats().total && Date.now() < until) await sleep(10);
  const { idle, total } = db.stats();
  await db.close();
  if (idle !== total) throw new Error(`${total - idle} of ${total} connections were not given back to the pool`);
}

async function startTestServer(): Promise<EmbeddedServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'bugless-test-'));
  copyTemplate(join(dataDir, 'postgres'));
  return startEmbeddedPostgres({ dataDir, disposable: true });
}

/** Puts a copy of an initialised folder there; makes the original first if there is none. */
function copyTemplate(folder: string): void {
  const account = chooseAccount(folder);
  const { initdb, packageVersion } = prepareBinaries(account);
  const initialArguments = listInitialArguments(true);
  const owner = account?.uid ?? process.getuid?.();
  const key = createHash('sha256').update(`${packageVersion} ${owner} ${initialArguments}`).digest('hex').slice(0, 12);
  const template = join(tmpdir(), `bugless-test-template-${key}`);
  if (!existsSync(template)) {
    const parent = mkdtempSync(`${template}.`);
    const draft = join(parent, 'postgres');
    mkdirSync(draft, { mode: 0o700 });
    if (account) chownSync(draft, account.uid, account.gid);
    const reached = account && process.platform === 'linux' ? '/proc/self/cwd' : draft;
    run(initdb, ['-D', reached, ...initialArguments], draft, account);
    try {
      renameSync(draft, template);
    } catch (error) {
      // Another test process was quicker, which is as good.
      if (!existsSync(template)) throw error;
    }
    rmSync(parent, { recursive: true, force: true });
  }
  if (lstatSync(template).uid !== owner) throw new Error(`${template} belongs to somebody else: remove it`);
  run('cp', ['-Rp', template, folder], tmpdir());
}

function run(program: string, programArguments: string[], cwd: string, account?: { uid: number; gid: number }): void {
  const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
  const { status, stderr, error } = spawnSync(program, programArguments, { cwd, env, encoding: 'utf8', ...account });
  if (status !== 0) throw new Error(`${program} failed: ${stderr ?? ''}`, { cause: error });
}
