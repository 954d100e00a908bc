/** Mistakes of operators and callers beside a tracker at work: one clear line each, and nothing is lost. */
import { writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { MEMORY_MODEL } from '../testing.ts';
import { Client } from './testing/client.ts';
import { startInstallation } from './testing/installation.ts';
import { startBugless } from './testing/process.ts';

// On a machine that has no time; elsewhere a fifth of it.
t.setTimeout(240_000);

const installation = await startInstallation(t, { remote: true, http: { maxBodySize: 100_000 } });
const client = await new Client(installation).login();
const component = (await client.insist('POST', '/api/v1/components', { name: 'Kept' })).body.id;
const { id } = (await client.insist('POST', '/api/v1/issues', { title: 'Kept', component })).body;

const taken = createServer().listen(0, '127.0.0.1');
t.teardown(() => taken.close());
await new Promise((resolve) => taken.once('listening', resolve));
const takenPort = (taken.address() as { port: number }).port;
/** Nobody listens there any more. */
const free = createServer().listen(0, '127.0.0.1');
await new Promise((resolve) => free.once('listening', resolve));
const freePort = (free.address() as { port: number }).port;
await new Promise((resolve) => free.close(resolve));

const { folder, dataDir, address } = installation;
const write = (name: string, text: string | object): void => {
  writeFileSync(join(folder, name), typeof text === 'string' ? text : JSON.stringify(text));
};
write('bad.yaml', 'model:\n  plugin: [oops\n');
write('folder-in-use.yaml', { dataDir, http: { port: 0 } });
write('tcp.yaml', { model: { transport: `127.0.0.1:${freePort}`, plaintext: true, startTimeout: 1 } });
write('deaf.yaml', { model: { transport: `127.0.0.1:${takenPort}`, plaintext: true, startTimeout: 1 } });
write('certificate.yaml', {
  model: { transport: `127.0.0.1:${takenPort}`, tls: { ca: 'nowhere.pem' }, startTimeout: 1 },
});
write('database.yaml', {
  dataDir: 'elsewhere',
  model: { config: { url: `postgres://u:s3cret@127.0.0.1:${freePort}/x` } },
});
write('a-file', 'not a folder');
write('data-is-file.yaml', { dataDir: 'a-file' });
write(
  'old-plugin.mjs',
  `export default {
    id: 'old-plugin', version: '0.0.1', contractVersions: [99], services: ['bugless.v1.ModelService'],
    configuration: { type: 'object', properties: {} }, create: () => ({}),
  };`,
);

/** What cli.test.ts does not have: mistakes that need something at work beside them, and those of `plugin serve`. */
const failures: readonly [name: string, args: string[], line: RegExp, environment?: Record<string, string>][] = [
  ['broken YAML', ['serve', '-c', 'bad.yaml'], /^bugless: bad\.yaml:\d+:\d+: not valid YAML: /],
  [
    'port in the environment',
    ['serve'],
    /^bugless: BUGLESS_HTTP_PORT: expected a number .*"80a"$/,
    { BUGLESS_HTTP_PORT: '80a' },
  ],
  ['password too short', ['serve'], /^bugless: BUGLESS_ADMIN_PASSWORD: expected 8 /, { BUGLESS_ADMIN_PASSWORD: 'abc' }],
  [
    'data folder in use',
    ['serve', '-c', 'folder-in-use.yaml'],
    /^bugless: folder-in-use\.yaml.*: .* could not start: the data folder \S+ is already in use by process \d+: stop that/,
  ],
  ['data folder is a file', ['serve', '-c', 'data-is-file.yaml'], /^bugless: .*the data folder \S+a-file cannot be/],
  [
    'nobody at host:port',
    ['serve', '-c', 'tcp.yaml'],
    /^bugless: tcp\.yaml:\d+: model\.transport: no plugin answers at 127\.0\.0\.1:\d+ .*start it: bugless plugin serve \S+ --listen \S+ --plaintext$/,
  ],
  [
    'somebody else at host:port',
    ['serve', '-c', 'deaf.yaml'],
    /^bugless: deaf\.yaml:\d+: model\.transport: no plugin answers at /,
  ],
  ['no certificate', ['serve', '-c', 'certificate.yaml'], /^bugless: certificate\.yaml:\d+: .*nowhere\.pem/],
  [
    'no such database',
    ['serve', '-c', 'database.yaml'],
    /^bugless: database\.yaml.*: PostgreSQL at 127\.0\.0\.1:\d+ cannot be reached: start it/,
  ],
  [
    'serve: no such package',
    ['plugin', 'serve', '@example/none', '--listen', 'unix:///x.sock'],
    /^bugless: .*@example\/none.*npm install/,
  ],
  [
    'serve: another contract',
    ['plugin', 'serve', './old-plugin.mjs', '--listen', `unix://${folder}/o.sock`],
    /^bugless: old-plugin .*contract version 99/,
  ],
  [
    'serve: address in use',
    ['plugin', 'serve', MEMORY_MODEL, '--listen', address],
    /^bugless: cannot listen at \S+plugins\.sock: another process listens there/,
  ],
  [
    'serve: port in use',
    ['plugin', 'serve', MEMORY_MODEL, '--listen', `127.0.0.1:${takenPort}`, '--plaintext'],
    /^bugless: .*127\.0\.0\.1:\d+.* in use/,
  ],
  [
    'serve: no folder',
    ['plugin', 'serve', MEMORY_MODEL, '--listen', 'unix:///nowhere/x.sock'],
    /^bugless: cannot listen at \/nowhere\/x\.sock: the folder \/nowhere does not exist/,
  ],
];

t.test('commands that cannot: one line, exit code 1, no stack', async (t) => {
  const queue = [...failures];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [name, args, line, environment = {}] = next;
      const run = startBugless(folder, args, { BUGLESS_CONFIG: '', BUGLESS_DATA_DIR: '', ...environment });
      const timer = setTimeout(() => void run.end('SIGKILL'), 40_000);
      t.equal(await run.ended, 1, `${name}: exit code`);
      clearTimeout(timer);
      const told = run.stderr.split('\n').filter((text) => text !== '' && !text.startsWith('{'));
      t.equal(told.length, 1, `${name}: one line in\n${run.stderr}`);
      t.match(told[0], line, name);
      t.notMatch(run.stderr, /\n {4}at |s3cret/, `${name}: no stack, no secret`);
      t.equal(run.stdout, '', `${name}: nothing else`);
    }
  };
  // As many as there are processors, at least on small machines.
  await Promise.all([work(), work()]);
});

