import type { CallContext, Filter, ModelImplementation } from '@bugless/kit/service';
import { readAccess, type SeenIssue, seeIssue } from './access.ts';
import type { Environment } from './environment.ts';
import { paginate } from './page.ts';
import { showIssue } from './show.ts';
export const MAX_EXACT_COUNT = 10_000;
export function createSearchMethods({ store }: Environment) {
  const find = (filter: Filter | undefined, context: CallContext): SeenIssue[] => {
    const node = filter?.node;
    const value = node?.$case === 'term' ? node.value.values[0]!.kind : undefined;
    const reference = value?.$case === 'reference' ? value.value : undefined;
    return [...store.issues.keys()]
      .flatMap((id) => seeIssue(store, id, context) ?? [])
      .filter(({ record }) => {
        if (!reference) return true;
        return reference.subtree
          ? readAccess(store, record.issue.component).ancestry.includes(reference.id)
          : record.issue.component === reference.id;
      });
  };
  return {
    async searchIssues(request, context) {
      const page = paginate(
        find(request.filter, context),
        request,
        [request.filter],
        (s) => [s.record.issue.id],
        ([a], [b]) => Number(a) - Number(b),
      );
      return {
        issues: page.rows.map((row) => showIssue(store, row, context, request.view || 1)),
        nextPageToken: page.nextPageToken,
      };
    },
    async countIssues({ filter, limit }, context) {
      const n = find(filter, context).length;
      const most = limit || MAX_EXACT_COUNT;
      return { count: Math.min(n, most), more: n > most };
    },
  } satisfies Partial<ModelImplementation>;
}
