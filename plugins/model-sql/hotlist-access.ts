/** Who sees which hotlist, as a query compares it: a row is seen when its viewers and the caller's keys overlap. */
import { WORDS } from '@bugless/kit/domain';
import { type CallContext, type Hotlist, type HotlistGrant, HotlistPermission } from '@bugless/kit/service';
import { sql } from 'kysely';
import type { StoredGrant } from './schema/tables.ts';

/** Everyone who is signed in. */
const SIGNED_IN = 'signed-in';
/** Everyone at all. */
const ANYONE = 'anyone';

/** `hotlist.viewers`: the same rule as decideHotlistPermission, for sight alone. */
export function listViewers({ owner, access }: Pick<Hotlist, 'owner' | 'access'>): string[] {
  const viewers = new Set(owner === '' ? [] : [`user:${owner}`]);
  for (const { principal, permission } of access) {
    // A permission of a newer version means something that is not known here: grant none of it.
    if (!WORDS.hotlistPermission.has(permission) || permission < HotlistPermission.VIEW) continue;
    if (principal?.$case === 'user') viewers.add(`user:${principal.value}`);
    else if (principal?.$case === 'group') viewers.add(`group:${principal.value}`);
    else if (principal?.$case === 'everyone') {
      viewers.add(SIGNED_IN);
      if (principal.value) viewers.add(ANYONE);
    }
  }
  return [...viewers].sort();
}

/** What a caller is found by among the viewers; undefined: sees all hotlists. */
export function listViewerKeys(context: CallContext): string[] | undefined {
  if (context.system || context.admin) return undefined;
  if (context.user === '') return [ANYONE];
  return [`user:${context.user}`, ...context.groups.map((group) => `group:${group}`), SIGNED_IN, ANYONE];
}

/** The condition that hotlist `h` is seen. */
export function isHotlistSeen(context: CallContext) {
  const keys = listViewerKeys(context);
  return keys === undefined ? sql<boolean>`true` : sql<boolean>`h.viewers && ${keys}::text[]`;
}

/** A line of the access list as its column holds it. */
export function toStoredHotlistGrant({ principal, permission }: HotlistGrant): StoredGrant {
  return principal === undefined ? { permission } : { [principal.$case]: principal.value, permission };
}

/** And back. */
export function toHotlistGrant(stored: StoredGrant): HotlistGrant {
  const permission = stored.permission as HotlistPermission;
  if (stored.user !== undefined) return { principal: { $case: 'user', value: stored.user }, permission };
  if (stored.group !== undefined) return { principal: { $case: 'group', value: stored.group }, permission };
  return { principal: { $case: 'everyone', value: stored.everyone ?? false }, permission };
}
