import {
  checkAction,
  closesLoop,
  mergeDuplicate,
  type PlannedWrite,
  planCreate,
  planUpdate,
  type Reference,
  refuse,
} from '@bugless/kit/domain';
import {
  type CallContext,
  type CustomFieldDefinition,
  EventKind,
  type Issue,
  type ItemError,
  invalidField,
  type ModelImplementation,
  ServiceError,
  STATUS_CODES,
  Status,
  type Update,
  UpdateIssueRequest,
  type UpdateIssueResponse,
} from '@bugless/kit/service';
import { findComponent, findIssue, readPath, type SeenIssue, seeIssue } from './access.ts';
import type { Environment } from './environment.ts';
import { paginate } from './page.ts';
import { writeOnce } from './request.ts';
import { showIssue, showUpdate } from './show.ts';
import type { Store } from './store.ts';

const MOST_IDS = 500;

/**
 * Issues: what is asked for is planned by the rules of @bugless/kit/domain, which
 * every Model shares; here it is checked against what is there, and put.
 */
export function createIssueMethods(environment: Environment) {
  const { store, now } = environment;
  return {
    async createIssue(request, context) {
      return writeOnce(environment, context, 'CreateIssue', request, () => {
        const id = request.issue?.component ?? '0';
        const target = store.components.has(id) ? findComponent(store, id, context) : undefined;
        const planned = planCreate(request, {
          component: target?.component,
          customFields: readCustomFields(store, id),
          author: context.user,
          now: now(),
        });
        checkAction(context, target!.permission, 'create');
        checkReferences(store, '0', planned.references, context);

        const issue = { ...planned.issue, id: store.mintId() };
        const update = { ...planned.update, issue: issue.id, sequence: 1 };
        store.putIssue({ issue, updates: [update], versions: new Map(), fans: new Set<string>() });
        tellIssue(store, EventKind.ISSUE_CREATED, issue, update);
        return { issue: showIssue(store, findIssue(store, issue.id, context), context) };
      });
    },

    async getIssue({ id }, context) {
      return { issue: showIssue(store, findIssue(store, id, context), context) };
    },

    async batchGetIssues({ ids, view }, context) {
      checkBatch('ids', ids.length);
      const seen = ids.map((id) => seeIssue(store, id, context)).filter((issue) => issue !== undefined);
      return { issues: seen.map((issue) => showIssue(store, issue, context, view)) };
    },

    async updateIssue(request, context) {
      return writeOnce(environment, context, 'UpdateIssue', request, () => updateIssue(environment, request, context));
    },

    async batchUpdateIssues(request, context) {
      const { updates, allOrNothing } = request;
      checkBatch('updates', updates.length);
      const double = updates.findIndex((update, index) => updates.findIndex(({ id }) => id === update.id) < index);
      if (double >= 0) throw invalidField(`updates[${double}].id`, `issue ${updates[double]!.id} stands here twice`);
      return writeOnce(environment, context, 'BatchUpdateIssues', request, () => {
        const results = updates.map((update) => {
          try {
            // A transaction of its own inside of the batch's: an item that fails is undone alone.
            const { issue } = store.transact(() => updateIssue(environment, update, context));
            return { id: update.id, issue, error: undefined };
          } catch (error) {
            if (allOrNothing || !(error instanceof ServiceError)) throw error;
            return { id: update.id, issue: undefined, error: describeError(error) };
          }
        });
        return { results };
      });
    },

    async listUpdates(request, context) {
      const { record, permission } = findIssue(store, request.issue, context);
      const order = request.descending ? record.updates.toReversed() : record.updates;
      const page = paginate(
        order,
        request,
        [request.issue, request.descending],
        (update) => [String(update.sequence)],
        ([a], [b]) => (Number(a) - Number(b)) * (request.descending ? -1 : 1),
      );
      return {
        updates: page.rows.map((update) => showUpdate(store, update, permission, context)),
        nextPageToken: page.nextPageToken,
      };
    },
  } satisfies Partial<ModelImplementation>;
}

