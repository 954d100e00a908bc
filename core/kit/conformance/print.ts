import type { CaseResult, Reporter, RunSummary } from './case.ts';

const MARKS = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip', excepted: 'fail' } as const;

/** Prints one line per case; a failed one with its rule and what was seen. */
export function printReporter(write: (line: string) => void): Reporter {
  return {
    report(result) {
      write(`${MARKS[result.outcome]} ${result.name}${result.reason === '' ? '' : `: ${result.reason}`}`);
      if (result.outcome === 'failed') for (const line of describeFailure(result)) write(`       ${line}`);
    },
  };
}

/** The last line of a run: `N passed, N failed, N skipped`, exceptions behind it when there are any. */
export function formatSummary(summary: RunSummary): string {
  const line = `${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`;
  return summary.excepted === 0 ? line : `${line}, ${summary.excepted} failed as named exceptions`;
}

/** The rule that was broken and what was seen, in lines without the stack. */
export function describeFailure(result: CaseResult): string[] {
  const seen = result.error instanceof Error ? result.error.message : String(result.error);
  return [`rule: ${result.rule}`, ...seen.split('\n').slice(0, 24)];
}
