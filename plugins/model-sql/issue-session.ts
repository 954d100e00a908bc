/** Issues under change inside of one transaction: locked, changed in memory, written at once. */
import { applyChanges } from '@bugless/kit/domain';
import {
  type CallContext,
  type FieldChange,
  type Issue,
  Permission,
  Significance,
  type Update,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import type { ComponentTree } from './component-tree.ts';
import type { IssueChange } from './issue-derived.ts';
import { TREE_VERSION } from './issue-reader.ts';
import {
  isThere,
  RELATION,
  type RelatedRow,
  selectWhole,
  setWhole,
  sortIds,
  type WholeColumns,
} from './issue-related.ts';
import { ISSUE_COLUMNS, toIssue } from './issue-row.ts';
import { writeIssues } from './issue-rows.ts';
import type { WriteScope } from './request-log.ts';
import { KEY_KIND } from './schema/key-kind.ts';
import type { IssueTable } from './schema/tables.ts';
import type { Store } from './store.ts';
import type { Sight } from './viewer.ts';

/** Makes link changes of different issues come one after another, so that no two close a loop together. */
const LINK_LOCK = 7_215_202;

/** An issue that this transaction holds. */
export interface HeldIssue {
  /** Sequence of its newest update. */
  lastSequence: number;
  /** As stored before this transaction changed it, whole; undefined: it is new. */
  stored: Issue | undefined;
  /** As it stands now, with what the caller may not see: all blockers, the real parent. */
  issue: Issue;
  readonly permission: Permission;
  readonly whole: WholeColumns;
  /** Not yet written. */
  updates: Update[];
  /** Whether the caller has a comment here. */
  commented: boolean;
}

type LockedRow = IssueTable & WholeColumns & { tree_version: string; seen_version: string; commented: boolean };

/** One transaction's work on issues. */
export class IssueSession {
  readonly store: Store;
  readonly scope: WriteScope;
  readonly context: CallContext;
  readonly #held = new Map<string, HeldIssue>();
  #tree: ComponentTree | undefined;

  constructor(store: Store, scope: WriteScope, context: CallContext) {
    this.store = store;
    this.scope = scope;
    this.context = context;
  }

  /** The component tree as this transaction sees it. */
  get tree(): ComponentTree {
    return this.#tree!;
  }

  get sight(): Sight {
    return this.tree.look(this.context);
  }

  /** Uses the tree at this version, read beside rows of this transaction. */
  async useTree(version: string): Promise<void> {
    this.#tree = await this.store.components.at(version, this.scope.db);
  }

  /** To be called first, before any row is locked, by writes that make links. */
  async lockLinks(): Promise<void> {
    // At SERIALIZABLE the engine itself refuses one of two such writes.
    if (this.store.dialect.defaultIsolation !== 'read committed') return;
    await sql`select pg_advisory_xact_lock(${LINK_LOCK})`.execute(this.scope.db);
  }

  /** Locks issues in the order of their ids, all that this transaction will change: no two writers wait for each other. */
  async lock(ids: readonly string[]): Promise<void> {
    let rows = await this.#selectLocked(ids);
    // A row that was changed while we waited for it comes new, but what was read beside it is old: read again, holding it.
    if (rows.some((row) => row.version !== row.seen_version)) rows = await this.#selectLocked(ids);
    // Read here, not by a second connection: with all of them in transactions that would wait for ever.
    const version = rows[0]?.tree_version ?? (await this.#readTreeVersion());
    await this.useTree(version);
    for (const row of rows) this.#hold(row);
  }

  async #readTreeVersion(): Promise<string> {
    const { rows } = await sql<{ version: string }>`select version from component_tree where id = ${1}`.execute(
      this.scope.db,
    );
    return rows[0]!.version;
  }

  async #selectLocked(ids: readonly string[]): Promise<LockedRow[]> {
    const { rows } =
      await sql<LockedRow>`select ${sql.raw(ISSUE_COLUMNS)}, ${selectWhole(this.context)}, ${TREE_VERSION} as tree_version,
        (select s.version from issue s where s.id = i.id) as seen_version,
        ${isThere(sql`issue_key k where k.issue_id = i.id and k.kind = ${sql.lit(KEY_KIND.COMMENTER)} and k.key = ${this.context.user}`)} as commented
      from issue i join issue_update d on d.issue_id = i.id and d.sequence = 1
      where i.id = any(array(select unnest(${ids}::int8[]))) order by i.id for update of i`.execute(this.scope.db);
    return rows;
  }

  #hold(row: LockedRow): void {
    const issue = toIssue(row);
    issue.description = row.description;
    issue.blockedBy = sortIds(listRelated(row.related, RELATION.BLOCKED_BY));
    this.#held.set(issue.id, {
      lastSequence: row.last_sequence,
      stored: issue,
      issue,
      permission: this.sight.decideIssue(issue),
      whole: row,
      updates: [],
      commented: row.commented,
    });
  }

  /** An issue that was locked and that the caller sees. */
  find(id: string): HeldIssue | undefined {
    const held = this.#held.get(id);
    return held && held.permission >= Permission.VIEW ? held : undefined;
  }

  /** Ids of its blockers that the caller may not see. */
  listHiddenBlockers(held: HeldIssue): Set<string> {
    const hidden = (held.whole.related ?? []).filter(
      ([relation, , acl, named]) =>
        relation === RELATION.BLOCKED_BY && this.sight.getIssuePermission(acl, named) < Permission.VIEW,
    );
    return new Set(hidden.map(([, id]) => id));
  }

  /** Takes a new issue in, with its update 1. */
  add(issue: Issue, update: Update): HeldIssue {
    const held: HeldIssue = {
      lastSequence: 0,
      stored: undefined,
      issue,
      permission: this.sight.decideIssue(issue),
      whole: {
        description: issue.description,
        description_restricted: update.restricted,
        related: null,
        starred: false,
        hotlists: null,
      },
      updates: [],
      commented: false,
    };
    this.#held.set(issue.id, held);
    this.#append(held, issue, update);
    return held;
  }

  /** Changes a held issue by one update; its sequence is given here. Returns the update as written. */
  change(held: HeldIssue, next: Issue, update: Update): Update {
    return this.#append(held, next, update);
  }

  /** Changes a held issue without the caller having asked for it there. */
  follow(held: HeldIssue, changes: FieldChange[], at: string, significance: Significance = Significance.MINOR): void {
    const created = held.issue.modified! > at ? held.issue.modified! : at;
    const next: Issue = {
      ...applyChanges(held.issue, changes, created),
      version: String(BigInt(held.issue.version) + 1n),
      modified: created,
    };
    this.#append(held, next, {
      issue: held.issue.id,
      sequence: 0,
      author: this.context.user,
      created,
      comment: '',
      changes,
      significance,
      restricted: false,
      commentVersion: 1,
      edited: undefined,
      editor: '',
      redacted: false,
      attachments: [],
    });
  }

  #append(held: HeldIssue, next: Issue, update: Update): Update {
    held.lastSequence += 1;
    const written: Update = { ...update, issue: next.id, sequence: held.lastSequence };
    held.issue = next;
    held.updates.push(written);
    return written;
  }

  /** Adds everything so far to the transaction's batch. More may follow. */
  async finish(): Promise<void> {
    const changes: (IssueChange & { lastSequence: number })[] = [];
    for (const held of this.#held.values()) {
      if (held.updates.length === 0) continue;
      changes.push({
        before: held.stored,
        after: held.issue,
        updates: held.updates,
        lastSequence: held.lastSequence,
        commenters: held.commented ? new Set([this.context.user]) : undefined,
      });
      held.commented ||= held.updates.some((update) => update.comment !== '' && update.author === this.context.user);
      held.stored = held.issue;
      held.updates = [];
    }
    if (changes.length > 0) await writeIssues(this.store, this.scope, changes);
  }

  /** The same, and sends it: reads of this transaction see it. */
  async flush(): Promise<void> {
    await this.finish();
    await this.scope.batch.flush();
  }

  /** An issue for its caller: whole, without what the caller may not see. `visible`: related issues known to be seen. */
  present(held: HeldIssue, visible: ReadonlySet<string> = new Set()): Issue {
    const { issue } = held;
    const shown: Issue = { ...issue };
    const permission = this.sight.decideIssue(issue);
    setWhole(shown, held.whole, permission, this.sight, this.context);
    const seen = new Set([...visible, shown.parent, shown.duplicateOf, ...shown.blockedBy]);
    shown.parent = seen.has(issue.parent) ? issue.parent : '0';
    shown.duplicateOf = seen.has(issue.duplicateOf) ? issue.duplicateOf : '0';
    shown.blockedBy = issue.blockedBy.filter((id) => seen.has(id));
    return shown;
  }
}

function listRelated(related: readonly RelatedRow[] | null, wanted: number): string[] {
  return (related ?? []).filter(([relation]) => relation === wanted).map(([, id]) => id);
}
