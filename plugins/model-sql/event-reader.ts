import { checkScope } from '@bugless/kit/domain';
import {
  type CallContext,
  type Event,
  ServiceError,
  TokenScope,
  type WatchEventsRequest,
  type WatchEventsResponse,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import { fillAttachments } from './attachment-reader.ts';
import { checkComponentId } from './component-check.ts';
import { cursorExpired, EventLoader, type LoadedEvent, loadEvents, MOST_EVENTS, presentEvent } from './event-loader.ts';
import { checkIssueId } from './issue-reader.ts';
import type { Store } from './store.ts';
import { hideChanges } from './update-reader.ts';

/** Something is sent at least so often, in milliseconds; the contract says 15 s. */
const SIGN_OF_LIFE_MILLIS = 10_000;
/** How long `stop_at_end` waits for what was committed to get its place. */
const SETTLE_MILLIS = 15_000;
/** Characters of comments that one message holds, about. */
const MESSAGE_CHARACTERS = 1024 * 1024;

const loaders = new WeakMap<Store, EventLoader>();

/** WatchEvents. */
export async function* watchEvents(
  store: Store,
  request: WatchEventsRequest,
  context: CallContext,
): AsyncGenerator<WatchEventsResponse, void, undefined> {
  checkScope(context, TokenScope.READ);
  if (request.issue !== '0') checkIssueId('issue', request.issue);
  if (request.component !== '0') checkComponentId('component', request.component);
  if (request.stopAtEnd) await settle(store, context);
  const ends = await readEnds(store);
  const place: Place = { position: readStart(request, ends) };
  if (request.stopAtEnd) {
    yield* walk(store, request, context, place, ends.last);
    yield { events: [], cursor: String(place.position) };
    return;
  }
  // From now on: where that is, is worth knowing at once.
  if (request.cursor === '' && !request.fromOldest) yield { events: [], cursor: String(place.position) };
  const leave = store.feed.watch();
  try {
    let told = performance.now();
    while (!store.feed.isEnded && !context.signal?.aborted) {
      const last = store.feed.last > ends.last ? store.feed.last : ends.last;
      for await (const answer of walk(store, request, context, place, last)) {
        yield answer;
        told = performance.now();
      }
      const rest = SIGN_OF_LIFE_MILLIS - (performance.now() - told);
      if (rest <= 0) {
        yield { events: [], cursor: String(place.position) };
        told = performance.now();
        continue;
      }
      await store.feed.wait(place.position, rest, context.signal);
    }
  } finally {
    leave();
  }
}

/** How far a walk has come: behind this position. */
interface Place {
  position: bigint;
}

/** What lies between a place and a position, as far as the caller sees it and asked for it. The place moves along. */
async function* walk(
  store: Store,
  request: WatchEventsRequest,
  context: CallContext,
  place: Place,
  to: bigint,
): AsyncGenerator<WatchEventsResponse, void, undefined> {
  let told = performance.now();
  while (place.position < to && !context.signal?.aborted && !store.feed.isEnded) {
    const { loaded, end } = await read(store, request, place.position, to);
    const events = await present(store, request, context, loaded);
    let first = 0;
    let characters = 0;
    for (const [index, event] of events.entries()) {
      characters += event.update?.comment.length ?? 0;
      if (characters < MESSAGE_CHARACTERS || index === first) continue;
      yield { events: events.slice(first, index), cursor: events[index - 1]!.cursor };
      first = index;
      characters = event.update?.comment.length ?? 0;
    }
    place.position = end;
    if (first < events.length || performance.now() - told >= SIGN_OF_LIFE_MILLIS) {
      yield { events: events.slice(first), cursor: String(end) };
      told = performance.now();
    }
  }
}

/** The next events, and the position behind them. */
async function read(
  store: Store,
  { issue }: WatchEventsRequest,
  position: bigint,
  to: bigint,
): Promise<{ loaded: readonly LoadedEvent[]; end: bigint }> {
  // Near the end many stand at the same place; far from it those of one issue are few among many.
  if (issue !== '0' && to - position > MOST_EVENTS) {
    const loaded = await loadEvents(store.kysely, position, issue);
    await checkKept(store, position);
    const last = loaded.at(-1);
    return { loaded, end: loaded.length < MOST_EVENTS || !last ? max(to, last) : BigInt(last.position) };
  }
  let loader = loaders.get(store);
  if (!loader) {
    loader = new EventLoader();
    loaders.set(store, loader);
  }
  // Positions have no gaps. Somebody else's read may have begun before the next one was there; then it was deleted.
  const isNext = ([event]: readonly LoadedEvent[]) => event !== undefined && BigInt(event.position) === position + 1n;
  let loaded = await loader.load(store.kysely, position);
  if (!isNext(loaded)) loaded = await loadEvents(store.kysely, position);
  if (!isNext(loaded)) throw cursorExpired();
  return { loaded, end: BigInt(loaded.at(-1)!.position) };
}

const max = (to: bigint, last: LoadedEvent | undefined): bigint =>
  last && BigInt(last.position) > to ? BigInt(last.position) : to;

async function present(
  store: Store,
  request: WatchEventsRequest,
  context: CallContext,
  loaded: readonly LoadedEvent[],
): Promise<Event[]> {
  const [first] = loaded;
  if (!first) return [];
  const tree = await store.components.at(first.tree_version);
  const sight = tree.look(context);
  const shown: { event: Event; has_files: boolean }[] = [];
  for (const each of loaded) {
    if (request.issue !== '0' && each.issue_id !== request.issue) continue;
    if (request.component !== '0') {
      const ancestry = tree.find(String(each.component))?.component.ancestry ?? [];
      if (!ancestry.includes(request.component)) continue;
    }
    const event = presentEvent(each, sight, context);
    if (event) shown.push({ event, has_files: each.update?.has_files ?? false });
  }
  const events = shown.map(({ event }) => event);
  const filed = shown.filter((each) => each.has_files && each.event.update);
  await fillAttachments(
    store.kysely,
    filed.map(({ event }) => event.update!),
    filed,
  );
  if (!sight.classes.everything) {
    const updates = events.flatMap((event) => event.update ?? []);
    await hideChanges(store, updates, sight, context);
  }
  return events;
}

interface Ends {
  /** Position of the oldest event kept, or where the next one will stand. */
  readonly first: bigint;
  /** Position of the newest. */
  readonly last: bigint;
}

async function readEnds(store: Store): Promise<Ends> {
  const { rows } = await sql<{ first_position: string; last_position: string }>`
    select first_position, last_position from feed_lease where id = ${1}`.execute(store.kysely);
  const { first_position, last_position } = rows[0]!;
  return { first: BigInt(first_position), last: BigInt(last_position) };
}

function readStart({ cursor, fromOldest }: WatchEventsRequest, { first, last }: Ends): bigint {
  if (cursor === '') return fromOldest ? first - 1n : last;
  if (!/^(0|[1-9][0-9]{0,18})$/.test(cursor) || BigInt(cursor) > last) {
    throw new ServiceError(
      'BAD_CURSOR',
      'cursor: is none that was given out; send one as WatchEvents gave it, or none',
    );
  }
  const position = BigInt(cursor);
  if (position < first - 1n) throw cursorExpired();
  return position;
}

async function checkKept(store: Store, position: bigint): Promise<void> {
  const { first } = await readEnds(store);
  if (position < first - 1n) throw cursorExpired();
}

/** Waits until all that is committed now has its place in the feed. */
async function settle(store: Store, context: CallContext): Promise<void> {
  const { rows } = await sql<{ newest: string | null }>`select max(id) as newest from outbox`.execute(store.kysely);
  const newest = rows[0]!.newest;
  if (newest === null) return;
  const leave = store.feed.watch();
  try {
    for (const until = performance.now() + SETTLE_MILLIS; performance.now() < until; ) {
      store.feed.nudge();
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (context.signal?.aborted || store.feed.isEnded) return;
      const left = await sql`select 1 from outbox where id <= ${newest}::int8 limit 1`.execute(store.kysely);
      if (left.rows.length === 0) return;
    }
  } finally {
    leave();
  }
  throw new ServiceError(
    'BACKEND_UNAVAILABLE',
    'events that were committed did not get their place in time; try again',
  );
}
