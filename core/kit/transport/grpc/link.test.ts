import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorInfo, GetIssueRequest, GetIssueResponse, ModelServiceDefinition, RpcStatus } from '@bugless/proto';
import {
  credentials,
  Client as GrpcClient,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import t from 'tap';
import { createContext } from '../../service/context.ts';
import { ServiceError } from '../../service/error.ts';
import type { Model, ModelImplementation } from '../../service/port.ts';
import { openChannel, type ServeOptions, serveGrpc } from '../index.ts';
import { createTestCertificates } from '../test-certificates.ts';
import { askHealth } from './health.ts';

const failure = (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => {
      throw new Error('did not fail');
    },
    (error) => error as ServiceError,
  );

/** Short, unlike tap's own: the path of a socket has to fit into 107 bytes. */
function createFolder(t: { teardown(run: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'bugless-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const serve = (implementation: ModelImplementation, options: Omit<ServeOptions, 'services'>) =>
  serveGrpc({ services: [{ definition: ModelServiceDefinition, implementation }], ...options });

const model: ModelImplementation = { getIssue: async ({ id }) => ({ issue: { id } }) };
const context = createContext();

t.test('a link is safe or refused', async (t) => {
  const refused: [Parameters<typeof openChannel>[0], RegExp][] = [
    [{ address: 'model.example:7000' }, /^model\.example:7000 needs "tls"/],
    [
      { address: 'model.example:7000', plaintext: true },
      /allowed on loopback alone .* model\.example:7000 needs "tls"/,
    ],
    [{ address: '127.0.0.1:7000' }, /needs "tls", or "plaintext: true"/],
    [{ address: '[::1]:7000' }, /^\[::1\]:7000 needs "tls", or/],
    [{ address: '127.0.0.1:7000', plaintext: true, tls: {} }, /exclude each other/],
    [{ address: 'unix:///tmp/x.sock', tls: {} }, /"tls" is for host:port/],
    [{ address: 'nonsense' }, /"nonsense" is no address; expected unix:\/\/\/absolute\/path or host:port/],
    [{ address: 'unix://relative' }, /is no address/],
    [{ address: 'host:70000' }, /is no address/],
    [{ address: `unix:///${'x'.repeat(120)}` }, /longer than the 107 bytes/],
    [{ address: 'localhost:1', tls: { ca: '/no/such.pem' } }, /^tls\.ca: \/no\/such\.pem: there is no such file/],
    [{ address: 'localhost:1', tls: { cert: 'x' } }, /go together/],
  ];
  for (const [options, message] of refused) {
    t.throws(() => openChannel(options), { message }, options.address);
    if (options.tls?.ca === undefined) {
      const { address: listen, ...security } = options;
      t.match(await failure(serve(model, { listen, ...security })), { message });
    }
  }
  t.match(await failure(serve(model, { listen: '0.0.0.0:0', plaintext: true })), { message: /loopback alone/ });
  t.match(await failure(serve(model, { listen: 'localhost:0', tls: {} })), {
    message: /tls\.cert and tls\.key are needed/,
  });
});

t.test('TLS: who is not trusted is not served', async (t) => {
  const { ca, server, client } = await createTestCertificates();
  const stranger = await createTestCertificates();
  const running = await serve(model, { listen: 'localhost:0', tls: { ca, ...server } });
  t.teardown(() => running.stop());
  const ask = async (tls: object, address = running.address): Promise<unknown> => {
    const channel = openChannel({ address, tls });
    t.teardown(() => channel.close());
    return channel.connect(ModelServiceDefinition).getIssue({ id: '1' }, createContext({ deadline: Date.now() + 400 }));
  };
  t.match(await ask({ ca, ...client }), { issue: { id: '1' } });
  t.match(await ask({ ca, ...client, serverName: 'plugin.test' }), { issue: { id: '1' } });
  t.match(await failure(ask({ ca, ...client, serverName: 'other.test' })), { reason: 'BACKEND_UNAVAILABLE' });
  t.match(await failure(ask({ ca })), { reason: 'BACKEND_UNAVAILABLE' }, 'no client certificate');
  t.match(await failure(ask({ ca, ...stranger.client })), { reason: 'BACKEND_UNAVAILABLE' }, 'of another authority');
  t.match(await failure(ask({ ca: stranger.ca, ...client })), { reason: 'BACKEND_UNAVAILABLE' }, 'another server');
});

t.test('unix sockets', async (t) => {
  const folder = createFolder(t);
  writeFileSync(join(folder, 'file'), '');
  const path = join(folder, 'm.sock');
  const listen = `unix://${path}`;
  const first = await serve(model, { listen });
  t.equal(first.address, listen);
  t.equal(lstatSync(path).mode & 0o777, 0o600, 'for its own user alone');
  t.match(await failure(serve(model, { listen })), {
    message: `cannot listen at ${path}: another process listens there`,
  });
  await first.stop();
  t.notOk(existsSync(path), 'taken away when it stops');

  const stale = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log())`,
  ]);
  await once(stale.stdout, 'data');
  stale.kill('SIGKILL');
  await once(stale, 'exit');
  t.ok(existsSync(path), 'left behind by kill -9');
  const second = await serve(model, { listen });
  const channel = openChannel({ address: listen });
  t.match(await channel.connect(ModelServiceDefinition).getIssue({ id: '1' }, context), { issue: { id: '1' } });
  channel.close();
  await second.stop();

  t.match(await failure(serve(model, { listen: `unix://${join(folder, 'file')}` })), {
    message: /is there and is no socket/,
  });
  t.match(await failure(serve(model, { listen: `unix://${join(folder, 'no', 's')}` })), {
    message: /the folder .* does not exist/,
  });
});

t.test('a port in use', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const { port } = other.address() as { port: number };
  const error = await failure(serve(model, { listen: `127.0.0.1:${port}`, plaintext: true }));
  t.equal(error.message, `cannot listen at 127.0.0.1:${port}: the port is in use`);
});

