/** Entries of hotlists. Each write locks the hotlist, so that changes to its order come one after another. */
import { checkText, refuse } from '@bugless/kit/domain';
import {
  AddHotlistEntriesRequest,
  AddHotlistEntriesResponse,
  type AnnotateHotlistEntryRequest,
  type AnnotateHotlistEntryResponse,
  type CallContext,
  type FieldViolation,
  HotlistPermission,
  invalidField,
  type MoveHotlistEntryRequest,
  type MoveHotlistEntryResponse,
  type RemoveHotlistEntriesRequest,
  type RemoveHotlistEntriesResponse,
  ServiceError,
} from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { LONGEST_POSITION, placeAll, placeBetween, placeOnTop } from './entry-position.ts';
import { checkHotlistId, findHotlist, findPosition, seeHotlist } from './hotlist-reader.ts';
import { tellHotlist } from './hotlist-writer.ts';
import { checkIssueId, issueNotFound } from './issue-reader.ts';
import { findVisible } from './issue-related.ts';
import { runWrite } from './request-log.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';
import type { Sight } from './viewer.ts';

const MOST_ISSUES = 500;

/** AddHotlistEntries. */
export async function addHotlistEntries(
  store: Store,
  request: AddHotlistEntriesRequest,
  context: CallContext,
): Promise<AddHotlistEntriesResponse> {
  const { hotlist, note } = request;
  checkHotlistId('hotlist', hotlist);
  checkIssues(request.issues);
  checkNote(note);
  const issues = [...new Set(request.issues)];
  const write = {
    method: 'AddHotlistEntries',
    requestId: request.requestId,
    request,
    requestCodec: AddHotlistEntriesRequest,
    responseCodec: AddHotlistEntriesResponse,
    context,
  };
  return runWrite(store, write, async ({ db }) => {
    const sight = await holdHotlist(store, db, hotlist, context);
    await checkSeen(db, issues, sight, context, (issue) => `issues[${request.issues.indexOf(issue)}]`);
    const { rows: top } = await sql<{ issue_id: string; position: string; note: string }>`
      select issue_id, position, note from hotlist_entry where hotlist_id = ${hotlist}
      order by position limit ${issues.length}`.execute(db);
    const stands = issues.every((issue, index) => top[index]?.issue_id === issue);
    if (stands && (note === '' || top.every((entry) => entry.note === note))) return {};
    await sql`insert into hotlist_entry (hotlist_id, issue_id, position, note, author, added)
      select ${hotlist}, v.issue_id, v.position, ${note}, ${context.user}, ${readClock(store)}::timestamptz
      from unnest(${issues}::int8[], ${placeOnTop(top[0]?.position, issues.length)}::text[]) as v (issue_id, position)
      on conflict (hotlist_id, issue_id) do update set position = excluded.position,
        note = case when excluded.note = '' then hotlist_entry.note else excluded.note end`.execute(db);
    await tellHotlist(store, db, hotlist, context);
    return {};
  });
}

/** RemoveHotlistEntries. */
export async function removeHotlistEntries(
  store: Store,
  request: RemoveHotlistEntriesRequest,
  context: CallContext,
): Promise<RemoveHotlistEntriesResponse> {
  checkIssues(request.issues);
  return change(store, request.hotlist, context, async (db) => {
    const { rows } = await sql`delete from hotlist_entry
      where hotlist_id = ${request.hotlist} and issue_id = any(${request.issues}::int8[]) returning 1`.execute(db);
    return rows.length > 0;
  });
}

/** MoveHotlistEntry. */
export async function moveHotlistEntry(
  store: Store,
  request: MoveHotlistEntryRequest,
  context: CallContext,
): Promise<MoveHotlistEntryResponse> {
  const { hotlist, issue, after } = request;
  checkIssueId('issue', issue);
  if (after !== '0') checkIssueId('after', after);
  return change(store, hotlist, context, async (db, sight) => {
    await needEntry(db, hotlist, issue, sight, context, 'issue');
    const before = after === '0' ? '' : await needEntry(db, hotlist, after, sight, context, 'after');
    if (after === issue) return false;
    const { rows } = await sql<{ issue_id: string; position: string }>`
      select issue_id, position from hotlist_entry where hotlist_id = ${hotlist} and position > ${before}
      order by position limit 1`.execute(db);
    if (rows[0]?.issue_id === issue) return false;
    const position = placeBetween(before === '' ? undefined : before, rows[0]?.position);
    await sql`update hotlist_entry set position = ${position}
      where hotlist_id = ${hotlist} and issue_id = ${issue}`.execute(db);
    if (position.length > LONGEST_POSITION) await renumber(db, hotlist);
    return true;
  });
}

