import { CompiledQuery, type Kysely } from 'kysely';
import type { ModelTables } from '../schema/tables.ts';
import type { ConditionScope } from './condition.ts';
import { buildClassDriver, type Driver, hasOpenTerm, listDrivers, SPAN_RANK, STATE_RANK } from './driver.ts';
import type { PageRequest } from './page.ts';
import { Statement } from './statement.ts';
import { findTextLead, type TextLead } from './text-search.ts';
import { listSeenClasses, type Visibility } from './visibility.ts';

/** Where a page comes from: see PageWriter. */
export type Plan =
  | { readonly kind: 'walk' }
  | { readonly kind: 'stretches'; readonly driver: Driver }
  | { readonly kind: 'set'; readonly driver: Driver }
  | { readonly kind: 'text'; readonly lead: TextLead };

/** A driver with at most so many candidates is read whole and sorted. */
const SHORT = 2_000;
/** The same, when there is no index in the order that is asked for to read instead. */
const SHORT_UNORDERED = 10_000;
/** Drivers of this rank and below name single issues: always short, never counted. */
const SELDOM_RANK = 1;
/** Words that stand in fewer texts than this are looked up as a set. */
const RARE_WORDS = 5_000;
/** The same for counts, which go on where a page ends: many rows met on the way cost more than a longer set. */
const RARE_COUNTED = 50_000;
/** What asks for more rows than this is a count. */
const LONG = 1_000;
/** Where a statement has an arm for each stretch of an index, it has at most so many. */
export const MOST_ARMS = 20;
/** Whoever sees less than this share of the newest issues starts from the classes seen. */
const SMALL_SHARE = 0.1;
const SHARE_SAMPLE = 200;
/** How long a share counts, in milliseconds. */
const SHARE_MILLIS = 60_000;

/** Chooses where a page starts, so that its cost follows its length and not the number of issues. */
export async function choosePlan(
  request: Pick<PageRequest, 'filter' | 'order' | 'limit'>,
  scope: ConditionScope,
  db: Kysely<ModelTables>,
): Promise<Plan> {
  const all = listDrivers(request.filter, scope);
  // Open issues have an index of their own, where states are met on the way.
  const drivers = hasOpenTerm(request.filter) ? all.filter((driver) => driver.rank < STATE_RANK) : all;
  const seldom = drivers.find((driver) => driver.rank <= SELDOM_RANK);
  if (seldom) return { kind: 'set', driver: seldom };

  const lead = findTextLead(request.filter, scope.textSearch);
  const isLong = request.limit > LONG;
  if (lead && (await isRare(lead, isLong ? RARE_COUNTED : RARE_WORDS, scope, db))) return { kind: 'text', lead };

  const newestFirst = request.order.isNewestFirst;
  const isWide = (driver: Driver): boolean => !scope.spelling.lateral && driver.width > MOST_ARMS;
  const ordered = drivers.filter((driver) => driver.newestFirst && !isWide(driver));
  const main = drivers.filter((driver) => driver.rank !== SPAN_RANK);
  if (newestFirst && drivers.length === 1 && ordered.length === 1) return { kind: 'stretches', driver: ordered[0]! };
  if (drivers.length > 0) {
    const most = newestFirst && !isLong ? SHORT : SHORT_UNORDERED;
    const shortest = await findShortest(drivers, most, db);
    if (shortest.count <= most) return { kind: 'set', driver: shortest.driver };
    // All are long. Those on the walk's own columns are met as quickly on the way.
    const selective = ordered.find((driver) => !driver.covered) ?? (main.length === 1 ? ordered[0] : undefined);
    if (newestFirst && selective) return { kind: 'stretches', driver: selective };
  }
  if (await seesLittle(scope, db)) {
    const driver = buildClassDriver(listSeenClasses(scope.visibility), scope.spelling);
    if (newestFirst && !isWide(driver)) return { kind: 'stretches', driver };
    // No other order has an index that begins with the classes: few issues are sorted, more are met on the way.
    if (!newestFirst && (await findShortest([driver], SHORT, db)).count <= SHORT) return { kind: 'set', driver };
  }
  return { kind: 'walk' };
}

async function findShortest(
  drivers: readonly Driver[],
  most: number,
  db: Kysely<ModelTables>,
): Promise<{ driver: Driver; count: number }> {
  const statement = new Statement();
  const counts = drivers.map(
    (driver, index) =>
      `(select count(*)::int4 from (select 1 from ${driver.writeFrom(statement)} where ${driver.writeAny(statement)} limit ${most + 1}) x) as count${index}`,
  );
  const [row] = await run<Record<string, number>>(db, `select ${counts.join(', ')}`, statement);
  let best = 0;
  for (let index = 1; index < drivers.length; index += 1) {
    if (row![`count${index}`]! < row![`count${best}`]!) best = index;
  }
  return { driver: drivers[best]!, count: row![`count${best}`]! };
}

async function isRare(lead: TextLead, below: number, scope: ConditionScope, db: Kysely<ModelTables>): Promise<boolean> {
  if (scope.textSearch === 'tsvector') return (await expectTexts(lead, scope, db)) < below;
  const statement = new Statement();
  const where = lead.write({ ...scope, statement });
  const doc = scope.spelling.table('doc', 'd', 'doc_words');
  const text = `select count(*)::int4 as count from (select 1 from ${doc} where ${where} limit ${below}) x`;
  return (await run<{ count: number }>(db, text, statement))[0]!.count < below;
}

/**
 * How many texts the server expects to have the words, by what it knows of their frequency: its statistics
 * keep the frequent ones, any other is rare. Planning alone, nothing is read.
 */
export async function expectTexts(
  lead: TextLead,
  scope: Omit<ConditionScope, 'statement'>,
  db: Kysely<ModelTables>,
): Promise<number> {
  const statement = new Statement();
  const text = `explain (format json) select 1 from doc d where ${lead.write({ ...scope, statement })}`;
  const [row] = await run<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(db, text, statement);
  return row!['QUERY PLAN'][0].Plan['Plan Rows'];
}

const shares = new WeakMap<Visibility, { little: boolean; until: number }>();

async function seesLittle({ visibility, spelling }: ConditionScope, db: Kysely<ModelTables>): Promise<boolean> {
  if (visibility.everything) return false;
  const known = shares.get(visibility);
  if (known && known.until > performance.now()) return known.little;
  const statement = new Statement();
  const classes = statement.bind(listSeenClasses(visibility), 'int4[]');
  const text = `select count(*)::int4 as total, (count(*) filter (where x.acl = any(${classes})))::int4 as seen from (select i.acl from ${spelling.table('issue', 'i', 'issue_modified')} order by i.modified desc, i.id desc limit ${SHARE_SAMPLE}) x`;
  const [row] = await run<{ total: number; seen: number }>(db, text, statement);
  const little = row!.seen < row!.total * SMALL_SHARE;
  shares.set(visibility, { little, until: performance.now() + SHARE_MILLIS });
  return little;
}

/** Runs a written statement; @bugless/sql prepares it under its text. */
export async function run<Row>(db: Kysely<ModelTables>, text: string, statement: Statement): Promise<Row[]> {
  const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(text, [...statement.parameters]));
  return rows;
}
