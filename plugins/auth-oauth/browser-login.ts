import { type AuthStore, putLoginState, readPrincipal, takeLoginState, writeStore } from '@bugless/auth-sql';
import {
  type BeginBrowserLoginRequest,
  type CallContext,
  type CompleteBrowserLoginRequest,
  invalidField,
  type Principal,
  ServiceError,
} from '@bugless/kit/service';
import * as oauth from 'openid-client';
import { enterAccount } from './account.ts';
import { findRefusal, type Profile, readProfile } from './claims.ts';
import { stateMismatch, toLoginError } from './failure.ts';
import type { Provider } from './provider.ts';
import { readClaims } from './provider-claims.ts';
import { sealSecrets } from './provider-secrets.ts';

/*
 * A login in the browser, the authorization code flow of OpenID Connect Core 1.0, section 3.1,
 * or of RFC 6749, with the cautions of RFC 9700:
 *
 *   begin     state, nonce and PKCE verifier are made; the store keeps them, bound to the
 *             connection and to the browser's cookie, for ten minutes; the browser goes off
 *   callback  the state is taken out of the store, whatever comes of it: a second callback,
 *             one of another browser or for another connection finds nothing
 *   tokens    the code is exchanged with the verifier; iss, nonce, dates, audience and
 *             signature are checked; userinfo tells the rest
 *   account   (issuer, subject) leads to a user here, or does not
 */

/** How long a person may take at the provider. */
const STATE_MILLIS = 600_000;
const MAX_RETURN_LENGTH = 2000;
const MAX_CALLBACK_LENGTH = 16_000;
/** A binding that could be guessed would bind nothing. */
const MIN_BINDING_LENGTH = 16;

/** What a login under way needs at its end. */
interface LoginData {
  readonly verifier: string;
  readonly nonce: string;
  readonly redirectUri: string;
  readonly returnTo: string;
}

function checkRedirectUri(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw invalidField('redirect_uri', 'is not an absolute http or https URL without ? and #');
  }
  return url.href;
}

/** Answers BeginBrowserLogin. */
export async function beginBrowserLogin(
  store: AuthStore,
  provider: Provider,
  request: BeginBrowserLoginRequest,
  context: CallContext,
): Promise<{ url: string; expires: string }> {
  const { connection } = provider;
  const redirectUri = checkRedirectUri(request.redirectUri);
  if (request.returnTo.length > MAX_RETURN_LENGTH) {
    throw invalidField('return_to', `is over ${MAX_RETURN_LENGTH} characters`);
  }
  if (request.binding.length < MIN_BINDING_LENGTH) {
    throw invalidField('binding', `has ${request.binding.length} characters; at least ${MIN_BINDING_LENGTH} of chance`);
  }
  try {
    const metadata = await provider.getMetadata();
    const client = provider.createClient(metadata, context);
    const data: LoginData = {
      verifier: oauth.randomPKCECodeVerifier(),
      nonce: oauth.randomNonce(),
      redirectUri,
      returnTo: request.returnTo,
    };
    const state = { connection: connection.id, binding: request.binding, data };
    const { secret, expires } = await putLoginState(store, state, STATE_MILLIS);
    const url = oauth.buildAuthorizationUrl(client, {
      ...Object.fromEntries(connection.parameters),
      redirect_uri: redirectUri,
      state: secret,
      code_challenge: await oauth.calculatePKCECodeChallenge(data.verifier),
      code_challenge_method: 'S256',
      ...(connection.scope === '' ? {} : { scope: connection.scope }),
      ...(connection.type === 'oidc' ? { nonce: data.nonce } : {}),
    });
    return { url: url.href, expires };
  } catch (error) {
    throw toLoginError(error, connection, store.log);
  }
}

/** The callback as it has to be: each parameter once. */
function readCallback(address: string): URL {
  const url = address.length <= MAX_CALLBACK_LENGTH && URL.canParse(address) ? new URL(address) : undefined;
  if (!url) throw invalidField('callback_url', 'is not a URL, or too long');
  for (const name of ['state', 'code', 'iss', 'error']) {
    if (url.searchParams.getAll(name).length > 1) throw stateMismatch();
  }
  return url;
}

