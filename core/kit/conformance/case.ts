/**
 * What a suite is made of. Nothing here knows a test runner: see `tap.ts` and
 * `print.ts` for the two bindings that the kit brings.
 */

/** One promise of a contract, and how to see whether it is kept. */
export interface ConformanceCase<World> {
  /** Unique in its suite, `topic: what holds`. */
  readonly name: string;
  /** The capability that it needs; absent: every plugin has to pass it. */
  readonly capability?: string;
  /** The sentence of the proto comments that promises it. */
  readonly rule: string;
  /** Runs while no other case does: it looks at something that all share. */
  readonly alone?: boolean;
  /** Resolves when the promise holds, else rejects with what was seen. */
  run(world: World): Promise<void>;
}

/** How a case went. `excepted`: it failed, and the caller had named it with a reason. */
export type Outcome = 'passed' | 'failed' | 'skipped' | 'excepted';

/** What a reporter is told of each case, in the order of the suite. */
export interface CaseResult {
  readonly name: string;
  readonly rule: string;
  readonly outcome: Outcome;
  /** Why it was skipped or excepted; else empty. */
  readonly reason: string;
  /** What it failed with. */
  readonly error: unknown;
  readonly millis: number;
}

/** Told of every case once. */
export interface Reporter {
  report(result: CaseResult): void;
}

/** Counts of a run. */
export interface RunSummary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly excepted: number;
}

/** Thrown by a case that cannot be tried here; the message says why. */
export class SkipCase extends Error {
  override readonly name = 'SkipCase';
}

/** Which cases run, and how. */
export interface RunOptions {
  /** Cases that are known to fail, by name, each with the reason. One that passes is a failure: take it out. */
  readonly exceptions?: Readonly<Record<string, string>>;
  /** Only cases whose name matches. */
  readonly only?: RegExp;
  /** How many cases run at a time. Default 4. */
  readonly concurrency?: number;
  /** Milliseconds that one case may take. Default 20,000. */
  readonly timeoutMillis?: number;
}
