import { definePlugin } from '@bugless/kit/plugin';
import { type AuthPasswordConfiguration, CONFIGURATION_SCHEMA } from './configuration.ts';
import { createAuthPassword } from './instance.ts';

/** Login with a username and a password, and the directory on SQL behind it. */
export default definePlugin<AuthPasswordConfiguration>({
  id: '@bugless/auth-password',
  version: '0.1.0',
  contractVersions: [1],
  services: ['bugless.v1.AuthenticatorService'],
  configuration: CONFIGURATION_SCHEMA,
  create: (configuration, environment) => createAuthPassword(configuration, environment),
});

export type { AuthPasswordConfiguration } from './configuration.ts';
