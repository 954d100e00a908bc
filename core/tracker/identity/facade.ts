import {
  AUTHENTICATOR_CAPABILITIES,
  type Authenticator,
  type AuthenticatorCapability,
  type CallContext,
  createSystemContext,
  type Principal,
  ServiceError,
} from '@bugless/kit/service';
import { CredentialCache, StrangerCache } from './credential-cache.ts';
import { createDirectory } from './directory.ts';
import type { AuthenticatorLink, Identity, Login, LoginClient } from './identity.ts';

/** Secrets longer than this are nobody's; access tokens of a provider (JWT) are the longest. */
const MAX_SECRET = 8192;

/** Puts one face on the configured authenticators, in their order. */
export function createIdentity(links: readonly AuthenticatorLink[], now: () => number = Date.now): Identity {
  const cache = new CredentialCache(now);
  // Apart: the name of a certificate is public, and must never do as a secret.
  const certificates = new CredentialCache(now);
  const strangers = new StrangerCache(now);

  const listCapable = (capability: AuthenticatorCapability): Authenticator[] =>
    links.filter((link) => link.capabilities.has(capability)).map((link) => link.authenticator);

  const withCapability = (capability: AuthenticatorCapability): Authenticator => {
    const [first] = listCapable(capability);
    if (first !== undefined) return first;
    const reason = links.map((link) => link.reasons.get(capability)).find((text) => text);
    throw new ServiceError(
      'CAPABILITY_ABSENT',
      `${AUTHENTICATOR_CAPABILITIES[capability]}: no authenticator offers it${reason ? ` (${reason})` : ''}.`,
      { metadata: { capability } },
    );
  };

  // Authenticators that share their data would only answer the same twice.
  const directories = links.filter(
    (link, index) =>
      link.capabilities.has('directory') &&
      !links.slice(0, index).some((other) => other.dataId !== '' && other.dataId === link.dataId),
  );

  /** Asks one after the other until one knows the credential; the first real failure wins over "not mine". */
  async function askEach<T>(
    authenticators: readonly Authenticator[],
    ask: (authenticator: Authenticator) => Promise<T>,
  ): Promise<{ answer: T; from: Authenticator }> {
    let refusal: unknown;
    let failure: unknown;
    for (const authenticator of authenticators) {
      try {
        return { answer: await ask(authenticator), from: authenticator };
      } catch (error) {
        if (isRefusal(error)) refusal ??= error;
        else failure ??= error;
      }
    }
    throw failure ?? refusal ?? new ServiceError('BAD_CREDENTIALS', 'The credential is not valid.');
  }

  /** Asks one after the other until one has the connection. */
  async function askOwner<T>(
    ask: (authenticator: Authenticator) => Promise<T>,
  ): Promise<{ answer: T; from: Authenticator }> {
    const capable = listCapable('login.browser');
    if (capable.length === 0) withCapability('login.browser');
    let unknown: unknown;
    for (const authenticator of capable) {
      try {
        return { answer: await ask(authenticator), from: authenticator };
      } catch (error) {
        if ((error as Partial<ServiceError> | undefined)?.reason !== 'CONNECTION_NOT_FOUND') throw error;
        unknown = error;
      }
    }
    throw unknown;
  }

  async function verify(
    secret: string,
    capability: 'sessions' | 'login.token',
    ask: (authenticator: Authenticator) => Promise<{ principal: Principal | undefined }>,
  ): Promise<Principal> {
    const known = cache.get(secret);
    if (known !== undefined) return known;
    const { answer } = await askEach(secret.length > MAX_SECRET ? [] : listCapable(capability), ask);
    const principal = requirePrincipal(answer.principal);
    cache.set(secret, principal);
    return principal;
  }

  const identity: Identity = {
    withCapability,
    directory: createDirectory(
      directories.map((link) => link.authenticator),
      now,
    ),

    async listLoginMethods(context) {
      const answers = await Promise.all(links.map((link) => link.authenticator.listLoginMethods({}, context)));
      const methods = answers.flatMap((answer) => answer.methods);
      // Name and password are one form, however many authenticators take them.
      return methods.filter(
        (method, index) =>
          method.kind !== 'password' || methods.findIndex((other) => other.kind === 'password') === index,
      );
    },

    async loginWithPassword({ username, password, client }, context) {
      const capable = listCapable('login.password');
      if (capable.length === 0) withCapability('login.password');
      const { answer, from } = await askEach(capable, (authenticator) =>
        authenticator.authenticatePassword({ username, password, client }, context),
      );
      return identity.beginSession(requirePrincipal(answer.principal), client, context, from);
    },

    async beginBrowserLogin(request, context) {
      const { answer } = await askOwner((authenticator) => authenticator.beginBrowserLogin(request, context));
      return { url: answer.url };
    },

    async completeBrowserLogin(request, context) {
      const { answer, from } = await askOwner((authenticator) => authenticator.completeBrowserLogin(request, context));
      const principal = requirePrincipal(answer.principal);
      const login = await identity.beginSession(principal, request.client, context, from);
      return { login, returnTo: answer.returnTo };
    },

    async beginSession(principal, client, context, from) {
      const capable = listCapable('sessions');
      const keeper = from !== undefined && capable.includes(from) ? from : withCapability('sessions');
      const { secret, session } = await keeper.createSession(
        { user: principal.user?.id ?? '', methods: principal.methods, client },
        createSystemContext({ requestId: context.requestId, trace: context.trace, deadline: context.deadline }),
      );
      if (session === undefined) throw new ServiceError('INTERNAL', 'The authenticator made no session.');
      return { principal, secret, session };
    },

    verifySession: (secret: string, client: LoginClient, context: CallContext) =>
      verify(secret, 'sessions', (authenticator) => authenticator.verifySession({ secret, client }, context)),

    verifyToken: (secret: string, client: LoginClient, context: CallContext) =>
      verify(secret, 'login.token', (authenticator) =>
        authenticator.authenticateToken({ token: secret, client }, context),
      ),

    async verifyBearer(secret, client, context) {
      const known = cache.get(secret);
      if (known !== undefined) return known;
      const tokenFirst = secret.startsWith('bl_');
      const ways = [identity.verifyToken, identity.verifySession];
      if (!tokenFirst) ways.reverse();
      for (const way of ways) {
        try {
          return await way(secret, client, context);
        } catch (error) {
          if (!isRefusal(error)) throw error;
        }
      }
      throw new ServiceError('BAD_CREDENTIALS', 'The bearer token is not valid, has expired or was revoked.');
    },

    async verifyCertificate({ key, bytes }, client, context) {
      const known = identity.peekCertificate(key);
      if (known) return known;
      try {
        if (known === null) throw new ServiceError('BAD_CREDENTIALS', 'The certificate belongs to nobody here.');
        const { answer } = await askEach(listCapable('login.certificate'), (authenticator) =>
          authenticator.authenticateCertificate({ certificate: bytes, client }, context),
        );
        const principal = requirePrincipal(answer.principal);
        certificates.set(key, principal);
        return principal;
      } catch (error) {
        if (isRefusal(error)) strangers.add(key);
        throw error;
      }
    },

    peek: (secret) => cache.get(secret),

    peekCertificate: (key) => certificates.get(key) ?? (strangers.has(key) ? null : undefined),

    async logout(secret, context, afterLogoutUri = '') {
      cache.delete(secret);
      // Of several on one store the first ends the session; the one that knows its provider has to be that.
      const browsers = new Set(listCapable('login.browser'));
      const capable = listCapable('sessions').sort((a, b) => Number(browsers.has(b)) - Number(browsers.has(a)));
      let logoutUrl = '';
      for (const authenticator of capable) {
        const answer = await authenticator.revokeSessions({ secret, afterLogoutUri }, context);
        logoutUrl ||= answer.logoutUrl;
      }
      cache.delete(secret);
      return logoutUrl;
    },

    forgetCredentials: () => {
      cache.clear();
      certificates.clear();
    },

    async isSetupNeeded(context) {
      const capable = listCapable('setup');
      if (capable.length === 0) return false;
      const answers = await Promise.all(capable.map((authenticator) => authenticator.getSetup({}, context)));
      return answers.every((answer) => answer.needed);
    },

    async createSetupCode(password = '') {
      const { code } = await withCapability('setup').createSetupCode({ password }, createSystemContext());
      return code;
    },

    async completeSetup(values, context): Promise<Login> {
      const authenticator = withCapability('setup');
      const { principal } = await authenticator.completeSetup(values, context);
      return identity.beginSession(requirePrincipal(principal), values.client, context, authenticator);
    },
  };
  return identity;
}

function requirePrincipal(principal: Principal | undefined): Principal {
  if (principal?.user === undefined || principal.user.id === '') {
    throw new ServiceError('INTERNAL', 'The authenticator named nobody.');
  }
  return principal;
}

/** Whether an error says "this credential is not mine", so that the next authenticator may be asked. */
function isRefusal(error: unknown): boolean {
  const reason = (error as Partial<ServiceError> | undefined)?.reason;
  return reason === 'BAD_CREDENTIALS' || reason === 'SESSION_EXPIRED' || reason === 'CAPABILITY_ABSENT';
}
