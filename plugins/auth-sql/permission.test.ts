import {
  AuthenticatorServiceDefinition,
  type CallContext,
  createContext,
  createSystemContext,
  ServiceError,
  TokenScope,
} from '@bugless/kit/service';
import t from 'tap';
import { type AuthenticatorMethod, checkCaller, checkSubject, guard, PERMISSIONS } from './permission.ts';

const CALLERS: Record<string, CallContext> = {
  anonymous: createContext(),
  user: createContext({ user: 'ann' }),
  reader: createContext({ user: 'ann', scopes: [TokenScope.READ] }),
  admin: createContext({ user: 'root', admin: true }),
  adminReader: createContext({ user: 'root', admin: true, scopes: [TokenScope.READ] }),
  system: createSystemContext(),
};

/** What the method alone decides, for each caller above in turn; `-` passes. */
const EXPECTED: Record<AuthenticatorMethod, string> = {
  listLoginMethods: '- - - - - -',
  authenticatePassword: '- - - - - -',
  beginBrowserLogin: '- - - - - -',
  completeBrowserLogin: '- - - - - -',
  authenticateToken: '- - - - - -',
  authenticateCertificate: '- - - - - -',
  createSession: 'login no no no no -',
  verifySession: '- - - - - -',
  listSessions: 'login - - - - -',
  revokeSessions: '- - - - - -',
  createToken: 'login - scope - scope -',
  listTokens: 'login - - - - -',
  revokeToken: 'login - scope - scope -',
  getSetup: '- - - - - -',
  createSetupCode: 'login no no no no -',
  completeSetup: '- - - - - -',
  createUser: 'login - scope - scope -',
  batchGetUsers: '- - - - - -',
  resolveUsernames: '- - - - - -',
  findUsers: 'login - - - - -',
  listUsers: 'login - - - - -',
  updateUser: 'login - scope - scope -',
  createPlaceholders: 'login no no - scope -',
  claimPlaceholder: 'login no no - scope -',
  changePassword: 'login - scope - scope -',
  createPasswordReset: 'login no no - scope -',
  resetPassword: '- - - - - -',
  createGroup: 'login no no - scope -',
  listGroups: 'login - - - - -',
  updateGroup: 'login no no - scope -',
  deleteGroup: 'login no no - scope -',
  listGroupMembers: 'login - - - - -',
  changeGroupMembers: 'login no no - scope -',
  listAuditEvents: 'login no no - scope -',
};
const WORDS: Record<string, string> = { LOGIN_REQUIRED: 'login', FORBIDDEN: 'no', SCOPE_EXCEEDED: 'scope' };

function tryCheck(check: () => void): string {
  try {
    check();
    return '-';
  } catch (error) {
    return WORDS[(error as ServiceError).reason] ?? String(error);
  }
}

t.test('every RPC of the contract stands in the table', (t) => {
  t.same(Object.keys(PERMISSIONS).sort(), Object.keys(AuthenticatorServiceDefinition.methods).sort());
  t.end();
});

t.test('every RPC, every kind of caller', (t) => {
  for (const [method, expected] of Object.entries(EXPECTED)) {
    const seen = Object.values(CALLERS).map((caller) =>
      tryCheck(() => checkCaller(method as AuthenticatorMethod, caller)),
    );
    t.equal(seen.join(' '), expected, method);
  }
  t.end();
});

t.test('rules about a subject', (t) => {
  const ann = createContext({ user: 'ann' });
  const root = createContext({ user: 'root', admin: true });
  const self = { id: 'ann', owner: '' };
  const other = { id: 'bob', owner: '' };
  const mine = { id: 'bot', owner: 'ann' };
  const theirs = { id: 'bot', owner: 'bob' };
  const check = (method: AuthenticatorMethod, context: CallContext, subject: { id: string; owner: string }) =>
    tryCheck(() => checkSubject(method, context, subject));
  t.same(
    [self, other, mine, theirs].map((subject) => check('updateUser', ann, subject)),
    ['-', 'no', '-', 'no'],
  );
  t.same(
    [self, other, mine, theirs].map((subject) => check('listSessions', ann, subject)),
    ['-', 'no', 'no', 'no'],
  );
  t.same(
    [self, other, mine, theirs].map((subject) => check('updateUser', root, subject)),
    ['-', '-', '-', '-'],
  );
  t.equal(check('updateUser', createContext(), { id: '', owner: '' }), 'login', 'nobody is not the owner of people');
  t.equal(check('createUser', ann, { id: '', owner: '' }), 'no');
  t.equal(check('createUser', ann, { id: '', owner: 'ann' }), '-');
  t.equal(check('updateUser', CALLERS.reader!, self), 'scope');
  t.end();
});

t.test('the guard stands before the method, and lets only service errors out', async (t) => {
  let calls = 0;
  const guarded = guard(
    {
      listAuditEvents: async () => {
        calls += 1;
        throw new TypeError('duplicate key violates "secret_table"');
      },
    },
    (cause) => new ServiceError('INTERNAL', 'something went wrong', { cause }),
  );
  const request = { kind: '', user: '', pageSize: 0, pageToken: '' };
  await t.rejects(guarded.listAuditEvents!(request, createContext()), {
    name: 'ServiceError',
    reason: 'LOGIN_REQUIRED',
  } as unknown as Error);
  t.equal(calls, 0);
  await t.rejects(guarded.listAuditEvents!(request, createSystemContext()), {
    name: 'ServiceError',
    reason: 'INTERNAL',
  } as unknown as Error);
  t.equal(calls, 1);
});
