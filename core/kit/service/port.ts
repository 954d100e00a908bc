import type {
  AuthenticatorServiceDefinition,
  DeepPartial,
  ModelServiceDefinition,
  PluginServiceDefinition,
} from '@bugless/proto';
import type { CallContext } from './context.ts';

/** What ts-proto says of a service: enough to derive its port and to carry it over any transport. */
export interface ServiceDefinition {
  readonly name: string;
  readonly fullName: string;
  readonly methods: { readonly [method: string]: MethodDefinition };
}

/** One RPC of a service. */
export interface MethodDefinition {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: message codecs are invariant in their message
  readonly requestType: MessageCodec<any>;
  readonly requestStream: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: message codecs are invariant in their message
  readonly responseType: MessageCodec<any>;
  readonly responseStream: boolean;
}

/** How a message is filled, copied and put on the wire. */
export interface MessageCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
  /** Copies deeply; fills defaults; drops what the message does not know. */
  fromPartial(object: object): T;
}

type Message<C> = C extends { fromPartial(object: never): infer T } ? T : never;

type ClientMethod<M extends MethodDefinition> = (
  request: M['requestStream'] extends true
    ? AsyncIterable<DeepPartial<Message<M['requestType']>>>
    : DeepPartial<Message<M['requestType']>>,
  context: CallContext,
) => M['responseStream'] extends true ? AsyncIterable<Message<M['responseType']>> : Promise<Message<M['responseType']>>;

type ImplementationMethod<M extends MethodDefinition> = (
  request: M['requestStream'] extends true ? AsyncIterable<Message<M['requestType']>> : Message<M['requestType']>,
  context: CallContext,
) => M['responseStream'] extends true
  ? AsyncIterable<DeepPartial<Message<M['responseType']>>>
  : Promise<DeepPartial<Message<M['responseType']>>>;

/**
 * A service as its caller sees it: requests may leave fields out, answers are
 * whole. Every failure is a ServiceError. The same object, whichever transport
 * stands behind it.
 */
export type Client<D extends ServiceDefinition> = {
  readonly [M in keyof D['methods']]: ClientMethod<D['methods'][M]>;
};

/**
 * A service as its author writes it: requests are whole, answers may leave
 * fields out. Methods left out answer UNIMPLEMENTED (CAPABILITY_ABSENT). A
 * method owns its request and may keep it; what it returns is copied.
 */
export type Implementation<D extends ServiceDefinition> = {
  readonly [M in keyof D['methods']]?: ImplementationMethod<D['methods'][M]>;
};

/** Storage, as core calls it. */
export type Model = Client<ModelServiceDefinition>;
/** Storage, as a plugin implements it. */
export type ModelImplementation = Implementation<ModelServiceDefinition>;
/** Identity, as core calls it. */
export type Authenticator = Client<AuthenticatorServiceDefinition>;
/** Identity, as a plugin implements it. */
export type AuthenticatorImplementation = Implementation<AuthenticatorServiceDefinition>;
/** What every plugin answers about itself. */
export type PluginInformation = Client<PluginServiceDefinition>;
