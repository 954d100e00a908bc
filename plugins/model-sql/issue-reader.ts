import { checkAction, isId } from '@bugless/kit/domain';
import {
  type BatchGetIssuesRequest,
  type BatchGetIssuesResponse,
  type CallContext,
  type GetIssueRequest,
  type GetIssueResponse,
  type Issue,
  IssueView,
  invalidField,
  Permission,
  ServiceError,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import { completeIssues, hideRelated, selectWhole, setWhole, type WholeColumns } from './issue-related.ts';
import { ISSUE_COLUMNS, toIssue } from './issue-row.ts';
import type { IssueTable } from './schema/tables.ts';
import type { Store } from './store.ts';

const COLUMNS = sql.raw(ISSUE_COLUMNS);
/** Beside every row that access is decided about: the version of the tree that decides. */
export const TREE_VERSION = sql<string>`(select t.version from component_tree t where t.id = 1)`;

/** GetIssue: one statement. */
export async function getIssue(
  store: Store,
  request: GetIssueRequest,
  context: CallContext,
): Promise<GetIssueResponse> {
  checkIssueId('id', request.id);
  const { rows } = await sql<IssueTable & WholeColumns & { tree_version: string }>`
    select ${COLUMNS}, ${selectWhole(context)}, ${TREE_VERSION} as tree_version
    from issue i join issue_update d on d.issue_id = i.id and d.sequence = 1 where i.id = ${request.id}`.execute(
    store.kysely,
  );
  const row = rows[0];
  if (!row) throw issueNotFound(request.id);
  const sight = (await store.components.at(row.tree_version)).look(context);
  const issue = toIssue(row);
  const permission = sight.decideIssue(issue);
  if (permission < Permission.VIEW) throw issueNotFound(request.id);
  checkAction(context, permission, 'view');
  setWhole(issue, row, permission, sight, context);
  return { issue };
}

/** BatchGetIssues: in the order of the request, without what the caller may not see. */
export async function batchGetIssues(
  store: Store,
  request: BatchGetIssuesRequest,
  context: CallContext,
): Promise<BatchGetIssuesResponse> {
  const { ids } = request;
  if (ids.length === 0 || ids.length > 500)
    throw invalidField('ids', `has ${ids.length} elements; 1 to 500 are expected`);
  for (const [index, id] of ids.entries()) checkIssueId(`ids[${index}]`, id);
  const { rows } = await sql<IssueTable & { tree_version: string }>`
    select ${COLUMNS}, ${TREE_VERSION} as tree_version from issue i where i.id = any(array(select unnest(${ids}::int8[])))`.execute(
    store.kysely,
  );
  if (rows.length === 0) return { issues: [] };
  const sight = (await store.components.at(rows[0]!.tree_version)).look(context);
  const byId = new Map<string, Issue>();
  for (const row of rows) {
    const issue = toIssue(row);
    if (sight.decideIssue(issue) >= Permission.VIEW) byId.set(issue.id, issue);
  }
  const found = [...byId.values()];
  if (found.length > 0) checkAction(context, Permission.VIEW, 'view');
  if (request.view === IssueView.BASIC) await hideRelated(store, found, sight, context);
  else await completeIssues(store, found, sight, context);
  return { issues: ids.flatMap((id) => byId.get(id) ?? []) };
}

/** Throws INVALID_FIELD for what is no id. */
export function checkIssueId(field: string, id: string): void {
  if (!isId(id)) throw invalidField(field, `${JSON.stringify(id)} is no id: a positive number is expected`);
}

/** The answer for an issue that is not there, or not there for this caller. */
export function issueNotFound(id: string, field = 'id'): ServiceError {
  return new ServiceError('ISSUE_NOT_FOUND', `${field}: there is no issue ${id}`);
}
