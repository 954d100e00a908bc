import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Both halves of the space of young objects, bytes. Left alone it grows to 128 MiB; with half of this, requests cost 10 % more. */
const YOUNG_BYTES = 32 * 2 ** 20;
/** Collections of young objects after which idleness is worth a thorough collection: some hundred MiB of garbage. */
const BUSY_COLLECTIONS = 50;
const IDLE_MILLIS = 30_000;

/**
 * Keeps the memory of this process near what it uses. V8 is made for pages in a browser: it lets garbage pile up to
 * a multiple of what lives, and keeps every page it ever had. Call it before the program is loaded, and what it
 * returns when the program is ready; then whatever loading left behind is given back, as it is again whenever a busy
 * time is over.
 *
 * All flags are such as V8 reads at each collection, not only when it starts: so there is no need of options on the
 * command line. Off when V8 has got the size of young objects as an option.
 */
export function limitMemory(): () => void {
  if (process.execArgv.some((option) => /^--(?:min|max)[-_]semi[-_]space[-_]size/.test(option))) return () => undefined;
  growYoung(false);
  // Old objects: as much again as live, before they are looked through.
  setFlagsFromString('--heap-growing-percent=100');
  return () => {
    collectAll();
    watchCollections();
  };
}

/** Whether V8 may double the space of young objects when many of them survive. */
function growYoung(allowed: boolean): void {
  setFlagsFromString(`--semi-space-growth-factor=${allowed ? 2 : 1}`);
}

/** Looks after each collection at what it left; the size doubles at most once in each. */
function watchCollections(): void {
  let growing = true;
  growYoung(growing);
  let collections = 0;
  const idle = setTimeout(() => {
    if (collections < BUSY_COLLECTIONS) return;
    collectAll();
    collections = 0;
  }, IDLE_MILLIS).unref();
  new PerformanceObserver((list) => {
    const small = readYoungBytes() < YOUNG_BYTES;
    if (small !== growing) growYoung(small);
    growing = small;
    for (const entry of list.getEntries()) {
      const { detail } = entry as PerformanceEntry & { readonly detail?: { readonly kind?: number } };
      if (detail?.kind === constants.NODE_PERFORMANCE_GC_MINOR) collections += 1;
    }
    idle.refresh();
  }).observe({ type: 'gc' });
}

function readYoungBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
}

/** Collects everything and gives free pages back to the system, in 50 to 80 ms. */
function collectAll(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', flavor: 'last-resort' });
}
