/**
 * Who may do what. A component's grants say what a caller may do in it; an
 * issue's access limit narrows that, and never widens it. The scopes of a token
 * limit what is done, its components limit what is seen.
 */
import type { AccessGrant, Component, Hotlist, Issue } from '@bugless/proto';
import { AccessLimit, HotlistPermission, Permission, TokenScope } from '@bugless/proto';
import type { CallContext } from '../service/context.ts';
import { ServiceError } from '../service/error.ts';
import { WORDS } from './word.ts';

/** Sees nothing: what is behind it is NOT_FOUND. */
export const NO_PERMISSION = Permission.UNSPECIFIED;

/** The access that holds in a component. */
export interface ComponentAccess {
  /** The component and all above it. */
  readonly ancestry: readonly string[];
  /** Owners of any of these: ADMIN. */
  readonly owners: readonly string[];
  /** Grants of the nearest of these that overrides; of the root when none does. */
  readonly grants: readonly AccessGrant[];
}

/** What components have to say for their access. */
export type AccessSource = Pick<Component, 'id' | 'owners' | 'access' | 'accessOverridden'>;

/** The access in a component, from its path: the root first, the component itself last. */
export function collectAccess(path: readonly AccessSource[]): ComponentAccess {
  const source = path.findLast((component) => component.accessOverridden) ?? path[0];
  return {
    ancestry: path.map((component) => component.id),
    owners: [...new Set(path.flatMap((component) => component.owners))],
    grants: source?.access ?? [],
  };
}

/**
 * What a caller may do in a component, token scopes aside. Core itself and
 * administrators: everything; owners: ADMIN; callers that are not signed in: at
 * most VIEW, where everyone has it with `everyone: true`.
 */
export function decidePermission(context: CallContext, access: ComponentAccess): Permission {
  if (context.system) return Permission.ADMIN;
  const { scopeComponents } = context;
  if (scopeComponents.length > 0 && !access.ancestry.some((id) => scopeComponents.includes(id))) return NO_PERMISSION;
  if (context.admin) return Permission.ADMIN;
  const signedIn = context.user !== '';
  if (signedIn && access.owners.includes(context.user)) return Permission.ADMIN;
  let best: Permission = NO_PERMISSION;
  for (const { principal, permission } of access.grants) {
    // A permission of a newer version means something that is not known here: grant none of it.
    if (!WORDS.permission.has(permission) || permission <= best) continue;
    switch (principal?.$case) {
      case 'user':
        if (signedIn && principal.value === context.user) best = permission;
        break;
      case 'group':
        if (signedIn && context.groups.includes(principal.value)) best = permission;
        break;
      case 'everyone':
        if (signedIn) best = permission;
        else if (principal.value && best < Permission.VIEW) best = Permission.VIEW;
        break;
    }
  }
  return best;
}

/** The people of an issue who see it when its view is limited. */
export type NamedPeople = Pick<Issue, 'reporter' | 'assignee' | 'verifier' | 'collaborators' | 'cc'>;

/** Whether a user is named on an issue; nobody is when not signed in. */
export function isNamed(user: string, issue: NamedPeople): boolean {
  if (user === '') return false;
  const { reporter, assignee, verifier, collaborators, cc } = issue;
  return (
    reporter === user || assignee === user || verifier === user || collaborators.includes(user) || cc.includes(user)
  );
}

/** What a caller may do with an issue, from what it may do in its component. */
export function limitPermission(permission: Permission, limit: AccessLimit, named: boolean): Permission {
  if (permission === NO_PERMISSION || permission === Permission.ADMIN) return permission;
  switch (limit) {
    case AccessLimit.UNSPECIFIED:
      return permission;
    case AccessLimit.COMMENT:
      if (!named) return Permission.VIEW;
      return permission === Permission.VIEW ? Permission.COMMENT : permission;
    default:
      // VIEW, and whatever a newer version limits.
      return named ? permission : NO_PERMISSION;
  }
}

/** What a caller may do with an issue in a component of this access; 0: not see it. */
export function decideIssuePermission(
  context: CallContext,
  access: ComponentAccess,
  issue: NamedPeople & Pick<Issue, 'accessLimit'>,
): Permission {
  return limitPermission(decidePermission(context, access), issue.accessLimit, isNamed(context.user, issue));
}

/** Limits whose issues a caller with some permission in their component sees, for queries by class. */
export interface VisibleLimits {
  /** All issues with one of these limits. */
  readonly all: readonly AccessLimit[];
  /** Issues with one of these only where the caller is named. */
  readonly named: readonly AccessLimit[];
}

const NOTHING: VisibleLimits = { all: [], named: [] };
const EVERYTHING: VisibleLimits = { all: [AccessLimit.UNSPECIFIED, AccessLimit.COMMENT, AccessLimit.VIEW], named: [] };
const USUAL: VisibleLimits = { all: [AccessLimit.UNSPECIFIED, AccessLimit.COMMENT], named: [AccessLimit.VIEW] };

/** The same rule as limitPermission, for sight alone and for all issues of a component at once. */
export function listVisibleLimits(permission: Permission): VisibleLimits {
  if (permission < Permission.VIEW) return NOTHING;
  return permission >= Permission.ADMIN ? EVERYTHING : USUAL;
}

