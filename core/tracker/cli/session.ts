import type { Command } from 'commander';
import type { Logger } from 'pino';
import { type Config, loadConfig } from '../config/index.ts';
import type { Identity } from '../identity/identity.ts';
import { openLog } from '../log.ts';
import type { Plugins } from '../plugins.ts';

/** The configuration that a command was started with: --config, BUGLESS_CONFIG, or none. */
export function readConfig(command: Command): Config {
  const { config } = command.optsWithGlobals() as { config?: string };
  return loadConfig({ file: config, environment: process.env, directory: process.cwd() });
}

/** What a command works with that looks at the data itself. */
export interface Workbench {
  readonly config: Config;
  readonly log: Logger;
  readonly plugins: Plugins;
  readonly identity: Identity;
}

/** Opens the plugins for one piece of work, and stops them after it. Only warnings are logged. */
export async function withPlugins<T>(command: Command, work: (workbench: Workbench) => Promise<T>): Promise<T> {
  const config = readConfig(command);
  const { createIdentity } = await import('../identity/facade.ts');
  const { openPlugins } = await import('../plugins.ts');
  const level = config.log.level === 'info' ? 'warn' : config.log.level;
  const { logger, flush } = openLog({ ...config.log, level });
  try {
    const plugins = await openPlugins(config, logger, true);
    try {
      return await work({ config, log: logger, plugins, identity: createIdentity(plugins.authenticators) });
    } finally {
      await plugins.drain();
      await plugins.stop();
    }
  } finally {
    flush();
  }
}

/** Prints what a command answers. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints rows under each other, columns as wide as they need to be. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
