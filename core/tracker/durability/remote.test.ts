/** The cases of the JSON API with both plugins in a process of their own, started by the command that operators use. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { PluginSettings } from '../config/index.ts';
import { listProcesses, startBugless, waitUntil } from './testing/process.ts';

const PACKAGES = ['@bugless/model-postgres', '@bugless/auth-password'] as const;

const folder = mkdtempSync(join(tmpdir(), 'bugless-remote-'));
t.teardown(async () => {
  await waitUntil('nothing runs', () => listProcesses(folder).length === 0).catch(() => {
    throw new Error(`left running:\n${listProcesses(folder).join('\n')}`);
  });
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

// Only for tests, so the kit does not export it.
const { createTestCertificates } = await import(
  new URL('./test-certificates.ts', import.meta.resolve('@bugless/kit/transport')).href
);
const certificates = await createTestCertificates();
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};
const ca = file('ca.pem', certificates.ca);
const server = {
  cert: file('server.pem', certificates.server.cert),
  key: file('server-key.pem', certificates.server.key),
};
const client = {
  cert: file('client.pem', certificates.client.cert),
  key: file('client-key.pem', certificates.client.key),
};

const links = [
  { name: 'unix socket', listen: ['--listen', `unix://${folder}/plugins.sock`], tls: undefined },
  {
    name: 'mutual TLS',
    listen: ['--listen', '127.0.0.1:0', '--tls-cert', server.cert, '--tls-key', server.key, '--tls-ca', ca],
    tls: { ca, ...client, serverName: 'plugin.test' },
  },
] as const;

/** Starts plugins at an address. Returns the sections of a configuration that names them. */
async function startPlugins({ name, listen, tls }: (typeof links)[number]): Promise<PluginSettings[]> {
  const config = file(
    `${name}.yaml`,
    JSON.stringify({
      dataDir: join(folder, name),
      authenticators: [{ plugin: PACKAGES[1], config: { bcryptCost: 4 } }],
    }),
  );
  const plugins = startBugless(folder, ['plugin', 'serve', ...PACKAGES, ...listen, '-c', config]);
  t.teardown(async () => {
    const code = await plugins.end('SIGTERM');
    if (code !== 0) throw new Error(`${name}: the plugins ended with ${code}\n${plugins.stderr}`);
  });
  const [, transport] = await plugins.waitFor(/^Serving .* at (\S+)$/m, 60_000);
  return PACKAGES.map(
    (plugin, index): PluginSettings => ({
      section: index === 0 ? 'model' : 'authenticators[0]',
      plugin,
      transport: transport!,
      tls,
      plaintext: false,
      startTimeout: 30,
      config: {},
    }),
  );
}

// The cases queue up behind this one.
t.test('plugins in processes of their own, over a unix socket and over TCP with mutual TLS', async () => {
  const started = await Promise.all(links.map(startPlugins));
  for (const [index, [model, ...authenticators]] of started.entries()) {
    process.env.BUGLESS_TEST_PLUGINS = JSON.stringify({ model, authenticators });
    // A module of its own for each link.
    await import(`../http/http.test.ts?${index}`);
  }
});