/** Sends bytes as they are; the answer as text. */
async function sendRaw(text: string): Promise<string> {
  const { hostname, port } = new URL(installation.url);
  const socket = connectSocket(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.setTimeout(10_000, () => socket.destroy());
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk;
  });
  socket.write(text);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

t.test('requests that cannot: problem+json that says what to change', async (t) => {
  const head = (path: string, ...more: string[]): string =>
    [
      `POST ${path} HTTP/1.1`,
      'Host: x',
      'Connection: close',
      `Authorization: Bearer ${client.token}`,
      ...more,
      '',
      '',
    ].join('\r\n');
  const json = 'Content-Type: application/json';
  const big = 'x'.repeat(150_000);
  const cases: readonly [name: string, request: string, status: number, reason: string][] = [
    ['body that is too large', head('/api/v1/issues', json, 'Content-Length: 150000') + big, 413, 'BODY_TOO_LARGE'],
    [
      'the same in chunks, its length not said',
      `${head('/api/v1/issues', json, 'Transfer-Encoding: chunked')}249f0\r\n${big}\r\n0\r\n\r\n`,
      413,
      'BODY_TOO_LARGE',
    ],
    ['body that will never come', head('/api/v1/issues', json, 'Content-Length: 99999999999'), 413, 'BODY_TOO_LARGE'],
    ['half of JSON', `${head('/api/v1/issues', json, 'Content-Length: 9')}{"title":`, 400, 'INVALID_JSON'],
    ['bytes that are no UTF-8', `${head('/api/v1/issues', json, 'Content-Length: 5')}{"\u0001"}`, 400, 'INVALID_JSON'],
    [
      'no JSON',
      `${head('/api/v1/issues', 'Content-Type: text/xml', 'Content-Length: 4')}<a/>`,
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['broken query', head('/api/v1/issues?q=status:open%20((').replace('POST', 'GET'), 400, 'BAD_FILTER'],
    ['address with broken escapes', head('/api/v1/issues/%zz').replace('POST', 'GET'), 404, 'ROUTE_NOT_FOUND'],
  ];
  for (const [name, request, status, reason] of cases) {
    const answer = await sendRaw(request);
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), `${name}: ${status}`);
    t.match(answer, /content-type: application\/problem\+json/i, `${name}: problem+json`);
    t.match(answer, `"reason":"${reason}"`, name);
    t.notMatch(answer, /node_modules|\.ts:\d|SyntaxError|FST_/, `${name}: no internals`);
  }
  const nonsense = await sendRaw('NONSENSE\r\n\r\n');
  t.match(nonsense, /^HTTP\/1\.1 400 /, 'what is no HTTP');
});

t.test('afterwards everything is as it was', async (t) => {
  t.match(await client.send('GET', '/readyz'), { status: 200 });
  t.match(await client.send('GET', `/api/v1/issues/${id}`), { status: 200, body: { title: 'Kept', version: '1' } });
  t.match((await client.send('GET', '/api/v1/issues:count')).body, { count: 1 });
});
