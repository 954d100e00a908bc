import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createContext, type Model } from '@bugless/kit/service';
import { makeFault } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t from 'tap';
import { CHUNK_SIZE, sweepUploads } from './attachment-chunk.ts';
import { sniffContentType } from './content-type.ts';
import { ADMIN, ALICE, openModel } from './fixture/open-model.ts';
import { refusalOf } from './fixture/refusal.ts';
import type { Store } from './store.ts';

setFlagsFromString('--expose-gc');
/** What is counted afterwards is in use. */
const collectGarbage = runInNewContext('gc') as () => void;

async function createIssue(model: Model): Promise<string> {
  return (await model.createIssue({ issue: { title: 'x', component: '1' } }, ALICE)).issue!.id;
}

async function* send(header: object, size: number, wait?: () => Promise<void>) {
  yield { part: { $case: 'header' as const, value: header } };
  const chunk = Buffer.alloc(CHUNK_SIZE, 'x');
  for (let sent = 0; sent < size; sent += CHUNK_SIZE) {
    yield { part: { $case: 'chunk' as const, value: chunk.subarray(0, size - sent) } };
    await wait?.();
  }
}

async function countRows(store: Store): Promise<{ chunks: number; uploads: number; files: number }> {
  const { rows } = await sql<{ chunks: number; uploads: number; files: number }>`
    select (select count(*) from attachment_chunk)::int4 as chunks, (select count(*) from attachment_upload)::int4 as uploads,
      (select count(*) from attachment)::int4 as files`.execute(store.kysely);
  return rows[0]!;
}

t.test('12 MiB in and out, in bounded memory', async (t) => {
  const { model } = await openModel(t);
  const issue = await createIssue(model);
  const size = 12 * 1024 * 1024 + 17;
  let most = 0;
  let looks = 0;
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  const watch = async (): Promise<void> => {
    looks += 1;
    if (looks % 15 !== 0) return;
    // What was let go counts until the loop has turned.
    await sleep(1);
    collectGarbage();
    collectGarbage();
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  };
  const { attachment } = await model.uploadAttachment(send({ issue, name: 'big' }, size, watch), ALICE);
  const hash = createHash('sha256');
  let read = 0;
  for await (const { part } of model.downloadAttachment({ id: attachment!.id }, ALICE)) {
    if (part?.$case !== 'chunk') continue;
    hash.update(part.value);
    read += part.value.length;
    await watch();
  }
  t.equal(read, size);
  t.ok(hash.digest().equals(attachment!.sha256), 'the same bytes');
  t.comment(`${(most / 1024 / 1024).toFixed(1)} MiB of buffers in use at most`);
  t.ok(most < 4 * 1024 * 1024, 'a small part of the file');
});

t.test('broken off, refused, swept: no bytes stay behind', async (t) => {
  let now = Date.now();
  const { model, store } = await openModel(t, { now: () => now });
  const issue = await createIssue(model);
  const abort = new AbortController();
  const cut = model.uploadAttachment(
    send({ issue, name: 'cut' }, 4 * CHUNK_SIZE, async () => abort.abort()),
    createContext({ ...ALICE, signal: abort.signal }),
  );
  t.equal(await refusalOf(cut), 'CANCELLED');
  const wrong = { issue, name: 'wrong', sha256: Buffer.alloc(32) };
  t.equal(await refusalOf(model.uploadAttachment(send(wrong, CHUNK_SIZE + 1), ALICE)), 'CHECKSUM_MISMATCH');
  for (let round = 0; round < 100 && (await countRows(store)).uploads > 0; round += 1) await sleep(10);
  t.strictSame(await countRows(store), { chunks: 0, uploads: 0, files: 0 });

  const kept = await model.uploadAttachment(send({ issue, name: 'kept' }, 10), ALICE);
  // As a killed process leaves it.
  await sql`with u as (insert into attachment_upload (started) values (${new Date(now).toISOString()}) returning id)
    insert into attachment_chunk (attachment_id, n, bytes) select id, 0, 'x'::bytea from u`.execute(store.kysely);
  await sweepUploads(store);
  t.equal((await countRows(store)).chunks, 2, 'perhaps it is still being sent');
  now += 25 * 3_600_000;
  await sweepUploads(store);
  t.strictSame(await countRows(store), { chunks: 1, uploads: 0, files: 1 });
  await model.deleteAttachment({ id: kept.attachment!.id }, ALICE);
  t.strictSame(await countRows(store), { chunks: 0, uploads: 0, files: 1 }, 'withdrawn: the row stays, its bytes go');
});

