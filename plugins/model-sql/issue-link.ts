import { compareIds, type Reference } from '@bugless/kit/domain';
import { ServiceError } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { issueNotFound } from './issue-reader.ts';
import { findVisible } from './issue-related.ts';
import type { IssueSession } from './issue-session.ts';
import type { ModelTables } from './schema/tables.ts';

/** How to go from an issue to those that a loop would lead through. */
const NEXT = {
  parent: 'select i.parent from issue i join walk w on i.id = w.id where i.parent is not null',
  duplicate_of: 'select i.duplicate_of from issue i join walk w on i.id = w.id where i.duplicate_of is not null',
  blocked_by: 'select b.blocker_id from issue_block b join walk w on b.issue_id = w.id',
} as const;

/** Fields whose links must not form loops. */
export type LinkField = keyof typeof NEXT;

/** Whether a field holds such links. */
export function isLinkField(field: string): field is LinkField {
  return Object.hasOwn(NEXT, field);
}

/**
 * Checks issues that a write newly names: each exists, is visible to the caller and closes no
 * loop. Returns their ids. What the session has changed so far must be flushed, links locked.
 */
export async function checkReferences(
  session: IssueSession,
  issue: string,
  references: readonly Reference[],
): Promise<Set<string>> {
  const named = references.filter((reference) => reference.kind === 'issue');
  if (named.length === 0) return new Set();
  const { db } = session.scope;
  const visible = await findVisible(db, [...new Set(named.map(({ id }) => id))], session.sight, session.context);
  for (const { id, path } of named) if (!visible.has(id)) throw issueNotFound(id, path);
  for (const field of ['parent', 'duplicate_of', 'blocked_by'] as const) {
    const links = named.filter((reference) => reference.field === field);
    const loop = await findLoop(
      db,
      field,
      issue,
      links.map(({ id }) => id),
    );
    const link = links.find(({ id }) => id === loop);
    if (link)
      throw new ServiceError('CYCLE', `${link.path}: issue ${link.id} leads back to issue ${issue} by ${field}`);
  }
  return visible;
}

/** The first target from which a field's links lead back to the issue. */
export async function findLoop(
  db: Kysely<ModelTables>,
  field: LinkField,
  issue: string,
  targets: readonly string[],
): Promise<string | undefined> {
  for (const target of [...targets].sort(compareIds)) {
    const { rows } = await sql<{ found: boolean }>`with recursive walk (id) as (
        select ${target}::int8 union ${sql.raw(NEXT[field])}
      ) select exists (select 1 from walk where id = ${issue}::int8) as found`.execute(db);
    if (rows[0]!.found) return target;
  }
  return undefined;
}
