import type {
  Authenticator,
  AuthenticatorCapability,
  CallContext,
  LoginMethod,
  Principal,
  Session,
  User,
} from '@bugless/kit/service';

/** Where a login comes from. */
export interface LoginClient {
  readonly address: string;
  readonly userAgent: string;
}

/** A login that succeeded: put `secret` into the cookie. */
export interface Login {
  readonly principal: Principal;
  readonly secret: string;
  readonly session: Session;
}

/** One authenticator, and what it can do. */
export interface AuthenticatorLink {
  readonly authenticator: Authenticator;
  /** Names of available capabilities. */
  readonly capabilities: ReadonlySet<string>;
  /** Why a capability is absent, for people. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Authenticators with the same data id share one directory. */
  readonly dataId: string;
}

/** One face over one or several authenticators: logins, sessions, tokens, the directory, setup. */
export interface Identity {
  /** Ways to log in, of all authenticators, in the order of the configuration. */
  listLoginMethods(context: CallContext): Promise<LoginMethod[]>;
  /**
   * Checks name and password at every authenticator that takes them, in order, and begins a session.
   *
   * @throws ServiceError BAD_CREDENTIALS, THROTTLED, OVERLOADED, CAPABILITY_ABSENT.
   */
  loginWithPassword(
    credentials: { username: string; password: string; client: LoginClient },
    context: CallContext,
  ): Promise<Login>;
  /**
   * Begins a login in the browser, at the authenticator that has the connection. `binding` is the secret of a
   * cookie of this browser; `returnTo` comes back at the end, sealed from the provider and the browser.
   *
   * @throws ServiceError CONNECTION_NOT_FOUND, PROVIDER_UNAVAILABLE, CAPABILITY_ABSENT.
   */
  beginBrowserLogin(
    request: { connection: string; redirectUri: string; returnTo: string; binding: string; client: LoginClient },
    context: CallContext,
  ): Promise<{ url: string }>;
  /**
   * Completes it with the whole URL that the browser came back with, and begins a session.
   *
   * @throws ServiceError STATE_MISMATCH, LOGIN_DENIED, NOT_ALLOWED, BAD_CREDENTIALS, PROVIDER_UNAVAILABLE, CONNECTION_NOT_FOUND.
   */
  completeBrowserLogin(
    request: { connection: string; callbackUrl: string; binding: string; client: LoginClient },
    context: CallContext,
  ): Promise<{ login: Login; returnTo: string }>;
  /** Begins a session for a Principal that has just been proven (setup, reset, browser login). */
  beginSession(principal: Principal, client: LoginClient, context: CallContext, from?: Authenticator): Promise<Login>;
  /** The Principal of a session. Cached for at most 5 s. @throws SESSION_EXPIRED. */
  verifySession(secret: string, client: LoginClient, context: CallContext): Promise<Principal>;
  /** The Principal of an API token. Cached for at most 5 s. @throws BAD_CREDENTIALS. */
  verifyToken(secret: string, client: LoginClient, context: CallContext): Promise<Principal>;
  /** What `Authorization: Bearer` may hold: an API token, or the secret of a session. @throws BAD_CREDENTIALS. */
  verifyBearer(secret: string, client: LoginClient, context: CallContext): Promise<Principal>;
  /**
   * The Principal that a TLS client certificate belongs to, whose chain was verified. `key` is the same for the same
   * certificate. Cached as the others; that it is nobody's is remembered for longer.
   *
   * @throws BAD_CREDENTIALS.
   */
  verifyCertificate(
    certificate: { readonly key: string; readonly bytes: Buffer },
    client: LoginClient,
    context: CallContext,
  ): Promise<Principal>;
  /** A Principal that is known without asking; undefined: ask. */
  peek(secret: string): Principal | undefined;
  /** The same of a certificate; null: it is known to be nobody's. */
  peekCertificate(key: string): Principal | null | undefined;
  /**
   * Ends the session with this secret; effective here at once, elsewhere within 5 s. Answers where to send the
   * browser so that its login at a provider ends too, which then sends it to `afterLogoutUri`; '': nowhere.
   */
  logout(secret: string, context: CallContext, afterLogoutUri?: string): Promise<string>;
  /** Forgets everything cached about credentials; after revoking by id. */
  forgetCredentials(): void;
  /** The first administrator is still missing. */
  isSetupNeeded(context: CallContext): Promise<boolean>;
  /** A new one-time code for the setup link; with a password: makes `admin` at once and answers ''. */
  createSetupCode(password?: string): Promise<string>;
  /** Creates the first administrator and begins its session. */
  completeSetup(
    values: {
      code: string;
      username: string;
      displayName: string;
      email: string;
      password: string;
      client: LoginClient;
    },
    context: CallContext,
  ): Promise<Login>;
  /**
   * The authenticator that does what a capability names: the first one that can.
   *
   * @throws ServiceError CAPABILITY_ABSENT with the reason that the plugin gives.
   */
  withCapability(capability: AuthenticatorCapability): Authenticator;
  /** The visible side of opaque ids. */
  readonly directory: Directory;
}

/** Names of users, cached for at most 2 s; lookups made at the same time travel as one. */
export interface Directory {
  /** Users by id, for those ids that are not empty. An unknown id answers as a tombstone (state DELETED). */
  getUsers(ids: Iterable<string>): Promise<ReadonlyMap<string, User>>;
  /** Users by username (compared without case; keys as asked); unknown ones are left out. */
  resolveUsernames(usernames: Iterable<string>): Promise<ReadonlyMap<string, User>>;
  /** For pickers: users whose username or display name begins with a text; at most 20. */
  findUsers(prefix: string, count: number, context: CallContext): Promise<User[]>;
}
