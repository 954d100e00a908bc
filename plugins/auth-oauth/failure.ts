import type { Logger } from '@bugless/kit/plugin';
import { ServiceError } from '@bugless/kit/service';
import { errors } from 'jose';
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import type { Connection } from './connection.ts';
import { providerUnavailable } from './provider-fetch.ts';

/** The person, or the provider on its behalf, said no (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6). */
const DENIALS = new Set([
  'access_denied',
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
]);
/** The provider cannot at the moment. */
const OUTAGES = new Set(['server_error', 'temporarily_unavailable']);
/** The token endpoint refuses the code, not this Bugless (RFC 6749, section 5.2). */
const REFUSED_CODE = 'invalid_grant';

/** The failure of a callback that belongs to no login begun in this browser. */
export function stateMismatch(cause?: unknown): ServiceError {
  return new ServiceError('STATE_MISMATCH', 'this login was not begun in this browser, or is over; begin it again', {
    cause,
  });
}

function findServiceError(error: unknown): ServiceError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ServiceError) return at;
  return undefined;
}

/**
 * What may be said of an error of a provider or of the libraries that speak with it. Their
 * errors carry whole answers, tokens included: only code and message go to the log.
 */
export function toLoginError(error: unknown, connection: Connection, log: Logger): unknown {
  const known = findServiceError(error);
  if (known) return known;
  const facts = (code: string) => ({ connection: connection.id, code });
  if (error instanceof AuthorizationResponseError) {
    if (DENIALS.has(error.error))
      return new ServiceError('LOGIN_DENIED', `the login was not allowed at ${connection.name}`);
    if (OUTAGES.has(error.error)) return providerUnavailable(connection, new Error(cut(error.error)));
    log.error(
      facts(cut(error.error)),
      'the provider refused to begin a login; check the connection and its client there',
    );
    return providerUnavailable(connection, new Error(cut(error.error)));
  }
  if (error instanceof ResponseBodyError) {
    if (error.error === REFUSED_CODE) {
      log.warn(facts(REFUSED_CODE), 'the provider did not accept its own code');
      return new ServiceError('BAD_CREDENTIALS', `${connection.name} did not confirm the login; begin it again`);
    }
    log.error(facts(cut(error.error)), 'the provider refused the request for a token; check clientId and clientSecret');
    return providerUnavailable(connection, new Error(cut(error.error)));
  }
  if (error instanceof WWWAuthenticateChallengeError) {
    log.warn(facts(String(error.status)), 'the provider did not accept its own access token');
    return new ServiceError('BAD_CREDENTIALS', `${connection.name} did not confirm the login; begin it again`);
  }
  if (error instanceof ClientError || error instanceof errors.JOSEError) {
    log.warn({ ...facts(String(error.code)), detail: error.message }, 'the provider sent what cannot be trusted');
    return new ServiceError(
      'BAD_CREDENTIALS',
      `what ${connection.name} answered cannot be trusted; begin the login again`,
    );
  }
  return error;
}

function cut(text: string): string {
  return text.replace(/[^!-~]/g, '?').slice(0, 100);
}
