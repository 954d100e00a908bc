import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { createContext } from '../service/context.ts';
import { ServiceError } from '../service/error.ts';
import type { PluginDefinition, PluginEnvironment, PluginInstance } from './definition.ts';
import { PluginError } from './error.ts';
import { type OpenPluginOptions, openPlugin } from './host.ts';
import { finish } from './lifecycle.ts';
import { type PluginServer, servePlugins } from './serve.ts';

const logged: { facts: object; message: string }[] = [];
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [
    level,
    (facts: object, message: string) => void logged.push({ facts, message }),
  ]),
) as unknown as PluginEnvironment['log'];
const environment: PluginEnvironment = { log, dataDirectory: tmpdir(), now: Date.now };
const context = createContext();

function createFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'bugless-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A Model that names its version, and notes the steps of its life. */
function createDefinition(
  changes: Partial<PluginDefinition> & { dataId?: string; steps?: string[]; instance?: Partial<PluginInstance> } = {},
): PluginDefinition {
  const { dataId = 'd1', steps = [], instance, ...rest } = changes;
  const note = (step: string) => async () => void steps.push(step);
  return {
    id: '@test/model',
    version: '1.2.3',
    contractVersions: [1],
    services: ['bugless.v1.ModelService'],
    configuration: { type: 'object', properties: {} },
    create(configuration) {
      steps.push(`create ${JSON.stringify(configuration)}`);
      return {
        model: { getIssue: async ({ id }) => ({ issue: { id, title: rest.version ?? '1.2.3' } }) },
        start: note('start'),
        getDetails: () => ({ capabilities: { events: true, stars: 'not built yet' }, dataId, maxPageSize: 500 }),
        checkReady: note('checkReady'),
        drain: note('drain'),
        stop: note('stop'),
        ...instance,
      };
    },
    ...rest,
  };
}

const authenticator = (): PluginDefinition => ({
  ...createDefinition(),
  id: '@test/auth',
  version: '0.9.0',
  services: ['bugless.v1.AuthenticatorService'],
  create: () => ({
    authenticator: { getSetup: async () => ({ needed: true }) },
    start: async () => undefined,
    getDetails: () => ({ capabilities: { setup: true }, dataId: 'd2' }),
    checkReady: async () => undefined,
    drain: async () => undefined,
    stop: async () => undefined,
  }),
});

function install(folder: string, name: string, source: string, manifest: object = {}): void {
  const file = join(folder, 'node_modules', name, 'main.js');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, source);
  const whole = { name, version: '1.0.0', type: 'module', exports: { import: './main.js' }, ...manifest };
  writeFileSync(join(dirname(file), 'package.json'), JSON.stringify(whole));
}

const PACKAGE = `const done = async () => {};
export default { id: '@test/packaged', version: '2.0.0', contractVersions: [1], services: ['bugless.v1.ModelService'],
  configuration: { type: 'object', properties: {
    url: { type: 'string', 'x-secret': true },
    pool: { type: 'object', properties: { size: { type: 'integer', default: 4 }, idle: { type: 'integer' } }, required: ['idle'] },
    mode: { enum: ['fast', 'safe'] },
    hosts: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } } } },
  create: (configuration) => ({ model: { getIssue: async () => ({ issue: { title: JSON.stringify(configuration) } }) },
    start: done, getDetails: () => ({ capabilities: {}, dataId: '' }), checkReady: done, drain: done, stop: done }) };`;

const open = (folder: string, options: Partial<OpenPluginOptions>) =>
  openPlugin({
    section: 'model',
    plugin: '@test/packaged',
    transport: 'in-process',
    service: 'bugless.v1.ModelService',
    environment,
    folder,
    locate: (path) => `bugless.yaml:${path.length}`,
    ...options,
  });

const failure = <E = PluginError>(promise: Promise<unknown>): Promise<E> =>
  promise.then(
    () => {
      throw new Error('did not fail');
    },
    (error) => error as E,
  );

