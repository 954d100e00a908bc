import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPlugin } from '@bugless/kit/plugin';
import { createContext, type Model, ServiceError } from '@bugless/kit/service';
import t from 'tap';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

t.test('without a url: the embedded PostgreSQL in the data folder, with a place for the first issue', async (t) => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'bugless-model-'));
  t.teardown(() => rm(dataDirectory, { recursive: true, force: true }));
  const open = async () =>
    openPlugin({
      section: 'model',
      plugin: '@bugless/model-postgres',
      service: 'bugless.v1.ModelService',
      transport: 'in-process',
      config: {},
      environment: { log: SILENT, dataDirectory: join(dataDirectory, 'data'), now: Date.now },
      folder: process.cwd(),
    });
  const alice = createContext({ user: 'alice' });
  const first = await open();
  const { dataId } = first.info;
  t.match(dataId, /^[0-9a-f-]{36}$/);
  await first.checkReady();
  const model: Model = first.model!;
  const { components } = await model.listComponents({}, alice);
  t.match(components, [{ id: '1', name: 'General', permissions: [1, 2, 3] }]);
  const { issue } = await model.createIssue({ issue: { title: 'First', component: '1' } }, alice);
  await first.drain();
  await first.stop();
  await t.rejects(first.checkReady(), ServiceError as never);

  const started = performance.now();
  const second = await open();
  t.comment(`second start took ${Math.round(performance.now() - started)} ms`);
  t.equal(second.info.dataId, dataId, 'the same data');
  const read = await second.model!.getIssue({ id: issue!.id }, alice);
  await second.stop();
  t.match(read.issue, { title: 'First', reporter: 'alice' });
});
