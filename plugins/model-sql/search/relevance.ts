import type { PagePosition } from '@bugless/kit/domain';
import { ServiceError } from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import type { IssueTable, ModelTables } from '../schema/tables.ts';
import type { ConditionScope } from './condition.ts';
import { type PageRequest, PageWriter } from './page.ts';
import { run } from './plan.ts';
import { Statement } from './statement.ts';
import type { TextLead } from './text-search.ts';

/** A row of a ranked page, with what a page token needs. */
export interface RankedRow extends IssueTable {
  readonly starred: boolean;
  readonly score: number;
  window: number;
}

/** Where a ranked list goes on. */
export interface RankedPlace {
  /** Newest bucket when the list began: later issues do not move what was read. */
  readonly newest: number;
  readonly window: number;
  readonly score: number;
  readonly id: string;
}

/**
 * Windows of buckets, as distances from the newest one: [nearest, farthest]. Issues are ranked within
 * a window, newer windows first: a word that stands everywhere costs no more than its
 * newest hits, and a rare one is soon looked up as a whole.
 */
const WINDOWS = [
  [0, 0],
  [1, 2],
  [3, 6],
  [7, undefined],
] as const;

/** A hit in the title counts most, then the description, then comments, up to four texts. */
const SCORE = '(max(case d.sequence when 0 then 12 when 1 then 4 else 1 end) + least(count(*), 4))::int4 as score';

/** The place that a page token names. */
export function readRankedPlace({ keys, id }: PagePosition): RankedPlace {
  const [newest, window, score] = keys;
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= Number.MAX_SAFE_INTEGER;
  if (!isCount(newest) || !isCount(window) || !isCount(score) || window >= WINDOWS.length || id === '') {
    throw new ServiceError('BAD_PAGE_TOKEN', 'page_token: is not one that was given out');
  }
  return { newest, window, score, id };
}

/** Reads rows by relevance, best first, from `place` on. */
export async function findRanked(
  request: PageRequest,
  lead: TextLead,
  place: RankedPlace | undefined,
  scope: Omit<ConditionScope, 'statement'>,
  db: Kysely<ModelTables>,
): Promise<{ rows: RankedRow[]; newest: number }> {
  const newest = place?.newest ?? (await findNewestBucket(scope.bucketBits, db));
  const rows: RankedRow[] = [];
  for (let window = place?.window ?? 0; window < WINDOWS.length && rows.length < request.limit; window += 1) {
    const [near, far] = WINDOWS[window]!;
    if (newest - near < 0) break;
    const own = { ...scope, statement: new Statement() };
    const writer = new PageWriter({ ...request, met: lead.filter, limit: request.limit - rows.length }, own);
    const span = [
      `d.bucket <= ${own.statement.bind(String(newest - near), 'int8')}`,
      far === undefined ? '' : ` and d.bucket >= ${own.statement.bind(String(newest - far), 'int8')}`,
    ].join('');
    const from = `(select d.issue_id as id, ${SCORE} from doc d where ${span} and ${lead.write(own)} group by d.issue_id)`;
    const after = place && window === place.window ? place : undefined;
    for (const row of await run<RankedRow>(db, writer.writeScored(from, after), own.statement)) {
      row.window = window;
      rows.push(row);
    }
  }
  return { rows, newest };
}

async function findNewestBucket(bits: number, db: Kysely<ModelTables>): Promise<number> {
  const statement = new Statement();
  const shift = statement.bind(bits, 'int4');
  const [row] = await run<{ bucket: number }>(
    db,
    `select (i.id >> ${shift})::float8 as bucket from issue i order by i.id desc limit 1`,
    statement,
  );
  return row?.bucket ?? 0;
}
