import type { Logger } from '@bugless/kit/plugin';
import type { Database, Dialect } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import type { ComponentCache } from './component-cache.ts';
import type { Feed } from './feed.ts';
import type { IssueIds } from './issue-ids.ts';
import type { ModelTables } from './schema/tables.ts';
import type { Spelling } from './search/spelling.ts';
import type { TextIndex } from './text-index.ts';

/** What every reader and writer of the Model works with. */
export interface Store {
  readonly db: Database;
  readonly dialect: Dialect;
  /** How searches are written. */
  readonly spelling: Spelling;
  /** Outside of any transaction, for reads. */
  readonly kysely: Kysely<ModelTables>;
  readonly components: ComponentCache;
  readonly ids: IssueIds;
  readonly textIndex: TextIndex;
  readonly feed: Feed;
  /** Largest file, in bytes. */
  readonly maxAttachmentSize: number;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The time of a write, as rows hold it. */
export function readClock(store: Pick<Store, 'now'>): string {
  return new Date(store.now()).toISOString();
}
