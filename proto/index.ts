/** The contracts of Bugless as TypeScript: messages, enums and service definitions, generated from `bugless/v1`. */
export * from './generated/bugless/v1/authenticator.ts';
export * from './generated/bugless/v1/component.ts';
export * from './generated/bugless/v1/context.ts';
export * from './generated/bugless/v1/event.ts';
export * from './generated/bugless/v1/filter.ts';
export * from './generated/bugless/v1/hotlist.ts';
export * from './generated/bugless/v1/issue.ts';
export * from './generated/bugless/v1/model.ts';
export * from './generated/bugless/v1/plugin.ts';
export * from './generated/bugless/v1/user.ts';
export { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
export { Status as RpcStatus } from './generated/google/rpc/status.ts';

/** A message as a caller may write it: every field optional, at every depth; absent fields get their defaults. */
export type DeepPartial<T> = T extends Uint8Array | string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? readonly DeepPartial<U>[]
    : T extends { $case: string; value: unknown }
      ? { $case: T['$case']; value: DeepPartial<T['value']> }
      : T extends object
        ? { [K in keyof T]?: DeepPartial<T[K]> }
        : T;
