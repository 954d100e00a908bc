import { destination, type Logger, pino } from 'pino';
import type { Config } from './config/index.ts';

/** A log, and how to get its last lines out before the process ends. */
export interface Log {
  readonly logger: Logger;
  flush(): void;
}

/**
 * The log goes to standard error: JSON lines, or short lines for people when that is a terminal.
 * Standard output is for what a command answers.
 */
export function openLog({ level }: Config['log']): Log {
  const base = { level, base: undefined, timestamp: () => `,"time":"${new Date().toISOString()}"` } as const;
  if (process.stderr.isTTY) {
    const stream = { write: (line: string) => void process.stderr.write(formatLine(line)) };
    return { logger: pino(base, stream), flush: () => undefined };
  }
  const file = destination({ fd: 2, sync: false, minLength: 8192, periodicFlush: 500 });
  return {
    logger: pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, file),
    flush: () => {
      try {
        file.flushSync();
      } catch {
        // Nobody reads any more.
      }
    },
  };
}

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info ', 40: 'WARN ', 50: 'ERROR', 60: 'FATAL' };

/** `12:30:01.123 info  request  status=200 …` */
function formatLine(json: string): string {
  const { time, level, msg, err, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(facts).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const stack = (err as { stack?: string } | undefined)?.stack;
  const parts = [String(time).slice(11, 23), LEVELS[Number(level)] ?? level, msg, ...rest];
  return `${parts.join(' ')}\n${stack === undefined ? '' : `${stack}\n`}`;
}
