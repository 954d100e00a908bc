export { AUTHENTICATOR_CAPABILITIES, MODEL_CAPABILITIES } from './capability.ts';
export type { AuthenticatorCapability, CapabilityClaims, ModelCapability } from './capability.ts';
export { createContext, createSystemContext } from './context.ts';
export type { CallContext } from './context.ts';
export { ERRORS, STATUS_CODES, ServiceError, invalidField } from './error.ts';
export type { ErrorReason, FieldViolation, ServiceErrorOptions, StatusCode } from './error.ts';
export type {
  Authenticator,
  AuthenticatorImplementation,
  Client,
  Implementation,
  MessageCodec,
  MethodDefinition,
  Model,
  ModelImplementation,
  PluginInformation,
  ServiceDefinition,
} from './port.ts';
export * from '@bugless/proto';
