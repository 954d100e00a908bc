/**
 * Counts of issues opened and closed on each day. A write adds rows of its own, in its own transaction; now and
 * then the holder of the feed's lease adds them up. Both are read together, so counts are exact at any moment.
 */
import { isOpen, WORDS } from '@bugless/kit/domain';
import type { Issue, Status, Update } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { FeedFollower } from './feed.ts';
import type { IssueChange } from './issue-derived.ts';
import { formatAcl } from './issue-row.ts';
import type { WriteScope } from './request-log.ts';
import type { ModelTables } from './schema/tables.ts';
import type { Store } from './store.ts';

/** The row of a class that holds the sum of all its days. */
export const ALL_DAYS = '0001-01-01';
/** Rows that one statement adds up. */
const BATCH = 5_000;
const FOLD_MILLIS = 2_000;

/** How many issues became open, and closed. */
export interface StatusCount {
  readonly opened: number;
  readonly closed: number;
}

/** A row of field_change of the field `status`; day: YYYY-MM-DD in UTC. */
export interface StatusRow {
  readonly sequence: number;
  readonly day: string;
  readonly old_value: string;
  readonly new_value: string;
}

/** What such a row does to the counts of its day. */
export function countStatusRow({ sequence, old_value, new_value }: StatusRow): StatusCount {
  const parse = (word: string): Status => (WORDS.status.parse(word) ?? 0) as Status;
  return countStatus(sequence === 1 ? undefined : parse(old_value), parse(new_value));
}

/** `from` undefined: the issue is new. One that comes closed was opened and closed. */
function countStatus(from: Status | undefined, to: Status): StatusCount {
  if (from === undefined) return { opened: 1, closed: isOpen(to) ? 0 : 1 };
  return { opened: !isOpen(from) && isOpen(to) ? 1 : 0, closed: isOpen(from) && !isOpen(to) ? 1 : 0 };
}

/** Adds to the batch what these changes do to the counts. */
export async function writeDays(store: Store, scope: WriteScope, changes: readonly IssueChange[]): Promise<void> {
  const counts = new Map<string, { acl: number; day: string; opened: number; closed: number }>();
  const add = (acl: number, day: string, { opened, closed }: StatusCount, sign = 1): void => {
    if (opened + closed === 0) return;
    const key = `${acl} ${day}`;
    const count = counts.get(key) ?? { acl, day, opened: 0, closed: 0 };
    counts.set(key, { ...count, opened: count.opened + sign * opened, closed: count.closed + sign * closed });
  };
  for (const { before, after, updates } of changes) {
    let status = before?.status;
    for (const update of updates) {
      const to = readStatus(update) ?? status ?? after.status;
      if (status !== to) add(classOf(after), update.created!.slice(0, 10), countStatus(status, to));
      status = to;
    }
  }
  const moved = changes.filter(({ before, after }) => before && classOf(before) !== classOf(after));
  if (moved.length > 0) {
    // An issue that changes its class takes its past along.
    const byId = new Map(moved.map((change) => [change.after.id, change]));
    const { rows } = await sql<StatusRow & { issue_id: string }>`
      select issue_id, sequence, (created at time zone 'UTC')::date as day, old_value, new_value from field_change
      where issue_id = any(${[...byId.keys()]}::int8[]) and field = 'status'`.execute(scope.db);
    for (const row of rows) {
      const { before, after } = byId.get(row.issue_id)!;
      const count = countStatusRow(row);
      add(classOf(before!), row.day, count, -1);
      add(classOf(after), row.day, count);
    }
  }
  const rows = [...counts.values()].filter(({ opened, closed }) => opened !== 0 || closed !== 0);
  if (rows.length === 0) return;
  const ids = rows.map(() => store.ids.nextRowId());
  const given = ids[0] !== undefined;
  await scope.batch.add({
    table: 'issue_day_change',
    statement: sql`insert into issue_day_change (acl, day, opened, closed${given ? sql`, id` : sql``})
      select * from unnest(${rows.map((row) => row.acl)}::int4[], ${rows.map((row) => row.day)}::date[],
        ${rows.map((row) => row.opened)}::int8[], ${rows.map((row) => row.closed)}::int8[]
        ${given ? sql`, ${ids}::int8[]` : sql``}) returning 1`,
  });
}

const classOf = (issue: Issue): number => formatAcl(issue.component, issue.accessLimit);

function readStatus(update: Update): Status | undefined {
  const change = update.changes.find(({ field }) => field === 'status');
  const word = change?.newValues[0];
  return word === undefined ? undefined : (WORDS.status.parse(word) as Status | undefined);
}

/** Adds up what writes have left, a batch at a time. */
export class DayFolder implements FeedFollower {
  readonly #db: Kysely<ModelTables>;
  #seen = '';
  #at = 0;

  constructor(db: Kysely<ModelTables>) {
    this.#db = db;
  }

  async follow(last: string): Promise<void> {
    // Counts change only with issues, and those make events.
    if (last === this.#seen || performance.now() - this.#at < FOLD_MILLIS) return;
    this.#at = performance.now();
    if ((await foldDays(this.#db)) < BATCH) this.#seen = last;
  }
}

/** Adds up one batch; returns how many rows it had. */
export async function foldDays(db: Kysely<ModelTables>): Promise<number> {
  const { rows } = await sql<{ folded: number }>`
    with gone as (
      delete from issue_day_change where id = any(array(select id from issue_day_change order by id limit ${sql.lit(BATCH)}))
      returning acl, day, opened, closed
    ), added as (
      insert into issue_day (acl, day, opened, closed)
      select x.acl, x.day, sum(x.opened), sum(x.closed) from (
        select acl, day, opened, closed from gone
        union all select acl, ${ALL_DAYS}::date, opened, closed from gone
      ) x group by x.acl, x.day
      on conflict (acl, day) do update set opened = issue_day.opened + excluded.opened, closed = issue_day.closed + excluded.closed
      returning 1
    )
    select (select count(*) from gone)::int4 as folded, (select count(*) from added) as added`.execute(db);
  return rows[0]!.folded;
}
