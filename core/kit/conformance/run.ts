import {
  type CaseResult,
  type ConformanceCase,
  type Reporter,
  type RunOptions,
  type RunSummary,
  SkipCase,
} from './case.ts';

/** What is said of a capability: undefined when it is there, else why it is not. */
export type FindAbsence = (capability: string) => string | undefined;

/**
 * Runs cases, several at a time, and reports them in their order. Never rejects
 * for a failed case.
 */
export async function runCases<World>(
  cases: readonly ConformanceCase<World>[],
  makeWorld: (name: string) => Promise<World>,
  findAbsence: FindAbsence,
  reporter: Reporter,
  options: RunOptions = {},
): Promise<RunSummary> {
  checkOptions(cases, options);
  const chosen = cases.filter((item) => !options.only || options.only.test(item.name));
  const results: (CaseResult | undefined)[] = chosen.map(() => undefined);
  const summary = { passed: 0, failed: 0, skipped: 0, excepted: 0 };
  let reported = 0;

  const runAt = async (index: number): Promise<void> => {
    results[index] = await runCase(chosen[index]!, makeWorld, findAbsence, options);
    for (let next = results[reported]; next; next = results[reported]) {
      reported += 1;
      summary[next.outcome] += 1;
      reporter.report(next);
    }
  };

  // First the ones that must be alone, so that they meet a store as untouched as it can be.
  for (const [index, item] of chosen.entries()) if (item.alone) await runAt(index);
  const rest = chosen.flatMap((item, index) => (item.alone ? [] : [index]));
  const worker = async (): Promise<void> => {
    for (let index = rest.shift(); index !== undefined; index = rest.shift()) await runAt(index);
  };
  await Promise.all(Array.from({ length: options.concurrency ?? 4 }, worker));
  return summary;
}

function checkOptions<World>(cases: readonly ConformanceCase<World>[], options: RunOptions): void {
  const names = new Set<string>();
  for (const { name } of cases) {
    if (names.has(name)) throw new Error(`conformance: two cases are called ${JSON.stringify(name)}`);
    names.add(name);
  }
  for (const name of Object.keys(options.exceptions ?? {}))
    if (!names.has(name))
      throw new Error(`conformance: exceptions names ${JSON.stringify(name)}, and no case is called so`);
}

async function runCase<World>(
  item: ConformanceCase<World>,
  makeWorld: (name: string) => Promise<World>,
  findAbsence: FindAbsence,
  options: RunOptions,
): Promise<CaseResult> {
  const { name, rule } = item;
  const exception = options.exceptions?.[name];
  const absence = item.capability === undefined ? undefined : findAbsence(item.capability);
  if (absence !== undefined)
    return {
      name,
      rule,
      outcome: 'skipped',
      reason: `${item.capability} is absent: ${absence}`,
      error: undefined,
      millis: 0,
    };

  const started = performance.now();
  const finish = (outcome: CaseResult['outcome'], reason: string, error: unknown): CaseResult => {
    return { name, rule, outcome, reason, error, millis: performance.now() - started };
  };
  try {
    await within(options.timeoutMillis ?? 20_000, async () => item.run(await makeWorld(name)));
  } catch (error) {
    if (error instanceof SkipCase) return finish('skipped', error.message, undefined);
    return exception === undefined ? finish('failed', '', error) : finish('excepted', exception, error);
  }
  if (exception === undefined) return finish('passed', '', undefined);
  return finish('failed', '', new Error(`passes, though it is named as an exception (${exception}): take it out`));
}

async function within(millis: number, run: () => Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`took longer than ${millis} ms`)), millis);
  try {
    await Promise.race([run(), promise]);
  } finally {
    clearTimeout(timer);
  }
}
