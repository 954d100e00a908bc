import type { CallContext } from '../service/context.ts';
import type { Implementation, ServiceDefinition } from '../service/port.ts';
import { createAbsentError, exposeFailure, type FailureLog, isServiceError } from './failure.ts';
import { getMethodTypes, type MessageType, type MethodTypes } from './message.ts';

/**
 * One RPC of an implementation, guarded: whatever transport calls it, its answers are whole copies and its
 * failures are ServiceErrors. Requests come in already copied and checked.
 */
export interface Endpoint {
  /** Property of the definition: `getIssue`. */
  readonly key: string;
  /** For messages and logs: `ModelService.GetIssue`. */
  readonly method: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** Compiled when first read. */
  readonly types: MethodTypes;
  /** Calls a method that answers once. */
  answer(request: unknown, context: CallContext): Promise<unknown>;
  /** Calls a method that answers with a stream. */
  stream(request: unknown, context: CallContext): AsyncGenerator<unknown, void, undefined>;
}

type Method = (request: unknown, context: CallContext) => unknown;

/** Used when the caller of a transport passes no log: Node's own channel for warnings. */
const WARNINGS: FailureLog = {
  warn: (facts, message) => emitWarning(facts, message),
  error: (facts, message) => emitWarning(facts, message),
};

function emitWarning(facts: object, message: string): void {
  const cause = (facts as { err?: unknown }).err;
  process.emitWarning(message, {
    type: 'BuglessWarning',
    detail: cause instanceof Error ? (cause.stack ?? cause.message) : '',
  });
}

/** The RPCs of a service, present in the implementation or not, in the order of the definition. */
export function createEndpoints<D extends ServiceDefinition>(
  definition: D,
  implementation: Implementation<D>,
  log: FailureLog = WARNINGS,
): Endpoint[] {
  return Object.keys(definition.methods).map((key) => createEndpoint(definition, implementation, key, log));
}

function createEndpoint<D extends ServiceDefinition>(
  definition: D,
  implementation: Implementation<D>,
  key: string,
  log: FailureLog,
): Endpoint {
  const { name, requestStream, responseStream } = definition.methods[key] as D['methods'][string];
  const method = `${definition.name}.${name}`;
  let types: MethodTypes | undefined;
  const getTypes = (): MethodTypes => {
    types ??= getMethodTypes(definition, key);
    return types;
  };
  const find = (): Method => {
    const found = (implementation as Record<string, Method | undefined>)[key];
    if (typeof found !== 'function') throw createAbsentError(method);
    return found;
  };
  return {
    key,
    method,
    requestStream,
    responseStream,
    get types() {
      return getTypes();
    },
    async answer(request, context) {
      try {
        const response = await find().call(implementation, request, context);
        return copyAnswer(getTypes().response, response, method);
      } catch (error) {
        throw exposeFailure(error, method, context, log);
      }
    },
    async *stream(request, context) {
      try {
        const source = find().call(implementation, request, context) as AsyncIterable<unknown>;
        for await (const response of source) yield copyAnswer(getTypes().response, response, method);
      } catch (error) {
        throw exposeFailure(error, method, context, log);
      }
    },
  };
}

/** A wrong answer is the plugin's mistake, not the caller's: it must not leave as INVALID_FIELD. */
function copyAnswer(type: MessageType, response: unknown, method: string): unknown {
  try {
    return type.copy(response ?? {});
  } catch (error) {
    if (isServiceError(error) && error.reason === 'INVALID_FIELD') {
      throw new Error(`${method} answered what its contract does not allow: ${error.message}`);
    }
    throw error;
  }
}
