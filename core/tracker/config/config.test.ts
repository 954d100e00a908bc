// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how the file names the environment

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CONFIG_SCHEMA, ConfigError, loadConfig } from './index.ts';

/** Problems of a file with this text, or the configuration. */
function load(text: string | undefined, environment: Record<string, string> = {}) {
  const directory = t.testdir(text === undefined ? {} : { 'bugless.yaml': text });
  try {
    return {
      config: loadConfig({ file: text === undefined ? undefined : 'bugless.yaml', environment, directory }),
      directory,
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems.map((line) => line.replaceAll(`${directory}/`, '')), directory };
  }
}

t.test('no file at all means the defaults', async (t) => {
  const { config, directory } = load(undefined);
  t.match(config, {
    file: undefined,
    http: { host: '127.0.0.1', port: 8080, publicUrl: undefined, trustProxy: false, requestTimeout: 30 },
    dataDir: join(directory, 'data'),
    log: { level: 'info', requests: true },
    model: { section: 'model', plugin: '@bugless/model-postgres', transport: 'in-process', config: {} },
    authenticators: [{ section: 'authenticators[0]', plugin: '@bugless/auth-password', transport: 'in-process' }],
    adminPassword: undefined,
  });
});

t.test('a file, and the environment over it', async (t) => {
  const text = `
http: { port: 9000, publicUrl: "https://bugs.example.org/" }
dataDir: data2
model:
  plugin: "@bugless/model-postgres"
  transport: unix:///run/model.sock
  config: { url: "postgres://u:\${PG_PASSWORD}@db/bugless", note: "$\${literal}" }
`;
  const { config, directory } = load(text, {
    PG_PASSWORD: 's3cret',
    BUGLESS_HTTP_PORT: '0',
    BUGLESS_ADMIN_PASSWORD: 'long enough',
  });
  t.equal(config?.http.port, 0);
  t.equal(config?.http.publicUrl, 'https://bugs.example.org', 'without its slash');
  t.equal(config?.dataDir, join(directory, 'data2'), 'relative to the file');
  t.same(config?.model.config, { url: 'postgres://u:s3cret@db/bugless', note: '${literal}' });
  t.equal(config?.adminPassword, 'long enough');
  t.match(config?.locate(['model', 'config', 'url']), /bugless\.yaml:7$/);
  t.equal(load(text, { PG_PASSWORD: 'x', BUGLESS_DATA_DIR: '/var/lib/b' }).config?.dataDir, '/var/lib/b');
});

t.test('BUGLESS_CONFIG names the file; --config wins', async (t) => {
  const directory = t.testdir({ 'a.yaml': 'http: { port: 1 }', 'b.yaml': 'http: { port: 2 }' });
  const environment = { BUGLESS_CONFIG: 'a.yaml' };
  t.equal(loadConfig({ environment, directory }).http.port, 1);
  t.equal(loadConfig({ file: 'b.yaml', environment, directory }).http.port, 2);
});

const wrong: readonly [name: string, text: string, problem: RegExp][] = [
  [
    'unknown key, near another',
    'http:\n  prot: 1',
    /^bugless\.yaml:2: http\.prot: unknown key; did you mean "port"\?$/,
  ],
  ['unknown key, near none', 'zzzzzz: 1', /^bugless\.yaml:1: zzzzzz: unknown key; expected one of: http, .*model/],
  [
    'wrong type',
    '\nhttp:\n  port: "80"',
    /^bugless\.yaml:3: http\.port: expected an integer from 0 to 65535, got "80"$/,
  ],
  ['out of range', 'http: { port: 70000 }', /http\.port: expected an integer from 0 to 65535, got 70000$/],
  ['not one of', 'log: { level: loud }', /log\.level: expected "debug" or "info" .*, got "loud"$/],
  ['scalar for a mapping', 'http: 8080', /^bugless\.yaml:1: http: expected a mapping \(key: value\), got 8080$/],
  ['list for a mapping', '- a\n- b', /the file: expected a mapping .*, got a list$/],
  ['no authenticators', 'authenticators: []', /authenticators: expected 1 to 8 entries, got a list$/],
  [
    'key in a list',
    'authenticators:\n  - plugin: x\n    transprot: in-process',
    /:3: authenticators\[0\]\.transprot: unknown key; did you mean "transport"/,
  ],
  ['transport', 'model: { transport: tcp }', /model\.transport: expected .*in-process.*host:port.*, got "tcp"$/],
  ['public URL', 'http: { publicUrl: example.org }', /http\.publicUrl: expected .*, got "example\.org"$/],
  ['tls in process', 'model:\n  tls: {}', /:2: model\.tls: only goes with a transport host:port/],
  [
    'plaintext beyond loopback',
    'model: { transport: "db:1", plaintext: true }',
    /model\.plaintext: only allowed on loopback, and db:1 is not; use tls/,
  ],
  ['both', 'model: { transport: "localhost:1", plaintext: true, tls: {} }', /model\.plaintext: contradicts tls/],
  ['half a key pair', 'model: { transport: "db:1", tls: { cert: a } }', /model\.tls: cert and key go together/],
  [
    'unset variable',
    'model: { config: { url: "${NO_SUCH}" } }',
    /model\.config\.url: the environment variable NO_SUCH is not set$/,
  ],
  ['not YAML', 'http: [1, 2', /^bugless\.yaml:1:\d+: not valid YAML: /],
  ['a key twice', 'dataDir: a\ndataDir: b', /^bugless\.yaml:2:1: not valid YAML: .*unique/],
];

t.test('a wrong file is refused with one line per problem', async (t) => {
  for (const [name, text, problem] of wrong) {
    const { problems } = load(text);
    t.equal(problems?.length, 1, `${name}: one line`);
    t.match(problems?.[0], problem, name);
  }
});

t.test('a wrong environment is refused with the variable named', async (t) => {
  t.match(load(undefined, { BUGLESS_HTTP_PORT: '80a' }).problems, [
    /^BUGLESS_HTTP_PORT: expected a number from 0 to 65535, got "80a"$/,
  ]);
  t.match(load(undefined, { BUGLESS_ADMIN_PASSWORD: 'short' }).problems, [/^BUGLESS_ADMIN_PASSWORD: expected 8/]);
  t.match(load(undefined, { BUGLESS_CONFIG: 'missing.yaml' }).problems, [
    /missing\.yaml: no such file; name a configuration file/,
  ]);
});

t.test('no secret stands in a message', async (t) => {
  const { problems } = load('http: { port: "${SECRET}" }', { SECRET: 'hunter2-hunter2' });
  t.equal(problems?.length, 1);
  t.notMatch(problems?.join(), /hunter2/);
});

t.test('the shipped schema is the one that is checked', async (t) => {
  const file = new URL('./config.schema.json', import.meta.url);
  const shipped = JSON.stringify(CONFIG_SCHEMA, null, 2);
  if (process.env.BUGLESS_UPDATE) writeFileSync(file, `${shipped}\n`);
  t.same(
    JSON.parse(readFileSync(file, 'utf8')),
    JSON.parse(shipped),
    'run bugless config schema > config/config.schema.json',
  );
});
