import { type AuthStore, hashSecret, isOpaqueSecret, type Tables } from '@bugless/auth-sql';
import { invalidField } from '@bugless/kit/service';
import * as oauth from 'openid-client';
import type { Provider } from './provider.ts';
import { openSecrets } from './provider-secrets.ts';

/** Where a session was begun. */
export interface ProviderLogin {
  readonly provider: Provider;
  readonly issuer: string;
  readonly subject: string;
  readonly sealed: string;
}

/** The login at a provider behind a session, where the connection ends those too. To be asked before the session ends. */
export async function findProviderLogin(
  store: AuthStore,
  providers: ReadonlyMap<string, Provider>,
  secret: string,
): Promise<ProviderLogin | undefined> {
  if (!isOpaqueSecret(secret) || ![...providers.values()].some(({ connection }) => connection.logout)) return undefined;
  const k = store.database.kysely<Tables>();
  const session = await k
    .selectFrom('auth_session')
    .select(['user_id', 'methods'])
    .where('hash', '=', hashSecret(secret))
    .executeTakeFirst();
  const method = session?.methods.find((name) => name.startsWith('browser:'));
  const provider = method === undefined ? undefined : providers.get(method.slice('browser:'.length));
  if (!session || !provider?.connection.logout) return undefined;
  const identity = await k
    .selectFrom('auth_identity')
    .select(['issuer', 'subject', 'sealed'])
    .where('user_id', '=', session.user_id)
    .where('connection', '=', provider.connection.id)
    .orderBy('used', 'desc')
    .executeTakeFirst();
  return identity && { provider, ...identity };
}

/** Checks where the browser is to come back to. */
export function checkAfterLogoutUri(address: string): void {
  if (address === '') return;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw invalidField('after_logout_uri', 'is not an absolute http or https URL');
  }
}

/**
 * Where the browser ends its login at the provider (OpenID Connect RP-Initiated Logout 1.0);
 * empty: the provider does not offer it, or is away. A logout here is not kept up by that.
 */
export async function createLogoutUrl(store: AuthStore, login: ProviderLogin, afterLogoutUri: string): Promise<string> {
  const { connection } = login.provider;
  try {
    const { end_session_endpoint: endpoint } = await login.provider.getMetadata();
    if (endpoint === undefined) return '';
    const { idToken } = await openSecrets(store, login, login.sealed);
    const url = new URL(endpoint);
    url.searchParams.set('client_id', connection.clientId);
    url.searchParams.set('post_logout_redirect_uri', afterLogoutUri);
    if (idToken !== undefined) url.searchParams.set('id_token_hint', idToken);
    return url.href;
  } catch (error) {
    const code = error instanceof oauth.ClientError ? error.code : undefined;
    store.log.warn({ connection: connection.id, code }, 'the login at the provider could not be ended');
    return '';
  }
}
