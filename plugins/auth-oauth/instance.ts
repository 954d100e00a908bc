import { createAuthInstance, createDirectoryMethods } from '@bugless/auth-sql';
import type { PluginDetails, PluginEnvironment, PluginInstance } from '@bugless/kit/plugin';
import { type AuthenticatorImplementation, type Principal, ServiceError } from '@bugless/kit/service';
import type { Database } from '@bugless/sql';
import { authenticateBotToken, isBotToken } from './bot-token.ts';
import { beginBrowserLogin, completeBrowserLogin } from './browser-login.ts';
import { authenticateCertificate, type CertificateRule, checkCertificates } from './certificate.ts';
import type { AuthOauthConfiguration } from './configuration.ts';
import { checkConnections } from './connection.ts';
import { checkAfterLogoutUri, createLogoutUrl, findProviderLogin } from './logout.ts';
import { Provider } from './provider.ts';
import { Rechecker } from './recheck.ts';

const NO_PASSWORDS = 'this plugin sends people to a provider; passwords are what @bugless/auth-password checks';

function listCapabilities(hasConnections: boolean, hasCertificates: boolean): PluginDetails['capabilities'] {
  return {
    'login.password': NO_PASSWORDS,
    'login.browser': hasConnections || 'no connection is configured; name a provider under connections',
    'login.token': true,
    'login.certificate': hasCertificates || 'certificates is not configured',
    sessions: true,
    tokens: true,
    setup:
      'the first administrator comes by adminGroups or adminEmails of a connection, or from @bugless/auth-password beside this plugin',
    passwords: NO_PASSWORDS,
    directory: true,
    groups: true,
    audit: true,
  };
}

/** Makes the plugin's instance; tests hand in a connected database. */
export function createAuthOauth(
  configuration: AuthOauthConfiguration,
  environment: PluginEnvironment,
  database?: Database,
): PluginInstance {
  const connections = checkConnections(configuration.connections ?? []);
  const certificates: CertificateRule | undefined =
    configuration.certificates && checkCertificates(configuration.certificates);
  const providers = new Map(
    [...connections].map(([id, connection]) => [id, new Provider(connection, environment)] as const),
  );
  const findProvider = (id: string): Provider => {
    const provider = providers.get(id);
    if (provider) return provider;
    throw new ServiceError('CONNECTION_NOT_FOUND', 'connection: there is none of this name; use one of the login page');
  };
  return createAuthInstance(
    configuration,
    environment,
    (getStore) => {
      const shared = createDirectoryMethods(getStore);
      const rechecker = new Rechecker(getStore, providers);
      const methods: { -readonly [M in keyof AuthenticatorImplementation]: AuthenticatorImplementation[M] } = {
        listLoginMethods: async () => ({
          methods: [
            ...[...connections.values()].map(({ id, name, icon }) => ({ kind: 'browser', connection: id, name, icon })),
            ...(certificates ? [{ kind: 'certificate', connection: '', name: 'Certificate', icon: '' }] : []),
          ],
        }),
        authenticateToken: async (request, context) =>
          isBotToken(request.token)
            ? authenticateBotToken(getStore(), providers.values(), request)
            : shared.authenticateToken!(request, context),
      };
      if (providers.size > 0) {
        methods.verifySession = async (request, context) => {
          const answer = await shared.verifySession!(request, context);
          rechecker.note(answer.principal as Principal);
          return answer;
        };
        methods.revokeSessions = async (request, context) => {
          const { secret, afterLogoutUri } = request;
          checkAfterLogoutUri(afterLogoutUri);
          const login = afterLogoutUri === '' ? undefined : await findProviderLogin(getStore(), providers, secret);
          const { count } = await shared.revokeSessions!(request, context);
          return { count, logoutUrl: login ? await createLogoutUrl(getStore(), login, afterLogoutUri) : '' };
        };
        methods.beginBrowserLogin = async (request, context) =>
          beginBrowserLogin(getStore(), findProvider(request.connection), request, context);
        methods.completeBrowserLogin = async (request, context) =>
          completeBrowserLogin(getStore(), findProvider(request.connection), request, context);
      }
      if (certificates) {
        methods.authenticateCertificate = async (request, context) =>
          authenticateCertificate(getStore(), certificates, request, context);
      }
      return {
        methods,
        capabilities: listCapabilities(providers.size > 0, certificates !== undefined),
        drain: () => rechecker.drain(),
      };
    },
    database,
  );
}