t.test('an answer lost at COMMIT: the file is there once, with its bytes', async (t) => {
  let lose = false;
  const faults = (point: string): Error | undefined => {
    if (point !== 'committed' || !lose) return undefined;
    lose = false;
    return makeFault();
  };
  const { model, store } = await openModel(t, { faults });
  const issue = await createIssue(model);
  const header = { issue, name: 'once', requestId: 'one' };
  const armed = async (): Promise<void> => {
    lose = true;
  };
  const first = await model.uploadAttachment(send(header, 10, armed), ALICE);
  const again = await model.uploadAttachment(send(header, 10), ALICE);
  t.strictSame(again, first, 'the same answer');
  t.strictSame(await countRows(store), { chunks: 1, uploads: 0, files: 1 });
  // Without a request id the caller does not know; the file must be whole all the same.
  await refusalOf(model.uploadAttachment(send({ issue, name: 'unknown' }, 10, armed), ALICE));
  const { attachments } = await model.listAttachments({ issue }, ALICE);
  for (const { id } of attachments) {
    let size = 0;
    for await (const { part } of model.downloadAttachment({ id }, ALICE)) {
      if (part?.$case === 'chunk') size += part.value.length;
    }
    t.equal(size, 10);
  }
  t.equal(attachments.length, 2);
});

t.test('files stand in the history, in events and in searches', async (t) => {
  const { model } = await openModel(t);
  const issue = await createIssue(model);
  const { attachment } = await model.uploadAttachment(send({ issue, name: 'a', comment: 'see' }, 10), ALICE);
  const { updates } = await model.listUpdates({ issue }, ALICE);
  t.strictSame(updates[1]!.attachments, [attachment]);
  const told = [];
  for await (const { events } of model.watchEvents({ fromOldest: true, stopAtEnd: true, issue }, ALICE))
    told.push(...events);
  t.strictSame(told[1]!.update, updates[1]);
  const edited = await model.editComment({ issue, sequence: 2, comment: 'look', expectedCommentVersion: 1 }, ALICE);
  t.strictSame(edited.update!.attachments, [attachment]);
  t.equal((await model.getIssue({ id: issue }, ADMIN)).issue!.commentCount, 1);
});

t.test('content types', async (t) => {
  const sniff = (bytes: string | Buffer): string => sniffContentType(Buffer.from(bytes as string), true);
  const expected: [string | Buffer, string][] = [
    ['', 'application/octet-stream'],
    ['plain words, naïve 漢字', 'text/plain'],
    [Buffer.from([0xff, 0xfe, 0x00]), 'application/octet-stream'],
    [Buffer.from('text\0with NUL'), 'application/octet-stream'],
    ['  <!DOCTYPE HTML><p>', 'text/html'],
    ['<script>alert(1)</script>', 'text/html'],
    ['<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">', 'image/svg+xml'],
    ['%PDF-1.7', 'application/pdf'],
    [Buffer.from('1f8b0800', 'hex'), 'application/gzip'],
    [Buffer.from('52494646aabbccdd57454250', 'hex'), 'image/webp'],
    [Buffer.from('47494638396101000100', 'hex'), 'image/gif'],
  ];
  for (const [bytes, type] of expected) t.equal(sniff(bytes), type);
  const cut = Buffer.from(`${'x'.repeat(4_095)}é`);
  t.equal(sniffContentType(cut, false), 'text/plain', 'a character cut in two');
});
