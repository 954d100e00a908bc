import { type CaseResult, runModelConformance } from '@bugless/kit/conformance';
import { ModelServiceDefinition } from '@bugless/kit/service';
import { connectInProcess } from '@bugless/kit/transport';
import { makeFault, startTestDatabase } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t from 'tap';
import { COCKROACH_ON_POSTGRES } from './fixture/cockroach-dialect.ts';
import { SILENT_LOG } from './fixture/open-model.ts';
import { createModelInstance } from './plugin.ts';

/** One of so many statements fails with a conflict, as on CockroachDB under load. */
const FAULT_EVERY = 31;

t.test('the transactions of CockroachDB, SERIALIZABLE and with conflicts put in, keep the contract', async (t) => {
  const test = await startTestDatabase(t);
  // On CockroachDB the index needs no extension.
  const plain = await test.open();
  await sql`create extension btree_gin`.execute(plain.kysely());
  let points = 0;
  let faults = 0;
  const instance = createModelInstance(
    {
      engine: 'postgres',
      url: test.url,
      dialect: COCKROACH_ON_POSTGRES,
      faults: (point) => {
        // An answer that is lost after COMMIT is settled only where there is a request id.
        if (point === 'committed') return undefined;
        points += 1;
        if (points % FAULT_EVERY !== 0) return undefined;
        faults += 1;
        return makeFault('40001');
      },
    },
    { log: SILENT_LOG, dataDirectory: '/nowhere', now: Date.now },
  );
  await instance.start();
  t.teardown(() => instance.stop());
  const { capabilities, maxPageSize = 0, dataId } = instance.getDetails();
  const failed: CaseResult[] = [];
  const summary = await runModelConformance(
    async () => ({
      model: connectInProcess(ModelServiceDefinition, instance.model!),
      info: {
        id: 'model',
        version: '0.1.0',
        services: ['bugless.v1.ModelService'],
        contractVersions: [1],
        capabilities: Object.entries(capabilities).map(([name, claim]) => ({
          name,
          available: claim === true,
          reason: claim === true ? '' : String(claim),
        })),
        limits: { maxPageSize, maxAttachmentSize: '0', maxExactCount: 10_000 },
        dataId,
      },
      close: async () => {},
    }),
    { report: (result) => void (result.outcome === 'failed' && failed.push(result)) },
    { concurrency: 3 },
  );
  for (const { name, error } of failed) t.fail(name, { found: String((error as Error).stack ?? error) });
  t.ok(summary.passed > 80, `${summary.passed} cases passed`);
  t.ok(faults > 100, `${faults} conflicts were put in`);
  t.comment(`${summary.passed} passed, ${summary.skipped} skipped, ${faults} conflicts`);
});
