import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { PluginLink } from '@bugless/kit/plugin';
import { Argument, type Command, InvalidArgumentError } from 'commander';
import { openLog } from '../log.ts';
import { print, readConfig } from './session.ts';

interface Options {
  readonly only?: RegExp;
  readonly plaintext?: boolean;
}

/** `bugless conformance`: does a plugin keep its contract? */
export function addConformanceCommand(program: Command): void {
  program
    .command('conformance')
    .description('try a plugin against its contract; leaves what it makes in its store, so try it on a copy')
    .addArgument(new Argument('<kind>').choices(['model', 'authenticator']))
    .argument('<target>', 'npm package (its `config` from the configuration file), path, unix:///path or host:port')
    .option('--only <pattern>', 'cases whose names match this regular expression', parsePattern)
    .option('--plaintext', 'host:port on loopback without TLS')
    .action(async (kind: 'model' | 'authenticator', target: string, options: Options, command: Command) => {
      const failed = await runSuite(kind, target, options, command);
      if (failed > 0) throw new Error(`${failed} cases failed: the plugin does not keep its contract`);
    });
}

async function runSuite(
  kind: 'model' | 'authenticator',
  target: string,
  options: Options,
  command: Command,
): Promise<number> {
  const config = readConfig(command);
  const { openPlugin } = await import('@bugless/kit/plugin');
  const { formatSummary, printReporter, runAuthenticatorConformance, runModelConformance } = await import(
    '@bugless/kit/conformance'
  );
  const remote = /^unix:\/\/|:\d{1,5}$/.test(target) && !existsSync(target);
  const section = [config.model, ...config.authenticators].find(({ plugin }) => plugin === target);
  const { logger, flush } = openLog({ ...config.log, level: 'error' });
  // A package without a configuration of its own gets an empty store, which goes with it.
  const scratch = mkdtempSync(join(tmpdir(), 'bugless-conformance-'));
  const open = (service: 'bugless.v1.ModelService' | 'bugless.v1.AuthenticatorService'): Promise<PluginLink> =>
    openPlugin({
      section: section?.section ?? kind,
      plugin: target.startsWith('.') ? resolve(target) : target,
      transport: remote ? target : 'in-process',
      plaintext: options.plaintext,
      config: section?.config ?? {},
      service,
      environment: { log: logger, dataDirectory: scratch, now: Date.now },
      folder: process.cwd(),
      locate: config.locate,
    });
  const close = async (link: PluginLink) => {
    await link.drain();
    await link.stop();
  };
  const reporter = printReporter(print);
  const limits = options.only === undefined ? {} : { only: options.only };
  try {
    const summary =
      kind === 'model'
        ? await runModelConformance(
            async () => {
              const link = await open('bugless.v1.ModelService');
              return { model: link.model!, info: link.info, close: () => close(link) };
            },
            reporter,
            limits,
          )
        : await runAuthenticatorConformance(
            async () => {
              const link = await open('bugless.v1.AuthenticatorService');
              return { authenticator: link.authenticator!, info: link.info, close: () => close(link) };
            },
            reporter,
            limits,
          );
    print(formatSummary(summary));
    return summary.failed;
  } finally {
    flush();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('expected a regular expression.');
  }
}
