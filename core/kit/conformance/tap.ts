import type { CaseResult, Reporter } from './case.ts';
import { describeFailure } from './print.ts';

/** As much of tap's `t` as the suites need; node:test's or another runner's is soon adapted to it. */
export interface TapTest {
  pass(message: string, extra?: object): unknown;
  fail(message: string, extra?: object): unknown;
}

/** Turns each case into an assertion of `t`; skips say why. */
export function tapReporter(t: TapTest): Reporter {
  return {
    report(result: CaseResult) {
      if (result.outcome === 'passed') t.pass(result.name);
      else if (result.outcome === 'failed')
        t.fail(result.name, { diagnostic: describeFailure(result), stack: readStack(result) });
      else t.pass(result.name, { skip: result.reason });
    },
  };
}

function readStack({ error }: CaseResult): string {
  return error instanceof Error ? (error.stack ?? '') : '';
}
