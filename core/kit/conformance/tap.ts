import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Logger,
  openPlugin,
  type PluginEnvironment,
  type PluginLink,
  type PluginServiceName,
  servePlugins,
} from '../plugin/index.ts';
import {
  type AuthenticatorRunOptions,
  type OpenedAuthenticator,
  runAuthenticatorConformance,
} from './authenticator/suite.ts';
import type { CaseResult, Reporter, RunOptions } from './case.ts';
import { type OpenedModel, runModelConformance } from './model/suite.ts';
import { describeFailure } from './print.ts';

/** As much of tap's `t` as is used; node:test's or another runner's is soon adapted to it. */
export interface TapTest {
  pass(message: string, extra: object): unknown;
  fail(message: string, extra: object): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: tap's own `t` is its own kind, with more than is used
  test(name: string, run: (t: any) => Promise<void>): PromiseLike<unknown>;
}

/** Ways to reach a plugin, each of which has to behave like the others. */
export const TRANSPORTS = ['in process', 'unix socket', 'TLS'] as const;

/** One of them. */
export type TransportName = (typeof TRANSPORTS)[number];

/** What to try. */
export interface PluginUnderTest extends RunOptions {
  /** npm package, or a path from `folder`. */
  readonly plugin: string;
  /** Where packages are looked for. Default: the working directory. */
  readonly folder?: string;
  /** The plugin's own configuration. */
  readonly config?: unknown;
  /** Default: all three, one after the other, against the same store. */
  readonly transports?: readonly TransportName[];
}

/** Turns each case into an assertion of `t`; skips say why. */
export function tapReporter(t: Pick<TapTest, 'pass' | 'fail'>): Reporter {
  return {
    report(result: CaseResult) {
      if (result.outcome === 'passed') t.pass(result.name, {});
      else if (result.outcome !== 'failed') t.pass(result.name, { skip: result.reason });
      else {
        const stack = result.error instanceof Error ? (result.error.stack ?? '') : '';
        t.fail(result.name, { failure: describeFailure(result), stack });
      }
    },
  };
}

/** Runs the Model's suite against a plugin over each transport. */
export async function conformModel(t: TapTest, options: PluginUnderTest): Promise<void> {
  await overTransports(t, options, 'bugless.v1.ModelService', async (t, link) => {
    const open = async (): Promise<OpenedModel> => ({ model: link.model!, info: link.info, close: async () => {} });
    await runModelConformance(open, tapReporter(t), options);
  });
}

/** Runs the Authenticator's suite against a plugin over each transport. */
export async function conformAuthenticator(
  t: TapTest,
  options: PluginUnderTest & AuthenticatorRunOptions,
): Promise<void> {
  await overTransports(t, options, 'bugless.v1.AuthenticatorService', async (t, link) => {
    const open = async (): Promise<OpenedAuthenticator> => ({
      authenticator: link.authenticator!,
      info: link.info,
      close: async () => {},
    });
    await runAuthenticatorConformance(open, tapReporter(t), options);
  });
}

async function overTransports(
  t: TapTest,
  options: PluginUnderTest,
  service: PluginServiceName,
  run: (t: TapTest, link: PluginLink) => Promise<void>,
): Promise<void> {
  for (const transport of options.transports ?? TRANSPORTS)
    await t.test(`${options.plugin}, ${transport}`, async (t) => {
      const directory = await mkdtemp(join(tmpdir(), 'bugless-conformance-'));
      const stops: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })];
      try {
        await run(t, await openOver(transport, options, service, directory, stops));
      } finally {
        for (const stop of stops.reverse()) await stop();
      }
    });
}

async function openOver(
  transport: TransportName,
  options: PluginUnderTest,
  service: PluginServiceName,
  directory: string,
  stops: (() => Promise<void>)[],
): Promise<PluginLink> {
  const { plugin, config = {}, folder = process.cwd() } = options;
  const environment: PluginEnvironment = {
    log: createQuietLog(),
    dataDirectory: join(directory, 'data'),
    now: Date.now,
  };
  const section = { section: 'plugin under test', plugin, service, environment, folder };
  const open = async (address: object & { readonly transport: string }) => {
    const link = await openPlugin({ ...section, config, ...address });
    stops.push(() => link.stop());
    return link;
  };
  if (transport === 'in process') return open({ transport: 'in-process' });

  const certificates = transport === 'TLS' ? await makeCertificates() : undefined;
  const served = await servePlugins({
    plugins: [{ plugin, section: 'plugin under test', config }],
    listen: certificates ? '127.0.0.1:0' : `unix://${join(directory, 'plugin.sock')}`,
    tls: certificates && { ca: certificates.ca, ...certificates.server },
    environment,
    folder,
  });
  stops.push(async () => {
    await served.drain();
    await served.stop();
  });
  return open({
    transport: served.address,
    ...(certificates && { tls: { ca: certificates.ca, ...certificates.client, serverName: 'plugin.test' } }),
  });
}

async function makeCertificates() {
  // Loaded when it is needed: it takes the package `selfsigned`, which only tests have.
  const { createTestCertificates } = await import('../transport/test-certificates.ts');
  return createTestCertificates();
}

/** Tells of errors alone: a plugin that logs one has failed in a way that no caller is told. */
function createQuietLog(): Logger {
  const ignore = () => {};
  return { debug: ignore, info: ignore, warn: ignore, error: (facts, message) => console.error(message, facts) };
}
