import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, lstatSync, mkdirSync, readFileSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type Log, SILENT_LOG } from '../log.ts';
import { type Account, chooseAccount } from './account.ts';
import { prepareBinaries } from './binaries.ts';
import { EmbeddedError } from './error.ts';
import { type FolderLock, lockFolder } from './lock.ts';
import { listArguments, type ServerSettings } from './settings.ts';
import type { SupervisorConfig, SupervisorEvent } from './supervisor.ts';

/** Options of the embedded server. */
export interface EmbeddedOptions {
  /** Folder of this installation; default `./data`. The server's own files go to `postgres` in it. */
  readonly dataDir?: string;
  /** Server settings beyond the defaults, as in postgresql.conf. */
  readonly settings?: ServerSettings;
  /** Use the server that another process runs on the folder, if one does; default: refuse the folder then. */
  readonly join?: boolean;
  readonly log?: Log;
  /** For tests alone: quick instead of durable, and the whole folder is removed at the end. */
  readonly disposable?: boolean;
}

/** A PostgreSQL that listens on one unix socket and lives as long as this process. */
export interface EmbeddedServer {
  readonly dataDir: string;
  /** Of the postmaster; changes when it had to be started again. */
  readonly pid: number;
  readonly supervisorPid: number;
  /** Where to connect: host is the folder of the socket. Only this user (and root) can enter it; there is no password. */
  readonly connection: { readonly host: string; readonly port: number; readonly user: string };
  /** The same as a URL. */
  url(database: string): string;
  /** Creates a database if it is missing. The name: lower-case letters, digits, `_`. */
  createDatabase(name: string): Promise<void>;
  /** Called once if the server is given up: it could not be started again. Not called by `stop`. */
  onExit(listener: (reason: EmbeddedError) => void): void;
  /** Stops the server properly and frees the folder. May be called twice. */
  stop(): Promise<void>;
}

const PORT = 5432;
const USER = 'bugless';
/** sockaddr_un holds so many bytes, the closing zero apart. */
const SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
/** A supervisor that was killed is replaced, but not for ever. */
const SUPERVISORS = 5;

/**
 * Starts the embedded PostgreSQL on a folder, creating it first if need be (1.4 s;
 * later starts tens of milliseconds).
 *
 * @throws EmbeddedError
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const postgresArguments = listArguments(options.settings ?? {}, options.disposable ?? false);
  const dataDir = makeFolder(options.dataDir ?? './data');
  const lock = await lockFolder(dataDir, join(dataDir, 'postgres.lock'));
  try {
    return await start(dataDir, postgresArguments, lock, options);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * The server that another process runs on the folder, as it is now; `stop` leaves it alone. For short
 * commands beside a running tracker.
 *
 * @throws EmbeddedError `refusal`, when it cannot be reached yet or any more.
 */
export async function joinEmbeddedPostgres(options: EmbeddedOptions, refusal: EmbeddedError): Promise<EmbeddedServer> {
  const dataDir = makeFolder(options.dataDir ?? './data');
  let lines: string[];
  try {
    // Written by the postmaster: its pid, folder, start, port, socket folder.
    lines = readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    throw refusal;
  }
  const socketFolder = lines[4]?.trim() ?? '';
  if (socketFolder === '') throw refusal;
  // The server may have it as it sees it from its own folder.
  const host = resolve(dataDir, 'postgres', socketFolder);
  const connection = { host, port: Number(lines[3]), user: USER };
  return {
    dataDir,
    connection,
    pid: Number(lines[0]),
    supervisorPid: 0,
    url: (database) => formatUrl(connection, database),
    createDatabase: (name) => createDatabase(connection, name, false),
    onExit: () => {},
    stop: async () => {},
  };
}

function formatUrl({ host, port, user }: EmbeddedServer['connection'], database: string): string {
  return `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`;
}

