import { createHash } from 'node:crypto';
import { checkAction, checkText, createUpdate, LIMITS, refuse } from '@bugless/kit/domain';
import {
  type Attachment,
  type CallContext,
  type FieldViolation,
  invalidField,
  type ModelImplementation,
  Permission,
  ServiceError,
  Significance,
  type UploadAttachmentRequest,
} from '@bugless/kit/service';
import { findIssue, seeIssue } from './access.ts';
import { type Environment, requireLogin } from './environment.ts';
import { appendUpdate } from './issues.ts';
import { writeOnce } from './request.ts';
import type { AttachmentRecord, Store } from './store.ts';

/** Largest file. In memory it is read whole; a database takes it chunk by chunk. */
export const MAX_ATTACHMENT_SIZE = 16 * 1024 * 1024;
const CHUNK_SIZE = 256 * 1024;

/** Files on issues. */
export function createAttachmentMethods(environment: Environment) {
  const { store } = environment;
  return {
    async uploadAttachment(parts, context) {
      const { header, bytes } = await readUpload(parts);
      const sha256 = createHash('sha256').update(bytes).digest();
      // The bytes take part in the comparison of a repeat by their checksum.
      const request = {
        ...header,
        sha256: sha256.toString('hex'),
        expected: Buffer.from(header.sha256).toString('hex'),
      };
      return writeOnce(environment, context, 'UploadAttachment', request, () => {
        const seen = findIssue(store, header.issue, context, 'header.issue');
        checkAction(context, seen.permission, 'comment');
        const name = readName(header.name);
        checkComment(header.comment);
        if (header.sha256.length > 0 && !sha256.equals(header.sha256))
          throw new ServiceError(
            'CHECKSUM_MISMATCH',
            'header.sha256: the bytes that arrived have another checksum; send the file again',
          );

        const { issue, updates } = seen.record;
        const created = environment.now();
        const attachment: Attachment = {
          id: store.mintId(),
          issue: issue.id,
          sequence: updates.length + 1,
          name,
          contentType: sniffContentType(bytes),
          size: String(bytes.length),
          sha256,
          author: context.user,
          created,
          deleted: false,
        };
        store.put(store.attachments, attachment.id, { attachment, bytes });
        const { comment } = header;
        const update = createUpdate({ author: context.user, at: created, comment, changes: [], restricted: false });
        const version = String(BigInt(issue.version) + 1n);
        const commentCount = issue.commentCount + (comment === '' ? 0 : 1);
        appendUpdate(store, seen, {
          issue: { ...issue, version, commentCount, modified: created },
          update: { ...update, issue: issue.id, significance: Significance.MAJOR, attachments: [attachment] },
          references: [],
        });
        return { attachment, version };
      });
    },

    async *downloadAttachment({ id, offset, length }, context) {
      const { attachment, bytes } = findAttachment(store, id, context);
      if (!bytes) throw new ServiceError('ATTACHMENT_NOT_FOUND', `attachment ${id} was withdrawn`);
      yield { part: { $case: 'attachment', value: attachment } };
      const start = Number(offset);
      const end = length === '0' ? bytes.length : Math.min(bytes.length, start + Number(length));
      for (let at = start; at < end; at += CHUNK_SIZE)
        yield { part: { $case: 'chunk', value: bytes.subarray(at, Math.min(end, at + CHUNK_SIZE)) } };
    },

    async listAttachments({ issue }, context) {
      findIssue(store, issue, context);
      return { attachments: listAttachments(store, issue) };
    },

    async deleteAttachment({ id }, context) {
      requireLogin(context);
      store.transact(() => {
        const { attachment, bytes } = findAttachment(store, id, context);
        const { permission } = findIssue(store, attachment.issue, context);
        checkAction(context, attachment.author === context.user ? Permission.ADMIN : permission, 'administer');
        if (bytes) store.put(store.attachments, id, { attachment: { ...attachment, deleted: true }, bytes: undefined });
      });
      return {};
    },
  } satisfies Partial<ModelImplementation>;
}

/** Files of an issue as they stand, oldest first. */
export function listAttachments(store: Store, issue: string): Attachment[] {
  const records = [...store.attachments.values()].filter(({ attachment }) => attachment.issue === issue);
  return records.map(({ attachment }) => attachment);
}

function findAttachment(store: Store, id: string, context: CallContext): AttachmentRecord {
  const record = store.attachments.get(id);
  if (record && seeIssue(store, record.attachment.issue, context)) return record;
  throw new ServiceError('ATTACHMENT_NOT_FOUND', `there is no attachment ${id}, or it is not visible to you`);
}

async function readUpload(parts: AsyncIterable<UploadAttachmentRequest>) {
  const chunks: Uint8Array[] = [];
  let header: (UploadAttachmentRequest['part'] & { $case: 'header' })['value'] | undefined;
  let size = 0;
  for await (const { part } of parts) {
    if (part?.$case === 'header' && !header) header = part.value;
    else if (part?.$case === 'chunk' && header) {
      size += part.value.length;
      if (part.value.length > CHUNK_SIZE)
        throw invalidField('chunk', `has ${part.value.length} bytes; at most ${CHUNK_SIZE} are allowed`);
      if (size > MAX_ATTACHMENT_SIZE)
        throw new ServiceError('TOO_LARGE', `the file has more than ${MAX_ATTACHMENT_SIZE} bytes`);
      chunks.push(part.value);
    } else throw invalidField('header', 'is expected once, as the first message');
  }
  if (!header) throw invalidField('header', 'is required');
  return { header, bytes: Buffer.concat(chunks) };
}

/** The last part of a path as any system writes it. */
function readName(path: string): string {
  const name = path.split(/[/\\]/).at(-1)!;
  const violations: FieldViolation[] = [];
  checkText(violations, 'header.name', name, { maxCharacters: 255, required: true, singleLine: true });
  refuse(violations);
  return name;
}

function checkComment(comment: string): void {
  const violations: FieldViolation[] = [];
  checkText(violations, 'header.comment', comment, { maxBytes: LIMITS.commentBytes });
  refuse(violations);
}

/** First bytes of a few kinds of file: enough for an example. What is not known is no text either: `application/octet-stream`. */
const SIGNATURES: readonly (readonly [string, string])[] = [
  ['89504e470d0a1a0a', 'image/png'],
  ['ffd8ff', 'image/jpeg'],
  ['47494638', 'image/gif'],
  ['25504446', 'application/pdf'],
  ['504b0304', 'application/zip'],
];

function sniffContentType(bytes: Buffer): string {
  const head = bytes.subarray(0, 8).toString('hex');
  const known = SIGNATURES.find(([signature]) => head.startsWith(signature));
  if (known) return known[1];
  return bytes.subarray(0, 4096).includes(0) || bytes.length === 0 ? 'application/octet-stream' : 'text/plain';
}
