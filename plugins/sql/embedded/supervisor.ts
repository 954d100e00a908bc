/**
 * A program of its own that keeps PostgreSQL alive exactly as long as its parent.
 *
 *     node (core) ──pipe──► supervisor ──► postgres
 *
 * - End of input on the pipe means that the parent wants a stop or is dead, however it
 *   died: PostgreSQL is stopped, then the supervisor ends. So nothing is orphaned.
 * - It runs in a session of its own: Ctrl-C in a terminal reaches the parent alone,
 *   which can finish its requests before the server goes.
 * - A postmaster that dies by itself is started again, with growing pauses.
 * - As root it starts PostgreSQL as another user. The working directory is entered
 *   before the user changes, and the server reads its folder as /proc/self/cwd: so the
 *   folder may lie under one that only root can enter.
 *
 * Imports nothing but node's own modules and the process list beside it: it starts on every cold start.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.ts';
import { isRunning, isServerOf } from './process.ts';

/** What the parent hands over, as JSON in the first argument. */
export interface SupervisorConfig {
  /** Absolute path of the PostgreSQL data folder. */
  folder: string;
  initdb: string;
  initdbArguments: string[];
  postgres: string;
  postgresArguments: string[];
  account: Account | undefined;
  logFile: string;
  /** Stop at once, without a checkpoint, and remove these folders afterwards: for tests. */
  disposable: string[] | undefined;
}

/** One line of JSON on the supervisor's output. */
export type SupervisorEvent =
  | { event: 'ready'; pid: number }
  | { event: 'down'; detail: string; retryMillis: number }
  | { event: 'failed'; detail: string };

const LOG_BYTES = 4 * 1024 * 1024;
/** How long each way of stopping is given: fast shutdown, immediate shutdown, kill. */
const STOP_STEPS: readonly (readonly [NodeJS.Signals, number])[] = [
  ['SIGINT', 15_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];
/** First starts that may fail one after the other, in under a second: one that never ran needs somebody to look at it. */
const FIRST_ATTEMPTS = 5;
/** One that has run is tried for ever, with this pause at most: a full disk has room again some time. */
const LONGEST_PAUSE = 3_000;
const STABLE_MILLIS = 10_000;

const config = JSON.parse(process.argv[2] ?? '') as SupervisorConfig;
const stopped = new AbortController();
let child: ChildProcess | undefined;
let wasReady = false;
let logBytes = statSync(config.logFile, { throwIfNoEntry: false })?.size ?? 0;
let lastLines: string[] = [];

process.stdin.on('error', requestStop).on('end', requestStop).on('close', requestStop).resume();
process.stdout.on('error', () => {});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, requestStop);
process.on('uncaughtException', (error) => {
  fail(String(error.stack));
  child?.kill('SIGINT');
});

await supervise();

async function supervise(): Promise<void> {
  try {
    await endPredecessor();
    if (!existsSync(join(config.folder, 'PG_VERSION'))) await initialise();
  } catch (error) {
    if (!stopped.signal.aborted) fail((error as Error).message);
    return end();
  }
  let failures = 0;
  while (!stopped.signal.aborted) {
    const { readyMillis, detail } = await runServer();
    if (stopped.signal.aborted) break;
    failures = readyMillis > STABLE_MILLIS ? 1 : failures + 1;
    if (!wasReady && failures >= FIRST_ATTEMPTS) {
      fail(detail);
      break;
    }
    const retryMillis = Math.min(25 * 2 ** failures, LONGEST_PAUSE);
    emit({ event: 'down', detail, retryMillis });
    await sleep(retryMillis, undefined, { signal: stopped.signal }).catch(() => {});
  }
  end();
}

function end(): void {
  for (const folder of config.disposable ?? []) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  process.exit();
}

function requestStop(): void {
  if (stopped.signal.aborted) return;
  stopped.abort();
  if (child) void stopProcess(child.pid as number);
}

