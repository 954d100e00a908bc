/**
 * `npm run bench`: what a request costs, in CPU milliseconds of core and database together, as a
 * throughput, and as a ratio to the floor (floor.ts), which runs in the same minute on the same data.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { WORDS } from '@bugless/kit/domain';
import { loadConfig } from '../config/index.ts';
import { type Child, startChild } from './child.ts';
import { fillTracker } from './fill.ts';
import { type LoadResult, runLoad } from './load.ts';
import { readMemory, readProcessorTime } from './processor-time.ts';
import { makeWord } from './sample.ts';

const { values: options } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1000,100000' },
    transports: { type: 'string', default: 'in-process,unix' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '16' },
    distribution: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(`npm run bench -- [options]
  --sizes 1000,100000         numbers of issues
  --transports in-process,unix  how core reaches its plugins
  --seconds 5                 length of each measurement
  --connections 16            requests under way at once
  --distribution FILE         shapes of texts, as JSON with lnMean and lnSd
  --json FILE                 also write the figures there
`);
  process.exit(0);
}

const PASSWORD = 'bench-password-1';
const CLI = path.join(import.meta.dirname, '../cli/bugless.mjs');
const seconds = Number(options.seconds);
const connections = Number(options.connections);

interface Scenario {
  readonly name: string;
  readonly method?: 'POST';
  readonly requests: readonly { path: string; body?: string }[];
  /** Cookie instead of a token. */
  readonly page?: boolean;
  /** Path at the floor. */
  readonly floor?: readonly { path: string }[];
}

interface Row extends LoadResult {
  readonly issues: number;
  readonly transport: string;
  readonly scenario: string;
  /** CPU milliseconds per request. */
  readonly core: number;
  readonly database: number;
  /** Throughput against the floor's. */
  readonly ratio: number | undefined;
  /** CPU milliseconds per request of the floor, core and database. */
  readonly floor: number | undefined;
}

const rows: Row[] = [];
/** The embedded server runs below a supervisor, in no process tree of ours. */
let postmaster = 0;

