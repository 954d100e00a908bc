import type { CallContext } from '../service/context.ts';
import type { Client, Implementation, ServiceDefinition } from '../service/port.ts';
import { createEndpoints, type Endpoint } from './endpoint.ts';
import { createAbortError, type FailureLog } from './failure.ts';
import type { MessageType } from './message.ts';
import { CallScope } from './scope.ts';

/**
 * Connects a caller to an implementation in the same process, with everything that a wire would do except
 * the socket: requests and answers are whole, checked copies, deadlines and cancellation end the call,
 * failures are ServiceErrors without causes, messages have the same size limit. Without a deadline there is none.
 *
 * @param options.log where causes and unexpected failures go; default: Node's warnings.
 */
export function connectInProcess<D extends ServiceDefinition>(
  definition: D,
  implementation: Implementation<D>,
  options: { readonly log?: FailureLog } = {},
): Client<D> {
  const client: Record<string, unknown> = {};
  for (const endpoint of createEndpoints(definition, implementation, options.log)) {
    client[endpoint.key] = endpoint.responseStream ? connectStream(endpoint) : connectUnary(endpoint);
  }
  return client as Client<D>;
}

function connectUnary(endpoint: Endpoint) {
  return async (request: unknown, context: CallContext): Promise<unknown> => {
    if (endpoint.requestStream) return answerStream(endpoint, request as AsyncIterable<unknown>, context);
    const copy = endpoint.types.request.copy(request ?? {});
    if (context.deadline === undefined && context.signal === undefined) return endpoint.answer(copy, context);
    const scope = new CallScope(endpoint.method, context);
    try {
      if (scope.failure !== undefined) throw scope.failure;
      return await scope.race(endpoint.answer(copy, scope.context));
    } finally {
      scope.close();
    }
  };
}

async function answerStream(
  endpoint: Endpoint,
  source: AsyncIterable<unknown>,
  context: CallContext,
): Promise<unknown> {
  const scope = new CallScope(endpoint.method, context);
  const feed = new RequestFeed(source, endpoint, scope);
  try {
    if (scope.failure !== undefined) throw scope.failure;
    return await scope.race(endpoint.answer(feed.copies(), scope.context));
  } catch (error) {
    throw feed.failure?.error ?? error;
  } finally {
    scope.close();
  }
}

function connectStream(endpoint: Endpoint) {
  return async function* (request: unknown, context: CallContext): AsyncGenerator<unknown, void, undefined> {
    const scope = new CallScope(endpoint.method, context);
    let feed: RequestFeed | undefined;
    try {
      if (endpoint.requestStream) feed = new RequestFeed(request as AsyncIterable<unknown>, endpoint, scope);
      const copy = feed === undefined ? endpoint.types.request.copy(request ?? {}) : feed.copies();
      if (scope.failure !== undefined) throw scope.failure;
      yield* scope.follow(endpoint.stream(copy, scope.context));
      scope.close();
    } catch (error) {
      throw feed?.failure?.error ?? error;
    } finally {
      // Unless it came to its end: whoever reads it has gone away.
      scope.cancel();
      scope.close();
    }
  };
}

/**
 * What a caller sends as a stream. A wrong message or a failure of the caller's own source ends the call:
 * the caller gets that failure, the implementation sees its caller go away.
 */
class RequestFeed {
  failure: { readonly error: unknown } | undefined;
  readonly #source: AsyncIterable<unknown>;
  readonly #type: MessageType;
  readonly #method: string;
  readonly #scope: CallScope;

  constructor(source: AsyncIterable<unknown>, endpoint: Endpoint, scope: CallScope) {
    this.#source = source;
    this.#type = endpoint.types.request;
    this.#method = endpoint.method;
    this.#scope = scope;
  }

  async *copies(): AsyncGenerator<unknown, void, undefined> {
    try {
      for await (const request of this.#scope.follow(this.#source)) yield this.#type.copy(request);
    } catch (error) {
      if (this.#scope.failure !== undefined) throw this.#scope.failure;
      this.failure = { error };
      throw createAbortError(this.#method, this.#scope.context);
    }
  }
}
