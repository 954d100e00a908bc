import { sql } from 'kysely';
import type { PlannedImport } from './import-plan.ts';
import { writeIssues } from './issue-rows.ts';
import type { WriteScope } from './request-log.ts';
import type { Store } from './store.ts';

/** An issue to be written, with what tells it from others of its source. */
export interface ImportedRow extends PlannedImport {
  readonly key: string;
  readonly hash: Buffer;
}

/** Writes many new issues with their whole history. */
export async function insertImported(
  store: Store,
  scope: WriteScope,
  source: string,
  rows: readonly ImportedRow[],
  now: string,
): Promise<void> {
  await scope.batch.add({
    table: 'import_issue',
    statement: sql`insert into import_issue (source, key, issue_id, content_hash, imported)
      select ${source}::text, v.key, v.issue_id, decode(v.hash, 'hex'), ${now}::timestamptz
      from unnest(${rows.map(({ key }) => key)}::text[], ${rows.map(({ issue }) => issue.id)}::int8[],
        ${rows.map(({ hash }) => hash.toString('hex'))}::text[]) as v (key, issue_id, hash) returning 1`,
  });
  await writeIssues(
    store,
    scope,
    rows.map(({ issue, updates }) => ({
      before: undefined,
      after: issue,
      updates,
      lastSequence: updates.length,
      imported: true,
    })),
  );
  await scope.batch.flush();
}
