import { randomBytes } from 'node:crypto';
import bcrypt from 'bcrypt';

/**
 * Hashes of passwords that nobody knows, one per cost from 4 up: what is compared with when
 * there is nothing to compare with.
 */
export interface DummyHashes {
  /** The highest cost in use: configured, or of a stored hash. Every comparison is made to cost this much. */
  readonly cost: number;
  get(cost: number): string;
}

/** Lowest cost that bcrypt knows. */
export const MIN_COST = 4;

/**
 * Makes one dummy per cost. Only the lowest is computed: a hash of another cost is as good for a
 * comparison that has to fail when its digest belongs to no password at all.
 */
export async function createDummyHashes(cost: number): Promise<DummyHashes> {
  const sample = await bcrypt.hash(randomBytes(18).toString('base64'), MIN_COST);
  // `$2b$` + cost + `$` + 22 characters of salt + 31 of digest
  const rest = sample.slice(sample.lastIndexOf('$'));
  return { cost, get: (wanted) => `$2b$${String(wanted).padStart(2, '0')}${rest}` };
}
