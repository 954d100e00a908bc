import {
  checkHotlistAction,
  checkScope,
  decideHotlistPermission,
  decodePageToken,
  encodePageToken,
  fingerprintRequest,
  foldCase,
  isId,
  listHotlistPermissions,
} from '@bugless/kit/domain';
import {
  type CallContext,
  type GetHotlistRequest,
  type GetHotlistResponse,
  type Hotlist,
  HotlistPermission,
  invalidField,
  type ListHotlistEntriesRequest,
  type ListHotlistEntriesResponse,
  type ListHotlistsRequest,
  type ListHotlistsResponse,
  ServiceError,
  TokenScope,
} from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { isHotlistSeen, toHotlistGrant } from './hotlist-access.ts';
import { checkIssueId, TREE_VERSION } from './issue-reader.ts';
import { findVisible, hideRelated } from './issue-related.ts';
import { ISSUE_COLUMNS, toIssue } from './issue-row.ts';
import type { IssueTable, ModelTables } from './schema/tables.ts';
import { isIssueSeen } from './sight-condition.ts';
import type { Store } from './store.ts';
import { readPageSize } from './update-reader.ts';

export type HotlistRow = ModelTables['hotlist'];

/** GetHotlist. */
export async function getHotlist(
  store: Store,
  request: GetHotlistRequest,
  context: CallContext,
): Promise<GetHotlistResponse> {
  checkHotlistId('id', request.id);
  const row = await findHotlist(store.kysely, request.id);
  const hotlist = presentHotlist(seeHotlist(row, request.id, context, HotlistPermission.VIEW), context);
  return { hotlist };
}

/** ListHotlists: by name without case, then id. */
export async function listHotlists(
  store: Store,
  request: ListHotlistsRequest,
  context: CallContext,
): Promise<ListHotlistsResponse> {
  checkScope(context, TokenScope.READ);
  const { owner, includeArchived, issue } = request;
  if (issue !== '0') checkIssueId('issue', issue);
  const size = readPageSize(request.pageSize);
  const name = foldCase(request.name);
  const fingerprint = fingerprintRequest('ListHotlists', owner, name, includeArchived, issue);
  const token = decodePageToken(request.pageToken, fingerprint, 1);
  if (issue !== '0') {
    const sight = (await store.components.fresh()).look(context);
    // Where an issue stands is known only to those who see it.
    if (!(await findVisible(store.kysely, [issue], sight, context)).has(issue)) {
      return { hotlists: [], nextPageToken: '' };
    }
  }
  const conditions = [isHotlistSeen(context)];
  if (token) conditions.push(sql`(h.name_key, h.id) > (${token.keys[0]}, ${token.id}::int8)`);
  if (owner !== '') conditions.push(sql`h.owner = ${owner}`);
  if (name !== '') conditions.push(sql`strpos(h.name_key, ${name}) > 0`);
  if (!includeArchived) conditions.push(sql`not h.archived`);
  if (issue !== '0') {
    conditions.push(sql`exists (select 1 from hotlist_entry e where e.issue_id = ${issue} and e.hotlist_id = h.id)`);
  }
  const { rows } = await sql<HotlistRow>`select h.* from hotlist h where ${sql.join(conditions, sql` and `)}
    order by h.name_key, h.id limit ${size + 1}`.execute(store.kysely);
  const page = rows.slice(0, size);
  const last = page.at(-1);
  const nextPageToken =
    rows.length > size && last ? encodePageToken({ keys: [last.name_key], id: last.id }, fingerprint) : '';
  return { hotlists: page.map((row) => presentHotlist(row, context)), nextPageToken };
}

type EntryRow = IssueTable & {
  position: string;
  note: string;
  author: string;
  added: string;
  starred: boolean;
};

/**
 * ListHotlistEntries: in their order, a page going on behind the position of its predecessor's last
 * entry. Where all positions were given anew since, behind that entry itself.
 */
