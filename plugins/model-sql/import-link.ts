import { type FieldChange, type ImportedIssue, Significance, Status } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ReadyLinks } from './import-plan.ts';
import { findLoop, type LinkField } from './issue-link.ts';
import type { HeldIssue, IssueSession } from './issue-session.ts';
import type { ModelTables } from './schema/tables.ts';

/** A link from an issue here to an issue of the source that may not have come yet. */
export interface NewLink {
  readonly issue: string;
  readonly field: LinkField;
  /** Of the other issue, in the source. */
  readonly key: string;
}

/** Links of an issue whose other end is there; the rest goes to `later`. */
export function readyLinks(
  imported: ImportedIssue,
  id: string,
  ids: ReadonlyMap<string, string>,
  later: NewLink[],
): ReadyLinks {
  let parent = '0';
  let duplicateOf = '0';
  const blockedBy: string[] = [];
  for (const link of imported.links) {
    const field = link.field as LinkField;
    const other = ids.get(link.key);
    if (link.key === imported.key) continue;
    if (other === undefined) later.push({ issue: id, field, key: link.key });
    else if (field === 'blocked_by') blockedBy.push(other);
    else if (field === 'parent') parent = other;
    else duplicateOf = other;
  }
  return { parent, duplicateOf, blockedBy };
}

/** Links of issues imported before that wait for these keys. */
export async function listWaiting(
  db: Kysely<ModelTables>,
  source: string,
  keys: readonly string[],
): Promise<NewLink[]> {
  const { rows } = await sql<ModelTables['import_link']>`select * from import_link
    where source = ${source} and key = any(array(select unnest(${keys}::text[])))`.execute(db);
  return rows.map((row) => ({ issue: row.issue_id, field: row.field as LinkField, key: row.key }));
}

/**
 * Makes links whose other end has come, as a silent update of the importer; keeps the others.
 * One that would close a loop is left out: other trackers allow what the contract does not.
 */
export async function joinLinks(
  session: IssueSession,
  source: string,
  ids: ReadonlyMap<string, string>,
  links: readonly NewLink[],
): Promise<void> {
  if (links.length === 0) return;
  const { db } = session.scope;
  const ready = links.filter(({ key }) => ids.has(key));
  await keepLinks(
    db,
    source,
    links.filter(({ key }) => !ids.has(key)),
  );
  if (ready.length === 0) return;
  await sql`delete from import_link where source = ${source} and key = any(${ready.map(({ key }) => key)}::text[])`.execute(
    db,
  );
  await session.lock([...new Set(ready.map(({ issue }) => issue))]);
  for (const { issue, field, key } of ready) {
    const held = session.find(issue);
    const other = ids.get(key)!;
    if (!held || other === issue || !isFree(held, field, other)) continue;
    await session.flush();
    if ((await findLoop(db, field, issue, [other])) !== undefined) {
      session.store.log.warn({ issue, field, other }, 'a link of an imported issue is left out: it would close a loop');
      continue;
    }
    const changes: FieldChange[] = [{ field, oldValues: [], newValues: [other] }];
    session.follow(held, changes, held.issue.modified!, Significance.SILENT);
  }
  await session.flush();
}

/** Somebody may have set the field here since. */
function isFree(held: HeldIssue, field: LinkField, other: string): boolean {
  if (field === 'parent') return held.issue.parent === '0';
  if (field === 'duplicate_of') return held.issue.duplicateOf === '0' && held.issue.status === Status.DUPLICATE;
  return !held.issue.blockedBy.includes(other);
}

async function keepLinks(db: Kysely<ModelTables>, source: string, links: readonly NewLink[]): Promise<void> {
  if (links.length === 0) return;
  await sql`insert into import_link (source, key, issue_id, field)
    select ${source}::text, v.key, v.issue_id, v.field from unnest(${links.map(({ key }) => key)}::text[],
      ${links.map(({ issue }) => issue)}::int8[], ${links.map(({ field }) => field)}::text[]) as v (key, issue_id, field)
    on conflict do nothing`.execute(db);
}
