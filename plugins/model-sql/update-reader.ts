import { checkAction, decodePageToken, encodePageToken, fingerprintRequest } from '@bugless/kit/domain';
import {
  type CallContext,
  invalidField,
  type ListCommentVersionsRequest,
  type ListCommentVersionsResponse,
  type ListUpdatesRequest,
  type ListUpdatesResponse,
  Permission,
  ServiceError,
  type Update,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import { fillAttachments } from './attachment-reader.ts';
import { checkIssueId, issueNotFound, TREE_VERSION } from './issue-reader.ts';
import { findVisible } from './issue-related.ts';
import { toIssue } from './issue-row.ts';
import type { IssueTable, ModelTables, StoredChange } from './schema/tables.ts';
import type { Store } from './store.ts';

/** Largest page of any list, in rows. */
export const MAX_PAGE_SIZE = 500;
/** Behind every sequence number: the column's last value. */
const LAST_SEQUENCE = 2 ** 31 - 1;

/** What decides access to an issue, without the rest of its row. */
const ACCESS_COLUMNS = sql.raw('i.acl, i.reporter as r, i.assignee, i.verifier, i.collaborators, i.cc');
type AccessColumns = Pick<IssueTable, 'acl' | 'assignee' | 'verifier' | 'collaborators' | 'cc'> & { r: string };
type UpdateColumns = ModelTables['issue_update'];

/** ListUpdates: one statement; a second one only where changes name other issues. */
export async function listUpdates(
  store: Store,
  request: ListUpdatesRequest,
  context: CallContext,
): Promise<ListUpdatesResponse> {
  checkIssueId('issue', request.issue);
  const size = readPageSize(request.pageSize);
  const fingerprint = fingerprintRequest('ListUpdates', request.issue, request.descending);
  const token = decodePageToken(request.pageToken, fingerprint, 0);
  const after = token ? Math.min(Number(token.id), LAST_SEQUENCE) : request.descending ? LAST_SEQUENCE : 0;
  const beyond = request.descending ? sql`u.sequence < ${after}` : sql`u.sequence > ${after}`;
  const order = sql.raw(request.descending ? 'u.sequence desc' : 'u.sequence');
  const { rows } = await sql<AccessColumns & UpdateColumns & { tree_version: string }>`
    select ${ACCESS_COLUMNS}, ${TREE_VERSION} as tree_version, u.*
    from issue i left join issue_update u on u.issue_id = i.id and ${beyond}
    where i.id = ${request.issue} order by ${order} limit ${size + 1}`.execute(store.kysely);
  const first = rows[0];
  if (!first) throw issueNotFound(request.issue, 'issue');
  const sight = (await store.components.at(first.tree_version)).look(context);
  const permission = sight.decideIssue(toIssue({ ...first, reporter: first.r } as unknown as IssueTable));
  if (permission < Permission.VIEW) throw issueNotFound(request.issue, 'issue');
  checkAction(context, permission, 'view');
  const page = rows.filter((row) => row.sequence !== null).slice(0, size);
  const updates = page.map((row) => toUpdate(row, permission));
  if (!sight.classes.everything) await hideChanges(store, updates, sight, context);
  await fillAttachments(store.kysely, updates, page);
  const nextPageToken =
    rows.length > size ? encodePageToken({ keys: [], id: String(page.at(-1)!.sequence) }, fingerprint) : '';
  return { updates, nextPageToken };
}

/** ListCommentVersions. */
export async function listCommentVersions(
  store: Store,
  request: ListCommentVersionsRequest,
  context: CallContext,
): Promise<ListCommentVersionsResponse> {
  checkIssueId('issue', request.issue);
  const { rows } = await sql<AccessColumns & UpdateColumns & { tree_version: string }>`
    select ${ACCESS_COLUMNS}, ${TREE_VERSION} as tree_version, u.* from issue i
    left join issue_update u on u.issue_id = i.id and u.sequence = ${request.sequence}
    where i.id = ${request.issue}`.execute(store.kysely);
  const row = rows[0];
  if (!row) throw issueNotFound(request.issue, 'issue');
  const sight = (await store.components.at(row.tree_version)).look(context);
  const permission = sight.decideIssue(toIssue({ ...row, reporter: row.r } as unknown as IssueTable));
  if (permission < Permission.VIEW) throw issueNotFound(request.issue, 'issue');
  checkAction(context, permission, 'view');
  if (row.sequence === null) throw updateNotFound(request.issue, request.sequence);
  if (row.redacted) checkAction(context, permission, 'administer');
  else if (row.restricted) checkAction(context, permission, 'edit');
  const earlier = await sql<ModelTables['comment_version']>`select * from comment_version
    where issue_id = ${request.issue} and sequence = ${request.sequence} order by version`.execute(store.kysely);
  const versions = earlier.rows.map(({ version, author, created, comment }) => ({ version, author, created, comment }));
  // A redacted text has moved to the earlier ones.
  if (!row.redacted) {
    versions.push({
      version: row.comment_version,
      author: row.editor === '' ? row.author : row.editor,
      created: row.edited ?? row.created,
      comment: row.comment,
    });
  }
  return { versions };
}

/** An update as its row tells it, without its files, as far as this permission on its issue shows it. */
export function toUpdate(row: Omit<UpdateColumns, 'has_files'>, permission: Permission): Update {
  return {
    issue: row.issue_id,
    sequence: row.sequence,
    author: row.author,
    created: row.created,
    comment: row.restricted && permission < Permission.EDIT ? '' : row.comment,
    changes: (row.changes ?? []).map(([field, oldValues, newValues]: StoredChange) => ({
      field,
      oldValues,
      newValues,
    })),
    significance: row.significance as Update['significance'],
    restricted: row.restricted,
    commentVersion: row.comment_version,
    edited: row.edited ?? undefined,
    editor: row.editor,
    redacted: row.redacted,
    attachments: [],
  };
}

const NAMING_FIELDS: ReadonlySet<string> = new Set(['parent', 'duplicate_of', 'blocked_by']);

/** Takes ids of issues that the caller may not see out of changes. */
export async function hideChanges(
  store: Pick<Store, 'kysely'>,
  updates: readonly Update[],
  sight: Parameters<typeof findVisible>[2],
  context: CallContext,
): Promise<void> {
  const changes = updates.flatMap((update) => update.changes.filter((change) => NAMING_FIELDS.has(change.field)));
  if (changes.length === 0) return;
  const ids = [...new Set(changes.flatMap((change) => [...change.oldValues, ...change.newValues]))];
  const visible = await findVisible(store.kysely, ids, sight, context);
  for (const change of changes) {
    change.oldValues = change.oldValues.filter((id) => visible.has(id));
    change.newValues = change.newValues.filter((id) => visible.has(id));
  }
  for (const update of updates) {
    update.changes = update.changes.filter((change) => change.oldValues.length + change.newValues.length > 0);
  }
}

/** Rows of a page: 50 unless said otherwise. */
export function readPageSize(asked: number): number {
  if (asked < 0) throw invalidField('page_size', 'a number from 0 is expected');
  return asked === 0 ? 50 : Math.min(asked, MAX_PAGE_SIZE);
}

/** The answer for a sequence number that the issue does not have. */
export function updateNotFound(issue: string, sequence: number): ServiceError {
  return new ServiceError('UPDATE_NOT_FOUND', `sequence: issue ${issue} has no update ${sequence}`);
}
