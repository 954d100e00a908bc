import * as oauth from 'openid-client';
import type { Claims } from './claims.ts';
import type { Provider } from './provider.ts';
import { providerUnavailable } from './provider-fetch.ts';

/** Answer of a token endpoint. */
type Tokens = oauth.TokenEndpointResponse & oauth.TokenEndpointResponseHelpers;

/** Asks an extra endpoint with the access token. */
async function readEndpoint(
  provider: Provider,
  client: oauth.Configuration,
  token: string,
  address: string,
): Promise<unknown> {
  const response = await oauth.fetchProtectedResource(client, token, new URL(address), 'GET');
  if (response.status !== 200) {
    throw providerUnavailable(
      provider.connection,
      new Error(`${address} answered ${response.status}; check the scopes`),
    );
  }
  try {
    return await response.json();
  } catch (cause) {
    throw providerUnavailable(provider.connection, cause);
  }
}

/** The signed part. Its claims were checked by openid-client; TLS alone vouches for them up to here. */
async function readSigned(
  provider: Provider,
  metadata: oauth.ServerMetadata,
  tokens: Tokens,
): Promise<oauth.IDToken | undefined> {
  const signed = tokens.claims();
  if (provider.connection.type !== 'oidc' || !signed || tokens.id_token === undefined) return undefined;
  const audience = provider.connection.clientId;
  const expected = { issuer: signed.iss, audience, requiredClaims: ['sub', 'exp', 'iat'] };
  await provider.verifyToken(tokens.id_token, metadata, expected, true);
  return signed;
}

/**
 * All that the provider tells of an account, put together; what it signed stands above what it
 * did not. `subject` is whom a refresh is about, which may bring no ID token.
 */
export async function readClaims(
  provider: Provider,
  metadata: oauth.ServerMetadata,
  client: oauth.Configuration,
  tokens: Tokens,
  subject?: string,
): Promise<{ claims: Claims; issuer: string }> {
  const { connection } = provider;
  const signed = await readSigned(provider, metadata, tokens);
  const expected = signed?.sub ?? subject;
  if (connection.type === 'oidc' && expected === undefined) throw new Error('an ID token was to be there');
  const claims: Record<string, unknown> = {};
  if (metadata.userinfo_endpoint !== undefined) {
    const userinfo =
      connection.type === 'oidc'
        ? await oauth.fetchUserInfo(client, tokens.access_token, expected!)
        : await readEndpoint(provider, client, tokens.access_token, metadata.userinfo_endpoint);
    Object.assign(claims, userinfo);
  }
  Object.assign(claims, signed);
  for (const [name, address] of connection.extraEndpoints) {
    claims[name] = await readEndpoint(provider, client, tokens.access_token, address);
  }
  return { claims, issuer: signed?.iss ?? connection.issuer };
}
