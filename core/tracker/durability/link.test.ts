/** Links that hang, because whoever is at the other end is frozen, and links that are cut. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Client } from './testing/client.ts';
import { type Installation, startInstallation } from './testing/installation.ts';
import { listProcesses } from './testing/process.ts';
import { checkNothingLost, checkPoolWhole, checkRepetition } from './testing/proof.ts';
import { ReadinessWatch } from './testing/readiness.ts';
import { type Acknowledged, WriteStream } from './testing/stream.ts';

// On a machine that has no time; elsewhere a fifth of it.
t.setTimeout(240_000);

/** Seconds that a request may take, and milliseconds that it may be late on a machine that has no time. */
const REQUEST_TIMEOUT = 2;
const LATE = 4_000;
/** Reasons that tell a caller to try again later. */
const LATER = new Set(['DEADLINE_EXCEEDED', 'BACKEND_UNAVAILABLE', 'OVERLOADED', 'NOT_READY']);

const installation = await startInstallation(t, { remote: true, http: { requestTimeout: REQUEST_TIMEOUT } });
const client = await new Client(installation).login();

/** Where a pid file or a list of processes says that the database works. */
const listServer = ({ dataDir }: Installation): number[] =>
  listProcesses(`${dataDir}/postgres`)
    .filter((line) => /^\d+ (postgres|\S*\/postgres\b)/.test(line))
    .map((line) => Number.parseInt(line, 10));

const frozen: readonly { name: string; list: (installation: Installation) => number[] }[] = [
  { name: 'the plugin process', list: ({ plugins }) => [plugins!.pid] },
  { name: 'the database, all of it', list: listServer },
];

for (const { name, list } of frozen) {
  t.test(`frozen for a while: ${name}`, async (t) => {
    const component = (await client.insist('POST', '/api/v1/components', { name })).body.id;
    const watch = new ReadinessWatch(installation);
    t.teardown(() => watch.stop());
    const stream = new WriteStream(installation, client.token, component, 2);
    stream.start();
    await stream.waitForMore(4);
    const { id } = stream.issues[0]!;

    const pids = list(installation);
    t.ok(pids.length > 0, 'there is something to freeze');
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    const since = performance.now();
    try {
      const paths = [`/api/v1/issues/${id}`, '/api/v1/issues?q=is:open', '/api/v1/users/me'];
      await Promise.all(
        paths.map(async (path) => {
          const answer = await client.send('GET', path);
          const millis = Math.round(performance.now() - since);
          // Who calls is known for a while, so that this one may be answered.
          if (answer.status === 200 && path.endsWith('/me')) return;
          t.ok(millis < REQUEST_TIMEOUT * 1000 + LATE, `${path}: told after ${millis} ms`);
          t.ok(LATER.has(answer.body.reason), `${path}: ${answer.status} ${answer.body.reason}: ${answer.body.detail}`);
          t.match(answer.type, /^application\/problem\+json/);
          t.notMatch(JSON.stringify(answer.body), /node_modules|\.ts:\d|ECONN|4 DEADLINE/, `${path}: no internals`);
        }),
      );
      const page = await client.send('GET', `/issues/${id}`, undefined, { accept: 'text/html' });
      t.ok([503, 504].includes(page.status), `a page says so too: ${page.status}`);
      t.match(page.type, /^text\/html/);
      const ready = await client.send('GET', '/readyz');
      t.match(ready, { status: 503, body: { status: 'not ready', plugins: [{ section: 'model', ready: false }] } });
      t.match(await client.send('GET', '/healthz'), { status: 200 });
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    const back = performance.now();
    t.ok(watch.wasRed(since), 'readiness was red');
    const millis = await watch.waitGreen(back);
    t.ok(millis < 8_000, `ready again after ${Math.round(millis)} ms`);
    await stream.waitForMore(4);
    await stream.stop();
    await watch.stop();

    await checkRepetition(t, client, stream, 4);
    const found = await checkNothingLost(t, client, component, stream);
    await checkPoolWhole(t, installation, client, id);
    t.comment(
      `frozen for ${Math.round(back - since)} ms, ready after ${Math.round(millis)} ms; acknowledged ${stream.issues.length} issues, ` +
        `${stream.comments.length} comments; found ${found.issues}, ${found.comments}; sent again: ${JSON.stringify(stream.countRepeated())}`,
    );
  });
}

/** Sends a request, or its first bytes, and cuts the connection: at once, after a time, or at the first bytes of the answer. */
async function sendAndCut(
  path: string,
  body: object,
  key: string,
  cut: { readonly afterMillis?: number; readonly atAnswer?: boolean; readonly bodyBytes?: number },
): Promise<string> {
  const text = Buffer.from(JSON.stringify(body));
  const { hostname, port } = new URL(installation.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.subarray(0, 64).toString('latin1');
    if (cut.atAnswer) socket.destroy();
  });
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: bugless.test',
    `Authorization: Bearer ${client.token}`,
    'Content-Type: application/json',
    `Content-Length: ${text.length}`,
    `Idempotency-Key: ${key}`,
    '',
    '',
  ].join('\r\n');
  socket.write(head);
  socket.write(cut.bodyBytes === undefined ? text : text.subarray(0, cut.bodyBytes), () => {
    if (cut.atAnswer) return;
    setTimeout(() => socket.destroy(), cut.afterMillis ?? 0);
  });
  await closed;
  return received;
}

