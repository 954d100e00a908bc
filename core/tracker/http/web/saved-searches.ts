import type { CallContext, SavedSearch } from '@bugless/kit/service';
import type { Services } from '../services.ts';

const LIFETIME = 10_000;
const MOST = 2_000;

/** Saved searches of those who look at pages, kept for 10 s: they stand beside every page. */
export class SavedSearches {
  readonly #services: Services;
  readonly #available: boolean;
  readonly #kept = new Map<string, { readonly until: number; readonly searches: readonly SavedSearch[] }>();

  constructor(services: Services, available: boolean) {
    this.#services = services;
    this.#available = available;
  }

  /** Those of the caller. A Model that cannot tell right now: none. */
  async list(context: CallContext): Promise<readonly SavedSearch[]> {
    if (!this.#available) return [];
    const now = this.#services.now();
    const kept = this.#kept.get(context.user);
    if (kept !== undefined && kept.until > now) return kept.searches;
    const searches = await this.#services.model.listSavedSearches({}, context).then(
      (answer) => answer.searches,
      () => [],
    );
    if (this.#kept.size >= MOST) this.#kept.clear();
    this.#kept.set(context.user, { until: now + LIFETIME, searches });
    return searches;
  }

  /** After a change. */
  forget(user: string): void {
    this.#kept.delete(user);
  }
}
