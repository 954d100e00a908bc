import type { Command } from 'commander';
import { openLog } from '../log.ts';
import { limitMemory } from '../memory.ts';
import { print, readConfig } from './session.ts';
import { waitForSignal } from './signal.ts';

/** `bugless serve`: the tracker, until a signal ends it. */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run the tracker')
    .action(async (_options: object, command: Command) => {
      const config = readConfig(command);
      const settleMemory = limitMemory();
      const { startTracker } = await import('../tracker.ts');
      const { logger, flush } = openLog(config.log);
      try {
        const tracker = await startTracker(config, logger);
        settleMemory();
        print(`Bugless is at ${tracker.publicUrl}`);
        if (tracker.setupLink !== undefined) {
          print(`Create the administrator, once, at ${tracker.setupLink}`);
        }
        const signal = await waitForSignal();
        logger.info({ signal }, 'stopping');
        await tracker.stop();
        logger.info({}, 'stopped');
      } finally {
        flush();
      }
    });
}
