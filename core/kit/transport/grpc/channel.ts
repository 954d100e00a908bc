import {
  type ChannelCredentials,
  type ChannelOptions,
  connectivityState,
  credentials,
  type Client as GrpcClient,
  Client as GrpcLink,
} from '@grpc/grpc-js';
import { ServiceError, type StatusCode } from '../../service/error.ts';
import type { Client, ServiceDefinition } from '../../service/port.ts';
import { type Address, checkSecurity, formatHost, type LinkSecurity, parseAddress, readTls } from '../address.ts';
import { createAbortError, type FailureLog, isServiceError } from '../failure.ts';
import { MAX_MESSAGE_SIZE } from '../message.ts';
import { connectClient } from './client.ts';
import { askHealth } from './health.ts';

/** A link to a gRPC server, shared by the clients of all its services. Reconnects by itself. */
export interface Channel {
  /** The address that it was opened with. */
  readonly address: string;
  /** A caller's side of a service behind it. No I/O happens until a call. */
  connect<D extends ServiceDefinition>(definition: D): Client<D>;
  /** `ready`: connected and its peer accepted; `refused`: connected to a peer that was not. */
  getState(): ChannelState;
  /**
   * Resolves when it is ready; rejects with what checkPeer threw when that refuses, and with
   * BACKEND_UNAVAILABLE, its cause telling why, when the deadline (milliseconds since the epoch) passes before.
   */
  waitReady(deadline: number): Promise<void>;
  /**
   * Asks the server's health for a service (full name; empty: all). Rejects with NOT_READY or
   * BACKEND_UNAVAILABLE. A server without grpc.health.v1 counts as healthy.
   */
  checkHealth(service: string, limitMillis: number): Promise<void>;
  /** Ends calls under way as CANCELLED and disconnects. */
  close(): void;
}

export type ChannelState = 'ready' | 'connecting' | 'down' | 'refused' | 'closed';

export interface OpenChannelOptions extends LinkSecurity {
  /** `unix:///path` or `host:port`. */
  readonly address: string;
  /** Folder from which relative paths of TLS files start; default: the working directory. */
  readonly folder?: string;
  readonly log?: FailureLog;
  /**
   * Looks at who answers, after each connect and before any other call is sent. It calls through the clients
   * that it makes with `connect`. When it rejects, calls fail with what it threw until the link is made anew;
   * after UNAVAILABLE and the like it is asked again.
   */
  readonly checkPeer?: (connect: Channel['connect']) => Promise<void>;
}

/** Reconnects within a second of the server's return; finds a silent peer within half a minute. */
const OPTIONS: ChannelOptions = {
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_send_message_length': -1,
  'grpc.max_receive_message_length': MAX_MESSAGE_SIZE,
  // Calls are repeated here, where it is known which of them may be.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  // A link to a plugin never goes through the proxy that the environment names for the web.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
};

/** Failures of checkPeer that may pass by themselves, and the pause before it is asked again. */
const PASSING: readonly StatusCode[] = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'RESOURCE_EXHAUSTED'];
const PEER_PAUSE = 100;
/** To learn why a server cannot be reached. */
const PROBE_LIMIT = 500;

/** Opens a link; connects in the background. Throws an Error when the address or its security is wrong. */
export function openChannel(options: OpenChannelOptions): Channel {
  const address = parseAddress(options.address);
  checkSecurity(address, options);
  return new GrpcChannel(options, address);
}

/** What clients need of their channel. */
export interface Link {
  readonly client: GrpcClient;
  /** Undefined: send at once. Else resolves when calls may be sent, or rejects with a ServiceError. */
  prepare(wait: boolean, method: string, deadline: number, signal: AbortSignal | undefined): Promise<void> | undefined;
}

class GrpcChannel implements Channel, Link {
  readonly address: string;
  readonly client: GrpcClient;
  readonly #checkPeer: OpenChannelOptions['checkPeer'];
  readonly #log: FailureLog | undefined;
  readonly #listeners = new Set<() => void>();
  #state: ChannelState = 'connecting';
  #refusal: ServiceError | undefined;
  /** Counts connections, so that a late answer about an earlier one is ignored. */
  #connection = 0;

  constructor(options: OpenChannelOptions, address: Address) {
    this.address = options.address;
    this.#checkPeer = options.checkPeer;
    this.#log = options.log;
    const target = address.kind === 'unix' ? `unix:${address.path}` : formatHost(address);
    const { channelCredentials, channelOptions } = createCredentials(options);
    this.client = new GrpcLink(target, channelCredentials, { ...OPTIONS, ...channelOptions });
    this.#watch();
  }

  connect<D extends ServiceDefinition>(definition: D): Client<D> {
    return connectClient(definition, this);
  }

