import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { CallContext } from '../../service/context.ts';
import { invalidField, type ServiceError } from '../../service/error.ts';
import type { Implementation, ServiceDefinition } from '../../service/port.ts';
import { checkSecurity, formatHost, type LinkSecurity, parseAddress, readTls } from '../address.ts';
import { createEndpoints, type Endpoint } from '../endpoint.ts';
import { copyError, createAbortError, exposeFailure, type FailureLog, isServiceError } from '../failure.ts';
import { MAX_MESSAGE_SIZE } from '../message.ts';
import { CallScope } from '../scope.ts';
import { readContext } from './context.ts';
import { createHealth, HEALTH, type ReadinessCheck } from './health.ts';
import { addReflection } from './reflection.ts';
import { placeSocket } from './socket.ts';
import { createStoppingError, toStatus } from './status.ts';
import { readMessages, toBuffer, writeMessages } from './stream.ts';

/** A service on a server. */
export interface ServedService<D extends ServiceDefinition = ServiceDefinition> {
  readonly definition: D;
  readonly implementation: Implementation<D>;
  /** What grpc.health.v1 answers for it; default: it serves. */
  readonly checkReady?: ReadinessCheck;
}

export interface ServeOptions extends LinkSecurity {
  // biome-ignore lint/suspicious/noExplicitAny: each implementation goes with its own definition
  readonly services: readonly ServedService<any>[];
  /** `unix:///path` or `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** Folder from which relative paths of TLS files start; default: the working directory. */
  readonly folder?: string;
  readonly log?: FailureLog;
  /**
   * Tells who acts in a call. Default: whoever the metadata entry `bugless-call-bin` names, which is right only where
   * nobody but core can connect. A ServiceError that it throws is the call's answer.
   */
  readonly identify?: (call: IncomingCall) => CallContext | Promise<CallContext>;
}

/** What is known of a call before its request is read. */
export interface IncomingCall {
  /** `ModelService.GetIssue`. */
  readonly method: string;
  /** Address of the other side, as grpc-js gives it. */
  readonly peer: string;
  /** A metadata entry's first value, as text; undefined: not sent. */
  getMetadata(name: string): string | undefined;
  /** The client's certificate in DER, verified by mutual TLS; undefined: none. */
  readonly certificate: Buffer | undefined;
}

export interface RunningServer {
  /** Where it listens, with the port that it took. */
  readonly address: string;
  /** Refuses new calls, turns health red, ends streams, waits for work under way: at most so many milliseconds. */
  drain(limitMillis?: number): Promise<void>;
  /** Ends everything at once, and takes the socket away. */
  stop(): Promise<void>;
}

const DRAIN_LIMIT = 10_000;

// What grpc-js would print by itself is told by the errors here; its own switch still works.
if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);

/**
 * Serves implementations over gRPC, with health and reflection. Rejects with an Error that says why it cannot
 * listen.
 */
export async function serveGrpc(options: ServeOptions): Promise<RunningServer> {
  const address = parseAddress(options.listen);
  checkSecurity(address, options);
  const credentials = createCredentials(options);
  const calls = new CallRegister();
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_SIZE,
    'grpc.max_send_message_length': -1,
    'grpc.enable_channelz': 0,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  const checks = new Map<string, ReadinessCheck>();
  for (const { definition, implementation, checkReady } of options.services) {
    addService(server, definition, implementation, options, calls);
    checks.set(definition.fullName, async () => {
      calls.checkOpen();
      await checkReady?.();
    });
  }
  const health = createHealth(checks);
  server.addService(health.definition, health.implementation);
  addReflection(server, [...checks.keys(), HEALTH]);

  const bind = (target: string): Promise<number> =>
    new Promise((resolve, reject) => {
      server.bindAsync(target, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
  let takeAway = async (): Promise<void> => undefined;
  let listening = options.listen;
  try {
    if (address.kind === 'unix') {
      takeAway = await placeSocket(address.path, async (path) => void (await bind(`unix:${path}`)));
    } else {
      const port = await bind(formatHost(address)).catch((error: Error) => {
        throw explainBind(error, formatHost(address));
      });
      listening = formatHost({ host: address.host, port });
    }
  } catch (error) {
    server.forceShutdown();
    throw error;
  }

  let draining: Promise<void> | undefined;
  return {
    address: listening,
    drain(limitMillis = DRAIN_LIMIT) {
      draining ??= drainServer(server, calls, limitMillis);
      return draining;
    },
    async stop() {
      calls.close();
      server.forceShutdown();
      await takeAway();
    },
  };
}

async function drainServer(server: Server, calls: CallRegister, limitMillis: number): Promise<void> {
  calls.close();
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMillis);
  });
  await Promise.race([calls.waitIdle(), limit]);
  clearTimeout(timer);
  // Only now: before, connected callers shall be told to wait rather than be cut off.
  await Promise.race([
    new Promise<void>((resolve) => server.tryShutdown(() => resolve())),
    new Promise<void>((resolve) => setTimeout(resolve, 500).unref()),
  ]);
}

/** The calls under way, so that a server can be emptied. */
class CallRegister {
  readonly #open = new Set<CallScope>();
  readonly #streams = new Set<CallScope>();
  #closed = false;
  #idle: (() => void) | undefined;