t.test('a package is found, checked, and run in process', async (t) => {
  const folder = createFolder(t);
  install(folder, '@test/packaged', PACKAGE);
  writeFileSync(join(folder, 'url.txt'), 'postgres://u:p@h/d\n');
  const link = await open(folder, { config: { url: 'file:url.txt', pool: { idle: 1 }, mode: 'safe' } });
  const { issue } = await link.model!.getIssue({ id: '1' }, context);
  t.same(JSON.parse(issue?.title ?? ''), { url: 'postgres://u:p@h/d', pool: { idle: 1, size: 4 }, mode: 'safe' });
  t.match(link.info, { id: '@test/packaged', version: '2.0.0', dataId: '' });
  await link.checkReady();
  await link.drain();
  await link.stop();
  writeFileSync(join(folder, 'own.js'), PACKAGE.replace('@test/packaged', './own.js'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  t.match((await open(folder, { plugin: './own.js' })).info, { id: './own.js' }, 'a path works too');
});

t.test('what is wrong with a package is one line', async (t) => {
  const folder = createFolder(t);
  install(folder, 'no-plugin', 'export default { id: "x", version: "1" }');
  install(folder, 'no-default', 'export const x = 1');
  install(folder, 'broken', 'import "not-there"; export default {}');
  install(folder, 'newer', PACKAGE.replace('contractVersions: [1]', 'contractVersions: [2, 3]'));
  install(folder, 'main-only', PACKAGE, { exports: undefined, main: './main.js' });
  const cases: [string, string | RegExp][] = [
    [
      '@acme/absent',
      'bugless.yaml:2: model.plugin: package "@acme/absent" is not installed; run: npm install @acme/absent',
    ],
    ['./absent.js', /^bugless\.yaml:2: model\.plugin: there is no module .*\/absent\.js$/],
    ['no-plugin', /"no-plugin" is no Bugless plugin: its "contractVersions" is no list; export default definePlugin/],
    ['no-default', /is no Bugless plugin: it has no default export/],
    ['broken', /model\.plugin: "broken" cannot be loaded: .*not-there/],
  ];
  for (const [plugin, line] of cases) {
    const error = await failure(open(folder, { plugin }));
    t.ok(error instanceof PluginError);
    t.equal(error.problems.length, 1);
    t.match(error.message, line);
  }
  t.match(await failure(open(folder, { plugin: 'newer' })), {
    reason: 'PLUGIN_INCOMPATIBLE',
    message: '@test/packaged 2.0.0 speaks contract version 2, 3, this Bugless speaks 1; install matching versions',
  });
  t.match(await failure(open(folder, { plugin: 'main-only', service: 'bugless.v1.AuthenticatorService' })), {
    reason: 'PLUGIN_INCOMPATIBLE',
    message: /carries bugless\.v1\.ModelService, not bugless\.v1\.AuthenticatorService/,
  });
  t.match(
    (await failure(open(folder, { tls: { ca: 'x' } }))).message,
    'model.tls: is for a transport host:port; remove it',
  );
});

t.test('a wrong configuration tells key, place and expectation, never a value', async (t) => {
  const folder = createFolder(t);
  install(folder, '@test/packaged', PACKAGE);
  const cases: [object, string[]][] = [
    [{ uri: 'hunter2' }, ['bugless.yaml:3: model.config.uri: unknown key; did you mean "url"?']],
    [{ zzzzzz: 1 }, ['bugless.yaml:3: model.config.zzzzzz: unknown key; expected one of: url, pool, mode, hosts']],
    [{ url: 5 }, ['bugless.yaml:3: model.config.url: expected a string, not an integer']],
    [{ pool: { idle: 1, sise: 2 } }, ['bugless.yaml:4: model.config.pool.sise: unknown key; did you mean "size"?']],
    [{ pool: {} }, ['bugless.yaml:4: model.config.pool.idle: is missing']],
    [{ mode: 'hunter2' }, ['bugless.yaml:3: model.config.mode: expected one of: "fast", "safe"']],
    [{ hosts: [{}, { nam: 'x' }] }, ['bugless.yaml:5: model.config.hosts[1].nam: unknown key; did you mean "name"?']],
    [
      { url: 'file:none.txt' },
      [`bugless.yaml:3: model.config.url: the file ${join(folder, 'none.txt')} does not exist`],
    ],
    [
      { pool: { idle: 'x' }, mode: 1 },
      [
        'bugless.yaml:4: model.config.pool.idle: expected an integer, not a string',
        'bugless.yaml:3: model.config.mode: expected one of: "fast", "safe"',
      ],
    ],
  ];
  for (const [config, problems] of cases) {
    const error = await failure(open(folder, { config }));
    t.same(error.problems, problems);
    t.notMatch(error.message, /hunter2/);
  }
  t.match(
    (await failure(open(folder, { section: 'authenticators[1]', locate: undefined, config: { x: 1 } }))).message,
    /^authenticators\[1\]\.config\.x: /,
  );
});

t.test('the life of a plugin', async (t) => {
  const steps: string[] = [];
  const folder = createFolder(t);
  const listen = `unix://${join(folder, 's')}`;
  const served = { plugin: createDefinition({ steps }), section: 'model' };
  const server = await servePlugins({ plugins: [served], listen, environment });
  await server.checkReady();
  await server.drain();
  await server.stop();
  t.same(steps, ['create {}', 'start', 'checkReady', 'drain', 'stop']);

  steps.length = 0;
  const start = (): Promise<void> => Promise.reject(new Error('the database is away\nsecond line'));
  const failing = createDefinition({ steps, instance: { start } });
  t.match(await failure(servePlugins({ plugins: [{ plugin: failing, section: 'model' }], listen, environment })), {
    message: 'model: @test/model could not start: the database is away',
  });
  t.same(steps, ['create {}', 'stop'], 'a failed start is stopped');

  logged.length = 0;
  await finish('drain', 'p', () => new Promise(() => undefined), 30, log);
  await finish('stop', 'p', () => Promise.reject(new Error('no')), 30, log);
  t.match(logged, [{ message: /drain takes too long/ }, { facts: { err: Error }, message: 'stop failed' }]);
});

t.test('several plugins behind one address', async (t) => {
  const folder = createFolder(t);
  const transport = `unix://${join(folder, 's')}`;
  const plugins = [
    { plugin: createDefinition(), section: 'model' },
    { plugin: authenticator(), section: 'authenticators[0]' },
  ];
  const server = await servePlugins({ plugins, listen: transport, environment });
  t.teardown(() => server.stop());
  const storage = await open(folder, { transport });
  const service = 'bugless.v1.AuthenticatorService';
  const identity = await open(folder, { transport, section: 'authenticators[0]', service });
  t.match(await storage.model!.getIssue({ id: '7' }, context), { issue: { id: '7', title: '1.2.3' } });
  t.match(await identity.authenticator!.getSetup({}, context), { needed: true });
  t.equal(storage.authenticator, undefined);
  t.match(storage.info, {
    id: '@test/model+@test/auth',
    contractVersions: [1],
    dataId: 'd1 d2',
    limits: { maxPageSize: 500 },
  });
  const claims = new Map(storage.info.capabilities.map((capability) => [capability.name, capability]));
  t.match(claims.get('events'), { available: true, reason: '' });
  t.match(claims.get('stars'), { available: false, reason: 'not built yet' });
  t.match(claims.get('attachments'), { available: false, reason: 'this plugin does not offer it' });
  t.match(claims.get('setup'), { available: true });
  await storage.checkReady();
  await storage.stop();
  await identity.stop();
  const twice = [plugins[0]!, { plugin: createDefinition({ id: '@test/other' }), section: 'model' }];
  t.match(await failure(servePlugins({ plugins: twice, listen: `${transport}2`, environment })), {
    message: /@test\/model and @test\/other both carry bugless\.v1\.ModelService/,
  });
});

t.test('a remote plugin that cannot be used', async (t) => {
  const folder = createFolder(t);
  const transport = `unix://${join(folder, 's')}`;
  const started = Date.now();
  const absent = await failure(open(folder, { transport, startLimitMillis: 300 }));
  t.equal(
    absent.message,
    `bugless.yaml:2: model.transport: no plugin answers at ${transport} (connect ENOENT ${join(folder, 's')}); start it: bugless plugin serve @test/packaged --listen ${transport}`,
  );
  t.ok(Date.now() - started < 3_000, 'bounded');
  t.match(await failure(open(folder, { transport: 'db.example:7000' })), {
    message: /model\.transport: db\.example:7000 needs "tls"/,
  });
  for (const [changes, message] of [
    [
      { contractVersions: [7] },
      '@test/model 1.2.3 speaks contract version 7, this Bugless speaks 1; install matching versions',
    ],
    [{ services: [] }, /carries .*, not bugless\.v1\.ModelService/],
  ] as const) {
    // A server as an author without this kit might write it: nothing is checked on its side.
    const { serveGrpc } = await import('../transport/index.ts');
    const { PluginServiceDefinition } = await import('@bugless/proto');
    const info = {
      id: '@test/model',
      version: '1.2.3',
      services: ['bugless.v1.ModelService'],
      contractVersions: [1],
      ...changes,
    };
    const services = [{ definition: PluginServiceDefinition, implementation: { getInfo: async () => info } }];
    const server = await serveGrpc({ listen: transport, services });
    t.match(await failure(open(folder, { transport })), { reason: 'PLUGIN_INCOMPATIBLE', message });
    await server.stop();
  }
});

t.test('a remote plugin that goes away and comes back', async (t) => {
  const folder = createFolder(t);
  const transport = `unix://${join(folder, 's')}`;
  let server: PluginServer | undefined;
  const serve = async (changes: Parameters<typeof createDefinition>[0]): Promise<void> => {
    await server?.stop();
    const plugins = [{ plugin: createDefinition(changes), section: 'model' }];
    server = await servePlugins({ plugins, listen: transport, environment });
  };
  t.teardown(() => server?.stop());
  await serve({});
  const link = await open(folder, { transport });
  t.teardown(() => link.stop());
  const read = () => link.model!.getIssue({ id: '1' }, createContext({ deadline: Date.now() + 5_000 }));
  const waitReady = async (): Promise<number> => {
    const started = Date.now();
    while (Date.now() - started < 5_000) {
      if (
        await link.checkReady().then(
          () => true,
          () => false,
        )
      )
        break;
      await sleep(10);
    }
    return Date.now() - started;
  };
  t.equal((await read()).issue?.title, '1.2.3');

  await server?.stop();
  server = undefined;
  await sleep(30);
  t.match(await failure<ServiceError>(link.checkReady()), { code: 'UNAVAILABLE' }, 'readiness is red');
  const waiting = read();
  await sleep(300);
  await serve({ version: '1.3.0' });
  t.equal((await waiting).issue?.title, '1.3.0', 'a read waits for its return');
  t.ok((await waitReady()) < 2_000);
  t.equal(link.info.version, '1.3.0', 'it is looked at again');

  logged.length = 0;
  await serve({ dataId: 'other' });
  const refused = await failure<ServiceError>(read());
  t.match(refused, { reason: 'PLUGIN_INCOMPATIBLE', message: /now stands on other data \(other, before d1\)/ });
  t.match(await failure<ServiceError>(link.checkReady()), { reason: 'PLUGIN_INCOMPATIBLE' });
  t.ok(logged.some(({ message }) => message.startsWith('refused the plugin at')));
  await serve({});
  t.ok((await waitReady()) < 2_000, 'the right data is welcome again');
  t.equal((await read()).issue?.title, '1.2.3');

  let fault: ServiceError | undefined;
  const checkReady = async (): Promise<void> => {
    if (fault !== undefined) throw fault;
  };
  await serve({ instance: { checkReady } });
  t.ok((await waitReady()) < 2_000);
  fault = new ServiceError('BACKEND_UNAVAILABLE', 'the database is away');
  t.match(
    await failure<ServiceError>(link.checkReady()),
    { reason: 'NOT_READY' },
    'it says itself that it is not ready',
  );
});

t.test('the kit itself is light', async (t) => {
  const script = `import { createRequire } from 'node:module';
    const kit = await import(${JSON.stringify(new URL('../index.ts', import.meta.url).href)});
    const loaded = Object.keys(createRequire(import.meta.url).cache).join();
    if (typeof kit.definePlugin !== 'function' || typeof kit.openPlugin !== 'function') throw new Error('exports');
    console.log(['grpc-js', 'ajv', 'protobufjs', 'reflection'].filter((name) => loaded.includes('/' + name + '/')).join() || 'light');`;
  const args = ['--conditions=bugless-source', '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  t.equal(stdout.trim(), 'light');
});