  getState(): ChannelState {
    return this.#state;
  }

  async waitReady(deadline: number): Promise<void> {
    try {
      await this.#waitReady(true, 'connect', deadline, undefined);
    } catch (error) {
      if (this.#state === 'refused' || this.#state === 'closed' || this.#state === 'ready') throw error;
      const cause = await askHealth(this.client, '', Date.now() + PROBE_LIMIT).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      throw new ServiceError('BACKEND_UNAVAILABLE', (error as Error).message, { cause });
    }
  }

  async checkHealth(service: string, limitMillis: number): Promise<void> {
    if (this.#state === 'refused') throw this.#refusal;
    const gone = `the plugin at ${this.address} cannot be reached`;
    if (this.#state !== 'ready') throw new ServiceError('BACKEND_UNAVAILABLE', gone);
    let healthy: boolean;
    try {
      healthy = await askHealth(this.client, service, Date.now() + limitMillis);
    } catch (cause) {
      throw new ServiceError('BACKEND_UNAVAILABLE', gone, { cause });
    }
    if (!healthy) throw new ServiceError('NOT_READY', `the plugin at ${this.address} says that it is not ready`);
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#connection++;
    this.#change('closed');
    this.client.close();
  }

  prepare(wait: boolean, method: string, deadline: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (this.#state === 'ready') return undefined;
    return this.#waitReady(wait, method, deadline, signal);
  }

  async #waitReady(wait: boolean, method: string, deadline: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      if (signal?.aborted) throw createAbortError(method, { deadline });
      if (this.#state === 'ready') return;
      if (this.#state === 'refused') throw this.#refusal;
      const gone = this.#state === 'closed' || (this.#state === 'down' && !wait) || Date.now() >= deadline;
      if (gone) throw new ServiceError('BACKEND_UNAVAILABLE', `the plugin at ${this.address} cannot be reached`);
      await this.#waitChange(deadline, signal);
    }
  }

  #waitChange(deadline: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(deadline - Date.now(), 1), 2 ** 31 - 1));
      this.#listeners.add(done);
      signal?.addEventListener('abort', done);
    });
  }

  #change(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Follows the connection, and asks for a new one whenever it is lost: readiness comes back without traffic. */
  #watch(): void {
    if (this.#state === 'closed') return;
    const channel = this.client.getChannel();
    const current = channel.getConnectivityState(true);
    this.#follow(current);
    channel.watchConnectivityState(current, Number.POSITIVE_INFINITY, () => {
      // Out of grpc-js's own state change, which must not be re-entered.
      if (this.#state === 'ready') this.#change('connecting');
      setImmediate(() => this.#watch());
    });
  }

  #follow(current: connectivityState): void {
    if (current === connectivityState.READY) {
      const connection = ++this.#connection;
      if (this.#checkPeer === undefined) this.#change('ready');
      else void this.#check(this.#checkPeer, connection);
    } else {
      this.#connection++;
      // Between two attempts grpc-js is "connecting" again; to callers it stays down until it succeeds.
      const down = current === connectivityState.TRANSIENT_FAILURE || this.#state === 'down';
      this.#change(down ? 'down' : 'connecting');
    }
  }

  async #check(checkPeer: NonNullable<OpenChannelOptions['checkPeer']>, connection: number): Promise<void> {
    const link: Link = { client: this.client, prepare: () => undefined };
    const connect: Channel['connect'] = (definition) => connectClient(definition, link);
    while (connection === this.#connection) {
      try {
        await checkPeer(connect);
        if (connection === this.#connection) this.#change('ready');
        return;
      } catch (error) {
        if (connection !== this.#connection) return;
        if (!isServiceError(error) || !PASSING.includes(error.code)) {
          this.#refusal = isServiceError(error)
            ? error
            : new ServiceError('INTERNAL', `the plugin at ${this.address} could not be examined`, { cause: error });
          this.#log?.error({ address: this.address, err: error }, `refused the plugin at ${this.address}`);
          this.#change('refused');
          return;
        }
        this.#change('down');
        await new Promise((resolve) => setTimeout(resolve, PEER_PAUSE));
      }
    }
  }
}

function createCredentials(options: OpenChannelOptions): {
  channelCredentials: ChannelCredentials;
  channelOptions: ChannelOptions;
} {
  if (options.tls === undefined) return { channelCredentials: credentials.createInsecure(), channelOptions: {} };
  const { ca, cert, key, serverName } = readTls(options.tls, options.folder);
  return {
    channelCredentials: credentials.createSsl(ca, key, cert),
    channelOptions:
      serverName === undefined
        ? {}
        : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName },
  };
}
