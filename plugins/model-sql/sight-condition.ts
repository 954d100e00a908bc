import type { CallContext } from '@bugless/kit/service';
import { sql } from 'kysely';
import { KEY_KIND } from './schema/key-kind.ts';
import type { Sight } from './viewer.ts';

/** The condition that issue `i` is seen, for statements that are few or find their rows by key. */
export function isIssueSeen(sight: Sight, context: CallContext) {
  const { all, named, everything } = sight.classes;
  if (everything) return sql<boolean>`true`;
  const whole = sql<boolean>`i.acl + 0 = any(${all}::int4[])`;
  if (named.length === 0) return whole;
  return sql<boolean>`(${whole} or (i.acl + 0 = any(${named}::int4[]) and exists (
    select 1 from issue_key p where p.issue_id = i.id and p.kind = ${sql.lit(KEY_KIND.PARTY)} and p.key = ${context.user})))`;
}
