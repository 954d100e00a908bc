/** A disk that is full for a while, under the embedded database. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { type Answer, Client } from './testing/client.ts';
import { startInstallation } from './testing/installation.ts';
import { waitUntil } from './testing/process.ts';
import { checkNothingLost, checkPoolWhole, checkRepetition } from './testing/proof.ts';
import { ReadinessWatch } from './testing/readiness.ts';
import { WriteStream } from './testing/stream.ts';

/** A small disk of its own; a reason when this machine does not allow one. */
function mountDisk(): { folder: string } | { refusal: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { refusal: 'needs root on Linux, to mount a tmpfs' };
  const folder = mkdtempSync(join(tmpdir(), 'bugless-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=192m,mode=755', 'tmpfs', folder], {
    encoding: 'utf8',
  });
  if (mounted.status === 0) return { folder };
  rmdirSync(folder);
  return { refusal: `cannot mount a tmpfs here: ${mounted.stderr || mounted.error?.message}` };
}

/** Writes until nothing more fits. */
function fill(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let size = 1 << 20; size >= 512; ) {
      try {
        writeSync(descriptor, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        size >>= 1;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

const LATER = new Set(['BACKEND_UNAVAILABLE', 'OVERLOADED', 'DEADLINE_EXCEEDED', 'NOT_READY', 'link']);

const disk = mountDisk();
const skip = 'refusal' in disk ? disk.refusal : false;

t.test('a full disk', { skip }, async (t) => {
  const { folder } = disk as { folder: string };
  // Ended after the installation, whose teardown is added later.
  t.teardown(() => {
    spawnSync('umount', [folder]);
    rmdirSync(folder);
  });
  const installation = await startInstallation(t, { dataDir: join(folder, 'data'), http: { requestTimeout: 5 } });
  const client = await new Client(installation).login();
  const component = (await client.insist('POST', '/api/v1/components', { name: 'Disk' })).body.id;
  const stream = new WriteStream(installation, client.token, component, 3);
  stream.start();
  await stream.waitForMore(5);
  const { id } = stream.issues[0]!;
  const ballast = join(folder, 'ballast');
  const text = Array.from({ length: 30_000 }, () => Math.random().toString(36)).join(' ');

  await t.test('no room for rows', async (t) => {
    fill(ballast);
    // Until it fails: there is some room left inside of the files.
    const kept: string[] = [];
    let answer: Answer | undefined;
    for (let i = 0; i < 60 && (answer === undefined || answer.status === 201); i++) {
      const title = `Big ${i}`;
      answer = await client.send('POST', '/api/v1/issues', { title, description: text.slice(0, 50_000), component });
      if (answer.status === 201) {
        kept.push(answer.body.id);
        stream.issues.push({ key: '', path: '', body: {}, id: answer.body.id, sequence: 1 });
      }
    }
    t.comment(
      `${kept.length} were stored before it was full: ${answer?.status} ${answer?.body.reason}: ${answer?.body.detail}`,
    );
    t.ok(LATER.has(answer?.body.reason), 'a write is told to come later');
    t.match(answer?.type, /^application\/problem\+json/);
    t.notMatch(JSON.stringify(answer?.body), /ENOSPC|No space|extend|SQLSTATE|pg_/, 'in our own words');
    for (const path of [
      `/api/v1/issues/${id}`,
      `/api/v1/issues?q=component:${component}`,
      `/api/v1/issues/${id}/updates`,
    ]) {
      t.match(await client.send('GET', path), { status: 200 }, `${path}: reads go on`);
    }
    rmSync(ballast);
    await stream.waitForMore(3);
  });

  await t.test('no room for the write-ahead log', async (t) => {
    const watch = new ReadinessWatch(installation);
    t.teardown(() => watch.stop());
    fill(ballast);
    const before = installation.postmaster;
    const since = performance.now();
    const database = new pg.Client({ connectionString: installation.getDatabaseUrl('bugless_model') });
    database.on('error', () => undefined);
    await database.connect();
    // The next file of the log is needed now instead of after megabytes of writes.
    await database.query('select pg_switch_wal()').catch(() => undefined);
    await database.end().catch(() => undefined);
    await waitUntil(
      'the server stops for want of room',
      () => !installation.isDatabaseReady() || installation.postmaster !== before,
      20_000,
    );
    const answer = await client.send('POST', '/api/v1/issues', { title: 'Refused', component });
    t.ok(LATER.has(answer.body.reason), `${answer.status} ${answer.body.reason}: ${answer.body.detail}`);
    await sleep(1_000);
    t.ok(watch.wasRed(since), 'readiness is red');
    rmSync(ballast);
    const freed = performance.now();
    const millis = await watch.waitGreen(freed, 40_000);
    t.comment(`ready ${Math.round(millis)} ms after there was room again`);
    await stream.waitForMore(3);
  });

  await stream.stop();
  await checkRepetition(t, client, {
    ...stream,
    issues: stream.issues.filter(({ key }) => key !== ''),
    comments: stream.comments,
  });
  const found = await checkNothingLost(t, client, component, stream);
  await checkPoolWhole(t, installation, client, id);
  t.comment(
    `acknowledged ${stream.issues.length} issues, ${stream.comments.length} comments; ` +
      `found ${found.issues}, ${found.comments}; sent again: ${JSON.stringify(stream.countRepeated())}`,
  );
});
