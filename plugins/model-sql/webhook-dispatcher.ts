/** Makes deliveries of events: one for each webhook whose component it happened in and whose owner sees it. */
import { createContext, type Event } from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { fillAttachments } from './attachment-reader.ts';
import { formatDeliveryBody } from './delivery-body.ts';
import { type LoadedEvent, loadEvents, MOST_EVENTS, presentEvent } from './event-loader.ts';
import type { FeedFollower } from './feed.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';
import { hideChanges } from './update-reader.ts';

/** How old the knowledge may be that there are no webhooks. */
const NONE_MILLIS = 1_000;

type WebhookRow = ModelTables['webhook'];

export class WebhookDispatcher implements FeedFollower {
  readonly #store: Store;
  #done = '';
  #noneUntil = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async follow(last: string): Promise<void> {
    while (last !== this.#done) {
      if (performance.now() < this.#noneUntil) return;
      const left = await this.#dispatch();
      if (left === undefined) this.#noneUntil = performance.now() + NONE_MILLIS;
      if (!left) this.#done = last;
    }
  }

  /**
   * One batch. The row of webhook_progress is locked, so that no other process makes the same deliveries. Returns
   * whether there may be more; undefined: there are no webhooks, and no progress is kept for them.
   */
  async #dispatch(): Promise<boolean | undefined> {
    const store = this.#store;
    return runTransaction(store.db, async (em) => {
      const db = em.getKysely<ModelTables>();
      const progress = await sql<{ position: string }>`
        select position from webhook_progress where id = ${1} for update`.execute(db);
      const { rows: hooks } = await sql<WebhookRow>`select * from webhook where enabled order by id`.execute(db);
      if (hooks.length === 0) return undefined;
      const starts = hooks.map((hook) => BigInt(hook.start_position)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      const known = BigInt(progress.rows[0]!.position);
      // Older events are nobody's: while there is no webhook, no progress is kept.
      const events = await loadEvents(db, known > starts[0]! ? known : starts[0]!);
      const last = events.at(-1);
      if (!last) return false;
      const rows: { webhook_id: string; position: string; body: string }[] = [];
      for (const hook of hooks) {
        const ofHook = events.filter((event) => BigInt(event.position) > BigInt(hook.start_position));
        for (const event of await presentTo(store, db, hook, ofHook)) {
          rows.push({ webhook_id: hook.id, position: event.cursor, body: formatDeliveryBody(event) });
        }
      }
      if (rows.length > 0) await insertDeliveries(db, rows, readClock(store));
      await sql`update webhook_progress set position = ${last.position} where id = ${1}`.execute(db);
      return events.length >= MOST_EVENTS;
    });
  }
}

/** The events that a webhook is told, as its owner sees them. */
async function presentTo(
  store: Store,
  db: Kysely<ModelTables>,
  hook: WebhookRow,
  loaded: readonly LoadedEvent[],
): Promise<Event[]> {
  const [first] = loaded;
  if (!first) return [];
  const context = createContext({
    user: hook.owner,
    groups: hook.owner_groups,
    admin: hook.owner_admin,
    scopeComponents: hook.owner_components,
  });
  const tree = await store.components.at(first.tree_version, db);
  const sight = tree.look(context);
  const events: Event[] = [];
  const filed: LoadedEvent[] = [];
  for (const each of loaded) {
    if (hook.component !== 0) {
      const ancestry = tree.find(String(each.component))?.component.ancestry ?? [];
      if (!ancestry.includes(String(hook.component))) continue;
    }
    const event = presentEvent(each, sight, context);
    if (!event) continue;
    events.push(event);
    if (event.update && each.update?.has_files) filed.push(each);
  }
  const updates = events.flatMap((event) => event.update ?? []);
  if (!sight.classes.everything) await hideChanges({ kysely: db }, updates, sight, context);
  const withFiles = new Set(filed.map(({ issue_id, sequence }) => `${issue_id} ${sequence}`));
  const rows = updates.map(({ issue, sequence }) => ({ has_files: withFiles.has(`${issue} ${sequence}`) }));
  await fillAttachments(db, updates, rows);
  return events;
}

async function insertDeliveries(
  db: Kysely<ModelTables>,
  rows: readonly { webhook_id: string; position: string; body: string }[],
  at: string,
): Promise<void> {
  await sql`insert into delivery (webhook_id, position, state, attempts, next_attempt, last_status, last_error, body, created,
      lease, lease_until)
    select v.webhook_id, v.position, 'pending', 0, ${at}::timestamptz, 0, '', v.body, ${at}::timestamptz, '', null
    from unnest(${rows.map((row) => row.webhook_id)}::int8[], ${rows.map((row) => row.position)}::int8[],
      ${rows.map((row) => row.body)}::text[]) as v (webhook_id, position, body)
    on conflict (webhook_id, position) do nothing`.execute(db);
}
