import { decideHotlistPermission, decidePermission } from '@bugless/kit/domain';
import {
  type CallContext,
  type Event,
  type ModelImplementation,
  ServiceError,
  type WatchEventsRequest,
} from '@bugless/kit/service';
import { readAccess, seeIssue } from './access.ts';
import type { Environment } from './environment.ts';
import { showUpdate } from './show.ts';
import type { Store } from './store.ts';

const MOST_EVENTS = 100;
const SIGN_OF_LIFE_MILLIS = 10_000;

/** The change feed. Everything is kept, so a cursor never expires. */
export function createEventMethods({ store }: Environment) {
  return {
    async *watchEvents(request, context) {
      let position = readCursor(store, request);
      for (;;) {
        // Listen before reading: a commit in between is not missed.
        const change = waitForChange(store, context.signal);
        try {
          while (position < BigInt(store.newestCursor)) {
            const events: Event[] = [];
            for (; position < BigInt(store.newestCursor) && events.length < MOST_EVENTS; ) {
              position += 1n;
              const event = store.events.get(String(position));
              const shown = event && isAbout(store, event, request) ? showEvent(store, event, context) : undefined;
              if (shown) events.push(shown);
            }
            yield { events, cursor: String(position) };
          }
          if (request.stopAtEnd) {
            yield { events: [], cursor: String(position) };
            return;
          }
          const hasChanged = await change.promise;
          if (context.signal?.aborted) return;
          if (!hasChanged) yield { events: [], cursor: String(position) };
        } finally {
          change.stop();
        }
      }
    },
  } satisfies Partial<ModelImplementation>;
}

function readCursor(store: Store, { cursor, fromOldest }: WatchEventsRequest): bigint {
  if (cursor === '') return fromOldest ? 0n : BigInt(store.newestCursor);
  if (!/^(0|[1-9]\d{0,18})$/.test(cursor) || BigInt(cursor) > BigInt(store.newestCursor))
    throw new ServiceError('BAD_CURSOR', 'cursor: send one as WatchEvents gave it, or none');
  return BigInt(cursor);
}

function isAbout(store: Store, event: Event, { issue, component }: WatchEventsRequest): boolean {
  if (issue !== '0' && event.issue !== issue) return false;
  return (
    component === '0' || (event.component !== '0' && readAccess(store, event.component).ancestry.includes(component))
  );
}

/** An event as the caller may see it now; undefined: not at all. */
function showEvent(store: Store, event: Event, context: CallContext): Event | undefined {
  if (event.issue !== '0') {
    const seen = seeIssue(store, event.issue, context);
    return seen && { ...event, update: event.update && showUpdate(store, event.update, seen.permission, context) };
  }
  if (event.hotlist !== '0') {
    const hotlist = store.hotlists.get(event.hotlist);
    return hotlist && decideHotlistPermission(context, hotlist) > 0 ? event : undefined;
  }
  return decidePermission(context, readAccess(store, event.component)) > 0 ? event : undefined;
}

/** Resolves with true after a commit, with false after a while without one or when the caller is gone. */
function waitForChange(store: Store, signal: AbortSignal | undefined) {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const unwatch = store.watch(() => resolve(true));
  const timer = setTimeout(() => resolve(false), SIGN_OF_LIFE_MILLIS);
  const leave = () => resolve(false);
  signal?.addEventListener('abort', leave, { once: true });
  if (signal?.aborted) leave();
  return {
    promise,
    stop() {
      unwatch();
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    },
  };
}
