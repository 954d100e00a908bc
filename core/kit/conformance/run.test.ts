import t from 'tap';
import { type CaseResult, type ConformanceCase, type RunOptions, SkipCase } from './case.ts';
import { formatSummary, printReporter } from './print.ts';
import { runCases } from './run.ts';
import { tapReporter } from './tap.ts';

const wait = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis));
const rule = 'It holds.';
const good = async () => {};
const bad = async () => {
  throw new Error('it does not\nat all');
};

async function run(cases: readonly ConformanceCase<string>[], options: RunOptions = {}) {
  const results: CaseResult[] = [];
  const reporter = { report: (result: CaseResult) => void results.push(result) };
  const findAbsence = (name: string) => (name === 'there' ? undefined : 'left out');
  const summary = await runCases(cases, async (name) => name, findAbsence, reporter, options);
  return { summary, results, outcomes: results.map(({ name, outcome }) => [name, outcome]) };
}

t.test('outcomes', async (t) => {
  const cases: ConformanceCase<string>[] = [
    { name: 'holds', rule, run: good },
    { name: 'fails', rule, run: bad },
    { name: 'capability there', capability: 'there', rule, run: good },
    { name: 'capability absent', capability: 'absent', rule, run: bad },
    { name: 'cannot be tried', rule, run: () => Promise.reject(new SkipCase('not here')) },
    { name: 'known to fail', rule, run: bad },
    { name: 'no longer fails', rule, run: good },
  ];
  const exceptions = { 'known to fail': 'the engine has no such thing', 'no longer fails': 'it once did' };
  const { summary, results, outcomes } = await run(cases, { exceptions });
  t.strictSame(outcomes, [
    ['holds', 'passed'],
    ['fails', 'failed'],
    ['capability there', 'passed'],
    ['capability absent', 'skipped'],
    ['cannot be tried', 'skipped'],
    ['known to fail', 'excepted'],
    ['no longer fails', 'failed'],
  ]);
  t.strictSame(summary, { passed: 2, failed: 2, skipped: 2, excepted: 1 });

  const lines: string[] = [];
  const reporter = printReporter((line) => lines.push(line));
  for (const result of results) reporter.report(result);
  t.strictSame(lines.slice(0, 6), [
    'ok   holds',
    'FAIL fails',
    '       rule: It holds.',
    '       it does not',
    '       at all',
    'ok   capability there',
  ]);
  t.ok(lines.includes('skip capability absent: absent is absent: left out'));
  t.ok(lines.includes('fail known to fail: the engine has no such thing'));
  t.match(lines.at(-1), /take it out/);
  t.equal(formatSummary(summary), '2 passed, 2 failed, 2 skipped, 1 failed as named exceptions');
  t.equal(formatSummary({ ...summary, excepted: 0 }), '2 passed, 2 failed, 2 skipped');

  const told: unknown[][] = [];
  const record = (kind: string) => (message: string, extra: object) => void told.push([kind, message, 'skip' in extra]);
  const tap = tapReporter({ pass: record('pass'), fail: record('fail') });
  for (const result of results.slice(0, 4)) tap.report(result);
  t.strictSame(told, [
    ['pass', 'holds', false],
    ['fail', 'fails', false],
    ['pass', 'capability there', false],
    ['pass', 'capability absent', true],
  ]);
});

t.test('several at a time, reported in their order; some alone, before all others', async (t) => {
  const running = new Set<string>();
  let most = 0;
  const make = (name: string, millis: number, alone = false): ConformanceCase<string> => ({
    name,
    rule,
    alone,
    async run() {
      running.add(name);
      most = Math.max(most, running.size);
      if (alone) t.equal(running.size, 1, `${name} runs alone`);
      await wait(millis);
      running.delete(name);
    },
  });
  const { results } = await run([make('a', 30), make('b', 1), make('c', 5, true), make('d', 1)], { concurrency: 2 });
  t.strictSame(
    results.map(({ name }) => name),
    ['a', 'b', 'c', 'd'],
  );
  t.equal(most, 2);
});

t.test('a case that hangs fails', async (t) => {
  const { results } = await run([{ name: 'hangs', rule, run: () => wait(500) }], { timeoutMillis: 10 });
  t.match(results[0]?.error, { message: /longer than 10 ms/ });
});

t.test('what is asked for by name has to be there', async (t) => {
  const cases = [{ name: 'a', rule, run: good }];
  await t.rejects(run(cases, { exceptions: { b: 'x' } }), /no case is called so/);
  await t.rejects(run([...cases, ...cases]), /two cases are called/);
  t.strictSame((await run([...cases, { name: 'b', rule, run: bad }], { only: /^a$/ })).outcomes, [['a', 'passed']]);
});
