/** Writes issues and their new updates: the rows themselves, and through issue-derived.ts what follows from them. */
import type { FieldChange, Update } from '@bugless/kit/service';
import { sql } from 'kysely';
import { type IssueChange, writeDerived } from './issue-derived.ts';
import { toIssueRow } from './issue-row.ts';
import type { WriteScope } from './request-log.ts';
import type { IssueTable, StoredChange } from './schema/tables.ts';
import type { Store } from './store.ts';

/** Every column of issue with its type, in the order in which rows are written. */
const COLUMN_TYPES: { readonly [Column in keyof IssueTable]: string } = {
  id: 'int8',
  version: 'int8',
  last_sequence: 'int4',
  acl: 'int4',
  status: 'int2',
  priority: 'int2',
  severity: 'int2',
  type: 'int2',
  is_open: 'bool',
  archived: 'bool',
  stars: 'int4',
  comment_count: 'int4',
  created: 'timestamptz',
  modified: 'timestamptz',
  resolved: 'timestamptz',
  verified: 'timestamptz',
  parent: 'int8',
  duplicate_of: 'int8',
  reporter: 'text',
  assignee: 'text',
  verifier: 'text',
  title: 'text',
  collaborators: 'text[]',
  cc: 'text[]',
  labels: 'text[]',
  found_in: 'text[]',
  targeted_to: 'text[]',
  verified_in: 'text[]',
  custom_fields: 'jsonb',
};
const COLUMNS = Object.keys(COLUMN_TYPES) as (keyof IssueTable)[];
/** Written by others, or never changed. */
const FIXED: ReadonlySet<string> = new Set(['id', 'created', 'reporter', 'stars']);
const NAMES = sql.raw(COLUMNS.join(', '));
const TYPED = sql.raw(COLUMNS.map((column) => `${column} ${COLUMN_TYPES[column]}`).join(', '));
const ASSIGNED = sql.raw(
  COLUMNS.filter((column) => !FIXED.has(column))
    .map((column) => `${column} = v.${column}`)
    .join(', '),
);

/** Adds issues, all of them new or all of them held, to the transaction's batch. */
export async function writeIssues(
  store: Store,
  scope: WriteScope,
  changes: readonly (IssueChange & { readonly lastSequence: number })[],
): Promise<void> {
  await deleteBlocks(scope, changes);
  const rows = JSON.stringify(changes.map(({ after, lastSequence }) => toIssueRow(after, lastSequence)));
  const given = sql`json_to_recordset(${rows}::json) as v (${TYPED})`;
  const isNew = changes[0]!.before === undefined;
  await scope.batch.add(
    {
      table: 'issue',
      statement: isNew
        ? sql`insert into issue (${NAMES}) select ${NAMES} from ${given} returning 1`
        : sql`update issue i set ${ASSIGNED} from ${given} where i.id = v.id returning 1`,
    },
    { table: 'issue_update', statement: insertUpdates(changes.flatMap(({ updates }) => updates)) },
  );
  const blocks = changes.flatMap(({ before, after }) => {
    const known = new Set(before?.blockedBy);
    return after.blockedBy.filter((id) => !known.has(id)).map((id) => [after.id, id] as const);
  });
  if (blocks.length > 0) {
    await scope.batch.add({
      table: 'issue_block',
      statement: sql`insert into issue_block (issue_id, blocker_id) select * from unnest(
        ${blocks.map(([issue]) => issue)}::int8[], ${blocks.map(([, blocker]) => blocker)}::int8[])
        on conflict do nothing returning 1`,
    });
  }
  await writeDerived(store, scope, changes);
}

async function deleteBlocks(scope: WriteScope, changes: readonly IssueChange[]): Promise<void> {
  const gone = changes.flatMap(({ before, after }) => {
    const kept = new Set(after.blockedBy);
    return (before?.blockedBy ?? []).filter((id) => !kept.has(id)).map((id) => [after.id, id] as const);
  });
  if (gone.length === 0) return;
  await sql`delete from issue_block where (issue_id, blocker_id) in (select * from unnest(
    ${gone.map(([issue]) => issue)}::int8[], ${gone.map(([, blocker]) => blocker)}::int8[]))`.execute(scope.db);
}

function insertUpdates(updates: readonly Update[]) {
  const rows = updates.map((update) => ({
    issue_id: update.issue,
    sequence: update.sequence,
    author: update.author,
    created: update.created,
    significance: update.significance,
    restricted: update.restricted,
    redacted: update.redacted,
    comment_version: update.commentVersion,
    edited: update.edited,
    editor: update.editor,
    comment: update.comment,
    changes: toStoredChanges(update.changes),
    has_files: update.attachments.length > 0,
  }));
  return sql`insert into issue_update (issue_id, sequence, author, created, significance, restricted, redacted,
      comment_version, edited, editor, comment, changes, has_files)
    select * from json_to_recordset(${JSON.stringify(rows)}::json) as v (issue_id int8, sequence int4, author text,
      created timestamptz, significance int2, restricted bool, redacted bool, comment_version int4, edited timestamptz,
      editor text, comment text, changes jsonb, has_files bool) returning 1`;
}

function toStoredChanges(changes: readonly FieldChange[]): StoredChange[] | null {
  return changes.length === 0 ? null : changes.map(({ field, oldValues, newValues }) => [field, oldValues, newValues]);
}
