/**
 * `npm run bench:login`: what logins do to readers. p99 of issue reads while nobody logs in, and while people log in
 * as fast as the tracker lets them, at the bcrypt cost that is the default; and how many logins that are.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config/index.ts';
import { type Child, startChild } from './child.ts';
import { fillTracker } from './fill.ts';
import { type LoadResult, runLoad } from './load.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '2' },
    readers: { type: 'string', default: '4' },
    rate: { type: 'string', default: '100' },
    logins: { type: 'string', default: '8' },
    cost: { type: 'string', default: '12' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(`npm run bench:login -- [options]
  --seconds 8    length of each measurement
  --rounds 2     measurements with and without logins, in turn
  --readers 4    reads under way at once
  --rate 100     reads per second; 0: as many as there can be, which leaves logins little
  --logins 8     logins under way at once
  --cost 12      of bcrypt
`);
  process.exit(0);
}

const PASSWORD = 'bench-password-1';
const ISSUES = 1_000;
const CLI = path.join(import.meta.dirname, '../cli/bugless.mjs');
const seconds = Number(options.seconds);

const sendLogin = (url: string): Promise<Response> =>
  fetch(`${url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: PASSWORD }),
  });

/** Logs in over and over until told to stop; counts what came of it by status. */
function startLogins(url: string, count: number): { stop(): Promise<ReadonlyMap<number, number>> } {
  const statuses = new Map<number, number>();
  let stopping = false;
  const work = async (): Promise<void> => {
    while (!stopping) {
      const answer = await sendLogin(url);
      await answer.arrayBuffer();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      // Who was sent away waits, as people do.
      if (!answer.ok) await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const workers = Promise.all(Array.from({ length: count }, work));
  return {
    stop: async () => {
      stopping = true;
      await workers;
      return statuses;
    },
  };
}

async function openSession(url: string): Promise<string> {
  const answer = await sendLogin(url);
  if (!answer.ok) throw new Error(`login answered ${answer.status}`);
  return ((await answer.json()) as { token: string }).token;
}

const folder = mkdtempSync(path.join(tmpdir(), 'bugless-bench-login-'));
let core: Child | undefined;
try {
  const file = path.join(folder, 'bugless.yaml');
  writeFileSync(
    file,
    `http: { port: 0 }
log: { level: warn, requests: false }
authenticators: [{ plugin: "@bugless/auth-password", config: { bcryptCost: ${Number(options.cost)} } }]
`,
  );
  await fillTracker(loadConfig({ file, environment: {}, directory: folder }), ISSUES);
  core = await startChild([CLI, '--config', file, 'serve'], /^Bugless is at (\S+)/, {
    BUGLESS_ADMIN_PASSWORD: PASSWORD,
  });
  const url = core.match[1]!;
  const token = await openSession(url);
  const requests = Array.from({ length: 200 }, (_, index) => ({ path: `/api/v1/issues/${1 + index * 5}` }));
  const read = () =>
    runLoad({
      url,
      headers: { authorization: `Bearer ${token}` },
      requests,
      seconds,
      connections: Number(options.readers),
      ...(Number(options.rate) > 0 && { rate: Number(options.rate) }),
    });
  await read();
  const tell = (what: string, { p50, p99, perSecond, failures }: LoadResult, more = '') =>
    process.stdout.write(
      `${what.padEnd(12)} p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms   ${Math.round(perSecond)} reads/s   ${failures} failed${more}\n`,
    );
  process.stdout.write(
    `bcrypt cost ${options.cost}, ${options.readers} readers, ${options.logins} logins at once, ${availableParallelism()} cores, load before ${loadavg()[0]!.toFixed(1)}\n`,
  );
  const ratios: number[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const idle = await read();
    tell('idle', idle);
    const logins = startLogins(url, Number(options.logins));
    const started = performance.now();
    const busy = await read();
    const statuses = await logins.stop();
    const elapsed = (performance.now() - started) / 1000;
    const done = (statuses.get(201) ?? 0) / elapsed;
    const refused = [...statuses].filter(([status]) => status !== 201).map(([status, count]) => `${count} × ${status}`);
    tell('with logins', busy, `   ${done.toFixed(1)} logins/s, refused: ${refused.join(', ') || 'none'}`);
    ratios.push(busy.p99 / idle.p99);
  }
  process.stdout.write(
    `p99 with logins is ${ratios.map((ratio) => ratio.toFixed(2)).join(' and ')} times the idle one\n`,
  );
} finally {
  await core?.stop();
  rmSync(folder, { recursive: true, force: true });
}
