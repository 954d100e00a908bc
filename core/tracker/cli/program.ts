import { Command } from 'commander';
import { ENVIRONMENT_NAMES } from '../config/index.ts';
import { VERSION } from '../version.ts';
import { addAdminCommand } from './admin.ts';
import { addCheckCommand, addMigrateCommand } from './check.ts';
import { addConfigCommand } from './config.ts';
import { addConformanceCommand } from './conformance.ts';
import { addGroupCommand } from './group.ts';
import { addImportCommand } from './import.ts';
import { addPluginCommand } from './plugin.ts';
import { addServeCommand } from './serve.ts';
import { addTokenCommand } from './token.ts';
import { addUserCommand } from './user.ts';

/** The `bugless` command: one line per subcommand. */
export function createProgram(): Command {
  const program = new Command('bugless')
    .description('Bugless: an issue tracker whose storage and logins are plugins')
    .version(VERSION, '-V, --version')
    .option('-c, --config <file>', 'configuration file (YAML); without one, defaults hold')
    .option('--debug', 'print stacks of failures')
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'bugless: ')) })
    .addHelpText('after', () => {
      const rows = Object.entries(ENVIRONMENT_NAMES).map(([name, text]) => `  ${name.padEnd(24)}${text}`);
      return `\nEnvironment:\n${rows.join('\n')}`;
    })
    .exitOverride();
  addServeCommand(program);
  addCheckCommand(program);
  addMigrateCommand(program);
  addPluginCommand(program);
  addImportCommand(program);
  addConformanceCommand(program);
  addUserCommand(program);
  addGroupCommand(program);
  addTokenCommand(program);
  addAdminCommand(program);
  addConfigCommand(program);
  return program;
}
