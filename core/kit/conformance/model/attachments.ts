import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Attachment, CallContext, UploadAttachmentRequest } from '../../service/index.ts';
import { SkipCase } from '../case.ts';
import { expectError } from '../expectation.ts';
import { type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

const capability = 'attachments';
const CHUNK_SIZE = 256 * 1024;
const LARGEST_TRIED = 64 * 1024 * 1024;

/** Bytes without a pattern that a compression or a text column would forgive. */
function makeBytes(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let index = 0, x = 1; index < size; index += 1) bytes[index] = x = (x * 75 + 74) % 65_537;
  return bytes;
}

async function* streamFile(header: object, bytes: Buffer): AsyncIterable<UploadAttachmentRequest> {
  yield {
    part: {
      $case: 'header',
      value: { issue: '0', name: 'f', sha256: Buffer.alloc(0), comment: '', requestId: '', ...header },
    },
  };
  for (let at = 0; at < bytes.length; at += CHUNK_SIZE)
    yield { part: { $case: 'chunk', value: bytes.subarray(at, at + CHUNK_SIZE) } };
}

const upload = (world: ModelWorld, header: object, bytes: Buffer, who: CallContext = world.alice) =>
  world.model.uploadAttachment(streamFile(header, bytes), who);

async function download(
  world: ModelWorld,
  request: object,
  who: CallContext = world.carol,
): Promise<{ attachment: Attachment; bytes: Buffer }> {
  let attachment: Attachment | undefined;
  const chunks: Uint8Array[] = [];
  for await (const { part } of world.model.downloadAttachment(request, who)) {
    if (part?.$case === 'attachment') {
      assert.equal(chunks.length, 0, 'its description comes first');
      attachment = part.value;
    } else if (part?.$case === 'chunk') chunks.push(part.value);
  }
  return { attachment: attachment!, bytes: Buffer.concat(chunks) };
}

