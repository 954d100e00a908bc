/** Reads events with all that decides who may see them, the same for everybody who watches. */

import { decideHotlistPermission } from '@bugless/kit/domain';
import { type CallContext, type Event, type EventKind, Permission, ServiceError } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { toHotlistGrant } from './hotlist-access.ts';
import { TREE_VERSION } from './issue-reader.ts';
import { toIssue } from './issue-row.ts';
import type { IssueTable, ModelTables, StoredGrant } from './schema/tables.ts';
import { toUpdate } from './update-reader.ts';
import type { Sight } from './viewer.ts';

/** Events of one read at most. */
export const MOST_EVENTS = 100;
/** How long what was read may be given to others who want the same. */
const SHARED_MILLIS = 200;

/** A row of feed with the issue, update and hotlist that it tells of, as they stand now. */
export interface LoadedEvent {
  readonly position: string;
  readonly kind: number;
  readonly issue_id: string;
  readonly sequence: number;
  readonly version: string;
  readonly component: number;
  readonly hotlist: string;
  readonly author: string;
  readonly created: string;
  readonly tree_version: string;
  /** Null: no issue. */
  readonly issue: Pick<IssueTable, 'acl' | 'reporter' | 'assignee' | 'verifier' | 'collaborators' | 'cc'> | null;
  readonly update: ModelTables['issue_update'] | null;
  readonly hotlist_access: { owner: string; access: StoredGrant[] } | null;
}

type Row = Omit<LoadedEvent, 'issue' | 'update' | 'hotlist_access'> &
  ModelTables['issue_update'] & {
    i_acl: number | null;
    i_reporter: string;
    i_assignee: string;
    i_verifier: string;
    i_collaborators: string[];
    i_cc: string[];
    u_sequence: number | null;
    u_author: string;
    u_created: string;
    h_owner: string | null;
    h_access: StoredGrant[];
  };

const COLUMNS =
  sql.raw(`f.position, f.kind, f.issue_id, f.sequence, f.version, f.component, f.hotlist, f.author, f.created,
  i.acl as i_acl, i.reporter as i_reporter, i.assignee as i_assignee, i.verifier as i_verifier,
  i.collaborators as i_collaborators, i.cc as i_cc,
  u.sequence as u_sequence, u.author as u_author, u.created as u_created, u.significance, u.restricted, u.redacted,
  u.comment_version, u.edited, u.editor, u.comment, u.changes, u.has_files,
  h.owner as h_owner, h.access as h_access`);

/** Reads behind a position, in order. `issue` other than '0': only of this one. */
export async function loadEvents(db: Kysely<ModelTables>, after: bigint, issue = '0'): Promise<LoadedEvent[]> {
  const ofIssue = issue === '0' ? sql`true` : sql`f.issue_id = ${issue}`;
  const { rows } = await sql<Row>`
    select ${COLUMNS}, ${TREE_VERSION} as tree_version
    from (select * from feed f where f.position > ${String(after)}::int8 and ${ofIssue}
      order by f.position limit ${sql.lit(MOST_EVENTS)}) f
    left join issue i on i.id = f.issue_id
    left join issue_update u on u.issue_id = f.issue_id and u.sequence = f.sequence and f.kind in (1, 2)
    left join hotlist h on h.id = f.hotlist
    order by f.position`.execute(db);
  return rows.map((row) => ({
    ...row,
    issue:
      row.i_acl === null
        ? null
        : {
            acl: row.i_acl,
            reporter: row.i_reporter,
            assignee: row.i_assignee,
            verifier: row.i_verifier,
            collaborators: row.i_collaborators,
            cc: row.i_cc,
          },
    update: row.u_sequence === null ? null : { ...row, author: row.u_author, created: row.u_created },
    hotlist_access: row.h_owner === null ? null : { owner: row.h_owner, access: row.h_access },
  }));
}

/** Lets those who stand at the same place read once. */
export class EventLoader {
  readonly #reads = new Map<bigint, { readonly events: Promise<LoadedEvent[]>; readonly at: number }>();

  load(db: Kysely<ModelTables>, after: bigint): Promise<LoadedEvent[]> {
    const now = performance.now();
    for (const [position, { at }] of this.#reads) {
      if (now - at < SHARED_MILLIS) break;
      this.#reads.delete(position);
    }
    const shared = this.#reads.get(after);
    if (shared) return shared.events;
    const events = loadEvents(db, after);
    this.#reads.set(after, { events, at: now });
    events.then(
      // What is not there yet must not be missed because somebody looked a moment ago.
      (found) => found.length < MOST_EVENTS && this.#reads.delete(after),
      () => this.#reads.delete(after),
    );
    return events;
  }
}

/** An event as its caller may see it now; undefined: not at all. */
export function presentEvent(loaded: LoadedEvent, sight: Sight, context: CallContext): Event | undefined {
  const event: Event = {
    cursor: loaded.position,
    kind: loaded.kind as EventKind,
    created: loaded.created,
    author: loaded.author,
    issue: loaded.issue_id,
    version: loaded.version,
    update: undefined,
    component: String(loaded.component),
    hotlist: loaded.hotlist,
  };
  if (loaded.issue_id !== '0') {
    if (!loaded.issue) return undefined;
    const permission = sight.decideIssue(toIssue(loaded.issue as IssueTable));
    if (permission < Permission.VIEW) return undefined;
    if (loaded.update) event.update = toUpdate(loaded.update, permission);
    return event;
  }
  if (loaded.hotlist !== '0') {
    if (!loaded.hotlist_access) return undefined;
    const { owner, access } = loaded.hotlist_access;
    return decideHotlistPermission(context, { owner, access: access.map(toHotlistGrant) }) > 0 ? event : undefined;
  }
  return sight.getPermission(event.component) >= Permission.VIEW ? event : undefined;
}

/** The answer for a cursor whose event is no longer kept. */
export function cursorExpired(): ServiceError {
  return new ServiceError(
    'CURSOR_EXPIRED',
    'cursor: is older than the events that are kept; read the state anew and start from the empty cursor',
  );
}
