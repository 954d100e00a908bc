import { checkAction, isId } from '@bugless/kit/domain';
import {
  type Attachment,
  type CallContext,
  type DownloadAttachmentRequest,
  type DownloadAttachmentResponse,
  invalidField,
  type ListAttachmentsRequest,
  type ListAttachmentsResponse,
  Permission,
  ServiceError,
  type Update,
} from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { readChunks } from './attachment-chunk.ts';
import { checkIssueId, issueNotFound, TREE_VERSION } from './issue-reader.ts';
import { ISSUE_COLUMNS, toIssue } from './issue-row.ts';
import type { IssueTable, ModelTables } from './schema/tables.ts';
import type { Store } from './store.ts';

export type AttachmentRow = ModelTables['attachment'];
type SeenRow = IssueTable & { tree_version: string };

/** ListAttachments: withdrawn ones too. */
export async function listAttachments(
  store: Store,
  request: ListAttachmentsRequest,
  context: CallContext,
): Promise<ListAttachmentsResponse> {
  checkIssueId('issue', request.issue);
  await seeIssue(store, store.kysely, request.issue, context, 'issue');
  const { rows } = await sql<AttachmentRow>`
    select * from attachment where issue_id = ${request.issue} order by id`.execute(store.kysely);
  return { attachments: rows.map(toAttachment) };
}

/** DownloadAttachment: the description, then the bytes, a row at a time. */
export async function* downloadAttachment(
  store: Store,
  request: DownloadAttachmentRequest,
  context: CallContext,
): AsyncGenerator<DownloadAttachmentResponse, void, undefined> {
  const start = readCount('offset', request.offset);
  const length = readCount('length', request.length);
  const { row } = await findAttachment(store, store.kysely, request.id, context);
  if (row.deleted) throw attachmentNotFound(request.id);
  yield { part: { $case: 'attachment', value: toAttachment(row) } };
  const size = Number(row.size);
  const end = length === 0 ? size : Math.min(size, start + length);
  let sent = start;
  for await (const bytes of readChunks(store, row.id, start, end)) {
    if (context.signal?.aborted) return;
    sent += bytes.length;
    yield { part: { $case: 'chunk', value: bytes } };
  }
  if (sent < end) throw attachmentNotFound(request.id);
}

/** A file whose issue the caller sees, and what the caller may do with that issue. */
export async function findAttachment(
  store: Store,
  db: Kysely<ModelTables>,
  id: string,
  context: CallContext,
): Promise<{ row: AttachmentRow; permission: Permission }> {
  if (!isId(id)) throw invalidField('id', `${JSON.stringify(id)} is no id: a positive number is expected`);
  const { rows } = await sql<AttachmentRow>`select * from attachment where id = ${id}`.execute(db);
  const row = rows[0];
  const permission = row ? await decideOn(store, db, row.issue_id, context) : Permission.UNSPECIFIED;
  if (!row || permission < Permission.VIEW) throw attachmentNotFound(id);
  checkAction(context, permission, 'view');
  return { row, permission };
}

/** Throws ISSUE_NOT_FOUND unless the caller sees an issue; returns what the caller may do with it. */
export async function seeIssue(
  store: Store,
  db: Kysely<ModelTables>,
  id: string,
  context: CallContext,
  field: string,
): Promise<Permission> {
  const permission = await decideOn(store, db, id, context);
  if (permission < Permission.VIEW) throw issueNotFound(id, field);
  checkAction(context, permission, 'view');
  return permission;
}

async function decideOn(store: Store, db: Kysely<ModelTables>, id: string, context: CallContext): Promise<Permission> {
  const { rows } = await sql<SeenRow>`
    select ${sql.raw(ISSUE_COLUMNS)}, ${TREE_VERSION} as tree_version from issue i where i.id = ${id}`.execute(db);
  const row = rows[0];
  if (!row) return Permission.UNSPECIFIED;
  const sight = (await store.components.at(row.tree_version, db)).look(context);
  return sight.decideIssue(toIssue(row));
}

/** Puts their files into updates; `rows` say which have any. */
export async function fillAttachments(
  db: Kysely<ModelTables>,
  updates: readonly Update[],
  rows: readonly { readonly has_files: boolean }[],
): Promise<void> {
  const filed = updates.filter((_, index) => rows[index]?.has_files);
  if (filed.length === 0) return;
  const issues = [...new Set(filed.map((update) => update.issue))];
  const found = await sql<AttachmentRow>`
    select * from attachment where issue_id = any(${issues}::int8[]) order by id`.execute(db);
  const byUpdate = Map.groupBy(found.rows, ({ issue_id, sequence }) => `${issue_id} ${sequence}`);
  for (const update of filed) {
    update.attachments = (byUpdate.get(`${update.issue} ${update.sequence}`) ?? []).map(toAttachment);
  }
}

/** A file as its row tells it. */
export function toAttachment(row: AttachmentRow): Attachment {
  return {
    id: row.id,
    issue: row.issue_id,
    sequence: row.sequence,
    name: row.name,
    contentType: row.content_type,
    size: row.size,
    sha256: row.sha256,
    author: row.author,
    created: row.created,
    deleted: row.deleted,
  };
}

/** The answer for a file that is not there, withdrawn, or not there for this caller. */
export function attachmentNotFound(id: string): ServiceError {
  return new ServiceError('ATTACHMENT_NOT_FOUND', `id: there is no attachment ${id}`);
}

function readCount(field: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw invalidField(field, `${text} is no number of bytes`);
}
