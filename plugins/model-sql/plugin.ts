import type { PluginDetails, PluginEnvironment, PluginInstance } from '@bugless/kit/plugin';
import { type CapabilityClaims, type ModelCapability, ServiceError } from '@bugless/kit/service';
import { type Database, type DatabaseOptions, migrate, openDatabase } from '@bugless/sql';
import { sweepUploads } from './attachment-chunk.ts';
import { prepareStore } from './bootstrap.ts';
import { ComponentCache } from './component-cache.ts';
import { sweepDeliveries } from './delivery-writer.ts';
import { ENTITIES } from './entity/index.ts';
import { Feed } from './feed.ts';
import { DayFolder } from './issue-day.ts';
import { IssueIds } from './issue-ids.ts';
import { createModel } from './model.ts';
import { sweepRequestLog } from './request-log.ts';
import { MIGRATIONS } from './schema/index.ts';
import type { ModelTables } from './schema/tables.ts';
import { describeSpelling } from './search/spelling.ts';
import type { Store } from './store.ts';
import { TextIndex } from './text-index.ts';
import { MAX_PAGE_SIZE } from './update-reader.ts';
import { WebhookDispatcher } from './webhook-dispatcher.ts';

/** How long events are kept unless the operator says otherwise. */
export const EVENT_RETENTION_DAYS = 7;
/** Largest attachment unless the operator says otherwise, in bytes. */
export const MAX_ATTACHMENT_SIZE = 50 * 1024 * 1024;
const DAY_MILLIS = 86_400_000;
/** How often answers past their time are looked for. */
const SWEEP_MILLIS = 10 * 60_000;

/** What this library can do on an engine. */
export function listCapabilities(database: Pick<Database, 'dialect'>): CapabilityClaims<ModelCapability> {
  const ranked = database.dialect.textSearch === 'tsvector';
  return {
    access: true,
    custom_fields: true,
    comment_editing: true,
    import: true,
    hotlists: true,
    stars: true,
    saved_searches: true,
    attachments: true,
    events: true,
    webhooks: true,
    summary: true,
    'search.text': true,
    'search.history': true,
    'search.ranked': ranked || `${database.dialect.title} does not rank text`,
  };
}

/** What an operator may choose. */
export interface StoreLimits {
  /** How long events are kept, in days. */
  readonly eventRetentionDays?: number;
  /** Largest attachment, in bytes. */
  readonly maxAttachmentSize?: number;
  /** Lists are read from the nearest replica, some seconds old; CockroachDB alone. */
  readonly followerReads?: boolean;
}

/** A store, and how it ends. */
export interface OpenStore {
  readonly store: Store;
  readonly dataId: string;
  close(): Promise<void>;
}

/** Brings a database up to date and opens the Model's store on it. The database stays the caller's on failure. */
export async function openStore(
  db: Database,
  environment: Pick<PluginEnvironment, 'log' | 'now'>,
  limits: StoreLimits = {},
): Promise<OpenStore> {
  const { log, now } = environment;
  await migrate(db, MIGRATIONS, { log });
  const kysely = db.kysely<ModelTables>();
  const ids = new IssueIds(db, now);
  const textIndex = new TextIndex(db, log);
  const { eventRetentionDays = EVENT_RETENTION_DAYS, maxAttachmentSize = MAX_ATTACHMENT_SIZE } = limits;
  const feed = new Feed({ db: kysely, log, retentionMillis: eventRetentionDays * DAY_MILLIS });
  const store: Store = {
    db,
    dialect: db.dialect,
    spelling: describeSpelling(db.dialect, limits),
    kysely,
    components: new ComponentCache(kysely),
    ids,
    textIndex,
    feed,
    maxAttachmentSize,
    log,
    now,
  };
  const dataId = await prepareStore(store);
  await store.components.fresh(0);
  await ids.start();
  await textIndex.start();
  feed.addFollower(new DayFolder(kysely));
  feed.addFollower(new WebhookDispatcher(store));
  feed.start();
  const sweep = setInterval(() => {
    sweepRequestLog(store)
      .then(() => sweepUploads(store))
      .then(() => sweepDeliveries(store))
      .catch((error: unknown) => log.warn({ err: error }, 'what is past its time was not deleted'));
  }, SWEEP_MILLIS);
  sweep.unref();
  return {
    store,
    dataId,
    async close() {
      clearInterval(sweep);
      await feed.stop();
      await textIndex.stop();
      await ids
        .stop()
        .catch((error: unknown) => log.warn({ err: error }, 'the node number was not given back; it runs out'));
    },
  };
}

/**
 * Lists are written for indexes that give their order: the planner, which cannot know how rare the
 * combination of a filter is, must not prefer to read and sort everything. Where no index
 * gives the order it still sorts.
 */
export const POSTGRES_SESSION = { enable_sort: 'off', enable_seqscan: 'off' };

/** A Model plugin at work, on the database that these options open. */
export function createModelInstance(
  options: Omit<DatabaseOptions, 'entities' | 'log' | 'applicationName'> & { readonly limits?: StoreLimits },
  environment: PluginEnvironment,
): PluginInstance {
  let db: Database | undefined;
  let open: OpenStore | undefined;
  const running = new Set<Promise<unknown>>();

  const need = <T>(value: T | undefined): T => {
    if (value === undefined)
      throw new ServiceError('NOT_READY', 'the Model has not started yet; try again in a moment');
    return value;
  };

  return {
    model: createModel(() => need(open).store, running),
    async start() {
      db = await openDatabase({
        ...options,
        entities: [...ENTITIES],
        log: environment.log,
        applicationName: 'bugless-model',
        session: options.engine === 'postgres' ? POSTGRES_SESSION : {},
      });
      open = await openStore(db, environment, options.limits);
    },
    getDetails(): PluginDetails {
      const { store, dataId } = need(open);
      const { maxAttachmentSize } = store;
      return { capabilities: listCapabilities(need(db)), maxPageSize: MAX_PAGE_SIZE, maxAttachmentSize, dataId };
    },
    async checkReady() {
      need(open);
      await need(db).ping();
    },
    async drain() {
      open?.store.feed.end();
      await Promise.allSettled([...running]);
    },
    async stop() {
      await open?.close();
      open = undefined;
      await db?.close();
      db = undefined;
    },
  };
}
