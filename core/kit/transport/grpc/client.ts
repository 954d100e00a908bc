import type { Metadata, StatusObject } from '@grpc/grpc-js';
import type { CallContext } from '../../service/context.ts';
import { ServiceError } from '../../service/error.ts';
import type { Client, MethodDefinition, ServiceDefinition } from '../../service/port.ts';
import { createAbortError, isServiceError } from '../failure.ts';
import { getMethodTypes, type MessageType, type MethodTypes } from '../message.ts';
import { isRead, isRepeatable } from '../repetition.ts';
import { CallScope } from '../scope.ts';
import type { Link } from './channel.ts';
import { writeContext } from './context.ts';
import { type CallFailure, fromStatus } from './status.ts';
import { readMessages, toBuffer, writeMessages } from './stream.ts';

/** Of a call that answers once and whose context has no deadline: a link may lose a call without a trace. */
export const DEFAULT_DEADLINE = 30_000;
/** A server reads a timeout into 31 bits of milliseconds. */
const MAX_TIMEOUT = 7 * 24 * 3_600_000;
/** Before the first repetition; doubles up to the other. */
const FIRST_PAUSE = 20;
const LAST_PAUSE = 400;

interface Rpc {
  readonly link: Link;
  readonly definition: MethodDefinition;
  /** `ModelService.GetIssue`. */
  readonly method: string;
  readonly path: string;
  readonly types: MethodTypes;
}

/** The caller's side of a service behind a link. */
export function connectClient<D extends ServiceDefinition>(service: D, link: Link): Client<D> {
  const client: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(service.methods)) {
    let types: MethodTypes | undefined;
    const rpc: Rpc = {
      link,
      definition,
      method: `${service.name}.${definition.name}`,
      path: `/${service.fullName}/${definition.name}`,
      get types() {
        types ??= getMethodTypes(service, key);
        return types;
      },
    };
    if (definition.responseStream) {
      client[key] = (request: unknown, context: CallContext) => callStream(rpc, request, context);
    } else if (definition.requestStream) {
      client[key] = (source: AsyncIterable<unknown>, context: CallContext) => callUpload(rpc, source, context);
    } else {
      client[key] = (request: unknown, context: CallContext) => callUnary(rpc, request, context);
    }
  }
  return client as Client<D>;
}

async function callUnary(rpc: Rpc, request: unknown, context: CallContext): Promise<unknown> {
  const { link, method, types } = rpc;
  const message = types.request.copy(request ?? {});
  const bytes = toBuffer(types.request.encode(message));
  const metadata = writeContext(context);
  const deadline = context.deadline ?? Date.now() + DEFAULT_DEADLINE;
  const repeatable = isRepeatable(rpc.definition.name, message);
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LAST_PAUSE)) {
    checkOpen(method, deadline, context.signal);
    const preparing = link.prepare(repeatable, method, deadline, context.signal);
    if (preparing !== undefined) await preparing;
    try {
      const answer = await send(rpc, bytes, metadata, deadline, context.signal);
      return decodeAnswer(types.response, answer, method);
    } catch (error) {
      await pauseOrThrow(error, repeatable, pause, method, deadline, context.signal);
    }
  }
}

function send(
  rpc: Rpc,
  bytes: Buffer,
  metadata: Metadata,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const limit = Math.min(deadline, Date.now() + MAX_TIMEOUT);
    const done = (error: StatusObject | null, answer?: Buffer): void => {
      signal?.removeEventListener('abort', cancel);
      if (error === null) resolve(answer as Buffer);
      else reject(new StatusFailure(fromStatus(error, rpc.method, deadline)));
    };
    const call = rpc.link.client.makeUnaryRequest(rpc.path, same, same, bytes, metadata, { deadline: limit }, done);
    const cancel = (): void => call.cancel();
    signal?.addEventListener('abort', cancel);
  });
}

/** Calls a method that answers with a stream; starts when first iterated. */
async function* callStream(rpc: Rpc, request: unknown, context: CallContext): AsyncGenerator<unknown, void, undefined> {
  const { definition, link, method, types } = rpc;
  const once = definition.requestStream ? undefined : toBuffer(types.request.encode(types.request.copy(request ?? {})));
  const repeatable = isRead(definition.name) && once !== undefined;
  const establishing = context.deadline ?? Date.now() + DEFAULT_DEADLINE;
  const scope = new CallScope(method, context);
  try {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LAST_PAUSE)) {
      checkOpen(method, establishing, context.signal);
      const preparing = link.prepare(repeatable, method, establishing, context.signal);
      if (preparing !== undefined) await preparing;
      // What has been handed on cannot be taken back: from then on the caller has to decide where to go on.
      let started = false;
      try {
        for await (const message of exchange(rpc, once ?? (request as AsyncIterable<unknown>), context, scope)) {
          started = true;
          yield decodeAnswer(types.response, message, method);
        }
        return;
      } catch (error) {
        await pauseOrThrow(error, repeatable && !started, pause, method, establishing, context.signal);
      }
    }
  } finally {
    scope.close();
  }
}

