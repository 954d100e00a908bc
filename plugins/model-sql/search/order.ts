import { getField, type OrderValue } from '@bugless/kit/domain';
import { type OrderKey, ServiceError } from '@bugless/kit/service';
import type { SqlType, Statement } from './statement.ts';

/** What an order key compares. The schema has an index that leads with each of these expressions. */
interface OrderColumn {
  /** On the alias `i`; never null: what is empty comes before all else when ascending. */
  readonly expression: string;
  readonly type: SqlType;
  readonly index: string;
}

const COLUMNS: Readonly<Record<string, OrderColumn>> = {
  id: { expression: 'i.id', type: 'int8', index: 'issue_pkey' },
  created: { expression: 'i.created', type: 'timestamptz', index: 'issue_created' },
  modified: { expression: 'i.modified', type: 'timestamptz', index: 'issue_modified' },
  priority: { expression: 'i.priority', type: 'int4', index: 'issue_order_priority' },
  severity: { expression: 'i.severity', type: 'int4', index: 'issue_order_severity' },
  status: { expression: 'i.status', type: 'int4', index: 'issue_order_status' },
  type: { expression: 'i.type', type: 'int4', index: 'issue_order_type' },
  component: { expression: '(i.acl >> 2)', type: 'int4', index: 'issue_order_component' },
  assignee: { expression: 'i.assignee', type: 'text', index: 'issue_order_assignee' },
  title: { expression: 'lower(i.title)', type: 'text', index: 'issue_order_title' },
  stars: { expression: 'i.stars', type: 'int4', index: 'issue_order_stars' },
  resolved: {
    expression: `coalesce(i.resolved, timestamptz '0001-01-01 00:00:00+00')`,
    type: 'timestamptz',
    index: 'issue_order_resolved',
  },
};

/** States with an index that goes on with `modified`. */
const WITH_MODIFIED = new Set(['status', 'priority']);
/** Fields in the indexes by time. */
const LISTED: ReadonlySet<string> = new Set([
  'open',
  'archived',
  'created',
  'modified',
  'status',
  'priority',
  'severity',
  'type',
  'assignee',
  'reporter',
  'component',
  'access_limit',
]);
/** Fields in all others. */
const CLASSED = ['open', 'archived', 'component', 'access_limit'];
const NONE: ReadonlySet<string> = new Set();

/** What a field is ordered by, on an alias, and the index that begins with it. */
export function writeColumn(field: string, alias: string): { expression: string; index: string } {
  const { expression, index } = COLUMNS[field]!;
  return { expression: expression.replaceAll('i.', `${alias}.`), index };
}

/** Whether a value of a token can be one of this type. */
const FORMS: Readonly<Partial<Record<SqlType, (value: string) => boolean>>> = {
  int4: (value) => /^\d{1,9}$/.test(value),
  int8: (value) => /^\d{1,19}$/.test(value) && BigInt(value) < 2n ** 63n,
  text: (value) => value.length <= 2_000 && !value.includes('\0') && value.isWellFormed(),
  // A day that the calendar lacks is read as another one.
  timestamptz: (value) => {
    const time = Date.parse(value);
    return !Number.isNaN(time) && new Date(time).toISOString() === value && /^(?!0000)\d{4}-/.test(value);
  },
};

/** The newest first: what an empty order means. */
const DEFAULT_ORDER: readonly OrderKey[] = [{ field: 'modified', descending: true }];

/** An order, ready to be written into SQL; ties are broken by id, newest first. */
export class Order {
  /** The keys, without those behind an id: nothing is left to them. */
  readonly keys: readonly OrderKey[];

  constructor(keys: readonly OrderKey[]) {
    const chosen = keys.length === 0 ? DEFAULT_ORDER : keys;
    const id = chosen.findIndex((key) => key.field === 'id');
    this.keys = id < 0 ? [...chosen, { field: 'id', descending: true }] : chosen.slice(0, id + 1);
  }

  /** Whether it is `-modified` alone: what most lists and their indexes are made for. */
  get isNewestFirst(): boolean {
    return this.#is('modified');
  }

  /** Whether it is `-created` alone. */
  get isCreatedFirst(): boolean {
    return this.#is('created');
  }

