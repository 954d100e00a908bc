import { UserKind, UserState } from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import type { Tables } from './tables.ts';

/**
 * Makes changes to who administers happen one after the other: the first administrator is
 * made once, and two administrators cannot take each other's place at the same moment.
 */
export async function lockAdmins(k: Kysely<Tables>): Promise<void> {
  await k.selectFrom('auth_setting').select('value').where('name', '=', 'admins').forUpdate().executeTakeFirstOrThrow();
}

/** Whether an active person other than `except` administers. Bots do not count. */
export async function hasOtherAdmin(k: Kysely<Tables>, except = ''): Promise<boolean> {
  const other = await k
    .selectFrom('auth_user')
    .select('id')
    .where('admin', '=', true)
    .where('state', '=', UserState.ACTIVE)
    .where('kind', '=', UserKind.PERSON)
    .where('id', '<>', except)
    .limit(1)
    .executeTakeFirst();
  return other !== undefined;
}
