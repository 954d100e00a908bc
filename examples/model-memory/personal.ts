import { checkScope, checkText, refuse } from '@bugless/kit/domain';
import {
  type FieldViolation,
  type ModelImplementation,
  SavedSearch,
  ServiceError,
  TokenScope,
} from '@bugless/kit/service';
import { findIssue } from './access.ts';
import { type Environment, requireLogin } from './environment.ts';

const MOST_SEARCHES = 200;

/** What belongs to one user: stars and saved searches. */
export function createPersonalMethods({ store }: Environment) {
  return {
    async setStar({ issue, starred }, context) {
      requireLogin(context);
      checkScope(context, TokenScope.COMMENT);
      const { record } = findIssue(store, issue, context);
      const fans = new Set(record.fans);
      if (starred) fans.add(context.user);
      else fans.delete(context.user);
      // A star is no write to the issue: neither version nor history know of it.
      store.transact(() => store.putIssue({ ...record, fans }));
      return { stars: fans.size };
    },

    async saveSearch({ search }, context) {
      requireLogin(context);
      const { name, query } = search ?? SavedSearch.fromPartial({});
      const violations: FieldViolation[] = [];
      checkText(violations, 'search.name', name, { maxCharacters: 100, required: true, singleLine: true });
      checkText(violations, 'search.query', query, { maxCharacters: 4_000 });
      refuse(violations);
      const saved = new Map(store.searches.get(context.user)).set(name, { name, query });
      if (saved.size > MOST_SEARCHES)
        throw new ServiceError('TOO_MANY', `there are ${MOST_SEARCHES} saved searches; delete one first`);
      store.transact(() => store.put(store.searches, context.user, saved));
      return {};
    },

    async listSavedSearches(_request, context) {
      const saved = [...(store.searches.get(context.user)?.values() ?? [])];
      return { searches: saved.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    },

    async deleteSavedSearch({ name }, context) {
      requireLogin(context);
      const saved = new Map(store.searches.get(context.user));
      if (saved.delete(name)) store.transact(() => store.put(store.searches, context.user, saved));
      return {};
    },
  } satisfies Partial<ModelImplementation>;
}
