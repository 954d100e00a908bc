/** How failures slow down further tries. */
export interface ThrottleRule {
  /** Failures without any delay. */
  readonly free: number;
  /** Delay after the first failure beyond those; doubles with each one more. */
  readonly firstMillis: number;
  /** The delay grows no further than this: nobody is locked out for good. */
  readonly maxMillis: number;
  /** Quiet time after which one failure is forgotten. */
  readonly forgetMillis: number;
}

/** Failures of one name, address, or pair of both. */
export interface ThrottleState {
  readonly failures: number;
  /** Milliseconds since the epoch of the last counted try. */
  readonly last: number;
}

/**
 * The rules. An account's own is strict, since a password is guessed there; an address may
 * be a whole company behind one router.
 */
export const THROTTLE_RULES = {
  account: { free: 5, firstMillis: 1_000, maxMillis: 15 * 60_000, forgetMillis: 10 * 60_000 },
  address: { free: 30, firstMillis: 500, maxMillis: 60_000, forgetMillis: 60_000 },
} as const satisfies Record<string, ThrottleRule>;

/** What is left of earlier failures at a time. */
export function forgetFailures(rule: ThrottleRule, state: ThrottleState, now: number): number {
  const quiet = Math.max(0, now - state.last);
  return Math.max(0, state.failures - Math.floor(quiet / rule.forgetMillis));
}

/** Delay in milliseconds that a number of failures causes. */
export function computeDelay(rule: ThrottleRule, failures: number): number {
  if (failures < rule.free) return 0;
  // 2 ** 40 is beyond every maximum, and exact.
  return Math.min(rule.maxMillis, rule.firstMillis * 2 ** Math.min(40, failures - rule.free));
}

/**
 * Counts a try before its outcome is known, so that a burst of parallel tries is no way
 * round; a success takes it back. A try within the delay is refused and not counted: who
 * keeps knocking does not make it longer.
 */
export function countTry(
  rule: ThrottleRule,
  state: ThrottleState | undefined,
  now: number,
): { readonly state: ThrottleState; readonly waitMillis: number } {
  if (!state) return { state: { failures: 1, last: now }, waitMillis: 0 };
  // The delay counts from the failures as they were at the last try: forgetting must not cut it short.
  const until = state.last + computeDelay(rule, state.failures);
  if (now < until && state.last <= now) return { state, waitMillis: until - now };
  return { state: { failures: forgetFailures(rule, state, now) + 1, last: now }, waitMillis: 0 };
}
