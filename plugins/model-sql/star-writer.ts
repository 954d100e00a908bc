import { checkAction, checkScope } from '@bugless/kit/domain';
import {
  type CallContext,
  Permission,
  ServiceError,
  type SetStarRequest,
  type SetStarResponse,
  TokenScope,
} from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import { sql } from 'kysely';
import { checkIssueId, issueNotFound, TREE_VERSION } from './issue-reader.ts';
import { ISSUE_COLUMNS, toIssue } from './issue-row.ts';
import type { IssueTable, ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';

/** SetStar. A star is no write to the issue: neither its version nor its history know of it. */
export async function setStar(store: Store, request: SetStarRequest, context: CallContext): Promise<SetStarResponse> {
  checkIssueId('issue', request.issue);
  requireUser(context);
  checkScope(context, TokenScope.COMMENT);
  const { user } = context;
  return runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      // The lock on the issue makes stars of the same issue come one after another, so that the count is theirs.
      const { rows } = await sql<IssueTable & { tree_version: string }>`
        select ${sql.raw(ISSUE_COLUMNS)}, ${TREE_VERSION} as tree_version from issue i where i.id = ${request.issue} for update of i`.execute(
        db,
      );
      const row = rows[0];
      if (!row) throw issueNotFound(request.issue, 'issue');
      const sight = (await store.components.at(row.tree_version, db)).look(context);
      const permission = sight.decideIssue(toIssue(row));
      if (permission < Permission.VIEW) throw issueNotFound(request.issue, 'issue');
      checkAction(context, permission, 'view');
      const changed = request.starred
        ? await sql`insert into star (user_id, issue_id, created) values (${user}, ${request.issue}, ${readClock(store)})
            on conflict do nothing returning 1`.execute(db)
        : await sql`delete from star where user_id = ${user} and issue_id = ${request.issue} returning 1`.execute(db);
      if (changed.rows.length === 0) return { stars: row.stars };
      const stars = row.stars + (request.starred ? 1 : -1);
      await sql`update issue set stars = ${stars} where id = ${request.issue}`.execute(db);
      return { stars };
    },
    { signal: context.signal, deadline: context.deadline },
  );
}

/** Throws LOGIN_REQUIRED unless somebody acts to whom something can belong. */
export function requireUser(context: CallContext): void {
  if (context.user !== '') return;
  throw new ServiceError('LOGIN_REQUIRED', 'log in, or send a token: this belongs to one user');
}
