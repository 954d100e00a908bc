import type { CallContext, DeepPartial, Filter, Issue, Model } from '../../service/index.ts';
import { everything, instead, type Mutant } from './mutant.ts';

/** Models whose searches, orders, pages or counts break one rule each. */
export const LIST_MUTANTS: readonly Mutant<Model>[] = [
  {
    name: 'drops the first row of each further page',
    caughtBy: 'pages: ties are neither dropped nor repeated',
    change: (good) => ({
      searchIssues: async (request, context) => {
        const answer = await good.searchIssues(request, context);
        return (request.pageToken ?? '') === '' ? answer : { ...answer, issues: answer.issues.slice(1) };
      },
    }),
  },
  {
    name: 'repeats the last row on the next page',
    caughtBy: 'pages: what is written in between neither drops nor repeats',
    change: (good) => {
      const last = new Map<string, Issue>();
      return {
        searchIssues: async (request, context) => {
          const answer = await good.searchIssues(request, context);
          const before = last.get(request.pageToken ?? '');
          if (answer.issues.length > 0) last.set(answer.nextPageToken, answer.issues.at(-1)!);
          return before ? { ...answer, issues: [before, ...answer.issues].slice(0, request.pageSize) } : answer;
        },
      };
    },
  },
  {
    name: 'counts what the caller may not see',
    caughtBy: 'access: counts and pages never leak',
    change: (good) => ({ countIssues: (request, context) => good.countIssues(request, everything(context)) }),
  },
  {
    name: 'announces a page of what the caller may not see',
    caughtBy: 'access: counts and pages never leak',
    change: (good) => ({
      searchIssues: async (request, context) => {
        const [answer, whole] = [
          await good.searchIssues(request, context),
          await good.searchIssues(request, everything(context)),
        ];
        return { ...answer, nextPageToken: answer.nextPageToken || whole.nextPageToken };
      },
    }),
  },
  {
    name: 'puts authority into page tokens',
    caughtBy: 'access: a page token carries no authority',
    change: (good) => {
      const owners = new Map<string, CallContext>();
      return {
        searchIssues: async (request, context) => {
          const answer = await good.searchIssues(request, owners.get(request.pageToken ?? '') ?? context);
          if (answer.nextPageToken !== '') owners.set(answer.nextPageToken, context);
          return answer;
        },
      };
    },
  },
  {
    name: 'ignores a filter that it does not understand',
    caughtBy: 'search: what cannot be understood is refused',
    change: (good) => ({
      searchIssues: (request, context) =>
        instead(good.searchIssues(request, context), 'BAD_FILTER', () =>
          good.searchIssues({ ...request, filter: undefined }, context),
        ),
    }),
  },
  {
    name: 'does not negate',
    caughtBy: 'search: random filters, seen by an administrator',
    change: (good) => ({
      searchIssues: (request, context) => good.searchIssues({ ...request, filter: dropNot(request.filter) }, context),
    }),
  },
  {
    name: 'shows archived issues',
    caughtBy: 'search: archived issues are hidden unless asked for',
    change: (good) => ({
      searchIssues: (request, context) => good.searchIssues({ ...request, includeArchived: true }, context),
    }),
  },
  {
    name: 'orders in one direction alone',
    caughtBy: 'order: priority, in both directions, page by page',
    change: (good) => ({
      searchIssues: (request, context) =>
        good.searchIssues({ ...request, order: request.order?.map(({ field }) => ({ field })) }, context),
    }),
  },
];

function dropNot(filter: DeepPartial<Filter> | undefined): Filter {
  const { node } = (filter ?? {}) as Filter;
  switch (node?.$case) {
    case 'and':
    case 'or':
      return { node: { $case: node.$case, value: { operands: node.value.operands.map(dropNot) } } };
    case 'not':
      return dropNot(node.value);
    default:
      return { node };
  }
}
