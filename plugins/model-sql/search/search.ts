import {
  checkFilter,
  checkOrder,
  decodePageToken,
  encodePageToken,
  fingerprintRequest,
  RELEVANCE,
} from '@bugless/kit/domain';
import {
  type CallContext,
  type CountIssuesRequest,
  type CountIssuesResponse,
  type Filter,
  IssueView,
  type SearchIssuesRequest,
  type SearchIssuesResponse,
  ServiceError,
} from '@bugless/kit/service';
import type { ComponentTree } from '../component-tree.ts';
import { completeIssues, hideRelated } from '../issue-related.ts';
import { BUCKET_BITS, formatAcl, toIssue } from '../issue-row.ts';
import type { IssueTable } from '../schema/tables.ts';
import type { Store } from '../store.ts';
import { readPageSize } from '../update-reader.ts';
import type { Sight } from '../viewer.ts';
import type { ConditionScope } from './condition.ts';
import { Order } from './order.ts';
import { type PageRequest, PageWriter } from './page.ts';
import { choosePlan, type Plan, run } from './plan.ts';
import { findRanked, formatRankedPlace, readRankedPlace } from './relevance.ts';
import { Statement } from './statement.ts';
import { findTextLead } from './text-search.ts';
import { describeVisibility } from './visibility.ts';

/** Up to which number a count is exact. */
export const MAX_EXACT_COUNT = 10_000;

type Scope = Omit<ConditionScope, 'statement'>;
type FoundRow = IssueTable & { starred: boolean };

/** SearchIssues: one statement for most pages, one more where several indexes offer themselves. */
export async function searchIssues(
  store: Store,
  request: SearchIssuesRequest,
  context: CallContext,
): Promise<SearchIssuesResponse> {
  checkFilter(request.filter);
  checkOrder(request.order, request.filter);
  const pageSize = readPageSize(request.pageSize);
  const tree = await store.components.fresh();
  const sight = tree.look(context);
  const fingerprint = fingerprintRequest('SearchIssues', request.filter, request.order, request.includeArchived);
  const found = request.order.some((key) => key.field === RELEVANCE)
    ? await findByRelevance(store, request, describeScope(store, tree, sight, context), pageSize, fingerprint)
    : await findInOrder(store, request, describeScope(store, tree, sight, context), pageSize, fingerprint);
  const issues = found.rows.map((row) => {
    const issue = toIssue(row);
    issue.starred = row.starred;
    return issue;
  });
  if (request.view === IssueView.FULL) await completeIssues(store, issues, sight, context);
  else await hideRelated(store, issues, sight, context);
  return { issues, nextPageToken: found.nextPageToken };
}

/** CountIssues: exact up to the limit. */
export async function countIssues(
  store: Store,
  request: CountIssuesRequest,
  context: CallContext,
): Promise<CountIssuesResponse> {
  checkFilter(request.filter);
  const limit = Math.min(request.limit > 0 ? request.limit : MAX_EXACT_COUNT, MAX_EXACT_COUNT);
  const tree = await store.components.fresh();
  const scope = { ...describeScope(store, tree, tree.look(context), context), statement: new Statement() };
  if (scope.visibility.classes.length + scope.visibility.named.length === 0) return { count: 0, more: false };
  const filter = request.filter;
  const page = { filter, liveOnly: isLiveOnly(request), order: new Order([]), after: undefined, limit: limit + 1 };
  const plan = await choosePlan(page, scope, store.kysely);
  const writer = new PageWriter({ ...page, ...findMet(plan) }, scope);
  const text = writer.writeCount(plan.kind === 'stretches' ? { kind: 'set', driver: plan.driver } : plan);
  const [row] = await run<{ count: number }>(store.kysely, text, scope.statement);
  const count = row!.count;
  return { count: Math.min(count, limit), more: count > limit };
}

interface Found {
  readonly rows: readonly FoundRow[];
  readonly nextPageToken: string;
}

