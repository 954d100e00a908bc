import type { PagePosition } from '@bugless/kit/domain';
import { ServiceError } from '@bugless/kit/service';
import type { Kysely } from 'kysely';
import type { IssueTable, ModelTables } from '../schema/tables.ts';
import type { ConditionScope } from './condition.ts';
import { type PageRequest, PageWriter } from './page.ts';
import { expectTexts, run } from './plan.ts';
import { Statement } from './statement.ts';
import type { TextLead } from './text-search.ts';

/** A row of a ranked page, with what a page token needs. */
export interface RankedRow extends IssueTable {
  readonly starred: boolean;
  readonly score: number;
  window: Window;
}

/**
 * Buckets as distances from the newest one, both ends included; `far` undefined: to the oldest.
 * Issues are ranked within a window, newer windows first: a word that stands everywhere costs no
 * more than its newest hits, and a rare one is looked up as a whole at once.
 */
interface Window {
  readonly near: number;
  readonly far: number | undefined;
}

/** Where a ranked list goes on. */
export interface RankedPlace {
  /** Newest bucket when the list began: later issues do not move what was read. */
  readonly newest: number;
  readonly window: Window;
  readonly score: number;
  readonly id: string;
}

/** Words that are expected in fewer texts than this are looked up in all older buckets at once. */
const FEW_TEXTS = 10_000;

/** A hit in the title counts most, then the description, then comments, up to four texts. */
const SCORE = '(max(case d.sequence when 0 then 12 when 1 then 4 else 1 end) + least(count(*), 4))::int4 as score';

/** The place that a page token names. */
export function readRankedPlace({ keys, id }: PagePosition): RankedPlace {
  const [newest, near, far, score] = keys;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const isEnd = far === null || (isCount(far) && isCount(near) && far >= near && far - near < MOST_BUCKETS);
  if (!isCount(newest) || !isCount(near) || !isEnd || !isCount(score) || score >= 2 ** 31 || id === '') {
    throw refuseToken();
  }
  return { newest, window: { near, far: far === null ? undefined : (far as number) }, score, id };
}

function refuseToken(): ServiceError {
  return new ServiceError('BAD_PAGE_TOKEN', 'page_token: is not one that was given out');
}

/** The keys of a page token for the place of a row. */
export function formatRankedPlace({ window, score }: RankedRow, newest: number): (number | null)[] {
  return [newest, window.near, window.far ?? null, score];
}

/** Windows of a walk over everything stay below this; only a forged token asks for more. */
const MOST_BUCKETS = 1 << 20;
/** By so many buckets another process may know better which is the newest. */
const MOST_AHEAD = 16;

/** Reads rows by relevance, best first, from `place` on. */
export async function findRanked(
  request: PageRequest,
  lead: TextLead,
  place: RankedPlace | undefined,
  scope: Omit<ConditionScope, 'statement'>,
  db: Kysely<ModelTables>,
): Promise<{ rows: RankedRow[]; newest: number }> {
  const latest = await findNewestBucket(scope.bucketBits, db);
  const newest = place?.newest ?? latest;
  if (newest > latest + MOST_AHEAD) throw refuseToken();
  const rows: RankedRow[] = [];
  let after = place;
  let window: Window | undefined = place?.window ?? { near: 0, far: 1 };
  while (window !== undefined && rows.length < request.limit) {
    const own = { ...scope, statement: new Statement() };
    const writer = new PageWriter({ ...request, met: lead.filter, limit: request.limit - rows.length }, own);
    const from = `(select d.issue_id as id, ${SCORE} from doc d where ${writeSpan(window, newest, own.statement)} and ${lead.write(own)} group by d.issue_id)`;
    const found = await run<RankedRow>(db, writer.writeScored(from, after), own.statement);
    for (const row of found) {
      row.window = window;
      rows.push(row);
    }
    if (rows.length >= request.limit) break;
    window = await nextWindow(window, newest, () => expectTexts(lead, scope, db));
    after = undefined;
  }
  return { rows, newest };
}

/** The window behind another one; undefined: there is none. The two newest buckets say nothing of a word, so they come alone. */
async function nextWindow(
  { near, far }: Window,
  newest: number,
  expect: () => Promise<number>,
): Promise<Window | undefined> {
  if (far === undefined || far >= newest) return undefined;
  const size = far - near + 1;
  // Asked once: what is frequent then goes on in windows that double.
  if (near === 0 && (await expect()) < FEW_TEXTS) return { near: far + 1, far: undefined };
  return { near: far + 1, far: far + (near === 0 ? size : 2 * size) };
}

/** Buckets one by one: the index finds each, where a span would read all its buckets' entries. */
function writeSpan({ near, far }: Window, newest: number, statement: Statement): string {
  if (far === undefined) return `d.bucket + 0 <= ${statement.bind(String(newest - near), 'int8')}`;
  const buckets: string[] = [];
  for (let distance = near; distance <= Math.min(far, newest); distance += 1) buckets.push(String(newest - distance));
  return `d.bucket = any(${statement.bind(buckets, 'int8[]')})`;
}

/** How long the newest bucket counts as known, in milliseconds. */
const NEWEST_MILLIS = 500;
const known = new WeakMap<object, { bucket: number; until: number }>();

/** The newest bucket that there can be: one more than was seen lately, since it may have filled up meanwhile. */
async function findNewestBucket(bits: number, db: Kysely<ModelTables>): Promise<number> {
  const entry = known.get(db);
  if (entry && entry.until > performance.now()) return entry.bucket;
  const statement = new Statement();
  const shift = statement.bind(bits, 'int4');
  const [row] = await run<{ bucket: number }>(
    db,
    `select (i.id >> ${shift})::float8 as bucket from issue i order by i.id desc limit 1`,
    statement,
  );
  const bucket = (row?.bucket ?? 0) + 1;
  known.set(db, { bucket, until: performance.now() + NEWEST_MILLIS });
  return bucket;
}
