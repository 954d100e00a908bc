/** Each prepared statement costs memory in every server session. */
const MOST_NAMES = 400;
const MOST_CANDIDATES = 2_000;
const LONGEST_SQL = 32_768;

/**
 * Gives a name to SQL that comes a second time, so that the server plans it once per
 * session. Planning costs more than running a short read. A query that is different every
 * time never gets one.
 */
export class StatementNames {
  readonly #names = new Map<string, string>();
  readonly #seenOnce = new Set<string>();

  find(sql: string): string | undefined {
    const known = this.#names.get(sql);
    if (known !== undefined || this.#names.size >= MOST_NAMES || sql.length > LONGEST_SQL) return known;
    if (!this.#seenOnce.delete(sql)) {
      if (this.#seenOnce.size >= MOST_CANDIDATES) this.#seenOnce.clear();
      this.#seenOnce.add(sql);
      return undefined;
    }
    const name = `bugless_${this.#names.size + 1}`;
    this.#names.set(sql, name);
    return name;
  }
}
