/** How much of a window is left. */
export interface Allowance {
  readonly limit: number;
  remaining: number;
  /** Milliseconds since the epoch at which the window ends. */
  resets: number;
}

/**
 * Counts requests per key in fixed windows, in this process alone. Keys whose window is over are
 * forgotten; at most 100,000 are kept, the oldest go first.
 */
export class RateLimit {
  readonly #limit: number;
  readonly #window: number;
  readonly #allowances = new Map<string, Allowance>();

  /** @param limit requests per window, 0: no limit; @param window milliseconds */
  constructor(limit: number, window: number) {
    this.#limit = limit;
    this.#window = window;
  }

  /** Takes one request from the key's allowance; `remaining` is -1 when none was left. Undefined: no limit. */
  take(key: string, now: number): Allowance | undefined {
    if (this.#limit === 0) return undefined;
    let allowance = this.#allowances.get(key);
    if (allowance === undefined || allowance.resets <= now) {
      if (allowance === undefined && this.#allowances.size >= 100_000) this.#forget(now);
      allowance = { limit: this.#limit, remaining: this.#limit, resets: now + this.#window };
      this.#allowances.delete(key);
      this.#allowances.set(key, allowance);
    }
    if (allowance.remaining >= 0) allowance.remaining -= 1;
    return allowance;
  }

  /** Insertion order is the order of the windows: expired keys come first. */
  #forget(now: number): void {
    let spare = 1000;
    for (const [key, { resets }] of this.#allowances) {
      if (resets > now && spare-- <= 0) break;
      this.#allowances.delete(key);
    }
  }
}