async function start(
  dataDir: string,
  postgresArguments: string[],
  lock: FolderLock,
  options: EmbeddedOptions,
): Promise<EmbeddedServer> {
  const log = options.log ?? SILENT_LOG;
  const folder = join(dataDir, 'postgres');
  const account = chooseAccount(folder);
  const binaries = prepareBinaries(account);
  checkVersion(folder, binaries.packageVersion);
  const socket = placeSocket(folder, account);
  const config: SupervisorConfig = {
    folder,
    initdb: binaries.initdb,
    initdbArguments: listInitialArguments(options.disposable ?? false),
    postgres: binaries.postgres,
    postgresArguments: [...postgresArguments, '-c', `unix_socket_directories=${socket.setting}`],
    account,
    logFile: join(dataDir, 'postgres.log'),
    // The folder of the socket may be elsewhere.
    disposable: options.disposable ? [dataDir, socket.host] : undefined,
  };

  const exitListeners: ((reason: EmbeddedError) => void)[] = [];
  let pid = 0;
  let supervisors = 0;
  let stopping: Promise<void> | undefined;
  let supervisor: ReturnType<typeof spawnSupervisor>;
  let supervisorExit: Promise<void>;

  /** Resolves when PostgreSQL is ready for the first time; rejects when it is given up before. */
  const launch = (): Promise<void> =>
    new Promise((ready, rejected) => {
      let failure: string | undefined;
      supervisors += 1;
      const current = spawnSupervisor(config);
      supervisor = current;
      lock.setSupervisor(current.process.pid as number);
      current.onEvent((event) => {
        if (event.event === 'ready') {
          if (pid !== 0) log.warn({ pid: event.pid, dataDir }, 'embedded PostgreSQL is back');
          pid = event.pid;
          current.keepAlive(false);
          ready();
        } else if (event.event === 'down') {
          log.warn({ ...event, dataDir }, 'embedded PostgreSQL is down and will be started again');
        } else {
          failure = event.detail;
        }
      });
      supervisorExit = current.exit.then(() => {
        if (stopping) return;
        if (failure === undefined && supervisors < SUPERVISORS) {
          log.warn({ dataDir }, 'the supervisor of the embedded PostgreSQL was killed and is replaced');
          return launch().then(ready, rejected);
        }
        lock.release();
        const reason = new EmbeddedError(
          'START_FAILED',
          `the embedded PostgreSQL in ${folder} does not start; its log is ${config.logFile}` +
            (failure === undefined ? '' : ` (${failure})`),
        );
        log.error({ dataDir, detail: failure }, reason.message);
        rejected(reason);
        for (const listener of exitListeners) listener(reason);
        return undefined;
      });
    });

  await launch();
  const connection = { host: socket.host, port: PORT, user: USER };
  return {
    dataDir,
    connection,
    get pid() {
      return pid;
    },
    get supervisorPid() {
      return supervisor.process.pid as number;
    },
    url: (database) => formatUrl(connection, database),
    createDatabase: (name) => createDatabase(connection, name, options.disposable ?? false),
    onExit: (listener) => {
      exitListeners.push(listener);
    },
    stop() {
      stopping ??= (async () => {
        supervisor.keepAlive(true);
        supervisor.process.stdin?.end();
        await supervisorExit;
        lock.release();
        socket.remove();
      })();
      return stopping;
    },
  };
}

function makeFolder(path: string): string {
  const folder = resolve(path);
  try {
    mkdirSync(folder, { recursive: true });
    return realpathSync(folder);
  } catch (error) {
    throw new EmbeddedError(
      'FOLDER_UNUSABLE',
      `the data folder ${folder} cannot be created: let the user that runs Bugless write there, or choose another data folder`,
      { cause: error },
    );
  }
}

function checkVersion(folder: string, packageVersion: string): void {
  let found: string;
  try {
    found = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim();
  } catch {
    return;
  }
  const major = packageVersion.split('.')[0] ?? '';
  if (found !== major) {
    throw new EmbeddedError(
      'FOLDER_UNUSABLE',
      `the database folder ${folder} was made by PostgreSQL ${found}, and the embedded one is ${major}: ` +
        `install the Bugless that made it, or move the data with pg_upgrade or dump and restore`,
    );
  }
}

/** How a folder is made: everything sorted and compared by code point, pages with checksums, no password on the guarded socket. */
export function listInitialArguments(disposable: boolean): string[] {
  return [
    ...['--username', USER, '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--data-checksums', '--no-instructions'],
    ...(disposable ? ['--no-sync'] : []),
  ];
}

