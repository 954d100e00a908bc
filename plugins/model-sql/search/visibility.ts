import { type CallContext, Permission } from '@bugless/kit/service';
import { listViewerKeys } from '../hotlist-access.ts';
import { parseAcl } from '../issue-row.ts';
import { KEY_KIND } from '../schema/key-kind.ts';
import type { Sight } from '../viewer.ts';
import type { Statement } from './statement.ts';

/**
 * What a caller sees, in classes (`acl` = component × 4 + access limit). Part of every
 * query: rows outside of it do not exist for the caller, in pages as in counts.
 */
export interface Visibility {
  /** Sees every issue: no condition is needed. */
  readonly everything: boolean;
  /** Classes seen whole. */
  readonly classes: readonly number[];
  /** Classes in which only those issues are seen that name the caller. */
  readonly named: readonly number[];
  /** Classes in which restricted comments are read too. */
  readonly restricted: readonly number[];
  /** These are all classes. */
  readonly restrictedToo: boolean;
  /** Opaque user id; empty: anonymous. */
  readonly user: string;
  /** What the caller is found by among the viewers of a hotlist; undefined: sees all hotlists. */
  readonly hotlistKeys: readonly string[] | undefined;
}

const kept = new WeakMap<Sight, Visibility>();

/** The visibility that a sight of the component tree gives; made once for each sight. */
export function describeVisibility(sight: Sight, context: CallContext): Visibility {
  let visibility = kept.get(sight);
  if (!visibility) {
    const { all, named, everything } = sight.classes;
    const restricted = [...all, ...named].filter(
      (acl) => sight.getPermission(parseAcl(acl).component) >= Permission.EDIT,
    );
    const restrictedToo = restricted.length === all.length + named.length;
    const { user } = context;
    const hotlistKeys = listViewerKeys(context);
    visibility = { everything, classes: all, named, restricted, restrictedToo, user, hotlistKeys };
    kept.set(sight, visibility);
  }
  return visibility;
}

/**
 * The condition that a row of issue, under `alias`, is seen; empty: all are. `acl` is
 * hidden from the planner, whose choice of an index is made in driver.ts.
 */
export function writeVisible(visibility: Visibility, alias: string, statement: Statement): string {
  if (visibility.everything) return '';
  const whole = `${alias}.acl + 0 = any(${statement.bind(visibility.classes, 'int4[]')})`;
  if (visibility.named.length === 0) return whole;
  const named = `${alias}.acl + 0 = any(${statement.bind(visibility.named, 'int4[]')})`;
  const user = statement.bind(visibility.user, 'text');
  return `(${whole} or (${named} and exists (select 1 from issue_key party where party.issue_id = ${alias}.id and party.kind = ${KEY_KIND.PARTY} and party.key = ${user})))`;
}

/** The condition that a hotlist, named by an SQL expression, is seen, with ` and ` before it; empty: all are. */
export function writeHotlistSeen({ hotlistKeys }: Visibility, hotlist: string, statement: Statement): string {
  if (hotlistKeys === undefined) return '';
  const keys = statement.bind(hotlistKeys, 'text[]');
  return ` and exists (select 1 from hotlist h where h.id = ${hotlist} and h.viewers && ${keys})`;
}

/** Every class of which the caller sees something. */
export function listSeenClasses({ classes, named }: Visibility): number[] {
  return named.length === 0 ? [...classes] : [...new Set([...classes, ...named])];
}
