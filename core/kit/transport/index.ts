export type { LinkSecurity, TlsOptions } from './address.ts';
export type { FailureLog } from './failure.ts';
export { type Channel, type ChannelState, type OpenChannelOptions, openChannel } from './grpc/channel.ts';
export {
  type IncomingCall,
  type RunningServer,
  type ServedService,
  type ServeOptions,
  serveGrpc,
} from './grpc/server.ts';
export { connectInProcess } from './in-process.ts';
export { MAX_MESSAGE_SIZE } from './message.ts';
