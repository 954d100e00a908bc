import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { SILENT_LOG } from '../log.ts';
import { EmbeddedError } from './error.ts';
import { type EmbeddedOptions, type EmbeddedServer, joinEmbeddedPostgres, startEmbeddedPostgres } from './server.ts';

/** A share of a server that others in this process may use too. */
export interface EmbeddedLease extends Omit<EmbeddedServer, 'stop'> {
  /** Gives the share back; the last one stops the server. May be called twice. */
  release(): Promise<void>;
}

interface Entry {
  server: Promise<EmbeddedServer>;
  settings: string;
  users: number;
  /** Set while the last user's release stops the server. */
  stopped?: Promise<void>;
}

/** On globalThis, because two copies of this package in one process must agree. */
const REGISTRY = Symbol.for('@bugless/sql/embedded');
const holder = globalThis as { [REGISTRY]?: Map<string, Entry> };
holder[REGISTRY] ??= new Map();
const entries = holder[REGISTRY];

/**
 * Starts the server of a folder, or shares the one that this process already runs
 * there: Model and Authenticator in one process use one PostgreSQL, each its own database.
 *
 * @throws EmbeddedError
 */
export async function acquireEmbeddedPostgres(options: EmbeddedOptions = {}): Promise<EmbeddedLease> {
  const key = nameFolder(options.dataDir ?? './data');
  for (let entry = entries.get(key); entry?.stopped; entry = entries.get(key)) await entry.stopped;
  const settings = JSON.stringify(options.settings ?? {});
  const entry = entries.get(key) ?? {
    server: options.join ? startOrJoin(options) : startEmbeddedPostgres(options),
    settings,
    users: 0,
  };
  if (entry.settings !== settings) {
    const log = options.log ?? SILENT_LOG;
    log.warn({ dataDir: key }, 'the embedded PostgreSQL already runs with other settings, which stay');
  }
  entries.set(key, entry);
  entry.users += 1;
  let server: EmbeddedServer;
  try {
    server = await entry.server;
  } catch (error) {
    if (entries.get(key) === entry) entries.delete(key);
    throw error;
  }
  server.onExit(() => {
    if (entries.get(key) === entry) entries.delete(key);
  });
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.stopped = server.stop().finally(() => {
      if (entries.get(key) === entry) entries.delete(key);
    });
    await entry.stopped;
  };
  return Object.create(server, {
    release: {
      value: () => {
        released ??= release();
        return released;
      },
    },
  }) as EmbeddedLease;
}

async function startOrJoin(options: EmbeddedOptions): Promise<EmbeddedServer> {
  try {
    return await startEmbeddedPostgres(options);
  } catch (error) {
    if (error instanceof EmbeddedError && error.code === 'FOLDER_IN_USE') return joinEmbeddedPostgres(options, error);
    throw error;
  }
}

/** The folder may not be there yet, and may be named in several ways. */
function nameFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
