import type { Principal } from '@bugless/kit/service';

interface Entry {
  readonly principal: Principal;
  readonly read: number;
  readonly expires: number;
}

/**
 * Principals of credentials that were verified a moment ago, by fingerprint of the secret.
 * Bounded in time (a revocation elsewhere is honoured after `maxAgeMillis`) and in size (the
 * oldest goes first). Everything local that ends or changes a credential empties it.
 */
export class PrincipalCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxAgeMillis: number;
  readonly #maxSize: number;
  readonly #now: () => number;
  #generation = 0;

  constructor(options: { maxAgeMillis: number; maxSize?: number; now: () => number }) {
    this.#maxAgeMillis = options.maxAgeMillis;
    this.#maxSize = options.maxSize ?? 10_000;
    this.#now = options.now;
  }

  /** Number of principals held. */
  get size(): number {
    return this.#entries.size;
  }

  /** To be taken before the store is asked, and handed to {@link put}. */
  begin(): { readonly generation: number; readonly read: number } {
    return { generation: this.#generation, read: this.#now() };
  }

  get(key: string): Principal | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const now = this.#now();
    const age = now - entry.read;
    // A clock that went back makes an age below 0: no reason to believe longer.
    if (age >= 0 && age < this.#maxAgeMillis && now < entry.expires) return entry.principal;
    this.#entries.delete(key);
    return undefined;
  }

  /** Keeps a principal, unless something was revoked since the store was asked. */
  put(key: string, principal: Principal, begun: { readonly generation: number; readonly read: number }): void {
    if (begun.generation !== this.#generation) return;
    if (this.#entries.size >= this.#maxSize) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    const expires = principal.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(principal.expires);
    this.#entries.delete(key);
    this.#entries.set(key, { principal, read: begun.read, expires });
  }

  /** Forgets all: what was read before is not believed any more. */
  clear(): void {
    this.#generation += 1;
    this.#entries.clear();
  }
}
