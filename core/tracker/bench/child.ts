import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A process that said that it is ready. */
export interface Child {
  readonly pid: number;
  /** What the ready line held. */
  readonly match: RegExpExecArray;
  /** Milliseconds from the start to the ready line. */
  readonly startMillis: number;
  stop(): Promise<void>;
}

/** Starts a program of this repository with the running Node, and waits for a line that matches. The `bugless` command runs compiled, as people run it. */
export async function startChild(
  args: readonly string[],
  ready: RegExp,
  environment: Readonly<Record<string, string>> = {},
): Promise<Child> {
  const started = performance.now();
  const child = spawn(
    process.execPath,
    args[0]?.endsWith('.ts') ? ['--conditions=bugless-source', ...args] : [...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    },
  );
  const match = await waitForLine(child, ready);
  return {
    pid: child.pid!,
    match,
    startMillis: performance.now() - started,
    stop: () => {
      const ended = new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', () => resolve());
      });
      child.kill('SIGTERM');
      return ended;
    },
  };
}

function waitForLine(child: ChildProcess, ready: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`${child.spawnargs.join(' ')}: ended with ${code} before it was ready`)),
    );
    // Goes on reading after the line, so that the pipe never fills.
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const match = ready.exec(line);
      if (match) resolve(match);
    });
  });
}