t.test('health follows readiness; reflection describes all', async (t) => {
  let ready = true;
  const checkReady = async (): Promise<void> => {
    if (!ready) throw new ServiceError('NOT_READY', 'no database');
  };
  const listen = `unix://${join(createFolder(t), 's')}`;
  const services = [{ definition: ModelServiceDefinition, implementation: model, checkReady }];
  const server = await serveGrpc({ services, listen });
  const channel = openChannel({ address: listen });
  const client = new GrpcClient(`unix:${listen.slice(7)}`, credentials.createInsecure());
  t.teardown(async () => {
    client.close();
    channel.close();
    await server.stop();
  });
  await channel.waitReady(Date.now() + 2_000);
  const name = ModelServiceDefinition.fullName;
  const ask = (service: string) => askHealth(client, service, Date.now() + 2_000);
  t.ok(await ask(name));
  t.ok(await ask(''));
  t.notOk(await ask('other.Service'));
  await channel.checkHealth(name, 1_000);
  ready = false;
  t.notOk(await ask(name));
  t.notOk(await ask(''));
  t.match(await failure(channel.checkHealth(name, 1_000)), { reason: 'NOT_READY' });

  for (const version of ['v1', 'v1alpha']) {
    const text = { type: 'string' };
    const messages = {
      ServerReflectionRequest: {
        fields: { fileContainingSymbol: { ...text, id: 4 }, listServices: { ...text, id: 7 } },
      },
      ServerReflectionResponse: { fields: { files: { type: 'Files', id: 4 }, list: { type: 'List', id: 6 } } },
      Files: { fields: { file: { rule: 'repeated', type: 'bytes', id: 1 } } },
      List: { fields: { service: { rule: 'repeated', type: 'Name', id: 1 } } },
      Name: { fields: { name: { ...text, id: 1 } } },
      ServerReflection: {
        methods: {
          ServerReflectionInfo: {
            requestType: 'ServerReflectionRequest',
            requestStream: true,
            responseType: 'ServerReflectionResponse',
            responseStream: true,
          },
        },
      },
    };
    const json = { nested: { grpc: { nested: { reflection: { nested: { [version]: { nested: messages } } } } } } };
    // biome-ignore lint/suspicious/noExplicitAny: clients made from a description have no type
    const grpc = loadPackageDefinition(fromJSON(json as never)).grpc as any;
    const reflection = new grpc.reflection[version].ServerReflection(
      `unix:${listen.slice(7)}`,
      credentials.createInsecure(),
    );
    const call = reflection.ServerReflectionInfo();
    call.write({ listServices: '*' });
    const [listed] = await once(call, 'data');
    t.same(listed.list.service.map((service: { name: string }) => service.name).sort(), [
      name,
      'grpc.health.v1.Health',
    ]);
    for (const symbol of [name, 'grpc.health.v1.Health', 'bugless.v1.Issue']) {
      call.write({ fileContainingSymbol: symbol });
      const [found] = await once(call, 'data');
      t.ok(found.files?.file.length > 0, symbol);
    }
    call.end();
    reflection.close();
  }
});

