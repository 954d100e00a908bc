import { checkFilter, checkScope, WORDS } from '@bugless/kit/domain';
import {
  type CallContext,
  type DaySummary,
  type Filter,
  FilterOperator,
  type GroupSummary,
  invalidField,
  ServiceError,
  type SummarizeIssuesRequest,
  type SummarizeIssuesResponse,
  TokenScope,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import type { ComponentTree } from './component-tree.ts';
import { ALL_DAYS, countStatusRow, type StatusRow } from './issue-day.ts';
import { formatAcl } from './issue-row.ts';
import { KEY_KIND } from './schema/key-kind.ts';
import type { Store } from './store.ts';
import type { Sight } from './viewer.ts';

const MOST_DAYS = 1_100;
/** Values of one field that are told, the most frequent ones. */
const MOST_VALUES = 1_000;
const DAY_MILLIS = 86_400_000;

/** What may be grouped by: its expression, and how its values are written. */
const GROUPS: Readonly<Record<string, readonly [expression: string, format: (value: string | number) => string]>> = {
  priority: ['i.priority', (value) => WORDS.priority.format(Number(value))],
  severity: ['i.severity', (value) => WORDS.severity.format(Number(value))],
  type: ['i.type', (value) => WORDS.type.format(Number(value))],
  status: ['i.status', (value) => WORDS.status.format(Number(value))],
  assignee: ['i.assignee', String],
  component: ['(i.acl >> 2)', String],
};

/** Classes that are counted. */
interface Counted {
  /** Whole classes; undefined: all there are. */
  readonly whole: readonly number[] | undefined;
  /** Of these the issues that name the caller. */
  readonly named: readonly number[];
}

/** SummarizeIssues: archived issues count as what they were. */
export async function summarizeIssues(
  store: Store,
  request: SummarizeIssuesRequest,
  context: CallContext,
): Promise<SummarizeIssuesResponse> {
  checkFilter(request.filter);
  checkScope(context, TokenScope.READ);
  const days = readDays(request);
  for (const [index, field] of request.groupBy.entries()) {
    if (GROUPS[field]) continue;
    const expected = `${field} can not be grouped by; one of ${Object.keys(GROUPS).join(', ')} is expected`;
    throw invalidField(`group_by[${index}]`, expected);
  }
  const tree = await store.components.fresh();
  const counted = chooseClasses(tree, tree.look(context), request.filter);
  const groups: GroupSummary[] = [];
  for (const field of new Set(request.groupBy)) groups.push(...(await countGroups(store, field, counted, context)));
  return { days: days.length === 0 ? [] : await countDays(store, days, counted, context), groups };
}

async function countDays(
  store: Store,
  days: readonly string[],
  { whole, named }: Counted,
  context: CallContext,
): Promise<DaySummary[]> {
  const first = days[0]!;
  const last = days.at(-1)!;
  const own = whole === undefined ? sql`true` : sql`acl = any(${whole}::int4[])`;
  // Days from the first asked for to the newest there is, and what is open now: from there the past follows.
  const { rows } = await sql<{ day: string; opened: string; closed: string }>`
    select x.day, sum(x.opened)::int8 as opened, sum(x.closed)::int8 as closed from (
      select day, opened, closed from issue_day where (day >= ${first}::date or day = ${ALL_DAYS}::date) and ${own}
      union all select day, opened, closed from issue_day_change where day >= ${first}::date and ${own}
      union all select ${ALL_DAYS}::date, opened, closed from issue_day_change where ${own}
    ) x group by x.day`.execute(store.kysely);
  const counts = new Map<string, { opened: number; closed: number }>();
  const add = (day: string, opened: number, closed: number): void => {
    const count = counts.get(day);
    counts.set(day, { opened: (count?.opened ?? 0) + opened, closed: (count?.closed ?? 0) + closed });
  };
  for (const row of rows) add(row.day, Number(row.opened), Number(row.closed));
  for (const row of await listNamedChanges(store, named, context)) {
    const { opened, closed } = countStatusRow(row);
    add(ALL_DAYS, opened, closed);
    if (row.day >= first) add(row.day, opened, closed);
  }
  const total = counts.get(ALL_DAYS) ?? { opened: 0, closed: 0 };
  let open = total.opened - total.closed;
  for (const [day, count] of counts) if (day > last) open -= count.opened - count.closed;
  const summaries: DaySummary[] = [];
  for (const day of days.toReversed()) {
    const { opened, closed } = counts.get(day) ?? { opened: 0, closed: 0 };
    summaries.push({ day, opened, closed, open });
    open -= opened - closed;
  }
  return summaries.reverse();
}

/** Changes of status of issues that the caller sees only because they name it. */
async function listNamedChanges(store: Store, named: readonly number[], context: CallContext): Promise<StatusRow[]> {
  if (named.length === 0) return [];
  const { rows } = await sql<StatusRow>`
    select c.sequence, (c.created at time zone 'UTC')::date as day, c.old_value, c.new_value
    from issue_key k join field_change c on c.issue_id = k.issue_id and c.field = 'status'
    where k.kind = ${sql.lit(KEY_KIND.PARTY)} and k.key = ${context.user} and k.acl = any(${named}::int4[])`.execute(
    store.kysely,
  );
  return rows;
}

async function countGroups(
  store: Store,
  field: string,
  { whole, named }: Counted,
  context: CallContext,
): Promise<GroupSummary[]> {
  const [expression, format] = GROUPS[field]!;
  const inClass = whole === undefined ? sql`true` : sql`i.acl = any(${whole}::int4[])`;
  const seen =
    named.length === 0
      ? inClass
      : sql`(${inClass} or (i.acl = any(${named}::int4[]) and exists (select 1 from issue_key p where p.issue_id = i.id
          and p.kind = ${sql.lit(KEY_KIND.PARTY)} and p.key = ${context.user})))`;
  const { rows } = await sql<{ value: string | number; count: number }>`
    select ${sql.raw(expression)} as value, count(*)::int4 as count from issue i where i.is_open and ${seen}
    group by 1 order by 2 desc, 1 limit ${sql.lit(MOST_VALUES)}`.execute(store.kysely);
  return rows.map(({ value, count }) => ({ field, value: format(value), count }));
}

/** The classes that the caller sees, as far as the filter names their components. */
function chooseClasses(tree: ComponentTree, sight: Sight, filter: Filter | undefined): Counted {
  const { all, named, everything } = sight.classes;
  const asked = readComponents(tree, filter);
  if (asked === undefined) return { whole: everything ? undefined : all, named };
  const classes = new Set([...asked].flatMap((id) => ([0, 1, 2] as const).map((limit) => formatAcl(id, limit))));
  return { whole: all.filter((acl) => classes.has(acl)), named: named.filter((acl) => classes.has(acl)) };
}

/** The components that a filter leaves; undefined: all. Throws BAD_FILTER for what it says beside. */
function readComponents(tree: ComponentTree, filter: Filter | undefined): Set<string> | undefined {
  const node = filter?.node;
  if (node === undefined) return undefined;
  if (node.$case === 'and') {
    const parts = node.value.operands.flatMap((operand) => {
      const ids = readComponents(tree, operand);
      return ids === undefined ? [] : [ids];
    });
    const [first, ...others] = parts;
    return first && new Set([...first].filter((id) => others.every((other) => other.has(id))));
  }
  const isComponent = node.$case === 'term' && node.value.field === 'component';
  if (!isComponent || (node.value.operator !== FilterOperator.HAS && node.value.operator !== FilterOperator.EQUALS)) {
    throw new ServiceError('BAD_FILTER', 'filter: summaries can be narrowed to components only');
  }
  const ids = new Set<string>();
  for (const { kind } of node.value.values) {
    if (kind?.$case !== 'reference') continue;
    const found = tree.find(kind.value.id);
    if (!found) continue;
    const below = kind.value.subtree ? [...tree.walk([found])] : [found];
    for (const { component } of below) ids.add(component.id);
  }
  return ids;
}

function readDays({ firstDay, lastDay }: SummarizeIssuesRequest): string[] {
  // Without days only groups are counted.
  if (firstDay === '' && lastDay === '') return [];
  const first = readDay('first_day', firstDay);
  const last = readDay('last_day', lastDay);
  const count = (last - first) / DAY_MILLIS + 1;
  if (count < 1) throw invalidField('last_day', `${lastDay} is before first_day, ${firstDay}`);
  if (count > MOST_DAYS) throw invalidField('last_day', `makes ${count} days; at most ${MOST_DAYS} are allowed`);
  return Array.from({ length: count }, (_, index) => new Date(first + index * DAY_MILLIS).toISOString().slice(0, 10));
}

function readDay(field: string, text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // A day that the month does not have would be taken for one of the next.
  if (!Number.isNaN(time) && new Date(time).toISOString().startsWith(text) && text > ALL_DAYS) return time;
  throw invalidField(field, `${JSON.stringify(text)} is no day: YYYY-MM-DD is expected`);
}
