import type { Command } from 'commander';
import { CONFIG_SCHEMA } from '../config/index.ts';
import { print } from './session.ts';

/** `bugless config`: about the configuration file itself. */
export function addConfigCommand(program: Command): void {
  const config = program.command('config').description('about the configuration file');
  config
    .command('schema')
    .description('print the JSON Schema of the file, for editors')
    .action(() => print(JSON.stringify(CONFIG_SCHEMA, null, 2)));
}