/** Files on issues. */
export const ATTACHMENT_CASES: readonly ModelCase[] = [
  {
    name: 'attachments: bytes come back as they were sent',
    capability,
    rule: 'Stores a file. Adds one update. Returns a file: its description first, then its bytes.',
    async run(world) {
      const issue = await world.issue();
      const bytes = makeBytes(600_000);
      const sha256 = createHash('sha256').update(bytes).digest();
      const header = { issue: issue.id, name: '../there/naïve 漢字.bin', sha256, comment: 'the core' };
      const { attachment, version } = await upload(world, header, bytes);
      assert.deepEqual(
        [attachment!.name, attachment!.size, attachment!.author],
        ['naïve 漢字.bin', '600000', world.alice.user],
      );
      assert.ok(sha256.equals(attachment!.sha256));
      assert.deepEqual([version, attachment!.sequence, attachment!.issue], ['2', 2, issue.id]);
      const back = await download(world, { id: attachment!.id });
      assert.ok(back.bytes.equals(bytes));
      assert.deepEqual(back.attachment, attachment);
      const update = (await world.updates(issue.id)).at(-1)!;
      assert.deepEqual([update.comment, update.attachments.map(({ id }) => id)], ['the core', [attachment!.id]]);
      assert.deepEqual((await world.model.listAttachments({ issue: issue.id }, world.carol)).attachments, [attachment]);
    },
  },
  {
    name: 'attachments: read from an offset',
    capability,
    rule: 'offset: first byte to send. length: how many bytes at most; 0: to the end.',
    async run(world) {
      const bytes = makeBytes(300_000);
      const { attachment } = await upload(world, { issue: (await world.issue()).id }, bytes);
      const { id } = attachment!;
      for (const [offset, length] of [
        [1, 0],
        [262_143, 2],
        [299_999, 100],
        [300_000, 0],
        [0, 7],
      ] as const) {
        const part = await download(world, { id, offset: String(offset), length: String(length) });
        const end = length === 0 ? bytes.length : offset + length;
        assert.ok(part.bytes.equals(bytes.subarray(offset, end)), `${length} bytes from ${offset}`);
      }
    },
  },
  {
    name: 'attachments: the content type is sniffed',
    capability,
    rule: 'content_type: sniffed by the Model, not believed from the uploader.',
    async run(world) {
      const issue = (await world.issue()).id;
      const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
      const { attachment } = await upload(world, { issue, name: 'harmless.txt' }, png);
      assert.equal(attachment!.contentType, 'image/png');
      const page = Buffer.from('<!doctype html><script>alert(1)</script>');
      const { attachment: html } = await upload(world, { issue, name: 'picture.png' }, page);
      assert.notEqual(html!.contentType, 'image/png');
    },
  },
  {
    name: 'attachments: a file that arrives damaged is not stored',
    capability,
    rule: 'DATA_LOSS (CHECKSUM_MISMATCH); nothing is stored.',
    async run(world) {
      const issue = (await world.issue()).id;
      const sha256 = createHash('sha256').update('other').digest();
      await expectError(upload(world, { issue, sha256 }, makeBytes(1_000)), 'CHECKSUM_MISMATCH');
      await expectError(upload(world, { issue: NOWHERE }, makeBytes(10)), 'ISSUE_NOT_FOUND');
      await expectError(upload(world, { issue, name: '' }, makeBytes(10)), 'INVALID_FIELD', { field: /name/ });
      assert.deepEqual((await world.model.listAttachments({ issue }, world.root)).attachments, []);
      assert.equal((await world.get(issue)).version, '1');
    },
  },
  {
    name: 'attachments: too large',
    capability,
    rule: 'RESOURCE_EXHAUSTED (TOO_LARGE); nothing is stored. max_attachment_size: largest attachment in bytes.',
    async run(world) {
      const most = Number(world.info.limits?.maxAttachmentSize ?? 0);
      if (most === 0 || most > LARGEST_TRIED)
        throw new SkipCase(`the limit, ${most} bytes, is more than is tried here`);
      const issue = (await world.issue()).id;
      await expectError(upload(world, { issue }, Buffer.alloc(most + 1)), 'TOO_LARGE');
      assert.equal((await world.get(issue)).version, '1');
    },
  },
  {
    name: 'attachments: sent again with a request id',
    capability,
    rule: 'May be repeated with a request id.',
    async run(world) {
      const issue = (await world.issue()).id;
      const header = { issue, name: 'once', requestId: `file-${world.tag}` };
      const first = await upload(world, header, makeBytes(1_000));
      assert.deepEqual(await upload(world, header, makeBytes(1_000)), first);
      assert.equal((await world.model.listAttachments({ issue }, world.alice)).attachments.length, 1);
      await expectError(upload(world, { ...header, name: 'other' }, makeBytes(1_000)), 'REQUEST_ID_REUSED');
    },
  },
  {
    name: 'attachments: who may what',
    capability,
    rule: 'What the caller may not see is NOT_FOUND. Withdraws a file; its bytes are removed. For its author, and ADMIN.',
    async run(world) {
      const issue = (await world.issue()).id;
      await expectError(upload(world, { issue }, makeBytes(10), world.eve), 'ISSUE_NOT_FOUND');
      await expectError(upload(world, { issue }, makeBytes(10), world.carol), 'FORBIDDEN');
      await expectError(upload(world, { issue }, makeBytes(10), world.anonymous), [
        'LOGIN_REQUIRED',
        'ISSUE_NOT_FOUND',
      ]);
      const { attachment } = await upload(world, { issue }, makeBytes(10), world.dave);
      const { id } = attachment!;
      await expectError(download(world, { id }, world.eve), 'ATTACHMENT_NOT_FOUND');
      await expectError(download(world, { id: NOWHERE }), 'ATTACHMENT_NOT_FOUND');
      await expectError(world.model.listAttachments({ issue }, world.eve), 'ISSUE_NOT_FOUND');
      await expectError(world.model.deleteAttachment({ id }, world.bob), 'FORBIDDEN');
      assert.equal((await download(world, { id })).bytes.length, 10);
      for (let time = 0; time < 2; time += 1) await world.model.deleteAttachment({ id }, world.dave);
      await expectError(download(world, { id }, world.root), 'ATTACHMENT_NOT_FOUND');
      const { attachments } = await world.model.listAttachments({ issue }, world.carol);
      assert.deepEqual(
        attachments.map((each) => [each.id, each.deleted]),
        [[id, true]],
      );
    },
  },
];
