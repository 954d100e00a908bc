import { hash } from 'node:crypto';
import type { Principal } from '@bugless/kit/service';

interface Entry {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly ends: number;
}

/**
 * Principals of credentials seen lately. Bounded, the least recently verified go first; keyed by a hash, so
 * that a memory dump shows no secret. An entry lives for `life` milliseconds at most, and never longer than the credential.
 */
export class CredentialCache {
  readonly #life: number;
  readonly #capacity: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(now: () => number, life = 5000, capacity = 10_000) {
    this.#now = now;
    this.#life = life;
    this.#capacity = capacity;
  }

  get(secret: string): Principal | undefined {
    const key = hashSecret(secret);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.ends > this.#now()) return entry.principal;
    this.#entries.delete(key);
    return undefined;
  }

  set(secret: string, principal: Principal): void {
    const key = hashSecret(secret);
    const expires = principal.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(principal.expires);
    this.#entries.delete(key);
    this.#entries.set(key, { principal, ends: Math.min(this.#now() + this.#life, expires) });
    if (this.#entries.size > this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
  }

  delete(secret: string): void {
    this.#entries.delete(hashSecret(secret));
  }

  clear(): void {
    this.#entries.clear();
  }
}

function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}
