import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('./cli/bugless.mjs', import.meta.url));
/** Resident memory after the start, MiB: about 110 on Linux x64. More than this, and somebody has loaded too much. */
const MEMORY_LIMIT = 150;

const run = promisify(execFile);
/** In front of a command: tap puts its own loaders into every child's NODE_OPTIONS, which none of these are to have. */
const PLAIN = ['-c', 'unset NODE_OPTIONS; exec "$@"', 'sh'] as const;

// As `npm run build` does, for the defaults alone: 2 s of a processor when nothing was built yet, else 0.1 s.
const projects = ['core/tracker', 'plugins/model-postgres', 'plugins/auth-password'];
await run('sh', [...PLAIN, `${ROOT}node_modules/.bin/tsc`, '-b', '--noCheck', ...projects], { cwd: ROOT }).catch(
  ({ stdout, message }) => t.bailout(`the packages do not compile:\n${stdout || message}`),
);

t.test('the compiled form starts, serves a page with what it needs, and is small', async (t) => {
  const folder = t.testdir({});
  const child = spawn('sh', [...PLAIN, process.execPath, MAIN, 'serve'], {
    cwd: folder,
    env: { PATH: process.env.PATH, BUGLESS_HTTP_PORT: '0', BUGLESS_DATA_DIR: `${folder}/data` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  t.teardown(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  let output = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    output += text;
    if (output.includes('Create the administrator')) break;
  }
  const url = /^Bugless is at (\S+)$/m.exec(output)?.[1];
  if (url === undefined) return t.fail(`it did not start:\n${output}${errors}`);

  const page = await fetch(`${url}/login`);
  t.equal(page.status, 200);
  const html = await page.text();
  const assets = [...new Set(html.match(/\/assets\/[^"#]+\.(?:css|js|svg)/g))];
  t.match(assets.join(), /style\.css/);
  t.match(assets.join(), /islands\/main\.js/);
  for (const asset of assets) {
    const answer = await fetch(`${url}${asset}`);
    t.equal(answer.status, 200, asset);
    t.match(answer.headers.get('content-type'), /^(?:text\/(?:css|javascript)|image\/svg)/);
    t.ok((await answer.text()).length > 100, `${asset} has content`);
  }
  t.equal((await fetch(`${url}/api/v1/openapi.json`)).status, 200);

  // Memory is read from /proc, which Linux alone has.
  const skip = process.platform !== 'linux' && 'no /proc to read the memory from';
  const kibibytes = skip ? 0 : Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
  t.ok(kibibytes / 1024 < MEMORY_LIMIT, `${Math.round(kibibytes / 1024)} MiB of at most ${MEMORY_LIMIT}`, { skip });

  child.kill('SIGTERM');
  t.equal((await ended)[0], 0);
  t.notMatch(errors, /warning/i, 'standard error is the log alone');
});

t.test('a package holds what it needs, and no tests', async (t) => {
  const args = [
    'pack',
    '--ignore-scripts',
    '--dry-run',
    '--json',
    '--workspace',
    'bugless',
    '--workspace',
    '@bugless/proto',
  ];
  const { stdout } = await run('sh', [...PLAIN, 'npm', ...args], { cwd: ROOT });
  const packed: unknown = JSON.parse(stdout);
  // npm has answered with a list and with an object by name.
  const packages = Object.values(packed as object) as { name: string; files: { path: string }[] }[];
  const files = new Map(packages.map(({ name, files }) => [name, files.map(({ path }) => path)]));
  const tracker = files.get('bugless') ?? [];
  for (const path of [
    'cli/bugless.mjs',
    'dist/cli/main.js',
    'web/styles/base.css',
    'web/islands/main.js',
    'web/icons.svg',
  ]) {
    t.ok(tracker.includes(path), path);
  }
  t.ok(files.get('@bugless/proto')?.includes('generated/descriptor.bin'), 'what messages are described by');
  t.same(
    [...files.values()].flat().filter((path) => /\.test\.|\/testing|bench|durability|tsbuildinfo/.test(path)),
    [],
  );
});