/** Every kind of act on issues and components, and what it needs. */
export const ACTIONS = {
  view: { permission: Permission.VIEW, scope: TokenScope.READ },
  comment: { permission: Permission.COMMENT, scope: TokenScope.COMMENT },
  create: { permission: Permission.CREATE, scope: TokenScope.COMMENT },
  edit: { permission: Permission.EDIT, scope: TokenScope.EDIT },
  // Changing a component, redacting somebody's comment.
  administer: { permission: Permission.ADMIN, scope: TokenScope.EDIT },
  // Access lists, webhooks.
  govern: { permission: Permission.ADMIN, scope: TokenScope.ADMIN },
} as const;

/** Name of an act. */
export type Action = keyof typeof ACTIONS;

/** Whether the credential is good for a scope; each scope includes the lesser ones. */
export function hasScope(context: CallContext, scope: TokenScope): boolean {
  if (context.system || context.scopes.length === 0) return true;
  return context.scopes.some((own) => WORDS.tokenScope.has(own) && own >= scope);
}

/** Throws SCOPE_EXCEEDED unless the credential is good for a scope. */
export function checkScope(context: CallContext, scope: TokenScope): void {
  if (hasScope(context, scope)) return;
  const word = WORDS.tokenScope.format(scope);
  throw new ServiceError('SCOPE_EXCEEDED', `the token lacks the scope ${word}`, { metadata: { scope: word } });
}

/**
 * Throws unless a caller who has this permission (at least VIEW: else answer
 * NOT_FOUND) may act. LOGIN_REQUIRED, FORBIDDEN or SCOPE_EXCEEDED, with the
 * permission or scope in the metadata.
 */
export function checkAction(context: CallContext, permission: Permission, action: Action): void {
  const needed = ACTIONS[action];
  if (context.user === '' && !context.system && action !== 'view') {
    throw new ServiceError('LOGIN_REQUIRED', 'log in, or send a token, to change anything');
  }
  if (permission < needed.permission) {
    const word = WORDS.permission.format(needed.permission);
    throw new ServiceError('FORBIDDEN', `you lack the permission ${word} here`, { metadata: { permission: word } });
  }
  checkScope(context, needed.scope);
}

const ON_ISSUES = ['view', 'comment', 'edit', 'administer'] as const;
const ON_COMPONENTS = ['view', 'comment', 'create', 'edit', 'administer'] as const;

/** `permissions` of an Issue: what its permission and the scopes of the credential leave. */
export function listIssuePermissions(context: CallContext, permission: Permission): Permission[] {
  return listPermissions(context, permission, ON_ISSUES);
}

/** `permissions` of a Component. */
export function listComponentPermissions(context: CallContext, permission: Permission): Permission[] {
  return listPermissions(context, permission, ON_COMPONENTS);
}

function listPermissions(context: CallContext, permission: Permission, actions: readonly Action[]): Permission[] {
  return actions
    .map((action) => ACTIONS[action])
    .filter((needed) => permission >= needed.permission && hasScope(context, needed.scope))
    .map((needed) => needed.permission);
}

/** What a caller may do with a hotlist, token scopes aside; 0: not see it. Not signed in: VIEW where everyone has it. */
export function decideHotlistPermission(
  context: CallContext,
  hotlist: Pick<Hotlist, 'owner' | 'access'>,
): HotlistPermission {
  if (context.system || context.admin) return HotlistPermission.ADMIN;
  const signedIn = context.user !== '';
  if (signedIn && hotlist.owner === context.user) return HotlistPermission.ADMIN;
  let best: HotlistPermission = HotlistPermission.UNSPECIFIED;
  for (const { principal, permission } of hotlist.access) {
    if (!WORDS.hotlistPermission.has(permission) || permission <= best) continue;
    switch (principal?.$case) {
      case 'user':
        if (signedIn && principal.value === context.user) best = permission;
        break;
      case 'group':
        if (signedIn && context.groups.includes(principal.value)) best = permission;
        break;
      case 'everyone':
        // As in components, only `true` reaches callers that are not signed in.
        if (signedIn) best = permission;
        else if (principal.value && best < HotlistPermission.VIEW) best = HotlistPermission.VIEW;
        break;
    }
  }
  return best;
}

const HOTLIST_SCOPES: Readonly<Partial<Record<HotlistPermission, TokenScope>>> = {
  [HotlistPermission.VIEW]: TokenScope.READ,
  [HotlistPermission.APPEND]: TokenScope.EDIT,
  [HotlistPermission.ADMIN]: TokenScope.EDIT,
};

/** Throws unless a caller who has this permission on a hotlist (at least VIEW) may do what needs another. */
export function checkHotlistAction(
  context: CallContext,
  permission: HotlistPermission,
  needed: HotlistPermission,
): void {
  if (context.user === '' && !context.system && needed > HotlistPermission.VIEW) {
    throw new ServiceError('LOGIN_REQUIRED', 'log in, or send a token, to change anything');
  }
  if (permission < needed) {
    const word = WORDS.hotlistPermission.format(needed);
    throw new ServiceError('FORBIDDEN', `you lack the permission ${word} on this hotlist`, {
      metadata: { permission: word },
    });
  }
  checkScope(context, HOTLIST_SCOPES[needed] ?? TokenScope.ADMIN);
}

/** `permissions` of a Hotlist. */
export function listHotlistPermissions(context: CallContext, permission: HotlistPermission): HotlistPermission[] {
  return ([HotlistPermission.VIEW, HotlistPermission.APPEND, HotlistPermission.ADMIN] as const).filter(
    (each) => permission >= each && hasScope(context, HOTLIST_SCOPES[each]!),
  );
}