  checkOpen(): void {
    if (this.#closed) throw createStoppingError();
  }

  add(scope: CallScope, streams: boolean): () => void {
    this.checkOpen();
    if (streams) this.#streams.add(scope);
    this.#open.add(scope);
    return () => {
      this.#open.delete(scope);
      this.#streams.delete(scope);
      if (this.#open.size === 0) this.#idle?.();
    };
  }

  close(): void {
    this.#closed = true;
    for (const scope of [...this.#streams]) scope.cancel(createStoppingError());
  }

  waitIdle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}

type AnyCall =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerReadableStream<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

function addService<D extends ServiceDefinition>(
  server: Server,
  definition: D,
  implementation: Implementation<D>,
  options: ServeOptions,
  calls: CallRegister,
): void {
  const log = options.log;
  const endpoints = createEndpoints(definition, implementation, log);
  const handlers: Record<string, unknown> = {};
  const methods: Record<string, object> = {};
  for (const endpoint of endpoints) {
    const { name } = definition.methods[endpoint.key] as ServiceDefinition['methods'][string];
    methods[endpoint.key] = {
      path: `/${definition.fullName}/${name}`,
      requestStream: endpoint.requestStream,
      responseStream: endpoint.responseStream,
      requestSerialize: toBuffer,
      requestDeserialize: same,
      responseSerialize: toBuffer,
      responseDeserialize: same,
    };
    handlers[endpoint.key] = (call: AnyCall, callback: sendUnaryData<Buffer> | undefined) =>
      void handle(endpoint, call, callback, options, calls);
  }
  server.addService(methods as never, handlers as UntypedServiceImplementation);
}

/** One call, of any of the four kinds: who acts, the request, the answer, or else the status of the failure. */
async function handle(
  endpoint: Endpoint,
  call: AnyCall,
  callback: sendUnaryData<Buffer> | undefined,
  options: ServeOptions,
  calls: CallRegister,
): Promise<void> {
  const { method, requestStream, responseStream } = endpoint;
  const deadline = call.getDeadline();
  let scope: CallScope | undefined;
  let leave: (() => void) | undefined;
  try {
    const caller =
      options.identify === undefined ? readContext(call.metadata) : await options.identify(describe(call, method));
    const limit = Number.isFinite(Number(deadline)) ? Number(deadline) : undefined;
    scope = new CallScope(method, { ...caller, deadline: limit, signal: undefined });
    leave = calls.add(scope, requestStream || responseStream);
    const started = scope;
    (call as ServerUnaryCall<Buffer, Buffer>).on('cancelled', () => started.cancel());
    if (call.cancelled) scope.cancel();
    if (scope.failure !== undefined) throw scope.failure;
    const { context } = scope;
    const request = requestStream
      ? readRequests(endpoint, call as ServerReadableStream<Buffer, Buffer>, scope)
      : decodeRequest(endpoint, (call as ServerUnaryCall<Buffer, Buffer>).request);
    if (responseStream) {
      const stream = call as ServerWritableStream<Buffer, Buffer>;
      await writeMessages(stream, encodeAll(endpoint, scope.follow(endpoint.stream(request, context))), scope);
      stream.end();
    } else {
      const response = await scope.race(endpoint.answer(request, context));
      callback?.(null, toBuffer(endpoint.types.response.encode(response)));
    }
  } catch (error) {
    const failure = toStatus(asFailure(error, method, scope, options.log));
    if (callback !== undefined && !responseStream) callback(failure);
    else (call as ServerWritableStream<Buffer, Buffer>).emit('error', failure);
  } finally {
    leave?.();
    scope?.close();
  }
}

/** Endpoints have exposed their failures already; what comes otherwise arose here. */
function asFailure(
  error: unknown,
  method: string,
  scope: CallScope | undefined,
  log: FailureLog | undefined,
): ServiceError {
  if (isServiceError(error)) return copyError(error);
  const context = scope?.context ?? { requestId: '', deadline: undefined, signal: undefined };
  return exposeFailure(error, method, context as CallContext, log ?? { warn: () => undefined, error: () => undefined });
}

async function* encodeAll(
  endpoint: Endpoint,
  messages: AsyncIterable<unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const message of messages) yield endpoint.types.response.encode(message);
}

function decodeRequest(endpoint: Endpoint, bytes: Buffer): unknown {
  const { codec, name } = endpoint.types.request;
  try {
    return codec.decode(bytes);
  } catch {
    throw invalidField('', `expected a serialized ${name}`);
  }
}

async function* readRequests(
  endpoint: Endpoint,
  call: ServerReadableStream<Buffer, Buffer>,
  scope: CallScope,
): AsyncGenerator<unknown, void, undefined> {
  try {
    for await (const bytes of readMessages(call, scope)) yield decodeRequest(endpoint, bytes);
  } catch (error) {
    if (isServiceError(error)) throw error;
    throw scope.failure ?? createAbortError(endpoint.method, scope.context);
  }
}

function describe(call: AnyCall, method: string): IncomingCall {
  return {
    method,
    peer: call.getPeer(),
    getMetadata: (name) => call.metadata.get(name)[0]?.toString(),
    certificate: call.getAuthContext()?.sslPeerCertificate?.raw,
  };
}

function createCredentials(options: ServeOptions): ServerCredentials {
  if (options.tls === undefined) return ServerCredentials.createInsecure();
  const { ca, cert, key } = readTls(options.tls, options.folder);
  if (cert === null || key === null) throw new Error('tls.cert and tls.key are needed to listen with TLS');
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
}

function explainBind(error: Error, address: string): Error {
  if (/EADDRINUSE/.test(error.message)) return new Error(`cannot listen at ${address}: the port is in use`);
  if (/EACCES/.test(error.message)) return new Error(`cannot listen at ${address}: not allowed to take this port`);
  if (/EADDRNOTAVAIL|ENOTFOUND/.test(error.message)) {
    return new Error(`cannot listen at ${address}: this machine has no such address`);
  }
  return new Error(`cannot listen at ${address}`, { cause: error });
}

const same = (bytes: Buffer): Buffer => bytes;