async function benchSize(size: number): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bugless-bench-'));
  try {
    const file = writeConfig(folder, 'in-process');
    const config = loadConfig({ file, environment: {}, directory: folder });
    note(`filling ${size.toLocaleString('en')} issues`);
    const rate = await fillTracker(config, size, options.distribution);
    note(`filled at ${Math.round(rate)} issues/s`);
    for (const transport of options.transports.split(',')) await benchTransport(folder, size, transport);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function benchTransport(folder: string, size: number, transport: string): Promise<void> {
  const children: Child[] = [];
  try {
    if (transport === 'unix') {
      const socket = path.join(folder, 'plugins.sock');
      const packages = ['@bugless/model-postgres', '@bugless/auth-password'];
      const config = writeConfig(folder, 'in-process');
      children.push(
        await startChild(
          [CLI, '--config', config, 'plugin', 'serve', ...packages, '--listen', `unix://${socket}`],
          /^Serving/,
        ),
      );
    }
    const file = writeConfig(folder, transport === 'unix' ? `unix://${path.join(folder, 'plugins.sock')}` : transport);
    const core = await startChild([CLI, '--config', file, 'serve'], /^Bugless is at (\S+)/, {
      BUGLESS_ADMIN_PASSWORD: PASSWORD,
    });
    children.push(core);
    const url = core.match[1]!;
    note(
      `${transport}: started in ${Math.round(core.startMillis)} ms, core has ${Math.round(readMemory(core.pid))} MiB`,
    );
    await measureAll(folder, size, transport, url, children);
    note(`${transport}: core has ${Math.round(readMemory(core.pid))} MiB after the load`);
  } finally {
    for (const child of children.reverse()) await child.stop();
  }
}

async function measureAll(
  folder: string,
  size: number,
  transport: string,
  url: string,
  children: Child[],
): Promise<void> {
  const login = await fetch(`${url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: PASSWORD }),
  });
  const session = (await login.json()) as { token: string };
  const headers = { authorization: `Bearer ${session.token}` };
  const get = async (path: string) => (await fetch(`${url}/api/v1${path}`, { headers })).text();
  const list = JSON.parse(await get('/issues'));
  const search = JSON.parse(await get('/issues?q=is:open%20priority:(p0%7Cp1)'));
  const one = JSON.parse(await get(`/issues/${list.issues[0].id}`));
  const ids = Array.from({ length: 100 }, (_, index) => String(1 + Math.floor(((index + 0.5) / 100) * size)));
  const rare = makeWord(25_000);
  const component = list.issues[0].component;

  const floor = await startChild([path.join(import.meta.dirname, 'floor.ts')], /^floor at (\S+)/, {
    FLOOR_SETTINGS: JSON.stringify({
      database: readDatabase(folder),
      listRest: { nextPageToken: list.nextPageToken, query: list.query },
      searchRest: { nextPageToken: search.nextPageToken, query: search.query },
      permissions: (one.permissions as string[]).map((word) => WORDS.permission.parse(word)),
    }),
  });
  try {
    const floorUrl = floor.match[1]!;
    const same = async (mine: unknown, path: string) => {
      const theirs = await (await fetch(`${floorUrl}${path}`)).text();
      if (JSON.stringify(mine) !== JSON.stringify(JSON.parse(theirs)))
        note(`the floor's ${path} is not what core answers`);
    };
    await same(list, '/list');
    await same(search, '/search');
    await same(one, `/issues/${one.id}`);

    const scenarios: Scenario[] = [
      {
        name: 'one issue, JSON',
        requests: ids.map((id) => ({ path: `/api/v1/issues/${id}` })),
        floor: ids.map((id) => ({ path: `/issues/${id}` })),
      },
      { name: '50-row list, JSON', requests: [{ path: '/api/v1/issues' }], floor: [{ path: '/list' }] },
      {
        name: 'filtered search, JSON',
        requests: [{ path: '/api/v1/issues?q=is:open%20priority:(p0%7Cp1)' }],
        floor: [{ path: '/search' }],
      },
      { name: 'text search, frequent word', requests: [{ path: `/api/v1/issues?q=${makeWord(3)}` }] },
      { name: 'text search, rare word', requests: [{ path: `/api/v1/issues?q=${rare}` }] },
      { name: 'history of one issue, JSON', requests: ids.map((id) => ({ path: `/api/v1/issues/${id}/updates` })) },
      { name: 'list page, HTML', page: true, requests: [{ path: '/issues' }] },
      { name: 'issue page, HTML', page: true, requests: ids.map((id) => ({ path: `/issues/${id}` })) },
      {
        name: 'create',
        method: 'POST',
        requests: [
          {
            path: '/api/v1/issues',
            body: JSON.stringify({ title: 'A new issue of the bench', description: 'Says little.', component }),
          },
        ],
      },
      {
        name: 'comment',
        method: 'POST',
        requests: ids.map((id) => ({
          path: `/api/v1/issues/${id}/updates`,
          body: JSON.stringify({ comment: 'One more comment.' }),
        })),
      },
    ];
    const cookie = await logIn(url);
    for (const scenario of scenarios) {
      const own = scenario.page ? { cookie } : headers;
      const mine = await measure(
        url,
        children.map((child) => child.pid),
        scenario.requests,
        own,
        scenario.method,
      );
      const base = scenario.floor && (await measure(floorUrl, [floor.pid], scenario.floor, {}, undefined));
      rows.push({
        issues: size,
        transport,
        scenario: scenario.name,
        ...mine,
        ratio: base && mine.perSecond / base.perSecond,
        floor: base && base.core + base.database,
      });
      note(
        formatRow(rows.at(-1)!) +
          (base ? `  floor ${base.perSecond.toFixed(0)}/s ${(base.core + base.database).toFixed(2)} ms` : ''),
      );
    }
  } finally {
    await floor.stop();
  }
}