/**
 * Puts the socket into the database folder, which nobody else can enter. Where that
 * path is too long for a socket: into a folder of its own under the system's temporary one.
 */
function placeSocket(
  folder: string,
  account: Account | undefined,
): { setting: string; host: string; remove: () => void } {
  const name = `.s.PGSQL.${PORT}`;
  if (Buffer.byteLength(join(folder, name)) <= SOCKET_PATH_BYTES) {
    return { setting: '.', host: folder, remove: () => {} };
  }
  const owner = account?.uid ?? process.getuid?.();
  const key = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  for (const parent of new Set([tmpdir(), '/tmp'])) {
    const host = join(parent, `bugless-${key}`);
    if (Buffer.byteLength(join(host, name)) > SOCKET_PATH_BYTES || !isOpen(parent)) continue;
    try {
      mkdirSync(host, { mode: 0o700 });
      if (account) chownSync(host, account.uid, account.gid);
    } catch {
      // Left from before, or somebody else's: decided by its owner.
    }
    const status = lstatSync(host, { throwIfNoEntry: false });
    if (status?.isDirectory() && status.uid === owner && (status.mode & 0o077) === 0) {
      return { setting: host, host, remove: () => removeQuietly(host) };
    }
  }
  throw new EmbeddedError(
    'FOLDER_UNUSABLE',
    `the path ${folder} is too long for a unix socket (${SOCKET_PATH_BYTES} bytes) and no folder for it could be made ` +
      'under the temporary folder: choose a data folder with a shorter path',
  );
}

/** Whether another user can reach the folder: each on its way lets everybody pass. */
function isOpen(folder: string): boolean {
  if (process.getuid?.() !== 0) return true;
  for (let path = realpathSync(folder); ; path = resolve(path, '..')) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === resolve(path, '..')) return true;
  }
}

function removeQuietly(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Used again at the next start.
  }
}

function spawnSupervisor(config: SupervisorConfig): {
  process: ChildProcess;
  /** Whether the supervisor keeps this process running: not once it is ready, since our end is what ends it. */
  keepAlive: (kept: boolean) => void;
  onEvent: (listener: (event: SupervisorEvent) => void) => void;
  exit: Promise<void>;
} {
  const own = fileURLToPath(import.meta.url);
  const program = own.replace(/server\.(\w+)$/, 'supervisor.$1');
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, ...env } = process.env;
  const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(config)], {
    detached: true,
    cwd: '/',
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const { stdin, stdout } = child;
  stdin.on('error', () => {});
  const lines = createInterface({ input: stdout });
  return {
    process: child,
    keepAlive(kept) {
      for (const handle of [child, stdin as unknown as Socket, stdout as unknown as Socket]) {
        if (kept) handle.ref();
        else handle.unref();
      }
    },
    onEvent: (listener) => lines.on('line', (line) => listener(JSON.parse(line) as SupervisorEvent)),
    // 'close' comes after the last line of output has been read.
    exit: new Promise((done) => child.once('close', () => done()).once('error', () => done())),
  };
}

async function createDatabase(
  connection: EmbeddedServer['connection'],
  name: string,
  disposable: boolean,
): Promise<void> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) {
    const form = 'up to 63 lower-case letters, digits and _';
    throw new EmbeddedError('BAD_SETTING', `${JSON.stringify(name)} cannot name a database: use ${form}`);
  }
  const client = new pg.Client({ ...connection, database: 'postgres' });
  // A server that goes away meanwhile also rejects the query.
  client.on('error', () => {});
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    // Copying files needs checkpoints, which cost nothing where nothing is synced.
    const strategy = disposable ? 'file_copy' : 'wal_log';
    if (!rowCount) await client.query(`create database ${name} template template0 strategy ${strategy}`);
  } catch (error) {
    // Somebody else made it meanwhile: seen before the copy began (42P04), or when its row was written (23505).
    const code = (error as { code?: string }).code;
    if (code !== '42P04' && code !== '23505') throw error;
  } finally {
    await client.end();
  }
}
