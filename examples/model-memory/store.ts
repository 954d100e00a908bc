import type {
  Attachment,
  CommentVersion,
  Component,
  Event,
  Hotlist,
  HotlistEntry,
  Issue,
  SavedSearch,
  Update,
} from '@bugless/kit/service';

/**
 * An issue as it is kept: whole, as nobody sees it. What depends on the caller
 * (starred, permissions, hotlists, ends of links) is filled in when it is shown.
 */
export interface IssueRecord {
  readonly issue: Issue;
  /** Oldest first; the one of sequence n stands at n - 1. */
  readonly updates: readonly Update[];
  /** Earlier texts of comments, by sequence. */
  readonly versions: ReadonlyMap<number, readonly CommentVersion[]>;
  /** User ids of those who starred it. */
  readonly fans: ReadonlySet<string>;
}

/** A file of an issue. */
export interface AttachmentRecord {
  readonly attachment: Attachment;
  /** Undefined: withdrawn. */
  readonly bytes: Buffer | undefined;
}

/** A write that was done, by user and request id. */
export interface DoneRequest {
  /** The RPC and its request, to tell a repeat from another request. */
  readonly body: string;
  readonly answer: unknown;
}

/** An issue that came from another tracker. */
export interface ImportRecord {
  readonly id: string;
  /** What came, to tell an unchanged issue from a changed one. */
  readonly content: string;
}

/** A link between imported issues whose other end has not come yet. */
export interface PendingLink {
  readonly issue: string;
  readonly field: 'parent' | 'blocked_by' | 'duplicate_of';
}

/**
 * Everything there is, in maps. Replace this file by a database and keep the rest.
 *
 * Records are never changed in place: a write puts a new one. So a reader keeps
 * what it saw, and a transaction that fails is undone by putting the old ones back.
 */
export class Store {
  readonly issues = new Map<string, IssueRecord>();
  /** Ids of the issues that one blocks: the other end of blocked_by. */
  readonly blocking = new Map<string, readonly string[]>();
  readonly components = new Map<string, Component>();
  readonly hotlists = new Map<string, Hotlist>();
  readonly attachments = new Map<string, AttachmentRecord>();
  /** Entries by hotlist, in their order. */
  readonly entries = new Map<string, readonly HotlistEntry[]>();
  /** By user, then by name. */
  readonly searches = new Map<string, ReadonlyMap<string, SavedSearch>>();
  /** By user and request id. */
  readonly requests = new Map<string, DoneRequest>();
  /** By source and key. */
  readonly imports = new Map<string, ImportRecord>();
  /** By source and key of the issue that is awaited. */
  readonly pending = new Map<string, readonly PendingLink[]>();
  /** The change feed, by position. */
  readonly events = new Map<string, Event>();

  #lastId = 0n;
  #lastEvent = 0n;
  #undo: (() => void)[] | undefined;
  readonly #watchers = new Set<() => void>();

  /** Puts or, with undefined, takes away a record. Only inside of transact. */
  put<V>(map: Map<string, V>, key: string, value: V | undefined): void {
    if (!this.#undo) throw new Error('put outside of a transaction');
    const before = map.get(key);
    this.#undo.push(() => setOrDelete(map, key, before));
    setOrDelete(map, key, value);
  }

  /** Puts an issue, and keeps the other ends of its blockers. */
  putIssue(record: IssueRecord): void {
    const { id, blockedBy } = record.issue;
    const before = this.issues.get(id)?.issue.blockedBy ?? [];
    this.put(this.issues, id, record);
    for (const blocker of before.filter((each) => !blockedBy.includes(each)))
      this.put(
        this.blocking,
        blocker,
        this.blocking.get(blocker)?.filter((each) => each !== id),
      );
    for (const blocker of blockedBy.filter((each) => !before.includes(each)))
      this.put(this.blocking, blocker, [...(this.blocking.get(blocker) ?? []), id]);
  }

  /** All or nothing: what `write` put is taken back when it throws. Nothing else runs in between: it is synchronous. */
  transact<T>(write: () => T): T {
    const outer = this.#undo;
    const undo: (() => void)[] = [];
    this.#undo = undo;
    try {
      const result = write();
      outer?.push(...undo);
      // Watchers hear of it after the commit, never of what may still be undone.
      if (!outer) for (const watcher of this.#watchers) watcher();
      return result;
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    } finally {
      this.#undo = outer;
    }
  }

  /** An id that nothing has. Ids are never given again, also not when a transaction is undone. */
  mintId(): string {
    do this.#lastId += 1n;
    while (this.issues.has(String(this.#lastId)));
    return String(this.#lastId);
  }

  /** Appends to the change feed, inside of a transaction. */
  tell(event: Omit<Event, 'cursor'>): void {
    // Positions only grow; a number that an undone transaction used is left out.
    this.#lastEvent += 1n;
    const cursor = String(this.#lastEvent);
    this.put(this.events, cursor, { ...event, cursor });
  }

  /** Cursor of the newest event. */
  get newestCursor(): string {
    return String(this.#lastEvent);
  }

  /** Calls back after each commit, until the returned function is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

function setOrDelete<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
