import type { PluginEnvironment } from '@bugless/kit/plugin';
import type { CallContext } from '@bugless/kit/service';
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  jwtVerify,
  customFetch as keyFetch,
  type RemoteJWKSet,
} from 'jose';
import * as oauth from 'openid-client';
import type { Connection } from './connection.ts';
import { createProviderFetch, providerUnavailable } from './provider-fetch.ts';

/** Metadata older than this is asked for again. */
const METADATA_MILLIS = 3_600_000;
/** After a failure old metadata is used for so long before asking again. */
const RETRY_MILLIS = 60_000;
/** Keys older than this are asked for again; an unknown key id asks at once. */
const KEYS_MILLIS = 3_600_000;
/** Between two questions for keys that strangers can cause. */
const KEYS_COOLDOWN_MILLIS = 10_000;

/** How far the clock of a provider may be off. */
export const CLOCK_TOLERANCE_SECONDS = 60;

/** Algorithms of signatures that anybody can check by public keys (RFC 7518, RFC 8037). */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** What is asked of a signed token, besides a good signature of the provider and a date. */
export interface TokenExpectation {
  readonly issuer: string;
  readonly audience: string;
  readonly requiredClaims: string[];
}

/** One provider: its metadata and keys as last seen. */
export class Provider {
  readonly connection: Connection;
  readonly #environment: PluginEnvironment;
  #metadata: { readonly value: oauth.ServerMetadata; readonly until: number } | undefined;
  #reading: Promise<oauth.ServerMetadata> | undefined;
  #keys: { readonly address: string; readonly set: RemoteJWKSet } | undefined;

  constructor(connection: Connection, environment: PluginEnvironment) {
    this.connection = connection;
    this.#environment = environment;
    const { endpoints, issuer } = connection;
    if (!endpoints) return;
    const value = {
      issuer,
      authorization_endpoint: endpoints.authorization,
      token_endpoint: endpoints.token,
      userinfo_endpoint: endpoints.userinfo,
    };
    this.#metadata = { value, until: Number.POSITIVE_INFINITY };
  }

  /** Where the provider has what: by discovery (OpenID Connect Discovery 1.0), or as configured. */
  async getMetadata(): Promise<oauth.ServerMetadata> {
    const known = this.#metadata;
    const now = this.#environment.now();
    if (known && now < known.until) return known.value;
    this.#reading ??= this.#discover().finally(() => {
      this.#reading = undefined;
    });
    try {
      const value = await this.#reading;
      this.#metadata = { value, until: now + METADATA_MILLIS };
      return value;
    } catch (error) {
      if (!known) throw error;
      this.#environment.log.warn(
        { err: error, connection: this.connection.id },
        'the provider does not tell its metadata; going on with what it said before',
      );
      this.#metadata = { value: known.value, until: now + RETRY_MILLIS };
      return known.value;
    }
  }

  async #discover(): Promise<oauth.ServerMetadata> {
    const { issuer, clientId, allowInsecure } = this.connection;
    const found = await oauth.discovery(new URL(issuer), clientId, undefined, undefined, {
      [oauth.customFetch]: createProviderFetch(this.connection) as oauth.CustomFetch,
      execute: allowInsecure ? [oauth.allowInsecureRequests] : [],
    });
    return { ...found.serverMetadata() };
  }

  /** openid-client for one call: its requests end with the call. */
  createClient(metadata: oauth.ServerMetadata, context: CallContext): oauth.Configuration {
    const { clientId, allowInsecure } = this.connection;
    const client = new oauth.Configuration(
      metadata,
      clientId,
      {
        [oauth.clockTolerance]: CLOCK_TOLERANCE_SECONDS,
        [oauth.clockSkew]: Math.round((this.#environment.now() - Date.now()) / 1000),
      },
      this.#authenticate(metadata),
    );
    client[oauth.customFetch] = createProviderFetch(this.connection, context) as oauth.CustomFetch;
    if (allowInsecure) oauth.allowInsecureRequests(client);
    return client;
  }

  #authenticate(metadata: oauth.ServerMetadata): oauth.ClientAuth {
    const { clientSecret, type } = this.connection;
    if (clientSecret === undefined) return oauth.None();
    // Absent means client_secret_basic (OpenID Connect Discovery 1.0, section 3).
    const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const posts = type === 'oauth2' || methods.includes('client_secret_post');
    return posts ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
  }

  /**
   * Checks a signed token. An unknown key id asks the provider for its keys: it may have
   * changed them. With `eager` at once, else not more often than every few seconds.
   */
  async verifyToken(
    token: string,
    metadata: oauth.ServerMetadata,
    expected: TokenExpectation,
    eager: boolean,
  ): Promise<JWTPayload> {
    const keys = this.#getKeys(metadata);
    const options = {
      ...expected,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(this.#environment.now()),
    };
    try {
      return (await jwtVerify(token, keys, options)).payload;
    } catch (error) {
      if (!eager || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await keys.reload();
      return (await jwtVerify(token, keys, options)).payload;
    }
  }

  #getKeys(metadata: oauth.ServerMetadata): RemoteJWKSet {
    const address = metadata.jwks_uri;
    if (address === undefined) throw providerUnavailable(this.connection, new Error('its metadata has no jwks_uri'));
    if (this.#keys?.address === address) return this.#keys.set;
    const set = createRemoteJWKSet(new URL(address), {
      cooldownDuration: KEYS_COOLDOWN_MILLIS,
      cacheMaxAge: KEYS_MILLIS,
      timeoutDuration: this.connection.timeoutMillis,
      [keyFetch]: createProviderFetch(this.connection),
    });
    this.#keys = { address, set };
    return set;
  }
}
