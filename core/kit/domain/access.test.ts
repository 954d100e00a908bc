import {
  AccessGrant,
  AccessLimit,
  Component,
  type DeepPartial,
  HotlistPermission,
  Permission,
  TokenScope,
} from '@bugless/proto';
import t from 'tap';
import { type CallContext, createContext, createSystemContext } from '../service/context.ts';
import type { ServiceError } from '../service/error.ts';
import {
  ACTIONS,
  type Action,
  checkAction,
  checkHotlistAction,
  collectAccess,
  decideHotlistPermission,
  decideIssuePermission,
  decidePermission,
  limitPermission,
  listComponentPermissions,
  listHotlistPermissions,
  listIssuePermissions,
  listVisibleLimits,
} from './access.ts';

const grant = (principal: DeepPartial<AccessGrant['principal']>, permission: Permission) =>
  AccessGrant.fromPartial({ principal, permission });
const everyone = (anonymous: boolean, permission: Permission) =>
  grant({ $case: 'everyone', value: anonymous }, permission);
const user = (id: string, permission: Permission) => grant({ $case: 'user', value: id }, permission);
const group = (id: string, permission: Permission) => grant({ $case: 'group', value: id }, permission);

const root = Component.fromPartial({
  id: '1',
  owners: ['olga'],
  accessOverridden: true,
  access: [everyone(true, Permission.COMMENT), user('ed', Permission.EDIT), group('staff', Permission.CREATE)],
});
const below = Component.fromPartial({ id: '2', owners: ['lee'], access: [user('ignored', Permission.ADMIN)] });
const secret = Component.fromPartial({ id: '3', accessOverridden: true, access: [everyone(false, Permission.VIEW)] });

const callers = {
  anonymous: createContext(),
  stranger: createContext({ user: 'sam' }),
  staff: createContext({ user: 'tom', groups: ['staff'] }),
  editor: createContext({ user: 'ed' }),
  owner: createContext({ user: 'olga' }),
  lee: createContext({ user: 'lee' }),
  ignored: createContext({ user: 'ignored' }),
  admin: createContext({ user: 'amy', admin: true }),
  system: createSystemContext(),
  confined: createContext({ user: 'ed', scopeComponents: ['2'] }),
  strayed: createContext({ user: 'amy', admin: true, scopeComponents: ['99'] }),
};

function readReason(run: () => void): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    return (error as ServiceError).reason;
  }
}

const { VIEW, COMMENT, CREATE, EDIT, ADMIN } = Permission;

t.test('permission in a component, by caller', async (t) => {
  const places = { root: [root], below: [root, below], secret: [root, below, secret] };
  const table: [keyof typeof callers, Permission, Permission, Permission][] = [
    ['anonymous', VIEW, VIEW, 0],
    ['stranger', COMMENT, COMMENT, VIEW],
    ['staff', CREATE, CREATE, VIEW],
    ['editor', EDIT, EDIT, VIEW],
    ['owner', ADMIN, ADMIN, ADMIN],
    ['lee', COMMENT, ADMIN, ADMIN],
    ['ignored', COMMENT, COMMENT, VIEW],
    ['admin', ADMIN, ADMIN, ADMIN],
    ['system', ADMIN, ADMIN, ADMIN],
    ['confined', 0, EDIT, VIEW],
    ['strayed', 0, 0, 0],
  ];
  for (const [name, ...expected] of table) {
    const found = Object.values(places).map((path) => decidePermission(callers[name], collectAccess(path)));
    t.same(found, expected, name);
  }
  const unknown = collectAccess([Component.fromPartial({ id: '1', access: [everyone(true, 9 as Permission)] })]);
  t.equal(decidePermission(callers.stranger, unknown), 0, 'a permission of a newer version grants nothing');
  const empty = collectAccess([Component.fromPartial({ id: '1', owners: [''], access: [user('', ADMIN)] })]);
  t.equal(decidePermission(callers.anonymous, empty), 0, 'nobody is not somebody with an empty id');
});