async function findInOrder(
  store: Store,
  request: SearchIssuesRequest,
  scopeBase: Scope,
  pageSize: number,
  fingerprint: string,
): Promise<Found> {
  const order = new Order(request.order);
  const token = decodePageToken(request.pageToken, fingerprint, order.keys.length);
  if (scopeBase.visibility.classes.length + scopeBase.visibility.named.length === 0) return EMPTY;
  const page: PageRequest = {
    filter: request.filter,
    liveOnly: isLiveOnly(request),
    order,
    after: token && order.checkKeys(token.keys),
    limit: pageSize + 1,
  };
  const scope = { ...scopeBase, statement: new Statement() };
  const plan = await choosePlan(page, scope, store.kysely);
  const text = new PageWriter({ ...page, ...findMet(plan) }, scope).write(plan);
  const rows = await run<FoundRow>(store.kysely, text, scope.statement);
  if (rows.length <= pageSize) return { rows, nextPageToken: '' };
  const last = rows[pageSize - 1]!;
  const keys = order.readKeys(last as unknown as Record<string, unknown>);
  return { rows: rows.slice(0, pageSize), nextPageToken: encodePageToken({ keys, id: last.id }, fingerprint) };
}

async function findByRelevance(
  store: Store,
  request: SearchIssuesRequest,
  scope: Scope,
  pageSize: number,
  fingerprint: string,
): Promise<Found> {
  if (scope.textSearch !== 'tsvector') {
    throw new ServiceError('BAD_ORDER', 'order: this storage cannot order by relevance');
  }
  const lead = findTextLead(request.filter, scope.textSearch);
  if (request.order.length > 1 || !request.order[0]!.descending || !lead) {
    throw new ServiceError('BAD_ORDER', 'order: relevance stands alone, descending, and needs a text to search for');
  }
  const token = decodePageToken(request.pageToken, fingerprint, 4);
  if (scope.visibility.classes.length + scope.visibility.named.length === 0) return EMPTY;
  const place = token && readRankedPlace(token);
  const page = {
    filter: request.filter,
    liveOnly: isLiveOnly(request),
    order: new Order([]),
    after: undefined,
    limit: pageSize + 1,
  };
  const { rows, newest } = await findRanked(page, lead, place, scope, store.kysely);
  if (rows.length <= pageSize) return { rows, nextPageToken: '' };
  const last = rows[pageSize - 1]!;
  const keys = formatRankedPlace(last, newest);
  return { rows: rows.slice(0, pageSize), nextPageToken: encodePageToken({ keys, id: last.id }, fingerprint) };
}

/** The operand that need not be checked again on what the plan yields. */
function findMet(plan: Plan): { met?: Filter } {
  if (plan.kind === 'text') return { met: plan.lead.filter };
  return plan.kind !== 'walk' && plan.driver.meets ? { met: plan.driver.filter } : {};
}

const EMPTY: Found = { rows: [], nextPageToken: '' };

function describeScope(store: Store, tree: ComponentTree, sight: Sight, context: CallContext): Scope {
  return {
    visibility: describeVisibility(sight, context),
    bucketBits: BUCKET_BITS[store.dialect.ids],
    textSearch: store.dialect.textSearch,
    spelling: store.spelling,
    listBelow: (component) => {
      const node = tree.find(component);
      return node ? [...tree.walk([node])].map((each) => each.component.id) : [];
    },
    listClasses: (component, subtree) => {
      const node = tree.find(component);
      if (!node) return [];
      const nodes = subtree ? [...tree.walk([node])] : [node];
      return nodes.flatMap(({ component: { id } }) => [formatAcl(id, 0), formatAcl(id, 1), formatAcl(id, 2)]);
    },
  };
}

/** Archived issues are left out unless asked for, by the request or by the filter's own word. */
function isLiveOnly(request: { filter: Filter | undefined; includeArchived: boolean }): boolean {
  return !request.includeArchived && !namesArchived(request.filter);
}

function namesArchived(filter: Filter | undefined): boolean {
  const node = filter?.node;
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
