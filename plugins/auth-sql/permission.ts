import {
  type AuthenticatorImplementation,
  type AuthenticatorServiceDefinition,
  type CallContext,
  ServiceError,
  TokenScope,
} from '@bugless/kit/service';

/** Name of an RPC of the Authenticator. */
export type AuthenticatorMethod = keyof AuthenticatorServiceDefinition['methods'];

/**
 * Who may call.
 * - `anyone`: also without a caller; where something has to be proved, a secret in the request proves it.
 * - `system`: core itself. It may call everything else as well.
 * - `signed-in`: any user.
 * - `self`: a user about itself.
 * - `owner`: a person about a bot that it owns.
 * - `admin`: an administrator about anyone.
 */
export type CallerRule = 'anyone' | 'system' | 'signed-in' | 'self' | 'owner' | 'admin';

interface PermissionRow {
  readonly callers: readonly CallerRule[];
  /** What a bounded credential (an API token) needs besides; unset: nothing. */
  readonly scope?: TokenScope;
}

const row = (callers: readonly CallerRule[], scope?: TokenScope): PermissionRow => ({ callers, scope });
const { READ, ADMIN } = TokenScope;

/**
 * Every RPC of the Authenticator × who may call it: {@link guard} and {@link checkSubject}
 * read it, nothing else decides. Two finer rules stand with their method: which fields a
 * user may change of itself (account-change.ts), how wide a new token may be (token.ts).
 */
export const PERMISSIONS: Readonly<Record<AuthenticatorMethod, PermissionRow>> = {
  listLoginMethods: row(['anyone']),
  authenticatePassword: row(['anyone']),
  beginBrowserLogin: row(['anyone']),
  completeBrowserLogin: row(['anyone']),
  authenticateToken: row(['anyone']),
  authenticateCertificate: row(['anyone']),

  createSession: row(['system']),
  verifySession: row(['anyone']),
  listSessions: row(['self', 'admin'], READ),
  // By secret anyone: who holds it may end it.
  revokeSessions: row(['anyone', 'self', 'admin'], ADMIN),

  createToken: row(['self', 'owner', 'admin'], ADMIN),
  listTokens: row(['self', 'owner', 'admin'], READ),
  revokeToken: row(['self', 'owner', 'admin'], ADMIN),

  getSetup: row(['anyone']),
  createSetupCode: row(['system']),
  completeSetup: row(['anyone']),

  createUser: row(['owner', 'admin'], ADMIN),
  batchGetUsers: row(['anyone']),
  resolveUsernames: row(['anyone']),
  findUsers: row(['signed-in'], READ),
  listUsers: row(['owner', 'admin'], READ),
  updateUser: row(['self', 'owner', 'admin'], ADMIN),
  createPlaceholders: row(['admin'], ADMIN),
  claimPlaceholder: row(['admin'], ADMIN),

  changePassword: row(['self'], ADMIN),
  createPasswordReset: row(['admin'], ADMIN),
  resetPassword: row(['anyone']),

  createGroup: row(['admin'], ADMIN),
  listGroups: row(['signed-in'], READ),
  updateGroup: row(['admin'], ADMIN),
  deleteGroup: row(['admin'], ADMIN),
  listGroupMembers: row(['signed-in'], READ),
  changeGroupMembers: row(['admin'], ADMIN),

  listAuditEvents: row(['admin'], ADMIN),
};

const SCOPE_WORDS: Readonly<Record<number, string>> = { 1: 'read', 2: 'comment', 3: 'edit', 4: 'admin' };

/** The widest scope of a credential; one without bounds has all. */
export function getWidestScope(context: CallContext): TokenScope {
  return context.scopes.length === 0 ? ADMIN : (Math.max(...context.scopes) as TokenScope);
}

function checkScope(method: AuthenticatorMethod, needed: TokenScope | undefined, context: CallContext): void {
  if (needed === undefined || context.system || getWidestScope(context) >= needed) return;
  const word = SCOPE_WORDS[needed] ?? '';
  throw new ServiceError('SCOPE_EXCEEDED', `${method} needs a credential with the scope ${word}`, {
    metadata: { scope: word },
  });
}

/** Throws LOGIN_REQUIRED for a caller whom nobody knows, FORBIDDEN for one who may not. */
function refuse(method: AuthenticatorMethod, context: CallContext, allowed: readonly CallerRule[]): never {
  if (context.user === '') throw new ServiceError('LOGIN_REQUIRED', `${method} needs a signed-in caller`);
  throw new ServiceError('FORBIDDEN', `${method} is for ${allowed.join(' or ')}`, {
    metadata: { allowed: allowed.join(',') },
  });
}

/**
 * Checks a caller against the table as far as the method alone tells. Rules about a subject
 * (`self`, `owner`) let every signed-in caller pass here: the method names the subject to
 * {@link checkSubject}.
 */
export function checkCaller(method: AuthenticatorMethod, context: CallContext): void {
  const { callers, scope } = PERMISSIONS[method];
  if (context.system || callers.includes('anyone')) return;
  const allowed =
    context.user !== '' &&
    (callers.includes('signed-in') ||
      callers.includes('self') ||
      callers.includes('owner') ||
      (callers.includes('admin') && context.admin));
  if (!allowed) refuse(method, context, callers);
  checkScope(method, scope, context);
}

/** Whom a call is about. */
export interface Subject {
  readonly id: string;
  /** Owner of a bot; empty for people. */
  readonly owner: string;
}

/** Checks the caller against the table for one subject. */
export function checkSubject(method: AuthenticatorMethod, context: CallContext, subject: Subject): void {
  if (context.system) return;
  const { callers, scope } = PERMISSIONS[method];
  const signedIn = context.user !== '';
  const allowed =
    signedIn &&
    ((callers.includes('admin') && context.admin) ||
      (callers.includes('self') && subject.id === context.user) ||
      (callers.includes('owner') && subject.owner === context.user));
  if (!allowed) {
    refuse(
      method,
      context,
      callers.filter((rule) => rule !== 'anyone'),
    );
  }
  checkScope(method, scope, context);
}

/**
 * Puts the table in front of every method of an implementation, and turns each failure into
 * one that may cross the port.
 */
export function guard(
  implementation: AuthenticatorImplementation,
  toError: (error: unknown) => ServiceError,
): AuthenticatorImplementation {
  const guarded: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(implementation)) {
    const call = method as (request: unknown, context: CallContext) => Promise<unknown>;
    guarded[name] = async (request: unknown, context: CallContext) => {
      checkCaller(name as AuthenticatorMethod, context);
      try {
        return await call(request, context);
      } catch (error) {
        throw toError(error);
      }
    };
  }
  return guarded as AuthenticatorImplementation;
}
