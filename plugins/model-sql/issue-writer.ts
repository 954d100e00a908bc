import { checkAction, mergeDuplicate, planCreate, planUpdate } from '@bugless/kit/domain';
import {
  type BatchUpdateIssuesRequest,
  BatchUpdateIssuesRequest as BatchUpdateIssuesRequestCodec,
  type BatchUpdateIssuesResponse,
  BatchUpdateIssuesResponse as BatchUpdateIssuesResponseCodec,
  type CallContext,
  type CreateIssueRequest,
  CreateIssueRequest as CreateIssueRequestCodec,
  type CreateIssueResponse,
  CreateIssueResponse as CreateIssueResponseCodec,
  type Issue,
  type ItemError,
  invalidField,
  Permission,
  ServiceError,
  STATUS_CODES,
  type Update,
  type UpdateIssueRequest,
  UpdateIssueRequest as UpdateIssueRequestCodec,
  type UpdateIssueResponse,
  UpdateIssueResponse as UpdateIssueResponseCodec,
} from '@bugless/kit/service';
import { isUniqueViolation } from '@bugless/sql';
import { sql } from 'kysely';
import { checkReferences, isLinkField } from './issue-link.ts';
import { checkIssueId, issueNotFound } from './issue-reader.ts';
import { type HeldIssue, IssueSession } from './issue-session.ts';
import { readTextAt, readTextVersion, runWrite, type WriteScope } from './request-log.ts';
import { readClock, type Store } from './store.ts';

/** CreateIssue. */
export async function createIssue(
  store: Store,
  request: CreateIssueRequest,
  context: CallContext,
): Promise<CreateIssueResponse> {
  const write = {
    method: 'CreateIssue',
    requestId: request.requestId,
    request,
    requestCodec: CreateIssueRequestCodec,
    responseCodec: CreateIssueResponseCodec,
    context,
    shorten: (response: CreateIssueResponse) => ({ issue: shortenIssue(response.issue) }),
    complete: async (response: CreateIssueResponse, _at: string, db: WriteScope['db']) => {
      if (response.issue) response.issue.description = await readTextVersion(db, response.issue.id, 1, 1);
    },
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return await runWrite(store, write, (scope) => create(store, scope, request, context));
    } catch (error) {
      // An import has just taken the id that the sequence gave: the next one is free.
      const taken = isUniqueViolation(error, 'issue_pkey') || isUniqueViolation(error, 'issue_update_pkey');
      if (attempt === 3 || !taken) throw error;
    }
  }
}

async function create(
  store: Store,
  scope: WriteScope,
  request: CreateIssueRequest,
  context: CallContext,
): Promise<CreateIssueResponse> {
  const session = new IssueSession(store, scope, context);
  const drawn = store.ids.expression;
  const { rows } = await sql<{ version: string; id: string | undefined }>`
    select t.version${sql.raw(drawn ? `, ${drawn} as id` : '')} from component_tree t where t.id = ${1}`.execute(
    scope.db,
  );
  await session.useTree(rows[0]!.version);
  const component = request.issue?.component ?? '0';
  const permission = session.sight.getPermission(component);
  const node = permission >= Permission.VIEW ? session.tree.find(component) : undefined;
  if (node) checkAction(context, permission, 'create');
  else checkAction(context, Permission.ADMIN, 'create');
  const planned = planCreate(request, {
    component: node?.component,
    customFields: node?.customFields ?? [],
    author: context.user,
    now: readClock(store),
  });
  const issue: Issue = { ...planned.issue, id: rows[0]!.id ?? store.ids.next() };
  const visible = await checkReferences(session, issue.id, planned.references);
  const held = session.add(issue, planned.update);
  await session.finish();
  return { issue: session.present(held, visible) };
}

/** UpdateIssue. */
export async function updateIssue(
  store: Store,
  request: UpdateIssueRequest,
  context: CallContext,
): Promise<UpdateIssueResponse> {
  checkIssueId('id', request.id);
  return runWrite(
    store,
    {
      method: 'UpdateIssue',
      requestId: request.requestId,
      request,
      requestCodec: UpdateIssueRequestCodec,
      responseCodec: UpdateIssueResponseCodec,
      context,
      shorten: ({ issue, update }) => ({ issue: shortenIssue(issue), update: update && { ...update, comment: '' } }),
      complete: async ({ issue, update }, at, db) => {
        if (issue) issue.description = await readTextAt(db, issue.id, 1, at);
        // By version, not by time: a clock that stepped back does not mix up the texts.
        if (update) update.comment = await readTextVersion(db, update.issue, update.sequence, 1);
      },
    },
    async (scope) => {
      const session = new IssueSession(store, scope, context);
      await lockFor(session, [request]);
      const changed = await applyUpdate(session, request);
      await session.finish();
      return { issue: session.present(changed.held, changed.visible), update: changed.update };
    },
  );
}