t.test('core as a server decides who acts', async (t) => {
  const seen: string[] = [];
  const server = await serve(
    { getIssue: async (_, { user }) => ({ issue: { title: user } }) },
    {
      listen: '127.0.0.1:0',
      plaintext: true,
      identify: ({ getMetadata, method, peer }) => {
        seen.push(method, peer.split(':')[0] as string);
        const token = getMetadata('authorization');
        if (token !== 'Bearer good') throw new ServiceError('LOGIN_REQUIRED', 'send a token');
        return createContext({ user: 'bot' });
      },
    },
  );
  const client = new GrpcClient(server.address, credentials.createInsecure());
  t.teardown(async () => {
    client.close();
    await server.stop();
  });
  const ask = (token: string): Promise<GetIssueResponse> =>
    new Promise((resolve, reject) => {
      const metadata = new Metadata();
      metadata.set('authorization', token);
      client.makeUnaryRequest(
        '/bugless.v1.ModelService/GetIssue',
        (request: GetIssueRequest) => Buffer.from(GetIssueRequest.encode(request).finish()),
        (bytes) => GetIssueResponse.decode(bytes),
        { id: '1' },
        metadata,
        (error, answer) => (error ? reject(error) : resolve(answer as GetIssueResponse)),
      );
    });
  t.match(await ask('Bearer good'), { issue: { title: 'bot' } });
  t.match(await failure(ask('Bearer bad')), { code: status.UNAUTHENTICATED, details: 'send a token' });
  t.same(seen.slice(0, 2), ['ModelService.GetIssue', '127.0.0.1']);
  const garbage = new Promise((resolve, reject) => {
    const metadata = new Metadata();
    metadata.set('authorization', 'Bearer good');
    const same = (bytes: Buffer): Buffer => bytes;
    client.makeUnaryRequest(
      '/bugless.v1.ModelService/GetIssue',
      same,
      same,
      Buffer.from([0x0a]),
      metadata,
      (error, answer) => (error ? reject(error) : resolve(answer)),
    );
  });
  t.match(await failure(garbage), {
    code: status.INVALID_ARGUMENT,
    details: /expected a serialized bugless\.v1\.GetIssueRequest/,
  });
});

