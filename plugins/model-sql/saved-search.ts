import { checkScope, checkText, refuse } from '@bugless/kit/domain';
import {
  type CallContext,
  type DeleteSavedSearchRequest,
  type DeleteSavedSearchResponse,
  type FieldViolation,
  type ListSavedSearchesRequest,
  type ListSavedSearchesResponse,
  SavedSearch,
  type SaveSearchRequest,
  type SaveSearchResponse,
  ServiceError,
  TokenScope,
} from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';
import { requireUser } from './star-writer.ts';
import type { Store } from './store.ts';

/** How many one user may keep. */
const MOST_SEARCHES = 200;

/** SaveSearch: a name that is there gets the new query. */
export async function saveSearch(
  store: Store,
  request: SaveSearchRequest,
  context: CallContext,
): Promise<SaveSearchResponse> {
  requireUser(context);
  checkScope(context, TokenScope.COMMENT);
  const { name, query } = request.search ?? SavedSearch.fromPartial({});
  const violations: FieldViolation[] = [];
  checkText(violations, 'search.name', name, { maxCharacters: 100, required: true, singleLine: true });
  checkText(violations, 'search.query', query, { maxCharacters: 4_000 });
  refuse(violations);
  const { user } = context;
  await runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      await sql`insert into saved_search_owner (user_id) values (${user}) on conflict (user_id) do nothing`.execute(db);
      await sql`select 1 from saved_search_owner where user_id = ${user} for update`.execute(db);
      const { rows } = await sql<{ others: string }>`
        select count(*) as others from saved_search where user_id = ${user} and name <> ${name}`.execute(db);
      if (Number(rows[0]!.others) >= MOST_SEARCHES) {
        throw new ServiceError('TOO_MANY', `you keep ${MOST_SEARCHES} searches already; delete one first`);
      }
      await sql`insert into saved_search (user_id, name, query) values (${user}, ${name}, ${query})
        on conflict (user_id, name) do update set query = excluded.query`.execute(db);
    },
    { signal: context.signal, deadline: context.deadline },
  );
  return {};
}

/** ListSavedSearches: none of a caller who is not signed in. */
export async function listSavedSearches(
  store: Store,
  _request: ListSavedSearchesRequest,
  context: CallContext,
): Promise<ListSavedSearchesResponse> {
  checkScope(context, TokenScope.READ);
  const { rows } = await sql<SavedSearch>`
    select name, query from saved_search where user_id = ${context.user} order by name`.execute(store.kysely);
  return { searches: rows };
}

/** DeleteSavedSearch. */
export async function deleteSavedSearch(
  store: Store,
  request: DeleteSavedSearchRequest,
  context: CallContext,
): Promise<DeleteSavedSearchResponse> {
  requireUser(context);
  checkScope(context, TokenScope.COMMENT);
  await sql`delete from saved_search where user_id = ${context.user} and name = ${request.name}`.execute(store.kysely);
  return {};
}
