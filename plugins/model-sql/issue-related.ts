import { listIssuePermissions } from '@bugless/kit/domain';
import { type CallContext, type Issue, Permission } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { type RawBuilder, sql } from 'kysely';
import { isHotlistSeen } from './hotlist-access.ts';
import { KEY_KIND } from './schema/key-kind.ts';
import type { ModelTables } from './schema/tables.ts';
import type { Store } from './store.ts';
import type { Sight } from './viewer.ts';

/** How another issue is related to the one that is read. Numbers stand in SQL. */
export const RELATION = { PARENT: 1, DUPLICATE_OF: 2, BLOCKED_BY: 3, BLOCKING: 4 } as const;

/** One related issue, with what decides whether it is seen; ids as text, since JSON loses digits. */
export type RelatedRow = [relation: number, id: string, acl: number, named: boolean];

/** Whether the user is named on issue `o`; looked up only where that decides. */
const named = (user: string) => sql<boolean>`(o.acl % 4 > 1 and
  ${isThere(sql`issue_key k where k.issue_id = o.id and k.kind = ${sql.lit(KEY_KIND.PARTY)} and k.key = ${user}`)})`;

/**
 * Whether a row is there, looked up by key for each row outside. Of EXISTS the planner makes a hash
 * of everything that the user has, which for busy people is a lot.
 */
export function isThere(rows: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql<boolean>`((select 1 from ${rows} limit 1) is not null)`;
}

/** Select expression: everything related to issue `i`, a JSON array of RelatedRow or null. */
export function selectRelated(user: string) {
  return sql<
    RelatedRow[] | null
  >`(select json_agg(json_build_array(r.relation, r.id::text, o.acl, ${named(user)})) from (
      select ${sql.lit(RELATION.PARENT)}::int4 as relation, i.parent as id where i.parent is not null
      union all select ${sql.lit(RELATION.DUPLICATE_OF)}::int4, i.duplicate_of where i.duplicate_of is not null
      union all select ${sql.lit(RELATION.BLOCKED_BY)}::int4, b.blocker_id from issue_block b where b.issue_id = i.id
      union all select ${sql.lit(RELATION.BLOCKING)}::int4, b.issue_id from issue_block b where b.blocker_id = i.id
    ) r join issue o on o.id = r.id)`;
}

/** Fills in the related issues that the caller sees; the others leave no trace. */
export function setRelated(issue: Issue, related: readonly RelatedRow[] | null, sight: Sight): void {
  issue.parent = '0';
  issue.duplicateOf = '0';
  const blockedBy: string[] = [];
  const blocking: string[] = [];
  for (const [relation, id, acl, isNamed] of related ?? []) {
    if (sight.getIssuePermission(acl, isNamed) < Permission.VIEW) continue;
    if (relation === RELATION.PARENT) issue.parent = id;
    else if (relation === RELATION.DUPLICATE_OF) issue.duplicateOf = id;
    else if (relation === RELATION.BLOCKED_BY) blockedBy.push(id);
    else blocking.push(id);
  }
  issue.blockedBy = sortIds(blockedBy);
  issue.blocking = sortIds(blocking);
}

/** Ids in the order of their numbers. */
export function sortIds(ids: readonly string[]): string[] {
  return [...ids].sort((a, b) => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0));
}

/** Which of these issues the caller sees. */
export async function findVisible(
  db: Kysely<ModelTables>,
  ids: readonly string[],
  sight: Sight,
  context: CallContext,
): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await sql<{ id: string; acl: number; named: boolean }>`
    select o.id, o.acl, ${named(context.user)} as named from issue o where o.id = any(array(select unnest(${ids}::int8[])))`.execute(
    db,
  );
  return new Set(
    rows.filter((row) => sight.getIssuePermission(row.acl, row.named) >= Permission.VIEW).map((row) => row.id),
  );
}

/** Blanks `parent` and `duplicate_of` of issues as toIssue gives them, where the caller may not see the other issue. */
export async function hideRelated(
  store: Store,
  issues: readonly Issue[],
  sight: Sight,
  context: CallContext,
): Promise<void> {
  if (sight.classes.everything) return;
  const ids = new Set(issues.flatMap((issue) => [issue.parent, issue.duplicateOf]));
  ids.delete('0');
  if (ids.size === 0) return;
  const visible = await findVisible(store.kysely, [...ids], sight, context);
  for (const issue of issues) {
    if (!visible.has(issue.parent)) issue.parent = '0';
    if (!visible.has(issue.duplicateOf)) issue.duplicateOf = '0';
  }
}

/** Makes issues as toIssue gives them whole (view FULL): the caller is known to see each of them. */
export async function completeIssues(
  store: Store,
  issues: readonly Issue[],
  sight: Sight,
  context: CallContext,
): Promise<void> {
  if (issues.length === 0) return;
  const ids = issues.map((issue) => issue.id);
  const { rows } = await sql<WholeColumns & { id: string }>`
    select i.id, ${selectWhole(context)} from issue i join issue_update d on d.issue_id = i.id and d.sequence = 1
    where i.id = any(array(select unnest(${ids}::int8[])))`.execute(store.kysely);
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const issue of issues) {
    const row = byId.get(issue.id);
    if (row) setWhole(issue, row, sight.decideIssue(issue), sight, context);
  }
}

/** What an issue has beside its own row. */
export interface WholeColumns {
  description: string;
  description_restricted: boolean;
  related: RelatedRow[] | null;
  starred: boolean;
  /** Those that hold it and that the caller sees; null: none. */
  hotlists: string[] | null;
}

/** Select list for WholeColumns, from `issue i join issue_update d`, d being update 1. */
export function selectWhole(context: CallContext) {
  const { user } = context;
  return sql`d.comment as description, d.restricted as description_restricted, ${selectRelated(user)} as related,
    ${isThere(sql`star s where s.user_id = ${user} and s.issue_id = i.id`)} as starred,
    (select array_agg(h.id order by h.id) from hotlist_entry e join hotlist h on h.id = e.hotlist_id
      where e.issue_id = i.id and ${isHotlistSeen(context)}) as hotlists`;
}

/** Puts them into the issue, as far as this permission shows them. */
export function setWhole(
  issue: Issue,
  row: WholeColumns,
  permission: Permission,
  sight: Sight,
  context: CallContext,
): void {
  issue.description = row.description_restricted && permission < Permission.EDIT ? '' : row.description;
  issue.starred = row.starred;
  issue.hotlists = row.hotlists ?? [];
  issue.permissions = listIssuePermissions(context, permission);
  setRelated(issue, row.related, sight);
}