t.test('servers that are not of this kit are understood', async (t) => {
  const server = new Server();
  let failing: object = { code: status.NOT_FOUND, details: 'nope' };
  let calls = 0;
  const same = (bytes: Buffer): Buffer => bytes;
  const describe = (name: string) => ({
    path: `/bugless.v1.ModelService/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  });
  const answer = (_: unknown, callback: (error: object | null, bytes?: Buffer) => void): void => {
    calls++;
    if ('bytes' in failing) callback(null, failing.bytes as Buffer);
    else callback(failing);
  };
  server.addService(
    { getIssue: describe('GetIssue'), getHotlist: describe('GetHotlist'), createIssue: describe('CreateIssue') },
    { getIssue: answer, getHotlist: answer, createIssue: answer } as never,
  );
  const path = join(createFolder(t), 's');
  await new Promise((resolve) => server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), resolve));
  const channel = openChannel({ address: `unix://${path}` });
  t.teardown(() => {
    channel.close();
    server.forceShutdown();
  });
  const foreign: Model = channel.connect(ModelServiceDefinition);
  t.match(await failure(foreign.getIssue({ id: '1' }, context)), { reason: 'ISSUE_NOT_FOUND', message: 'nope' });
  t.match(await failure(foreign.getHotlist({ id: '1' }, context)), { reason: 'HOTLIST_NOT_FOUND' });
  t.match(await failure(foreign.listComponents({}, context)), { reason: 'CAPABILITY_ABSENT' });
  const codes: [number, string][] = [
    [status.INVALID_ARGUMENT, 'INVALID_FIELD'],
    [status.PERMISSION_DENIED, 'FORBIDDEN'],
    [status.UNAUTHENTICATED, 'LOGIN_REQUIRED'],
    [status.ABORTED, 'CONFLICT'],
    [status.ALREADY_EXISTS, 'NAME_TAKEN'],
    [status.RESOURCE_EXHAUSTED, 'OVERLOADED'],
    [status.FAILED_PRECONDITION, 'INTERNAL'],
    [status.UNKNOWN, 'INTERNAL'],
    [status.DATA_LOSS, 'INTERNAL'],
    [status.OUT_OF_RANGE, 'CURSOR_EXPIRED'],
  ];
  for (const [code, reason] of codes) {
    failing = { code, details: 'x' };
    t.equal((await failure(foreign.getIssue({ id: '1' }, context))).reason, reason, `code ${code}`);
  }
  const metadata = new Metadata();
  const info = ErrorInfo.encode({ reason: 'UNHEARD_OF', domain: 'bugless', metadata: {} }).finish();
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: Buffer.from(info) }];
  const rpcStatus = RpcStatus.encode({ code: 9, message: 'newer', details }).finish();
  metadata.set('grpc-status-details-bin', Buffer.from(rpcStatus));
  failing = { code: status.FAILED_PRECONDITION, details: 'newer', metadata };
  t.match(await failure(foreign.getIssue({ id: '1' }, context)), {
    message: 'newer',
    metadata: { reason: 'UNHEARD_OF' },
  });
  failing = { bytes: Buffer.from([0x0a, 0x7f]) };
  t.match(await failure(foreign.getIssue({ id: '1' }, context)), { reason: 'INTERNAL', message: /is not a bugless/ });
  failing = { code: status.UNAVAILABLE, details: 'the database is away' };
  calls = 0;
  const deadline = Date.now() + 250;
  t.match(await failure(foreign.getIssue({ id: '1' }, createContext({ deadline }))), { reason: 'BACKEND_UNAVAILABLE' });
  t.ok(calls > 2, 'reads are repeated until the deadline');
  calls = 0;
  t.match(await failure(foreign.createIssue({}, createContext({ deadline: Date.now() + 250 }))), {
    reason: 'BACKEND_UNAVAILABLE',
  });
  t.equal(calls, 1, 'writes are not');
  await failure(foreign.createIssue({ requestId: 'r1' }, createContext({ deadline: Date.now() + 250 })));
  t.ok(calls > 2, 'but with a request id they are');
});