async function* exchange(
  rpc: Rpc,
  request: Buffer | AsyncIterable<unknown>,
  context: CallContext,
  scope: CallScope,
): AsyncGenerator<Buffer, void, undefined> {
  const { client } = rpc.link;
  const metadata = writeContext(context);
  const options = limitDeadline(context.deadline);
  const call = Buffer.isBuffer(request)
    ? client.makeServerStreamRequest(rpc.path, same, same, request, metadata, options)
    : client.makeBidiStreamRequest(rpc.path, same, same, metadata, options);
  // A cancelled call still emits its status.
  call.on('error', () => undefined);
  const feed = Buffer.isBuffer(request) ? undefined : new Feed(rpc, request, scope);
  if (feed !== undefined) void feed.run(call as unknown as FeedTarget);
  try {
    yield* readMessages(call, scope);
  } catch (error) {
    if (feed?.failure !== undefined) throw feed.failure.error;
    throw isStatus(error) ? new StatusFailure(fromStatus(error, rpc.method, context.deadline)) : error;
  } finally {
    feed?.stop();
    call.cancel();
  }
}

/** Calls a method that takes a stream and answers once. Never repeated: its source is used up. */
async function callUpload(rpc: Rpc, source: AsyncIterable<unknown>, context: CallContext): Promise<unknown> {
  const { link, method, types } = rpc;
  const establishing = context.deadline ?? Date.now() + DEFAULT_DEADLINE;
  checkOpen(method, establishing, context.signal);
  const preparing = link.prepare(false, method, establishing, context.signal);
  if (preparing !== undefined) await preparing;
  const scope = new CallScope(method, context);
  const feed = new Feed(rpc, source, scope);
  let cancel = (): void => undefined;
  try {
    const answer = await scope.race(
      new Promise<Buffer>((resolve, reject) => {
        const done = (error: StatusObject | null, bytes?: Buffer): void => {
          if (error === null) resolve(bytes as Buffer);
          else reject(new StatusFailure(fromStatus(error, method, context.deadline)));
        };
        const call = link.client.makeClientStreamRequest(
          rpc.path,
          same,
          same,
          writeContext(context),
          limitDeadline(context.deadline),
          done,
        );
        call.on('error', () => undefined);
        cancel = () => call.cancel();
        void feed.run(call);
      }),
    );
    return decodeAnswer(types.response, answer, method);
  } catch (error) {
    cancel();
    if (feed.failure !== undefined) throw feed.failure.error;
    throw error instanceof StatusFailure ? error.failure.error : error;
  } finally {
    feed.stop();
    scope.close();
  }
}

type FeedTarget = Parameters<typeof writeMessages>[0] & { cancel(): void };

/** Sends what a caller streams. A wrong message or a failure of its source cancels the call and is the call's failure. */
class Feed {
  failure: { readonly error: unknown } | undefined;
  readonly #rpc: Rpc;
  readonly #source: AsyncIterable<unknown>;
  /** Its own, so that the source stops when the call is over for whatever reason. */
  readonly #scope: CallScope;

  constructor(rpc: Rpc, source: AsyncIterable<unknown>, scope: CallScope) {
    this.#rpc = rpc;
    this.#source = source;
    this.#scope = new CallScope(rpc.method, { ...scope.context, deadline: undefined });
  }

  async run(call: FeedTarget): Promise<void> {
    try {
      await writeMessages(call, this.#encode(), this.#scope);
      call.end();
    } catch (error) {
      if (this.#scope.failure === undefined) this.failure = { error };
      call.cancel();
    }
  }

  stop(): void {
    this.#scope.cancel();
  }

  async *#encode(): AsyncGenerator<Uint8Array, void, undefined> {
    const type = this.#rpc.types.request;
    for await (const request of this.#scope.follow(this.#source)) yield type.encode(type.copy(request));
  }
}

/** Carries a failure to where it is decided whether the call is repeated. */
class StatusFailure extends Error {
  readonly failure: CallFailure;
  constructor(failure: CallFailure) {
    super(failure.error.message);
    this.failure = failure;
  }
}

/** Returns after a pause when the call is to be sent again; else throws what the caller gets. */
async function pauseOrThrow(
  error: unknown,
  repeatable: boolean,
  pause: number,
  method: string,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!(error instanceof StatusFailure)) throw error;
  const { failure } = error;
  // By the time the status comes the signal says more than the status does.
  if (signal?.aborted && failure.error.reason === 'CANCELLED') throw createAbortError(method, { deadline });
  const wait = pause * (0.5 + Math.random() / 2);
  if (!repeatable || !failure.link || Date.now() + wait >= deadline) throw failure.error;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, wait);
    signal?.addEventListener('abort', done);
  });
}

function checkOpen(method: string, deadline: number, signal: AbortSignal | undefined): void {
  if (signal?.aborted || Date.now() >= deadline) throw createAbortError(method, { deadline });
}

function decodeAnswer(type: MessageType, bytes: Buffer, method: string): unknown {
  try {
    return type.codec.decode(bytes);
  } catch (error) {
    if (isServiceError(error)) throw error;
    throw new ServiceError('INTERNAL', `${method} answered what is not a ${type.name}`, { cause: error });
  }
}

function limitDeadline(deadline: number | undefined): { deadline?: number } {
  return deadline === undefined || deadline > Date.now() + MAX_TIMEOUT ? {} : { deadline };
}

const isStatus = (error: unknown): error is StatusObject =>
  error instanceof Error && typeof (error as unknown as StatusObject).code === 'number';

const same = (bytes: Buffer): Buffer => bytes;