  #is(field: string): boolean {
    const [first, second] = this.keys;
    return (
      this.keys.length === 2 &&
      first!.field === field &&
      first!.descending &&
      second!.field === 'id' &&
      second!.descending
    );
  }

  /** The index that begins with the first key, and goes on with the second where there is one. */
  get index(): string {
    const [first, second] = this.keys;
    if (second?.field === 'modified' && WITH_MODIFIED.has(first!.field)) return `issue_by_${first!.field}`;
    return COLUMNS[first!.field]!.index;
  }

  /** Whether {@link index} carries what it is ordered by, so that it is read alone. */
  get isCovered(): boolean {
    return this.covered.size > 0;
  }

  /** Fields that {@link index} carries; empty: it is only the way to the rows. */
  get covered(): ReadonlySet<string> {
    const { field } = this.keys[0]!;
    if (field === 'modified' || field === 'created') return LISTED;
    return field === 'title' || field === 'id' ? NONE : new Set([field, ...CLASSED]);
  }

  /**
   * Conditions that part the rows behind a place into stretches, each of which {@link index} has in this order: one
   * for each number where the numbers descend but not what is behind them, else what ties with the place and the rest.
   */
  writeStretches(after: readonly string[] | undefined, statement: Statement): string[] {
    const [first, ...rest] = this.keys;
    const { expression, type } = COLUMNS[first!.field]!;
    const behind = after === undefined ? '' : this.writeAfter(after, statement);
    const words = first!.descending ? getField(first!.field)?.words : undefined;
    const tail = rest.map(({ field, descending }) => `${descending ? '-' : ''}${field}`).join(' ');
    if (words && (tail === '-id' || (tail === '-modified -id' && WITH_MODIFIED.has(first!.field)))) {
      const stretches = [`${expression} > ${Math.max(...words.numbers)}`];
      for (const number of words.numbers.toReversed()) stretches.push(`${expression} = ${number}`);
      if (!words.numbers.includes(0)) stretches.push(`${expression} = 0`);
      return stretches.map((stretch) => (behind === '' ? stretch : `${stretch} and ${behind}`));
    }
    const isMixed = rest.some(({ descending }) => descending !== first!.descending);
    if (after === undefined || !isMixed) return [behind];
    const place = statement.bind(after[0], type);
    const comparison = first!.descending ? '<' : '>';
    return [
      `${expression} = ${place} and ${this.writeAfter(after, statement, 1)}`,
      `${expression} ${comparison} ${place}`,
    ];
  }

  /** `order by` list. */
  write(): string {
    return this.keys.map((key) => `${COLUMNS[key.field]!.expression}${key.descending ? ' desc' : ''}`).join(', ');
  }

  /** Select list of what a page token has to hold: `key0`, `key1`, … as text that loses nothing. */
  writeKeys(): string {
    return this.keys.map((key, index) => `${COLUMNS[key.field]!.expression} as key${index}`).join(', ');
  }

  /** The values of {@link writeKeys} in a row. */
  readKeys(row: Readonly<Record<string, unknown>>): string[] {
    return this.keys.map((_, index) => String(row[`key${index}`]));
  }

  /** The keys of a page token, if this order can have made them; else BAD_PAGE_TOKEN. */
  checkKeys(values: readonly OrderValue[]): string[] {
    return this.keys.map((key, index) => {
      const value = values[index];
      const { type } = COLUMNS[key.field]!;
      if (typeof value !== 'string' || !FORMS[type]!(value)) {
        throw new ServiceError('BAD_PAGE_TOKEN', 'page_token: is not one that was given out');
      }
      return value;
    });
  }

  /** The condition that a row comes behind the row with these values; `from`: rows that are equal in the keys before it. */
  writeAfter(values: readonly string[], statement: Statement, from = 0): string {
    const keys = this.keys.slice(from);
    const places = keys.map((key, index) => statement.bind(values[from + index]!, COLUMNS[key.field]!.type));
    const columns = keys.map((key) => COLUMNS[key.field]!.expression);
    if (keys.every((key) => key.descending)) return `(${columns.join(', ')}) < (${places.join(', ')})`;
    if (keys.every((key) => !key.descending)) return `(${columns.join(', ')}) > (${places.join(', ')})`;
    // Mixed directions: behind in the first key, or equal there and behind in the rest. The first
    // line repeats the first key alone, so that an index can start there.
    const comparisons = keys.map((key) => (key.descending ? '<' : '>'));
    let after = `${columns.at(-1)} ${comparisons.at(-1)} ${places.at(-1)}`;
    for (let index = keys.length - 2; index >= 0; index -= 1) {
      const [column, place] = [columns[index], places[index]];
      after = `(${column} ${comparisons[index]} ${place} or (${column} = ${place} and ${after}))`;
    }
    return `${columns[0]} ${comparisons[0]}= ${places[0]} and ${after}`;
  }
}
