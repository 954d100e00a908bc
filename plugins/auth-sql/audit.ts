import type { AuditEvent, CallContext, DeepPartial, ListAuditEventsRequest } from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import { NUMBER_KEY, readPageToken, takePage } from './page.ts';
import type { AuthStore } from './store.ts';
import type { Tables } from './tables.ts';
import { cutText, isPlain } from './username.ts';

/** A security event to be written. Its details are facts by name; a secret has no place in them. */
export interface AuditEntry {
  readonly kind: string;
  readonly author?: string;
  readonly user?: string;
  readonly address?: string;
  readonly details?: Readonly<Record<string, string>>;
}

/** Writes one event, under a position of its own. */
export async function writeAudit(
  k: Kysely<Tables>,
  createPosition: () => string,
  entry: AuditEntry & { created: string; author: string },
): Promise<void> {
  for (;;) {
    const written = await k
      .insertInto('auth_audit')
      .values({
        id: createPosition(),
        created: entry.created,
        kind: entry.kind,
        author: entry.author,
        user_id: entry.user ?? '',
        address: cutText(entry.address ?? '', 100),
        details: JSON.stringify(entry.details ?? {}),
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returning('id')
      .executeTakeFirst();
    // None: another process took the same position in the same millisecond.
    if (written) return;
  }
}

/** Lists security events, newest first. */
export async function listAuditEvents(
  store: AuthStore,
  request: ListAuditEventsRequest,
  _context: CallContext,
): Promise<{ events: DeepPartial<AuditEvent>[]; nextPageToken: string }> {
  const page = readPageToken(request, ['audit', request.kind, request.user], NUMBER_KEY);
  if (!isPlain(request.kind) || !isPlain(request.user)) return { events: [], nextPageToken: '' };
  let query = store.database.kysely<Tables>().selectFrom('auth_audit').selectAll();
  if (request.kind !== '') query = query.where('kind', '=', request.kind);
  if (request.user !== '') query = query.where('user_id', '=', request.user);
  if (page.after !== undefined) query = query.where('id', '<', page.after);
  const rows = await query
    .orderBy('id', 'desc')
    .limit(page.size + 1)
    .execute();
  const { shown, nextPageToken } = takePage(page, rows, (row) => row.id);
  return {
    events: shown.map((row) => ({
      id: row.id,
      created: row.created,
      kind: row.kind,
      author: row.author,
      user: row.user_id,
      address: row.address,
      details: JSON.parse(row.details) as Record<string, string>,
    })),
    nextPageToken,
  };
}
