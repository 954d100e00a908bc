import { definePlugin } from '@bugless/kit/plugin';
import { type AuthOauthConfiguration, CONFIGURATION_SCHEMA } from './configuration.ts';
import { createAuthOauth } from './instance.ts';

/** Login in the browser at OpenID Connect and OAuth 2 providers, by client certificate, and the directory on SQL behind it. */
export default definePlugin<AuthOauthConfiguration>({
  id: '@bugless/auth-oauth',
  version: '0.1.0',
  contractVersions: [1],
  services: ['bugless.v1.AuthenticatorService'],
  configuration: CONFIGURATION_SCHEMA,
  create: (configuration, environment) => createAuthOauth(configuration, environment),
});

export type { AuthOauthConfiguration, ConnectionConfiguration } from './configuration.ts';
