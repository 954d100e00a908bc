import type { Command } from 'commander';
import { print, printTable, withPlugins } from './session.ts';

/** `bugless check`: the configuration holds and every plugin answers. */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .description('check the configuration, and that every plugin can be reached')
    .action(async (_options: object, command: Command) => {
      const failed = await withPlugins(command, async ({ config, plugins }) => {
        print(`configuration  ${config.file ?? 'none: defaults'}`);
        print(`data           ${config.dataDir}`);
        print(`address        ${config.http.host}:${config.http.port}`);
        print('');
        const rows = await Promise.all(
          plugins.states.map(async ({ section, id, version, transport, checkReady }) => {
            const problem = await checkReady().then(
              () => undefined,
              (error: Error) => error.message,
            );
            return [section, id, version, transport, problem ?? 'ready'];
          }),
        );
        printTable([['section', 'plugin', 'version', 'transport', 'state'], ...rows]);
        return rows.filter((row) => row[4] !== 'ready').length;
      });
      if (failed > 0) throw new Error(`${failed} of the plugins cannot serve; see the table above`);
    });
}

/** `bugless migrate`: brings the stores of in-process plugins to the shape that this version needs. */
export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('bring the databases of in-process plugins up to date (serve does so too)')
    .action(async (_options: object, command: Command) => {
      await withPlugins(command, async ({ plugins }) => {
        // Starting a plugin migrates its store: by now it is done.
        const rows = plugins.states.map(({ section, id, version, transport }) => [
          section,
          id,
          version,
          transport === 'in-process' ? 'up to date' : `left to the process at ${transport}`,
        ]);
        printTable([['section', 'plugin', 'version', 'store'], ...rows]);
      });
    });
}