/** BatchUpdateIssues: one transaction; without all_or_nothing, updates that are refused leave no trace in it. */
export async function batchUpdateIssues(
  store: Store,
  request: BatchUpdateIssuesRequest,
  context: CallContext,
): Promise<BatchUpdateIssuesResponse> {
  const { updates } = request;
  if (updates.length === 0 || updates.length > 500) {
    throw invalidField('updates', `has ${updates.length} elements; 1 to 500 are expected`);
  }
  updates.forEach((update, index) => {
    checkIssueId(`updates[${index}].id`, update.id);
    const first = updates.findIndex((other) => other.id === update.id);
    if (first < index) throw invalidField(`updates[${index}].id`, `issue ${update.id} stands in updates[${first}] too`);
  });
  return runWrite(
    store,
    {
      method: 'BatchUpdateIssues',
      requestId: request.requestId,
      request,
      requestCodec: BatchUpdateIssuesRequestCodec,
      responseCodec: BatchUpdateIssuesResponseCodec,
      context,
      shorten: ({ results }) => ({
        results: results.map((result) => ({ ...result, issue: shortenIssue(result.issue) })),
      }),
      complete: async ({ results }, at, db) => {
        for (const { issue } of results) if (issue) issue.description = await readTextAt(db, issue.id, 1, at);
      },
    },
    async (scope) => {
      const session = new IssueSession(store, scope, context);
      await lockFor(session, updates);
      const changed: (Changed | ItemError)[] = [];
      for (const [index, update] of updates.entries()) {
        try {
          changed.push(await applyUpdate(session, update));
        } catch (error) {
          if (!(error instanceof ServiceError)) throw error;
          if (request.allOrNothing) throw prefixError(error, `updates[${index}].`);
          changed.push(toItemError(error));
        }
      }
      await session.finish();
      return {
        results: changed.map((each, index) =>
          'held' in each
            ? { id: each.held.issue.id, issue: session.present(each.held, each.visible), error: undefined }
            : { id: updates[index]!.id, issue: undefined, error: each },
        ),
      };
    },
  );
}

interface Changed {
  held: HeldIssue;
  update: Update | undefined;
  /** Issues newly named, and so seen by the caller. */
  visible: Set<string> | undefined;
}

/** Locks all issues that these updates change: theirs, and those that gain the people of a duplicate. */
async function lockFor(session: IssueSession, updates: readonly UpdateIssueRequest[]): Promise<void> {
  const ids = new Set(updates.map((update) => update.id));
  let linked = false;
  for (const { issue, updateMask, add } of updates) {
    const mask = new Set(updateMask);
    const canonical = mask.has('duplicate_of') ? (issue?.duplicateOf ?? '0') : '0';
    if (/^[1-9][0-9]{0,17}$/.test(canonical)) ids.add(canonical);
    linked ||= canonical !== '0' || mask.has('parent') || mask.has('blocked_by') || (add?.blockedBy.length ?? 0) > 0;
  }
  if (linked) await session.lockLinks();
  await session.lock([...ids]);
}

/** Plans one update and changes the held issue in memory. Throws before anything is changed. */
async function applyUpdate(session: IssueSession, request: UpdateIssueRequest): Promise<Changed> {
  const { context, store } = session;
  const held = session.find(request.id);
  if (!held) throw issueNotFound(request.id);
  const edits = (request.updateMask?.length ?? 0) > 0 || request.add !== undefined || request.remove !== undefined;
  checkAction(context, held.permission, edits ? 'edit' : 'comment');
  const hidden = session.listHiddenBlockers(held);
  const known: Issue =
    hidden.size === 0 ? held.issue : { ...held.issue, blockedBy: held.issue.blockedBy.filter((id) => !hidden.has(id)) };
  const moves = request.updateMask?.includes('component') ?? false;
  const component = moves ? (request.issue?.component ?? '0') : held.issue.component;
  const customFields = session.tree.find(component)?.customFields ?? [];
  const planned = planUpdate(known, request, { author: context.user, now: readClock(store), customFields });
  if (!planned.update) return { held, update: undefined, visible: undefined };
  if (component !== held.issue.component) checkTarget(session, component);
  let visible: Set<string> | undefined;
  if (planned.references.some((reference) => reference.kind === 'issue')) {
    // Loops are looked for in the database: what other updates of this batch link has to be there.
    if (planned.references.some((reference) => isLinkField(reference.field))) await session.flush();
    visible = await checkReferences(session, held.issue.id, planned.references);
  }
  const next: Issue =
    hidden.size === 0 ? planned.issue : { ...planned.issue, blockedBy: [...planned.issue.blockedBy, ...hidden] };
  const update = session.change(held, next, planned.update);
  const named = planned.references.find((reference) => reference.field === 'duplicate_of');
  const canonical = named && session.find(named.id);
  if (canonical) {
    const gained = mergeDuplicate(next, canonical.issue);
    if (gained.length > 0)
      session.follow(canonical, [{ field: 'cc', oldValues: [], newValues: gained }], update.created!);
  }
  return { held, update, visible };
}

/** An issue goes only where its mover could file one. */
function checkTarget(session: IssueSession, component: string): void {
  const permission = session.sight.getPermission(component);
  const node = permission >= Permission.VIEW ? session.tree.find(component) : undefined;
  if (!node) throw new ServiceError('COMPONENT_NOT_FOUND', `issue.component: there is no component ${component}`);
  checkAction(session.context, permission, 'create');
  if (node.component.archived) {
    throw new ServiceError(
      'COMPONENT_ARCHIVED',
      `issue.component: component ${component} is archived and takes no issues`,
    );
  }
}

const shortenIssue = (issue: Issue | undefined): Issue | undefined => issue && { ...issue, description: '' };

/** An error as a batch reports it. */
export function toItemError(error: ServiceError): ItemError {
  return {
    code: STATUS_CODES[error.code],
    reason: error.reason,
    message: error.message,
    field: error.violations[0]?.field ?? '',
  };
}

function prefixError(error: ServiceError, prefix: string): ServiceError {
  return new ServiceError(error.reason, `${prefix.slice(0, -1)}: ${error.message}`, {
    violations: error.violations.map(({ field, description }) => ({ field: `${prefix}${field}`, description })),
    metadata: error.metadata,
    retryAfterMillis: error.retryAfterMillis,
    cause: error.cause,
  });
}
