import { randomUUID } from 'node:crypto';
import { CallContext as ContextMessage } from '@bugless/proto';
import { Metadata } from '@grpc/grpc-js';
import { type CallContext, createContext } from '../../service/context.ts';
import { invalidField } from '../../service/error.ts';

/** The metadata entry that carries who acts: context.proto. */
const ENTRY = 'bugless-call-bin';

/** Metadata of a call in this context. Deadline and cancellation travel by gRPC's own means. */
export function writeContext(context: CallContext): Metadata {
  const { user, groups, admin, scopes, scopeComponents, requestId, trace, system } = context;
  const message = { user, groups, admin, scopes, scopeComponents, requestId, trace, system };
  const metadata = new Metadata();
  const bytes = ContextMessage.encode(message as unknown as ContextMessage).finish();
  metadata.set(ENTRY, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return metadata;
}

/** The context that a call came with; without one it is anonymous. */
export function readContext(metadata: Metadata): CallContext {
  const bytes = metadata.get(ENTRY)[0];
  if (!(bytes instanceof Uint8Array)) return createContext();
  let message: ContextMessage;
  try {
    message = ContextMessage.decode(bytes);
  } catch {
    throw invalidField(ENTRY, 'expected a serialized bugless.v1.CallContext');
  }
  return createContext({ ...message, requestId: message.requestId || randomUUID() });
}