t.test('draining finishes work under way and ends streams', async (t) => {
  const listen = `unix://${join(createFolder(t), 's')}`;
  const server = await serve(
    {
      async getIssue({ id }) {
        await sleep(250);
        return { issue: { id } };
      },
      async *watchEvents(_, { signal }) {
        yield { cursor: '1' };
        await once(signal as AbortSignal, 'abort');
      },
    },
    { listen },
  );
  const channel = openChannel({ address: listen });
  const client = channel.connect(ModelServiceDefinition);
  t.teardown(async () => {
    channel.close();
    await server.stop();
  });
  const stream = client.watchEvents({}, context)[Symbol.asyncIterator]();
  t.match(await stream.next(), { value: { cursor: '1' } });
  const working = client.getIssue({ id: '1' }, context);
  const waiting = failure(stream.next());
  await sleep(50);
  const drained = server.drain();
  t.match(await failure(client.getIssue({ id: '2' }, createContext({ deadline: Date.now() + 60 }))), {
    code: 'UNAVAILABLE',
  });
  t.match(await waiting, { reason: 'NOT_READY' }, 'a stream is told to go elsewhere');
  t.match(await working, { issue: { id: '1' } });
  await drained;
});

t.test('a server killed and started again', async (t) => {
  const folder = createFolder(t);
  const script = join(folder, 'server.mjs');
  const kit = new URL('../index.ts', import.meta.url).href;
  const proto = import.meta.resolve('@bugless/proto');
  writeFileSync(
    script,
    `import { serveGrpc } from '${kit}';
     import { ModelServiceDefinition } from '${proto}';
     const implementation = {
       getIssue: async ({ id }) => ({ issue: { id, title: String(process.pid) } }),
       createIssue: () => new Promise(() => process.kill(process.pid, 'SIGKILL')),
     };
     const addresses = process.argv.slice(2).map((listen) =>
       serveGrpc({ listen, plaintext: !listen.startsWith('unix:'), services: [{ definition: ModelServiceDefinition, implementation }] }));
     console.log((await Promise.all(addresses)).map(({ address }) => address).join());`,
  );
  const children: ChildProcess[] = [];
  t.teardown(() => children.forEach((child) => void child.kill('SIGKILL')));
  const start = async (listen: string[]): Promise<[ChildProcess, string[]]> => {
    const child = spawn(process.execPath, ['--conditions=bugless-source', script, ...listen], {
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'cache') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    return [child, line.toString().trim().split(',')];
  };
  const limited = () => createContext({ deadline: Date.now() + 20_000 });

  const [first, addresses] = await start([`unix://${join(folder, 's')}`, 'localhost:0']);
  const links = addresses.map((address) => {
    const channel = openChannel({ address, ...(address.startsWith('unix:') ? {} : { plaintext: true }) });
    t.teardown(() => channel.close());
    return { address, channel, client: channel.connect(ModelServiceDefinition) };
  });
  for (const { client, channel } of links) {
    t.equal((await client.getIssue({ id: '1' }, limited())).issue?.title, String(first.pid));
    t.equal(channel.getState(), 'ready');
  }
  const exit = once(first, 'exit');
  const lost = await failure(links[0]!.client.createIssue({}, limited()));
  t.match(lost, { reason: 'BACKEND_UNAVAILABLE' }, 'a write that was under way may have happened');
  await exit;
  const reads: Promise<GetIssueResponse>[] = [];
  for (const { client, channel, address } of links) {
    const health = await failure(channel.checkHealth('', 500));
    t.equal(health.code, 'UNAVAILABLE', `${address}: readiness is red`);
    reads.push(client.getIssue({ id: '2' }, limited()), client.getIssue({ id: '3' }, limited()));
    const started = Date.now();
    const write = await failure(client.createIssue({}, limited()));
    t.equal(write.reason, 'BACKEND_UNAVAILABLE', 'a write without a request id fails');
    t.ok(Date.now() - started < 1_000, 'at once');
  }
  await sleep(500);

  const [second] = await start(addresses);
  const returned = Date.now();
  for (const { channel, address } of links) {
    while (channel.getState() !== 'ready' && Date.now() - returned < 5_000) await sleep(10);
    await channel.checkHealth('', 1_000);
    const took = Date.now() - returned;
    t.ok(took < 2_000, `${address}: all is well ${took} ms after its return`);
  }
  const titles = (await Promise.all(reads)).map(({ issue }) => issue?.title);
  t.same(titles, Array(4).fill(String(second.pid)), 'reads waited for it');
});
