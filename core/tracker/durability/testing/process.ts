/** Processes as an operator starts them, watched from outside. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../cli/bugless.mjs', import.meta.url));

/** One run of `bugless`. */
export interface Run {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  /** Waits until the output matches; rejects with all of it when the process ends before, or the time is over. */
  waitFor(pattern: RegExp, millis?: number): Promise<RegExpExecArray>;
  /** Ends it by a signal and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<number | string>;
}

const living = new Set<ChildProcess>();
// Also when the test is given up: nothing may outlive it.
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Starts `bugless` with these arguments in a folder, and with no environment but this. */
export function startBugless(folder: string, args: readonly string[], environment: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, ['--conditions=bugless-source', MAIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  let over = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true;
    living.delete(child);
    return (code ?? signal) as number | string;
  });
  return {
    child,
    pid: child.pid!,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    ended,
    async waitFor(pattern, millis = 30_000) {
      for (const until = Date.now() + millis; ; await sleep(5)) {
        const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
        if (match !== null) return match;
        if (over || Date.now() > until) {
          throw new Error(`${args.join(' ')}: no ${pattern} in\n${output.stdout}\n${output.stderr}`);
        }
      }
    },
    async end(signal) {
      if (!over) child.kill(signal);
      return ended;
    },
  };
}

/** Waits until a condition holds; rejects, naming it, when it does not in time. Returns the milliseconds it took. */
export async function waitUntil(
  name: string,
  condition: () => boolean | Promise<boolean>,
  millis = 30_000,
): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > millis) throw new Error(`not within ${millis} ms: ${name}`);
    await sleep(5);
  }
  return performance.now() - start;
}

/** Processes, other than this one, that work in a folder or name it: of an installation that is gone, none. */
export function listProcesses(folder: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const place = readlinkSync(`/proc/${pid}/cwd`);
      if (command !== '' && (command.includes(folder) || place === folder || place.startsWith(`${folder}/`))) {
        found.push(`${pid} ${command.slice(0, 120)}`);
      }
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}