function updateIssue(environment: Environment, request: UpdateIssueRequest, context: CallContext): UpdateIssueResponse {
  const { store } = environment;
  const seen = findIssue(store, request.id, context);
  const { issue } = seen.record;
  checkAction(context, seen.permission, isCommentAlone(request) ? 'comment' : 'edit');
  const component = request.updateMask?.includes('component') ? (request.issue?.component ?? '0') : issue.component;
  const customFields = readCustomFields(store, component);
  const planned = planUpdate(issue, request, { author: context.user, now: environment.now(), customFields });
  checkReferences(store, issue.id, planned.references, context);

  const update = appendUpdate(store, seen, planned);
  if (update && planned.issue.status === Status.DUPLICATE && planned.issue.duplicateOf !== issue.duplicateOf)
    copyPeople(environment, planned.issue, context);
  const after = seeIssue(store, issue.id, context);
  // An edit can take the caller's own sight away (moved, limited): then it gets nothing back.
  if (!after) return { issue: undefined, update: undefined };
  return {
    issue: showIssue(store, after, context),
    update: update && showUpdate(store, update, after.permission, context),
  };
}

function isCommentAlone({ updateMask, add, remove }: UpdateIssueRequest): boolean {
  const edits = [...Object.values(add ?? {}), ...Object.values(remove ?? {})];
  return (updateMask ?? []).length === 0 && edits.every((elements) => elements.length === 0);
}

/** Puts what was planned as the next update of an issue. Undefined: it changes nothing. */
export function appendUpdate(
  store: Store,
  { record }: Pick<SeenIssue, 'record'>,
  planned: PlannedWrite,
): Update | undefined {
  if (!planned.update) return undefined;
  const { issue } = planned;
  const update = { ...planned.update, issue: issue.id, sequence: record.updates.length + 1 };
  store.putIssue({ ...record, issue, updates: [...record.updates, update] });
  tellIssue(store, EventKind.ISSUE_UPDATED, issue, update);
  return update;
}

/** Tells the feed of an issue. */
export function tellIssue(store: Store, kind: EventKind, issue: Issue, update: Update): void {
  const { id, version, component } = issue;
  const event = { kind, created: issue.modified, author: update.author, issue: id, version, component, hotlist: '0' };
  store.tell({ ...event, update: kind === EventKind.COMMENT_EDITED ? undefined : update });
}

/** The canonical issue hears of its duplicate: reporter and cc go there. */
function copyPeople(environment: Environment, duplicate: Issue, context: CallContext): void {
  const { store } = environment;
  const record = store.issues.get(duplicate.duplicateOf)!;
  const cc = mergeDuplicate(duplicate, record.issue);
  if (cc.length === 0) return;
  const request = UpdateIssueRequest.fromPartial({ id: record.issue.id, add: { cc } });
  const customFields = readCustomFields(store, record.issue.component);
  appendUpdate(
    store,
    { record },
    planUpdate(record.issue, request, { author: context.user, now: environment.now(), customFields }),
  );
}

/** Definitions along the path of a component. */
export function readCustomFields(store: Store, component: string): CustomFieldDefinition[] {
  return readPath(store, component).flatMap((place) => place.customFields);
}

/** How an issue is linked, by field: what closes a loop. */
const NEXT: Readonly<Record<string, (issue: Issue) => readonly string[]>> = {
  parent: (issue) => [issue.parent],
  blocked_by: (issue) => issue.blockedBy,
  duplicate_of: (issue) => [issue.duplicateOf],
};

function checkReferences(store: Store, id: string, references: readonly Reference[], context: CallContext): void {
  for (const reference of references) {
    if (reference.kind === 'component') {
      // Moving an issue is filing it there.
      if (id !== '0') checkAction(context, findComponent(store, reference.id, context).permission, 'create');
      continue;
    }
    findIssue(store, reference.id, context, reference.path);
    const next = NEXT[reference.field];
    // Nothing refers to an issue that is not there yet.
    if (next && id !== '0' && closesLoop(id, [reference.id], (at) => listNext(store, at, next)))
      throw new ServiceError('CYCLE', `${reference.path}: issue ${reference.id} leads back to ${id}`);
  }
}

function listNext(store: Store, id: string, next: (issue: Issue) => readonly string[]): readonly string[] {
  const record = store.issues.get(id);
  return record ? next(record.issue) : [];
}

/** Throws INVALID_FIELD unless there are 1 to 500. */
export function checkBatch(field: string, count: number): void {
  if (count < 1 || count > MOST_IDS) refuse([{ field, description: `takes 1 to ${MOST_IDS}, not ${count}` }]);
}

/** An error as a result of a batch tells it. */
export function describeError(error: ServiceError): ItemError {
  const field = error.violations[0]?.field ?? '';
  return { code: STATUS_CODES[error.code], reason: error.reason, message: error.message, field };
}
