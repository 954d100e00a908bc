import {
  checkFilter,
  checkOrder,
  comparePositions,
  DEFAULT_ORDER,
  decodePageToken,
  encodePageToken,
  fingerprintRequest,
  hideArchived,
  isOpen,
  matchFilter,
  RELEVANCE,
  readPosition,
} from '@bugless/kit/domain';
import {
  type CallContext,
  type Filter,
  type Issue,
  IssueView,
  invalidField,
  type ModelImplementation,
  ServiceError,
} from '@bugless/kit/service';
import { readAccess, type SeenIssue, seeIssue } from './access.ts';
import { listAttachments } from './attachments.ts';
import type { Environment } from './environment.ts';
import { readPageSize } from './page.ts';
import { showIssue, showUpdate } from './show.ts';
import type { Store } from './store.ts';

/** Up to which number CountIssues is exact. */
export const MAX_EXACT_COUNT = 10_000;

interface Found extends SeenIssue {
  /** As the caller sees it: what it is compared by. */
  readonly issue: Issue;
}

/**
 * Search by looking at every issue, with the reference evaluator of the kit: right,
 * and slow. A database translates the Filter into its own language instead, with
 * access as a part of the query.
 */
export function createSearchMethods({ store }: Environment) {
  const find = (filter: Filter | undefined, includeArchived: boolean, context: CallContext): Found[] => {
    checkFilter(filter);
    const whole =
      includeArchived || (filter && namesArchived(filter)) ? filter : hideArchived(filter ?? { node: undefined });
    return [...store.issues.keys()].flatMap((id) => {
      const seen = seeIssue(store, id, context);
      if (!seen) return [];
      const issue = showIssue(store, seen, context);
      return matchFilter(whole, issue, readFacts(store, seen, context)) ? [{ ...seen, issue }] : [];
    });
  };

  return {
    async searchIssues(request, context) {
      const { filter, includeArchived, view } = request;
      checkFilter(filter);
      checkOrder(request.order, filter);
      if (request.order.some(({ field }) => field === RELEVANCE))
        throw new ServiceError(
          'BAD_ORDER',
          'order: relevance needs the capability search.ranked, which is absent here',
        );
      const order = request.order.length > 0 ? request.order : DEFAULT_ORDER;
      const compare = comparePositions(order);
      const fingerprint = fingerprintRequest(filter, order, includeArchived);
      const after = decodePageToken(request.pageToken, fingerprint, order.length);

      const rows = find(filter, includeArchived, context)
        .map((found) => ({ found, position: readPosition(found.issue, order) }))
        .filter(({ position }) => after === undefined || compare(position, after) > 0)
        .sort((a, b) => compare(a.position, b.position));
      const page = rows.slice(0, readPageSize(request.pageSize));
      const last = page.at(-1);
      return {
        issues: page.map(({ found }) => showIssue(store, found, context, view || IssueView.BASIC)),
        nextPageToken: last && page.length < rows.length ? encodePageToken(last.position, fingerprint) : '',
      };
    },

    async countIssues({ filter, includeArchived, limit }, context) {
      if (limit < 0) throw invalidField('limit', 'is negative');
      const most = Math.min(limit || MAX_EXACT_COUNT, MAX_EXACT_COUNT);
      const { length } = find(filter, includeArchived, context);
      return { count: Math.min(length, most), more: length > most };
    },
  } satisfies Partial<ModelImplementation>;
}

/** What a Filter asks beside the issue itself, as the caller sees it. */
function readFacts(store: Store, { record, permission }: SeenIssue, context: CallContext) {
  return {
    updates: record.updates.map((update) => showUpdate(store, update, permission, context)),
    attachments: listAttachments(store, record.issue.id).filter(({ deleted }) => !deleted).length,
    isOpen: (id: string) => {
      const other = store.issues.get(id);
      return other !== undefined && isOpen(other.issue.status);
    },
    isBelow: (component: string, ancestor: string) => readAccess(store, component).ancestry.includes(ancestor),
  };
}

/** Whether a Filter decides about archived issues by itself. */
function namesArchived({ node }: Filter): boolean {
  switch (node?.$case) {
    case 'and':
    case 'or':
      return node.value.operands.some(namesArchived);
    case 'not':
      return namesArchived(node.value);
    case 'term':
      return node.value.field === 'archived';
    default:
      return false;
  }
}
