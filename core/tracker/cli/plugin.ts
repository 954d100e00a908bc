import { dirname } from 'node:path';
import type { Command } from 'commander';
import { openLog } from '../log.ts';
import { limitMemory } from '../memory.ts';
import { print, readConfig } from './session.ts';
import { waitForSignal } from './signal.ts';

interface ServeOptions {
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly plaintext?: boolean;
}

/** `bugless plugin serve`: plugins as gRPC servers of their own. */
export function addPluginCommand(program: Command): void {
  const plugin = program.command('plugin').description('run plugins outside of the tracker');
  plugin
    .command('serve')
    .description('serve plugins over gRPC; each takes its `config` from its section of the configuration file')
    .argument('<packages...>', 'npm packages of the plugins; several share the process and the address')
    .requiredOption('--listen <address>', 'unix:///path/to.sock, or host:port with TLS or --plaintext')
    .option('--tls-cert <file>', 'certificate to show')
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', 'certificates of callers to accept (mTLS)')
    .option('--plaintext', 'host:port on loopback without TLS')
    .action(async (packages: string[], options: ServeOptions, command: Command) => {
      const config = readConfig(command);
      const settleMemory = limitMemory();
      const { logger, flush } = openLog(config.log);
      const sections = [config.model, ...config.authenticators];
      const { tlsCert: cert, tlsKey: key, tlsCa: ca } = options;
      try {
        const { servePlugins } = await import('@bugless/kit/plugin');
        const server = await servePlugins({
          plugins: packages.map((name) => {
            const section = sections.find((candidate) => candidate.plugin === name);
            return { plugin: name, section: section?.section ?? name, config: section?.config ?? {} };
          }),
          listen: options.listen,
          ...(cert !== undefined || key !== undefined || ca !== undefined ? { tls: { cert, key, ca } } : {}),
          plaintext: options.plaintext ?? false,
          environment: { log: logger, dataDirectory: config.dataDir, now: Date.now },
          folder: config.file === undefined ? process.cwd() : dirname(config.file),
          locate: config.locate,
        });
        print(`Serving ${packages.join(', ')} at ${server.address}`);
        settleMemory();
        const signal = await waitForSignal();
        logger.info({ signal }, 'stopping');
        await server.drain();
        await server.stop();
      } finally {
        flush();
      }
    });
}
