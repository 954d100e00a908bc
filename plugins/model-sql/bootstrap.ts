import { randomUUID } from 'node:crypto';
import { Permission } from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import { sql } from 'kysely';
import { foldName, toStoredGrant } from './component-tree.ts';
import { ComponentEntity } from './entity/component.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';

/** Component 1 of a new database, so that an issue can be filed at once. */
const FIRST_COMPONENT = {
  name: 'General',
  description:
    'Made with the database, so that there is a place for the first issues. Rename it, or change who may do what.',
} as const;

/**
 * Gives a database its data id, and a new one its first component, in which everyone who is
 * signed in may view, comment and file. Safe to run by several processes and again. Returns the data id.
 */
export async function prepareStore(store: Pick<Store, 'db' | 'now'>): Promise<string> {
  return runTransaction(store.db, async (em) => {
    const db = em.getKysely<ModelTables>();
    const tree = await sql<{
      last_component: number;
    }>`select last_component from component_tree where id = 1 for update`.execute(db);
    if (tree.rows[0]!.last_component === 0) {
      const at = readClock(store);
      em.persist(
        em.create(ComponentEntity, {
          id: 1,
          version: '1',
          parent: 0,
          name: FIRST_COMPONENT.name,
          nameKey: foldName(FIRST_COMPONENT.name),
          description: FIRST_COMPONENT.description,
          owners: [],
          defaultAssignee: '',
          defaultCc: [],
          archived: false,
          accessOverridden: true,
          access: [toStoredGrant({ principal: { $case: 'everyone', value: false }, permission: Permission.CREATE })],
          customFields: [],
          templates: [],
          created: at,
          modified: at,
        }),
      );
      await em.flush();
      await sql`update component_tree set last_component = 1, version = version + 1 where id = 1`.execute(db);
    }
    await sql`insert into meta (name, value) values ('data_id', ${randomUUID()}) on conflict (name) do nothing`.execute(
      db,
    );
    const { rows } = await sql<{ value: string }>`select value from meta where name = 'data_id'`.execute(db);
    return rows[0]!.value;
  });
}
