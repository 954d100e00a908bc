import type { Principal } from '@bugless/kit/service';

interface Entry {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly ends: number;
}

/**
 * Principals of credentials seen lately. Bounded, the least recently verified go first. An entry lives for
 * `life` milliseconds at most, and never longer than the credential. With what plugins may keep (2 s) a
 * revocation counts everywhere within 5 s. Keyed by the secret itself: it is in the memory of the
 * request anyway, and hashing it would cost more than all else here.
 */
export class CredentialCache {
  readonly #life: number;
  readonly #capacity: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(now: () => number, life = 2_500, capacity = 10_000) {
    this.#now = now;
    this.#life = life;
    this.#capacity = capacity;
  }

  get(secret: string): Principal | undefined {
    const entry = this.#entries.get(secret);
    if (entry === undefined) return undefined;
    if (entry.ends > this.#now()) return entry.principal;
    this.#entries.delete(secret);
    return undefined;
  }

  set(secret: string, principal: Principal): void {
    const expires = principal.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(principal.expires);
    this.#entries.delete(secret);
    this.#entries.set(secret, { principal, ends: Math.min(this.#now() + this.#life, expires) });
    if (this.#entries.size > this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
  }

  delete(secret: string): void {
    this.#entries.delete(secret);
  }

  clear(): void {
    this.#entries.clear();
  }
}

/**
 * Certificates that are nobody's. Browsers show theirs with every request, and each question would be another failed
 * login in the log of security events. Bounded, the oldest go first; each is forgotten after `life` milliseconds.
 */
export class StrangerCache {
  readonly #life: number;
  readonly #capacity: number;
  readonly #now: () => number;
  readonly #ends = new Map<string, number>();

  constructor(now: () => number, life = 30_000, capacity = 1_000) {
    this.#now = now;
    this.#life = life;
    this.#capacity = capacity;
  }

  has(key: string): boolean {
    return (this.#ends.get(key) ?? 0) > this.#now();
  }

  add(key: string): void {
    if (this.has(key)) return;
    this.#ends.delete(key);
    this.#ends.set(key, this.#now() + this.#life);
    if (this.#ends.size > this.#capacity) {
      const oldest = this.#ends.keys().next();
      if (!oldest.done) this.#ends.delete(oldest.value);
    }
  }
}
