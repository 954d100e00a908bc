import { join } from 'node:path';
import {
  applyMutant,
  type CaseResult,
  MODEL_MUTANTS,
  matchExactly,
  runModelConformance,
} from '@bugless/kit/conformance';
import { openPlugin } from '@bugless/kit/plugin';
import t from 'tap';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function openMemory() {
  const environment = { log: silent, dataDirectory: join(t.testdir(), 'data'), now: Date.now };
  const section = {
    section: 'model',
    plugin: '@bugless/example-model-memory',
    service: 'bugless.v1.ModelService' as const,
  };
  return openPlugin({ ...section, transport: 'in-process', environment, folder: process.cwd() });
}

t.test('the suite catches every mutant, and passes the good Model', async (t) => {
  for (const mutant of MODEL_MUTANTS) {
    const link = await openMemory();
    const results: CaseResult[] = [];
    const run = async (model: typeof link.model) => {
      const open = async () => ({ model: model!, info: link.info, close: async () => {} });
      await runModelConformance(
        open,
        { report: (result) => results.push(result) },
        { only: matchExactly(mutant.caughtBy) },
      );
    };
    await run(link.model);
    await run(applyMutant(link.model!, mutant));
    await link.stop();
    t.strictSame(
      results.map((result) => result.outcome),
      ['passed', 'failed'],
      `${mutant.name}: ${mutant.caughtBy}`,
    );
  }
});