t.test('an access limit narrows', async (t) => {
  const limits = [AccessLimit.UNSPECIFIED, AccessLimit.COMMENT, AccessLimit.VIEW, 3 as AccessLimit];
  const table: [Permission, boolean, Permission[]][] = [
    [0, true, [0, 0, 0, 0]],
    [VIEW, false, [VIEW, VIEW, 0, 0]],
    [VIEW, true, [VIEW, COMMENT, VIEW, VIEW]],
    [COMMENT, false, [COMMENT, VIEW, 0, 0]],
    [EDIT, false, [EDIT, VIEW, 0, 0]],
    [EDIT, true, [EDIT, EDIT, EDIT, EDIT]],
    [ADMIN, false, [ADMIN, ADMIN, ADMIN, ADMIN]],
  ];
  for (const [permission, named, expected] of table) {
    t.same(
      limits.map((limit) => limitPermission(permission, limit, named)),
      expected,
      `${permission} ${named}`,
    );
    // The two forms of the rule agree on what is seen.
    for (const limit of limits.slice(0, 3)) {
      const visible = listVisibleLimits(permission);
      const seen = visible.all.includes(limit) || (named && visible.named.includes(limit));
      t.equal(limitPermission(permission, limit, named) > 0, seen, `classes: ${permission} ${limit} ${named}`);
    }
  }
  const people = { reporter: 'sam', assignee: '', verifier: '', collaborators: [], cc: [] };
  const issue = { ...people, accessLimit: AccessLimit.VIEW };
  const access = collectAccess([root]);
  t.equal(decideIssuePermission(callers.stranger, access, issue), COMMENT);
  t.equal(decideIssuePermission(callers.anonymous, access, issue), 0, 'an empty assignee is not the anonymous visitor');
  t.equal(decideIssuePermission(callers.editor, access, issue), 0);
  for (const named of [{ verifier: 'ed' }, { collaborators: ['ed'] }, { cc: ['ed'] }, { assignee: 'ed' }]) {
    t.equal(decideIssuePermission(callers.editor, access, { ...issue, ...named }), EDIT);
  }
});

t.test('acts need a permission and a scope', async (t) => {
  const reasons = (context: CallContext, permission: Permission) =>
    (Object.keys(ACTIONS) as Action[]).map((action) => readReason(() => checkAction(context, permission, action)));
  const scoped = (...scopes: TokenScope[]) => createContext({ user: 'ed', scopes });
  t.same(reasons(callers.anonymous, VIEW), ['ok', ...Array(5).fill('LOGIN_REQUIRED')]);
  t.same(reasons(callers.editor, EDIT), ['ok', 'ok', 'ok', 'ok', 'FORBIDDEN', 'FORBIDDEN']);
  t.same(reasons(scoped(TokenScope.READ), ADMIN), ['ok', ...Array(5).fill('SCOPE_EXCEEDED')]);
  t.same(reasons(scoped(TokenScope.READ, TokenScope.COMMENT), ADMIN), [
    'ok',
    'ok',
    'ok',
    ...Array(3).fill('SCOPE_EXCEEDED'),
  ]);
  t.same(reasons(scoped(TokenScope.EDIT), ADMIN), [...Array(5).fill('ok'), 'SCOPE_EXCEEDED']);
  t.same(
    reasons(scoped(9 as TokenScope), ADMIN),
    Array(6).fill('SCOPE_EXCEEDED'),
    'a scope of a newer version is good for nothing',
  );
  t.same(reasons(callers.system, ADMIN), Array(6).fill('ok'));
  t.same(listIssuePermissions(callers.editor, EDIT), [VIEW, COMMENT, EDIT]);
  t.same(listIssuePermissions(scoped(TokenScope.COMMENT), EDIT), [VIEW, COMMENT]);
  t.same(listComponentPermissions(callers.owner, ADMIN), [VIEW, COMMENT, CREATE, EDIT, ADMIN]);
});

t.test('hotlists', async (t) => {
  const hotlist = {
    owner: 'olga',
    access: [
      { principal: { $case: 'everyone' as const, value: true }, permission: HotlistPermission.APPEND },
      { principal: { $case: 'group' as const, value: 'staff' }, permission: HotlistPermission.ADMIN },
    ],
  };
  const found = (['anonymous', 'stranger', 'staff', 'owner', 'admin'] as const).map((name) =>
    decideHotlistPermission(callers[name], hotlist),
  );
  t.same(found, [
    HotlistPermission.VIEW,
    HotlistPermission.APPEND,
    HotlistPermission.ADMIN,
    HotlistPermission.ADMIN,
    HotlistPermission.ADMIN,
  ]);
  t.equal(decideHotlistPermission(callers.stranger, { owner: 'x', access: [] }), 0);
  const reader = createContext({ user: 'olga', scopes: [TokenScope.READ] });
  const append = (context: CallContext, permission: HotlistPermission) =>
    readReason(() => checkHotlistAction(context, permission, HotlistPermission.APPEND));
  t.equal(append(reader, HotlistPermission.ADMIN), 'SCOPE_EXCEEDED');
  t.equal(append(callers.stranger, HotlistPermission.VIEW), 'FORBIDDEN');
  t.equal(append(callers.anonymous, HotlistPermission.VIEW), 'LOGIN_REQUIRED');
  t.equal(append(callers.owner, HotlistPermission.ADMIN), 'ok');
  t.same(listHotlistPermissions(reader, HotlistPermission.ADMIN), [HotlistPermission.VIEW]);
});