/** RFC 9207: an answer of another provider than the one that was asked is not ours, whatever else is right. */
function checkIssuer(callback: URL, metadata: oauth.ServerMetadata): void {
  const issuer = callback.searchParams.get('iss');
  const promised = metadata.authorization_response_iss_parameter_supported === true;
  if (issuer === null ? promised : issuer !== metadata.issuer) {
    throw stateMismatch(new Error('the callback names another issuer, or none though the provider promises to'));
  }
}

function nameAccount(profile: Profile): string {
  return profile.username || profile.email || profile.displayName || profile.subject;
}

/** From the callback to the user's id. */
async function finishLogin(
  store: AuthStore,
  provider: Provider,
  callback: URL,
  state: { secret: string; data: LoginData; address: string },
  context: CallContext,
): Promise<string> {
  const { connection } = provider;
  const metadata = await provider.getMetadata();
  checkIssuer(callback, metadata);
  const client = provider.createClient(metadata, context);
  const tokens = await oauth.authorizationCodeGrant(client, callback, {
    expectedState: state.secret,
    pkceCodeVerifier: state.data.verifier,
    ...(connection.type === 'oidc' ? { expectedNonce: state.data.nonce, idTokenExpected: true } : {}),
  });
  const { claims, issuer } = await readClaims(provider, metadata, client, tokens);
  const profile = readProfile(claims, connection.claims);
  const refusal = findRefusal(connection, profile);
  if (refusal !== undefined) throw new ServiceError('NOT_ALLOWED', `this account may not log in: ${refusal}`);
  const account = { issuer, subject: profile.subject, connection: connection.id, label: nameAccount(profile) };
  const kept = { idToken: tokens.id_token, refreshToken: tokens.refresh_token };
  const sealed = await sealSecrets(store, connection, account, kept);
  return enterAccount(store, { connection, account, profile, sealed, address: state.address }, context);
}

/** Answers CompleteBrowserLogin. */
export async function completeBrowserLogin(
  store: AuthStore,
  provider: Provider,
  request: CompleteBrowserLoginRequest,
  context: CallContext,
): Promise<{ principal: Principal; returnTo: string }> {
  const { connection } = provider;
  const callback = readCallback(request.callbackUrl);
  const secret = callback.searchParams.get('state') ?? '';
  const address = request.client?.address ?? '';
  const data = (await takeLoginState(store, {
    secret,
    connection: connection.id,
    binding: request.binding,
  })) as LoginData | undefined;
  if (!data || `${callback.origin}${callback.pathname}` !== data.redirectUri) throw stateMismatch();
  try {
    const user = await finishLogin(store, provider, callback, { secret, data, address }, context);
    const principal = await readPrincipal(store, user, [`browser:${connection.id}`]);
    // Deactivated since.
    if (!principal) throw new ServiceError('NOT_ALLOWED', 'this user is not active; ask an administrator');
    return { principal, returnTo: data.returnTo };
  } catch (error) {
    const failure = toLoginError(error, connection, store.log);
    if (failure instanceof ServiceError) {
      await noteFailure(store, context, { connection: connection.id, reason: failure.reason, address });
    }
    throw failure;
  }
}

async function noteFailure(
  store: AuthStore,
  context: CallContext,
  { connection, reason, address }: { connection: string; reason: string; address: string },
): Promise<void> {
  if (reason === 'CANCELLED' || context.signal?.aborted) return;
  const details = { method: 'browser', connection, reason };
  try {
    await writeStore(store, context, (work) => work.audit({ kind: 'login_failed', address, details }), {
      keepPrincipals: true,
    });
  } catch (error) {
    // What the caller is told is why the login failed, not this.
    store.log.warn({ err: error }, 'a failed login could not be written to the log of security events');
  }
}