t.test('connections cut by the client', async (t) => {
  const component = (await client.insist('POST', '/api/v1/components', { name: 'Cut' })).body.id;
  const issues: Acknowledged[] = [];
  const comments: Acknowledged[] = [];
  const path = '/api/v1/issues';
  /** So long that the answer takes many packets. */
  const description = 'A long text. '.repeat(4_000);

  const answered = await sendAndCut(path, { title: 'In the answer', description, component }, 'cut-answer', {
    atAnswer: true,
  });
  t.match(answered, /^HTTP\/1\.1 201/, 'cut in the middle of the answer');
  await sendAndCut(path, { title: 'In the body', description, component }, 'cut-body', {
    bodyBytes: 1_000,
    afterMillis: 5,
  });
  t.match(
    (await client.insist('GET', `/api/v1/issues:count?q=component:${component}`)).body,
    { count: 1 },
    'half a request does nothing',
  );
  const cases = [
    { title: 'In the answer', description, key: 'cut-answer' },
    ...Array.from({ length: 16 }, (_, n) => ({ title: `After ${n}`, description: 'x', key: `cut-${n}` })),
  ];
  // From before the request was read to after it was answered.
  await Promise.all(
    cases
      .slice(1)
      .map(({ title, description, key }, n) =>
        sendAndCut(path, { title, description, component }, key, { afterMillis: n * 3 }),
      ),
  );
  for (const { key, ...rest } of cases) {
    const body = { ...rest, component };
    const { id } = (await client.insist('POST', path, body, key)).body;
    issues.push({ key, path, body, id, sequence: 1 });
    const place = `/api/v1/issues/${id}/updates`;
    const comment = { comment: `On ${key}` };
    await sendAndCut(place, comment, `${key}-c`, { atAnswer: true });
    const { sequence } = (await client.insist('POST', place, comment, `${key}-c`)).body;
    comments.push({ key: `${key}-c`, path: place, body: comment, id, sequence });
  }
  const found = await checkNothingLost(t, client, component, { issues, comments });
  await checkPoolWhole(t, installation, client, issues[0]!.id);
  await sleep(50);
  t.match((await client.send('GET', '/readyz')).body, { status: 'ready' });
  t.notMatch(installation.core.stderr, /"level":"error".*cut/, 'the log takes it for nothing special');
  t.comment(
    `acknowledged ${issues.length} issues, ${comments.length} comments; found ${found.issues}, ${found.comments}`,
  );
});