async function stopProcess(pid: number): Promise<void> {
  for (const [signal, millis] of config.disposable ? STOP_STEPS.slice(1) : STOP_STEPS) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    for (const until = Date.now() + millis; Date.now() < until; ) {
      if (!isRunning(pid)) return;
      await sleep(10);
    }
  }
}

/** Builds the data folder beside its place and renames it, so that a kill in the middle leaves nothing half made. */
async function initialise(): Promise<void> {
  const draft = `${config.folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  if (config.account) chownSync(draft, config.account.uid, config.account.gid);
  const { code, signal } = await run(config.initdb, config.initdbArguments, draft);
  if (code !== 0) throw new Error(`initdb ended with ${signal ?? code}: ${lastLines.slice(-3).join(' | ')}`);
  rmSync(config.folder, { recursive: true, force: true });
  renameSync(draft, config.folder);
}

/** Runs the server until it exits; reports when it is ready. */
async function runServer(): Promise<{ readyMillis: number; detail: string }> {
  lastLines = [];
  let readyAt = 0;
  const pidFile = join(config.folder, 'postmaster.pid');
  const exit = run(config.postgres, config.postgresArguments, config.folder);
  const pid = child?.pid;
  const poll = setInterval(() => {
    const lines = readLines(pidFile);
    if (Number(lines[0]) !== pid || lines[7]?.trim() !== 'ready') return;
    clearInterval(poll);
    readyAt = Date.now();
    wasReady = true;
    emit({ event: 'ready', pid: pid as number });
  }, 5);
  const { code, signal } = await exit;
  clearInterval(poll);
  const readyMillis = readyAt ? Date.now() - readyAt : 0;
  return { readyMillis, detail: `it ended with ${signal ?? `code ${code}`}: ${lastLines.slice(-3).join(' | ')}` };
}

/** Runs a program as the account in the folder, its output going to the log file. */
function run(
  program: string,
  programArguments: string[],
  folder: string,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const reached = config.account && process.platform === 'linux' ? '/proc/self/cwd' : folder;
  const started = spawn(program, ['-D', reached, ...programArguments], {
    cwd: folder,
    env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...config.account,
  });
  child = started;
  started.stdout.on('data', writeLog);
  started.stderr.on('data', writeLog);
  return new Promise((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      child = undefined;
      // What the program wrote last may still be in the pipe.
      setImmediate(() => resolve({ code, signal }));
    };
    started.once('exit', finish);
    started.once('error', (error) => {
      lastLines.push(error.message);
      finish(1, null);
    });
  });
}

/**
 * Ends a server that outlived its supervisor. The caller holds the folder's lock, so
 * nobody else can want it. When the pid in the file meanwhile belongs to a stranger the
 * file is not removed, because PostgreSQL finds forgotten backends by the shared memory
 * named there: it gets our pid instead, which the server knows to ignore in its parent.
 */
async function endPredecessor(): Promise<void> {
  const pidFile = join(config.folder, 'postmaster.pid');
  const lines = readLines(pidFile);
  const pid = Number(lines[0]);
  if (!(pid > 0) || !isRunning(pid)) return;
  if (isServerOf(pid, realpathSync(config.folder))) await stopProcess(pid);
  else writeFileSync(pidFile, [process.pid, ...lines.slice(1)].join('\n'));
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function writeLog(chunk: Buffer): void {
  lastLines = [...lastLines, ...chunk.toString('utf8').split('\n').filter(Boolean)].slice(-20);
  try {
    if (logBytes + chunk.length > LOG_BYTES) {
      renameSync(config.logFile, `${config.logFile}.1`);
      logBytes = 0;
    }
    appendFileSync(config.logFile, chunk, { mode: 0o600 });
    logBytes += chunk.length;
  } catch {
    // A full disk must not stop the database from being stopped properly.
  }
}

function emit(event: SupervisorEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function fail(detail: string): void {
  process.exitCode = 1;
  emit({ event: 'failed', detail });
}