/** AnnotateHotlistEntry. */
export async function annotateHotlistEntry(
  store: Store,
  request: AnnotateHotlistEntryRequest,
  context: CallContext,
): Promise<AnnotateHotlistEntryResponse> {
  const { hotlist, issue, note } = request;
  checkIssueId('issue', issue);
  checkNote(note);
  return change(store, hotlist, context, async (db, sight) => {
    await needEntry(db, hotlist, issue, sight, context, 'issue');
    const { rows } = await sql`update hotlist_entry set note = ${note}
      where hotlist_id = ${hotlist} and issue_id = ${issue} and note <> ${note} returning 1`.execute(db);
    return rows.length > 0;
  });
}

/** Runs one change of entries for those who may append; an event follows where something changed. */
async function change(
  store: Store,
  hotlist: string,
  context: CallContext,
  edit: (db: Kysely<ModelTables>, sight: Sight) => Promise<boolean>,
): Promise<Record<string, never>> {
  checkHotlistId('hotlist', hotlist);
  await runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      const sight = await holdHotlist(store, db, hotlist, context);
      if (await edit(db, sight)) await tellHotlist(store, db, hotlist, context);
    },
    { signal: context.signal, deadline: context.deadline },
  );
  return {};
}

/** Locks a hotlist to which the caller may append; returns what the caller sees of issues. */
async function holdHotlist(
  store: Store,
  db: Kysely<ModelTables>,
  hotlist: string,
  context: CallContext,
): Promise<Sight> {
  const row = await findHotlist(db, hotlist, true);
  seeHotlist(row, hotlist, context, HotlistPermission.APPEND, 'hotlist');
  return (await store.components.at(row!.tree_version, db)).look(context);
}

/** The position of an entry that the caller sees. */
async function needEntry(
  db: Kysely<ModelTables>,
  hotlist: string,
  issue: string,
  sight: Sight,
  context: CallContext,
  field: string,
): Promise<string> {
  await checkSeen(db, [issue], sight, context, () => field);
  const position = await findPosition(db, hotlist, issue);
  if (position !== undefined) return position;
  throw new ServiceError('ISSUE_NOT_FOUND', `${field}: issue ${issue} is not in the hotlist`);
}

async function checkSeen(
  db: Kysely<ModelTables>,
  issues: readonly string[],
  sight: Sight,
  context: CallContext,
  nameField: (issue: string) => string,
): Promise<void> {
  const visible = await findVisible(db, issues, sight, context);
  const missing = issues.find((issue) => !visible.has(issue));
  if (missing !== undefined) throw issueNotFound(missing, nameField(missing));
}

/** Gives all entries fresh positions, in the order in which they stand. */
async function renumber(db: Kysely<ModelTables>, hotlist: string): Promise<void> {
  const { rows } = await sql<{ issue_id: string }>`
    select issue_id from hotlist_entry where hotlist_id = ${hotlist} order by position`.execute(db);
  const issues = rows.map((row) => row.issue_id);
  await sql`update hotlist_entry e set position = v.position
    from unnest(${issues}::int8[], ${placeAll(issues.length)}::text[]) as v (issue_id, position)
    where e.hotlist_id = ${hotlist} and e.issue_id = v.issue_id`.execute(db);
  await sql`update hotlist set numbering = numbering + 1 where id = ${hotlist}`.execute(db);
}

function checkIssues(issues: readonly string[]): void {
  if (issues.length === 0 || issues.length > MOST_ISSUES) {
    throw invalidField('issues', `has ${issues.length} elements; 1 to ${MOST_ISSUES} are expected`);
  }
  for (const [index, issue] of issues.entries()) checkIssueId(`issues[${index}]`, issue);
}

function checkNote(note: string): void {
  const found: FieldViolation[] = [];
  checkText(found, 'note', note, { maxBytes: 4 * 1024 });
  refuse(found);
}
