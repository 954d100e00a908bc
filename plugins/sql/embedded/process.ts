import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/** A process that a reused pid cannot be mistaken for. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot and start time of the process as the system names them; empty: unknown. */
  readonly started: string;
}

/** Tells whether the pid belongs to a process that still runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return readStat(pid)?.state !== 'Z';
}

/** Reads who the pid is at this moment. */
export function identifyProcess(pid: number): ProcessIdentity {
  return { pid, started: readStarted(pid) };
}

/** Tells whether exactly that process still runs. */
export function isSameProcess({ pid, started }: ProcessIdentity): boolean {
  return isRunning(pid) && (started === '' || readStarted(pid) === started);
}

/**
 * Tells whether the pid is a PostgreSQL server working in the folder. Where the
 * system does not show working directories (no /proc), the program's name decides.
 */
export function isServerOf(pid: number, folder: string): boolean {
  if (!isRunning(pid)) return false;
  if (process.platform === 'linux') {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  }
  return /postgres/.test(askSystem(pid, 'command='));
}

function readStarted(pid: number): string {
  if (process.platform !== 'linux') return askSystem(pid, 'lstart=').trim();
  const stat = readStat(pid);
  if (!stat) return '';
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${stat.started}`;
  } catch {
    return stat.started;
  }
}

/** Fields 3 and 22 of proc_pid_stat(5); the name in field 2 may hold spaces and brackets. */
function readStat(pid: number): { state: string; started: string } | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

function askSystem(pid: number, column: string): string {
  try {
    return execFileSync('ps', ['-p', String(pid), '-o', column], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}