export async function listHotlistEntries(
  store: Store,
  request: ListHotlistEntriesRequest,
  context: CallContext,
): Promise<ListHotlistEntriesResponse> {
  const { hotlist } = request;
  checkHotlistId('hotlist', hotlist);
  const size = readPageSize(request.pageSize);
  const fingerprint = fingerprintRequest('ListHotlistEntries', hotlist);
  const token = decodePageToken(request.pageToken, fingerprint, 2);
  const row = seeHotlist(await findHotlist(store.kysely, hotlist), hotlist, context, HotlistPermission.VIEW, 'hotlist');
  const sight = (await store.components.fresh()).look(context);
  let after = token === undefined ? '' : String(token.keys[0]);
  if (token !== undefined && token.keys[1] !== row.numbering) {
    after = (await findPosition(store.kysely, hotlist, token.id)) ?? '';
  }
  const { rows } = await sql<EntryRow>`select ${sql.raw(ISSUE_COLUMNS)}, e.position, e.note, e.author, e.added,
      exists (select 1 from star s where s.user_id = ${context.user} and s.issue_id = i.id) as starred
    from hotlist_entry e join issue i on i.id = e.issue_id
    where e.hotlist_id = ${hotlist} and e.position > ${after} and ${isIssueSeen(sight, context)}
    order by e.position limit ${size + 1}`.execute(store.kysely);
  const page = rows.slice(0, size);
  const summaries = page.map((entry) => ({ ...toIssue(entry), customFields: [], starred: entry.starred }));
  await hideRelated(store, summaries, sight, context);
  const last = page.at(-1);
  return {
    entries: page.map((entry, index) => ({
      hotlist,
      issue: entry.id,
      note: entry.note,
      author: entry.author,
      added: entry.added,
      summary: summaries[index],
    })),
    nextPageToken:
      rows.length > size && last
        ? encodePageToken({ keys: [last.position, row.numbering], id: last.id }, fingerprint)
        : '',
  };
}

/** The row of a hotlist, and the version of the component tree beside it. `lock`: for a transaction that changes it or its entries. */
export async function findHotlist(
  db: Kysely<ModelTables>,
  id: string,
  lock = false,
): Promise<(HotlistRow & { tree_version: string }) | undefined> {
  const { rows } = await sql<
    HotlistRow & { tree_version: string }
  >`select h.*, ${TREE_VERSION} as tree_version from hotlist h where h.id = ${id}${lock ? sql` for update of h` : sql``}`.execute(
    db,
  );
  return rows[0];
}

/** Where an issue stands in a hotlist. */
export async function findPosition(
  db: Kysely<ModelTables>,
  hotlist: string,
  issue: string,
): Promise<string | undefined> {
  const { rows } = await sql<{ position: string }>`
    select position from hotlist_entry where hotlist_id = ${hotlist} and issue_id = ${issue}`.execute(db);
  return rows[0]?.position;
}

/** A hotlist with which the caller may do what is needed. Throws HOTLIST_NOT_FOUND where it may not even see it. */
export function seeHotlist(
  row: HotlistRow | undefined,
  id: string,
  context: CallContext,
  needed: HotlistPermission,
  field = 'id',
): HotlistRow {
  const permission = row ? decideRow(row, context) : HotlistPermission.UNSPECIFIED;
  if (!row || permission < HotlistPermission.VIEW) {
    throw new ServiceError('HOTLIST_NOT_FOUND', `${field}: there is no hotlist ${id}`);
  }
  checkHotlistAction(context, permission, needed);
  return row;
}

/** A hotlist for its caller. */
export function presentHotlist(row: HotlistRow, context: CallContext): Hotlist {
  return {
    id: row.id,
    version: row.version,
    name: row.name,
    description: row.description,
    owner: row.owner,
    access: row.access.map(toHotlistGrant),
    archived: row.archived,
    created: row.created,
    modified: row.modified,
    permissions: listHotlistPermissions(context, decideRow(row, context)),
  };
}

function decideRow(row: HotlistRow, context: CallContext): HotlistPermission {
  return decideHotlistPermission(context, { owner: row.owner, access: row.access.map(toHotlistGrant) });
}

/** Throws INVALID_FIELD for what is no id. */
export function checkHotlistId(field: string, id: string): void {
  if (!isId(id)) throw invalidField(field, `${JSON.stringify(id)} is no id: a positive number is expected`);
}
