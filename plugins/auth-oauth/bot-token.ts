import { hash } from 'node:crypto';
import { type AuthStore, readPrincipal } from '@bugless/auth-sql';
import { type AuthenticateTokenRequest, type Principal, ServiceError, UserKind } from '@bugless/kit/service';
import { decodeJwt, decodeProtectedHeader, errors } from 'jose';
import { toLoginError } from './failure.ts';
import type { Provider } from './provider.ts';

/** Longer ones are nobody's. */
const MAX_TOKEN_LENGTH = 8192;
const JWT_FORM = /^eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+$/;
/** Types of an access token: RFC 9068, and what providers write that came before it. */
const TYPES: ReadonlySet<unknown> = new Set(['at+jwt', 'application/at+jwt', 'JWT', undefined]);

const badToken = () => new ServiceError('BAD_CREDENTIALS', 'the token is not valid');

/** Whether a text can be such a token at all; tokens of Bugless itself never are. */
export function isBotToken(token: string): boolean {
  return token.length <= MAX_TOKEN_LENGTH && JWT_FORM.test(token);
}

/**
 * Answers AuthenticateToken for an access token that a bot got from a provider by client
 * credentials (RFC 6749, section 4.4), in the form of RFC 9068: signed by the provider, for this
 * Bugless, not over, and its subject stands in the configuration. No request to the provider,
 * but for its keys.
 */
export async function authenticateBotToken(
  store: AuthStore,
  providers: Iterable<Provider>,
  request: AuthenticateTokenRequest,
): Promise<{ principal: Principal }> {
  const key = `jwt:${hash('sha256', request.token, 'base64url')}`;
  const cached = store.principals.get(key);
  if (cached) return { principal: cached };
  const begun = store.principals.begin();
  const claimed = readUnverified(request.token);
  for (const provider of providers) {
    const { bots } = provider.connection;
    if (!bots || !isNamed(provider, claimed.issuer)) continue;
    const verified = await verify(store, provider, request.token, bots.audience);
    if (verified === undefined) continue;
    const user = bots.accounts.get(verified.subject);
    const principal = user === undefined ? undefined : await readPrincipal(store, user, ['token']);
    if (principal?.user?.kind !== UserKind.BOT) throw badToken();
    const bounded = { ...principal, scopes: [bots.scope], expires: verified.expires };
    store.principals.put(key, bounded, begun);
    return { principal: bounded };
  }
  throw badToken();
}

/** Who the token says it is of: only to choose the keys by. */
function readUnverified(token: string): { issuer: string } {
  try {
    if (!TYPES.has(decodeProtectedHeader(token).typ)) throw badToken();
    return { issuer: decodeJwt(token).iss ?? '' };
  } catch {
    throw badToken();
  }
}

/** Strangers' tokens cause no discovery: the issuer is known from the configuration, up to a slash at the end. */
function isNamed(provider: Provider, issuer: string): boolean {
  return issuer.replace(/\/$/, '') === provider.connection.issuer.replace(/\/$/, '');
}

async function verify(
  store: AuthStore,
  provider: Provider,
  token: string,
  audience: string,
): Promise<{ subject: string; expires: string } | undefined> {
  try {
    const metadata = await provider.getMetadata();
    const expected = { issuer: metadata.issuer, audience, requiredClaims: ['sub', 'exp'] };
    const claims = await provider.verifyToken(token, metadata, expected, false);
    // Bound to a key that the caller would have to prove (RFC 9449, RFC 8705): nobody asks for it here.
    if (claims.cnf !== undefined) return undefined;
    return { subject: claims.sub!, expires: new Date(claims.exp! * 1000).toISOString() };
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw toLoginError(error, provider.connection, store.log);
  }
}
