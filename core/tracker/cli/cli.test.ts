import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { MEMORY_MODEL, PASSWORD } from '../testing.ts';

const MAIN = fileURLToPath(new URL('./bugless.mjs', import.meta.url));

interface Run {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

function run(directory: string, args: readonly string[], environment: Record<string, string> = {}, input = ''): Run {
  const child = spawn(process.execPath, ['--conditions=bugless-source', MAIN, ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    output.stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    output.stderr += text;
  });
  child.stdin!.end(input);
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return { child, output, ended };
}

/** Waits until the output says something; fails with all of it when the process ends before. */
async function waitFor({ output, ended }: Run, pattern: RegExp): Promise<RegExpExecArray> {
  let over = false;
  ended.then(() => {
    over = true;
  });
  for (;;) {
    const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
    if (match !== null) return match;
    if (over) throw new Error(`ended without ${pattern}:\n${output.stdout}\n${output.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const taken = createServer().listen(0, '127.0.0.1');
await once(taken, 'listening');
t.teardown(() => taken.close());
const takenPort = (taken.address() as { port: number }).port;

/** A Model in memory as every section: these commands need no database. */
const folder = t.testdir({
  'taken.yaml': `
http: { port: ${takenPort} }
model: { plugin: ${JSON.stringify(MEMORY_MODEL)} }
`,
  'typo.yaml': 'htpp: { port: 1 }\n',
  'missing.yaml': 'model:\n  plugin: "@example/no-such-plugin"\n',
  'wrong-kind.yaml': `model: { plugin: ${JSON.stringify(MEMORY_MODEL)} }\nauthenticators:\n  - plugin: ${JSON.stringify(MEMORY_MODEL)}\n`,
  'plugin-key.yaml': `model:\n  plugin: ${JSON.stringify(MEMORY_MODEL)}\n  config: { colour: red }\n`,
  'no-socket.yaml': 'model:\n  transport: unix:///nowhere/model.sock\n  startTimeout: 1\n',
  'old.yaml': 'model:\n  plugin: ./old-plugin.mjs\n',
  'old-plugin.mjs': `export default {
    id: 'old-plugin', version: '0.0.1', contractVersions: [99], services: ['bugless.v1.ModelService'],
    configuration: { type: 'object', properties: {} }, create: () => ({}),
  };`,
});

const failures: readonly [name: string, args: string[], code: number, line: RegExp][] = [
  ['unknown command', ['serv'], 2, /^bugless: unknown command 'serv'/],
  ['missing option', ['plugin', 'serve', 'x'], 2, /^bugless: required option '--listen <address>' not specified/],
  ['unknown key', ['serve', '-c', 'typo.yaml'], 1, /^bugless: typo\.yaml:1: htpp: unknown key; did you mean "http"\?$/],
  [
    'missing plugin',
    ['check', '-c', 'missing.yaml'],
    1,
    /^bugless: missing\.yaml:2: model\.plugin: .*@example\/no-such-plugin.*npm install/,
  ],
  [
    'a Model as an authenticator',
    ['check', '-c', 'wrong-kind.yaml'],
    1,
    /carries bugless.v1.ModelService, not bugless.v1.AuthenticatorService/,
  ],
  [
    'unknown key of a plugin',
    ['check', '-c', 'plugin-key.yaml'],
    1,
    /^bugless: plugin-key\.yaml:3: model\.config\.colour: unknown key/,
  ],
  ['another contract', ['check', '-c', 'old.yaml'], 1, /^bugless: old-plugin .*contract version 99/],
  ['nobody there', ['serve', '-c', 'no-socket.yaml'], 1, /^bugless: .*model.*\/nowhere\/model\.sock/],
];

t.test('failures are one clear line with an exit code', async (t) => {
  // Two at a time, as there may be no more processors.
  for (let i = 0; i < failures.length; i += 2) {
    await Promise.all(
      failures.slice(i, i + 2).map(async ([name, args, code, line]) => {
        const process = run(folder, args, { BUGLESS_DATA_DIR: `${folder}/unused-${i}` });
        t.equal(await process.ended, code, `${name}: exit code`);
        const told = process.output.stderr.split('\n').filter((text) => text.startsWith('bugless: '));
        t.equal(told.length, 1, `${name}: one line in\n${process.output.stderr}`);
        t.match(told[0], line, name);
        t.notMatch(process.output.stderr, /\n {4}at /, `${name}: no stack`);
      }),
    );
  }
});

t.test('help and version', async (t) => {
  const help = run(folder, ['--help']);
  t.equal(await help.ended, 0);
  t.match(help.output.stdout, /serve.*check.*migrate.*plugin.*BUGLESS_CONFIG/s);
  const version = run(folder, ['--version']);
  t.equal(await version.ended, 0);
  t.match(version.output.stdout, /^\d+\.\d+\.\d+/);
});

/** Sends the head of a request, waits until the server has it, and leaves the body to be sent. */
async function openRequest(url: string, length: number) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname === 'localhost' ? '127.0.0.1' : hostname);
  t.teardown(() => socket.destroy());
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  socket.on('error', () => undefined);
  const head = ['POST /api/v1/sessions HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Connection: close'];
  socket.write([...head, `Content-Length: ${length}`, 'Expect: 100-continue', '', ''].join('\r\n'));
  while (!answer.includes('100 Continue')) await new Promise((resolve) => setTimeout(resolve, 10));
  return {
    async finish(body: string): Promise<string> {
      socket.write(body);
      await once(socket, 'close');
      return answer;
    },
  };
}

t.test('a whole life: first start, setup link, stop, a password, users, tokens, check, port in use', async (t) => {
  const home = t.testdir({
    'bugless.yaml': `
http: { port: 0 }
model: { plugin: ${JSON.stringify(MEMORY_MODEL)} }
authenticators: [{ plugin: "@bugless/auth-password", config: { bcryptCost: 4 } }]
`,
  });
  const environment = { BUGLESS_CONFIG: 'bugless.yaml' };
  const login = JSON.stringify({ username: 'admin', password: PASSWORD });

  const first = run(home, ['serve'], environment);
  const [, url] = await waitFor(first, /^Bugless is at (http:\S+)$/m);
  const [, link] = await waitFor(first, /Create the administrator, once, at (http:\S+)/);
  t.ok(link?.startsWith(`${url}/setup?code=`));
  t.equal((await fetch(`${url}/readyz`)).status, 200);
  await openRequest(url!, login.length);
  first.child.kill('SIGTERM');
  await waitFor(first, /"msg":"stopping"/);
  first.child.kill('SIGTERM');
  t.equal(await first.ended, 1, 'a second signal waits for nobody');

  const second = run(home, ['serve'], { ...environment, BUGLESS_ADMIN_PASSWORD: PASSWORD });
  const [, again] = await waitFor(second, /^Bugless is at (http:\S+)$/m);
  t.notMatch(second.output.stdout, /setup/, 'a password makes the link needless');
  const request = await openRequest(again!, login.length);
  second.child.kill('SIGINT');
  await waitFor(second, /"msg":"stopping"/);
  t.match(await request.finish(login), /HTTP\/1\.1 201 Created/, 'a request under way is finished');
  t.equal(await second.ended, 0, 'stops without fault');
  t.notMatch(second.output.stderr, PASSWORD, 'the log keeps the secret');

  const added = run(home, ['user', 'add', 'ann', '--display-name', 'Ann', '--admin'], environment);
  t.equal(await added.ended, 0, added.output.stderr);
  t.match(added.output.stdout, /^Created ann \(\S+\)\nThey choose a password at http:\S+\/reset\?code=\S+\n$/);

  const token = run(home, ['token', 'create', 'ci', '--user', 'ann', '--scope', 'read', '--days', '3'], environment);
  t.equal(await token.ended, 0, token.output.stderr);
  t.match(token.output.stdout, /^bl_\S+\n$/, 'the secret alone');

  const groups: readonly [args: string[], code: number, output: RegExp][] = [
    [['create', 'Triage'], 0, /^Created Triage \(\S+\)\n$/],
    [['add', 'triage', 'ann', 'admin'], 0, /^2 members added to triage\n$/],
    [['members', 'Triage'], 0, /^kind .*\nuser +(ann|admin) .*\nuser +(ann|admin) /],
    [['members', 'Nowhere'], 1, /^bugless: there is no group "Nowhere"; see: bugless group list$/m],
  ];
  for (const [args, code, output] of groups) {
    const group = run(home, ['group', ...args], environment);
    t.equal(await group.ended, code, group.output.stderr);
    t.match(code === 0 ? group.output.stdout : group.output.stderr, output, `group ${args[0]}`);
  }

  const check = run(home, ['check'], environment);
  t.equal(await check.ended, 0, check.output.stderr);
  t.match(check.output.stdout, /authenticators\[0\] +@bugless\/auth-password +\S+ +in-process +ready/);

  const blocked = run(home, ['serve'], { ...environment, BUGLESS_HTTP_PORT: String(takenPort) });
  t.equal(await blocked.ended, 1);
  t.match(blocked.output.stderr, new RegExp(`^bugless: http\\.port: 127\\.0\\.0\\.1:${takenPort} is in use`, 'm'));
});
