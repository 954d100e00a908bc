import { createHash } from 'node:crypto';
import { checkAction, checkText, createUpdate, LIMITS, refuse } from '@bugless/kit/domain';
import {
  type Attachment,
  type AttachmentHeader,
  type CallContext,
  type DeleteAttachmentRequest,
  type DeleteAttachmentResponse,
  type FieldViolation,
  type Issue,
  invalidField,
  ServiceError,
  Significance,
  UploadAttachmentRequest,
  UploadAttachmentResponse,
} from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import { sql } from 'kysely';
import { CHUNK_SIZE, ChunkWriter, deleteChunks } from './attachment-chunk.ts';
import { findAttachment, seeIssue } from './attachment-reader.ts';
import { SNIFFED_BYTES, sniffContentType } from './content-type.ts';
import { checkIssueId, issueNotFound } from './issue-reader.ts';
import { IssueSession } from './issue-session.ts';
import { runWrite, type WriteScope } from './request-log.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';

/** What arrived of a file. */
interface ReceivedFile {
  readonly id: string;
  readonly size: number;
  readonly sha256: Buffer;
  readonly contentType: string;
}

/**
 * UploadAttachment. The bytes are written as they come, outside of any transaction; a last one makes them a
 * file of the issue. What is left of an upload that was broken off is swept a day later.
 */
export async function uploadAttachment(
  store: Store,
  parts: AsyncIterable<UploadAttachmentRequest>,
  context: CallContext,
): Promise<UploadAttachmentResponse> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  const header = !first.done && first.value.part?.$case === 'header' ? first.value.part.value : undefined;
  if (!header) throw invalidField('header', 'is expected as the first message');
  checkIssueId('header.issue', header.issue);
  const name = readName(header);
  checkAction(context, await seeIssue(store, store.kysely, header.issue, context, 'header.issue'), 'comment');
  const writer = await ChunkWriter.begin(store);
  let kept = false;
  try {
    const file = await receive(store, writer, { [Symbol.asyncIterator]: () => iterator }, context);
    if (header.sha256.length > 0 && !file.sha256.equals(header.sha256)) {
      const text = 'header.sha256: the bytes that arrived have another checksum; send the file again';
      throw new ServiceError('CHECKSUM_MISMATCH', text);
    }
    // The bytes take part in the comparison of a repetition by their checksum.
    const request = { part: { $case: 'header' as const, value: { ...header, sha256: file.sha256 } } };
    const write = {
      method: 'UploadAttachment',
      requestId: header.requestId,
      request,
      requestCodec: UploadAttachmentRequest,
      responseCodec: UploadAttachmentResponse,
      context,
    };
    const response = await runWrite(store, write, (scope) => attach(store, scope, header, name, file, context));
    // A repetition is answered with the file that came first.
    kept = response.attachment?.id === file.id;
    return response;
  } finally {
    if (!kept) {
      await writer.abandon().catch((error: unknown) => {
        store.log.warn({ err: error }, 'bytes of an attachment that was not stored are left until they are swept');
      });
    }
  }
}

async function receive(
  store: Store,
  writer: ChunkWriter,
  parts: AsyncIterable<UploadAttachmentRequest>,
  context: CallContext,
): Promise<ReceivedFile> {
  const hash = createHash('sha256');
  let head = Buffer.alloc(0);
  let size = 0;
  for await (const { part } of parts) {
    if (part?.$case !== 'chunk') throw invalidField('chunk', 'is expected in all messages but the first');
    const bytes = part.value;
    if (bytes.length > CHUNK_SIZE) {
      throw invalidField('chunk', `has ${bytes.length} bytes; at most ${CHUNK_SIZE} are allowed`);
    }
    size += bytes.length;
    if (size > store.maxAttachmentSize) {
      throw new ServiceError('TOO_LARGE', `the file has more than ${store.maxAttachmentSize} bytes`);
    }
    if (context.signal?.aborted) throw new ServiceError('CANCELLED', 'the caller went away');
    if (head.length <= SNIFFED_BYTES) head = Buffer.concat([head, bytes]);
    hash.update(bytes);
    await writer.write(bytes);
  }
  await writer.flush();
  return {
    id: writer.id,
    size,
    sha256: hash.digest(),
    contentType: sniffContentType(head, head.length === size),
  };
}

async function attach(
  store: Store,
  scope: WriteScope,
  header: AttachmentHeader,
  name: string,
  file: ReceivedFile,
  context: CallContext,
): Promise<UploadAttachmentResponse> {
  const session = new IssueSession(store, scope, context);
  await session.lock([header.issue]);
  const held = session.find(header.issue);
  if (!held) throw issueNotFound(header.issue, 'header.issue');
  checkAction(context, held.permission, 'comment');
  const now = readClock(store);
  const at = held.issue.modified! > now ? held.issue.modified! : now;
  const { comment } = header;
  const attachment: Attachment = {
    id: file.id,
    issue: header.issue,
    sequence: held.lastSequence + 1,
    name,
    contentType: file.contentType,
    size: String(file.size),
    sha256: file.sha256,
    author: context.user,
    created: at,
    deleted: false,
  };
  const issue: Issue = {
    ...held.issue,
    version: String(BigInt(held.issue.version) + 1n),
    commentCount: held.issue.commentCount + (comment === '' ? 0 : 1),
    modified: at,
  };
  session.change(held, issue, {
    ...createUpdate({ author: context.user, at, comment, changes: [], restricted: false }),
    significance: Significance.MAJOR,
    attachments: [attachment],
  });
  await session.finish();
  // No row: the sweep, or a second try of a COMMIT that had succeeded, was here.
  const { rows } = await sql`delete from attachment_upload where id = ${file.id} returning 1`.execute(scope.db);
  if (rows.length === 0) throw new ServiceError('CONFLICT', 'the upload is no longer there; send the file again');
  await sql`insert into attachment (id, issue_id, sequence, name, content_type, size, sha256, author, created, deleted)
    values (${file.id}, ${header.issue}, ${attachment.sequence}, ${name}, ${file.contentType}, ${file.size}, ${file.sha256},
      ${context.user}, ${at}, false)`.execute(scope.db);
  return { attachment, version: issue.version };
}

/** DeleteAttachment: the row stays. */
export async function deleteAttachment(
  store: Store,
  request: DeleteAttachmentRequest,
  context: CallContext,
): Promise<DeleteAttachmentResponse> {
  await runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      const { row, permission } = await findAttachment(store, db, request.id, context);
      const own = context.user !== '' && row.author === context.user;
      checkAction(context, permission, own ? 'comment' : 'administer');
      await sql`update attachment set deleted = true where id = ${request.id}`.execute(db);
      await deleteChunks(db, request.id);
    },
    { signal: context.signal, deadline: context.deadline },
  );
  return {};
}

/** The last part of a path as any system writes it. */
function readName({ name: path, comment }: AttachmentHeader): string {
  const name = path.split(/[/\\]/).at(-1)!;
  const found: FieldViolation[] = [];
  checkText(found, 'header.name', name, { maxCharacters: 255, required: true, singleLine: true });
  checkText(found, 'header.comment', comment, { maxBytes: LIMITS.commentBytes });
  refuse(found);
  return name;
}