/** A session's cookie, by the login form as a browser without script sends it. */
async function logIn(url: string): Promise<string> {
  const form = await fetch(`${url}/login`);
  const guest = form.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const csrf = /name="_csrf" value="([^"]+)"/.exec(await form.text())?.[1] ?? '';
  const answer = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie: guest, origin: url },
    body: new URLSearchParams({ username: 'admin', password: PASSWORD, _csrf: csrf }),
  });
  const cookies = answer.headers.getSetCookie().map((each) => each.split(';')[0]!);
  if (answer.status >= 400 || cookies.length === 0) throw new Error(`the login form answered ${answer.status}`);
  return cookies.join('; ');
}

async function measure(
  url: string,
  pids: readonly number[],
  requests: Scenario['requests'],
  headers: Readonly<Record<string, string>>,
  method: Scenario['method'],
): Promise<LoadResult & { core: number; database: number }> {
  const load = { url, headers, requests, connections, ...(method === undefined ? {} : { method }) };
  await runLoad({ ...load, seconds: Math.min(1.5, seconds) });
  const read = () => [...pids, postmaster].map(readProcessorTime);
  const before = read();
  const result = await runLoad({ ...load, seconds });
  const after = read();
  const sum = (list: ReturnType<typeof read>, part: 'core' | 'database') =>
    list.reduce((total, each) => total + each[part], 0);
  return {
    ...result,
    core: (sum(after, 'core') - sum(before, 'core')) / result.requests,
    database: (sum(after, 'database') - sum(before, 'database')) / result.requests,
  };
}

function readDatabase(folder: string): object {
  const lines = readFileSync(path.join(folder, 'data/postgres/postmaster.pid'), 'utf8').split('\n');
  postmaster = Number(lines[0]);
  return {
    host: path.resolve(folder, 'data/postgres', lines[4]!.trim()),
    port: Number(lines[3]),
    user: 'bugless',
    database: 'bugless_model',
  };
}

function writeConfig(folder: string, transport: string): string {
  const file = path.join(folder, `${transport.replace(/[^a-z]/g, '-')}.yaml`);
  const section = (plugin: string) => JSON.stringify({ plugin, transport });
  writeFileSync(
    file,
    `http: { port: 0 }
dataDir: ./data
log: { level: warn, requests: false }
rateLimit: { user: 0, address: 0 }
model: ${section('@bugless/model-postgres')}
authenticators: [${section('@bugless/auth-password')}]
`,
  );
  return file;
}

function print(): void {
  process.stdout.write(
    `\n${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}, ${connections} connections, ${seconds} s each\n\n`,
  );
  process.stdout.write(
    '| issues | transport | request | CPU ms core + database | requests/s | p50 ms | p99 ms | floor CPU ms | of the floor |\n|-|-|-|-|-|-|-|-|-|\n',
  );
  for (const row of rows) {
    process.stdout.write(
      `| ${row.issues.toLocaleString('en')} | ${row.transport} | ${row.scenario} | ${row.core.toFixed(2)} + ${row.database.toFixed(2)} = ${(row.core + row.database).toFixed(2)} | ${row.perSecond.toFixed(0)} | ${row.p50.toFixed(1)} | ${row.p99.toFixed(1)} | ${row.floor?.toFixed(2) ?? ''} | ${row.ratio?.toFixed(2) ?? ''} |${row.failures > 0 ? ` ${row.failures} failed` : ''}\n`,
    );
  }
}

function formatRow(row: Row): string {
  return `${row.scenario.padEnd(28)} ${(row.core + row.database).toFixed(2)} ms (core ${row.core.toFixed(2)}, database ${row.database.toFixed(2)})  ${row.perSecond.toFixed(0)}/s  p50 ${row.p50.toFixed(1)}  p99 ${row.p99.toFixed(1)}${row.ratio === undefined ? '' : `  ratio ${row.ratio.toFixed(2)}`}${row.failures > 0 ? `  ${row.failures} FAILED` : ''}`;
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

for (const size of options.sizes.split(',').map(Number)) await benchSize(size);
print();
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
