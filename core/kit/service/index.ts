export * from '@bugless/proto';
export type { AuthenticatorCapability, CapabilityClaims, ModelCapability } from './capability.ts';
export { AUTHENTICATOR_CAPABILITIES, MODEL_CAPABILITIES } from './capability.ts';
export type { CallContext } from './context.ts';
export { createContext, createSystemContext } from './context.ts';
export type { ErrorReason, FieldViolation, ServiceErrorOptions, StatusCode } from './error.ts';
export { ERRORS, invalidField, ServiceError, STATUS_CODES } from './error.ts';
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
