import type { Filter, FilterTerm, HistoryTerm } from '@bugless/kit/service';
import { FilterOperator } from '@bugless/kit/service';
import { formatCustomKey } from '../issue-row.ts';
import { KEY_KIND } from '../schema/key-kind.ts';
import { type ConditionScope, readClasses, readFolded, readReferences, readUsers, writeChange } from './condition.ts';
import { buildFactDriver } from './fact-driver.ts';
import { isExact, listExactValues } from './history-value.ts';
import type { Spelling } from './spelling.ts';
import type { Statement } from './statement.ts';

/**
 * An index that a search may start from instead of walking all issues: it yields
 * candidates, on which the whole condition is still checked.
 */
export interface Driver {
  /** The operand of the top-level `and` that it comes from. */
  readonly filter: Filter;
  /** All that it yields meet that operand: it need not be checked again. */
  readonly meets: boolean;
  /** A guess of how many candidates it has against those of others: see SOURCES. */
  readonly rank: number;
  /** What it looks at is in the index of the walk too. */
  readonly covered: boolean;
  /** How many values it has; each is a stretch of the index. */
  readonly width: number;
  /** Each stretch is in the order `-modified`. */
  readonly newestFirst: boolean;
  /** Where candidates `c` come from: `c.id`, and `c.modified`, `c.acl`, `c.is_open`, `c.archived` if {@link newestFirst}. */
  writeFrom(statement: Statement): string;
  /** Condition on `c`: the value is one of all. */
  writeAny(statement: Statement): string;
  /** Condition on `c`: the value is the SQL expression. */
  writeEquals(value: string): string;
  /** The values, for `unnest`. */
  readonly values: readonly (string | number)[];
  readonly valueType: 'text' | 'int4' | 'int8';
}

/** The operands that all have to be met: those of the top-level `and`, or the filter itself. */
export function listConjuncts(filter: Filter | undefined): Filter[] {
  if (filter?.node === undefined) return [];
  return filter.node.$case === 'and' ? filter.node.value.operands.flatMap(listConjuncts) : [filter];
}

/** The drivers that a filter offers, the likeliest to be short first. */
export function listDrivers(filter: Filter | undefined, scope: ConditionScope): Driver[] {
  const drivers: (readonly [rank: number, driver: Driver])[] = [];
  for (const conjunct of listConjuncts(filter)) {
    const found = findWholeDriver(conjunct, scope);
    if (found) drivers.push([found.rank, found]);
    if (found || conjunct.node?.$case !== 'term') continue;
    const term = conjunct.node.value;
    const source = SOURCES[term.field] ?? (term.field.startsWith('field.') ? CUSTOM_SOURCE : undefined);
    if (!source || (term.operator !== FilterOperator.HAS && term.operator !== FilterOperator.EQUALS)) continue;
    const values = [...new Set(source.read(term, scope))];
    // Some values are of another kind (spans): then the index does not hold all candidates.
    if (values.length === 0 || values.length < source.count(term)) continue;
    const meets = source.meets && (term.operator === FilterOperator.HAS || source.covered);
    drivers.push([source.rank, buildDriver(conjunct, source, values, meets, scope.spelling)]);
  }
  return drivers.sort(([a], [b]) => a - b).map(([, driver]) => driver);
}

/** A driver whose candidates do not come value by value. */
function findWholeDriver(filter: Filter, scope: ConditionScope): Driver | undefined {
  switch (filter.node?.$case) {
    case 'history':
      return buildHistoryDriver(filter, filter.node.value, scope);
    case 'or':
      return buildUnionDriver(filter, filter.node.value.operands, scope);
    case 'term':
      return buildFactDriver(filter, filter.node.value, scope);
    default:
      return undefined;
  }
}

/** Issues that meet one operand at least, where each operand offers a driver. */
function buildUnionDriver(filter: Filter, operands: readonly Filter[], scope: ConditionScope): Driver | undefined {
  const parts = operands.map((operand) => listDrivers(operand, scope)[0]);
  if (!parts.every((part) => part !== undefined)) return undefined;
  return buildWholeDriver(filter, {
    rank: Math.max(...parts.map((part) => part.rank)),
    covered: parts.every((part) => part.covered),
    writeFrom: (statement) => {
      const arms = parts.map(
        (part) => `select c.id from ${part.writeFrom(statement)} where ${part.writeAny(statement)}`,
      );
      return `(${arms.join(' union all ')}) c`;
    },
  });
}

/** A driver that is read whole. */
export function buildWholeDriver(
  filter: Filter,
  own: Pick<Driver, 'rank' | 'writeFrom'> & Partial<Pick<Driver, 'meets' | 'covered' | 'writeAny'>>,
): Driver {
  return {
    filter,
    meets: false,
    covered: false,
    width: 1,
    newestFirst: false,
    writeAny: () => 'true',
    writeEquals: () => 'false',
    values: [],
    valueType: 'text',
    ...own,
  };
}

interface Source {
  readonly rank: number;
  readonly valueType: 'text' | 'int4' | 'int8';
  /** The index goes on with `modified desc, id desc`. */
  readonly ordered: boolean;
  readonly covered: boolean;
  /** Its rows are just those of the term; else what they refer to may be hidden from the caller. */
  readonly meets: boolean;
  read(term: FilterTerm, scope: ConditionScope): (string | number)[];
  /** How many values of the term {@link read} has to give. */
  count(term: FilterTerm): number;
  from(spelling: Spelling): string;
  /** What holds the value. */
  readonly column: string;
}

const countValues = (term: FilterTerm): number => new Set(term.values.map((value) => JSON.stringify(value))).size;

function fromIssue(
  rank: number,
  column: string,
  index: string,
  read: Source['read'],
  type: Source['valueType'] = 'text',
): Source {
  return {
    rank,
    valueType: type,
    ordered: true,
    covered: true,
    meets: true,
    read,
    count: countValues,
    from: (spelling) => spelling.table('issue', 'c', index),
    column: `c.${column}`,
  };
}

function fromKey(rank: number, kind: number, read: (term: FilterTerm) => string[]): Source {
  return {
    rank,
    valueType: 'text',
    ordered: true,
    covered: false,
    meets: true,
    read,
    count: countValues,
    from: (spelling) =>
      `(select k.issue_id as id, k.modified, k.acl, k.is_open, k.archived, k.key from ${spelling.table('issue_key', 'k', 'issue_key_modified')} where k.kind = ${kind}) c`,
    column: 'c.key',
  };
}

function fromReference(rank: number, from: string, column: string): Source {
  return {
    rank,
    valueType: 'int8',
    ordered: false,
    covered: false,
    meets: false,
    read: readReferences,
    count: countValues,
    from: () => from,
    column,
  };
}

const readNumbers = (term: FilterTerm): number[] =>
  term.values.flatMap((value) => (value.kind?.$case === 'number' ? [value.kind.value] : []));

const readWhole = (term: FilterTerm): number[] =>
  readNumbers(term).filter((number) => Number.isInteger(number) && Math.abs(number) < 2 ** 31);

const CUSTOM_SOURCE: Source = fromKey(5, KEY_KIND.CUSTOM_FIELD, (term) => {
  const name = term.field.slice('field.'.length);
  return term.values.flatMap(({ kind }) => {
    if (kind?.$case === 'text') return [formatCustomKey(name, kind.value.text)];
    if (kind?.$case === 'user') return [formatCustomKey(name, kind.value)];
    if (kind?.$case === 'reference') return [formatCustomKey(name, kind.value.id)];
    return [];
  });
});

/** Where candidates of a field come from. Ranks guess how many they are: people and things are few, states are many. */
const SOURCES: Readonly<Record<string, Source>> = {
  id: fromReference(0, 'issue c', 'c.id'),
  parent: fromReference(1, '(select id, parent from issue where parent is not null) c', 'c.parent'),
  duplicate_of: fromReference(
    1,
    '(select id, duplicate_of from issue where duplicate_of is not null) c',
    'c.duplicate_of',
  ),
  blocked_by: fromReference(1, '(select issue_id as id, blocker_id from issue_block) c', 'c.blocker_id'),
  blocking: fromReference(1, '(select blocker_id as id, issue_id from issue_block) c', 'c.issue_id'),
  hotlists: fromReference(2, '(select issue_id as id, hotlist_id from hotlist_entry) c', 'c.hotlist_id'),
  cc: fromKey(3, KEY_KIND.CC, readUsers),
  collaborators: fromKey(3, KEY_KIND.COLLABORATOR, readUsers),
  verifier: fromKey(3, KEY_KIND.VERIFIER, readUsers),
  commenter: {
    ...fromKey(3, KEY_KIND.COMMENTER, readUsers),
    ordered: false,
    meets: false,
    // Who filed an issue wrote its description.
    from: () =>
      `(select issue_id as id, key from issue_key where kind = ${KEY_KIND.COMMENTER} union all select id, reporter from issue) c`,
  },
  assignee: fromIssue(4, 'assignee', 'issue_assignee', readUsers),
  reporter: fromIssue(4, 'reporter', 'issue_reporter', readUsers),
  labels: fromKey(5, KEY_KIND.LABEL, readFolded),
  found_in: fromKey(5, KEY_KIND.FOUND_IN, readFolded),
  targeted_to: fromKey(5, KEY_KIND.TARGETED_TO, readFolded),
  verified_in: fromKey(5, KEY_KIND.VERIFIED_IN, readFolded),
  component: fromIssue(6, 'acl', 'issue_acl_modified', readClasses, 'int4'),
  status: fromIssue(7, 'status', 'issue_by_status', readNumbers, 'int4'),
  type: { ...fromIssue(8, 'type', 'issue_order_type', readNumbers, 'int4'), ordered: false },
  severity: { ...fromIssue(8, 'severity', 'issue_order_severity', readNumbers, 'int4'), ordered: false },
  stars: { ...fromIssue(8, 'stars', 'issue_order_stars', readWhole, 'int4'), ordered: false, covered: false },
  priority: fromIssue(8, 'priority', 'issue_by_priority', readNumbers, 'int4'),
};

function buildDriver(
  filter: Filter,
  source: Source,
  values: readonly (string | number)[],
  meets: boolean,
  spelling: Spelling,
): Driver {
  return {
    filter,
    meets,
    rank: source.rank,
    covered: source.covered,
    width: values.length,
    newestFirst: source.ordered,
    values,
    valueType: source.valueType,
    writeFrom: () => source.from(spelling),
    writeAny: (statement) => `${source.column} = any(${statement.bind(values, `${source.valueType}[]`)})`,
    writeEquals: (value) => `${source.column} = ${value}`,
  };
}

/** The driver over changes; undefined when its index cannot lead there. */
function buildHistoryDriver(filter: Filter, term: HistoryTerm, scope: ConditionScope): Driver | undefined {
  const values = [...term.to, ...term.from];
  if (values.length === 0 || !isExact(term.field, values)) return undefined;
  // Empty values are in every issue, or in no row at all.
  if (listExactValues(term.field, values, scope).includes('')) return undefined;
  return buildWholeDriver(filter, {
    meets: true,
    rank: 3,
    writeFrom: () => '(select issue_id as id, * from field_change) c',
    writeAny: (statement) => writeChange(term, 'c', { ...scope, statement }),
  });
}

/** Rank of spans of time: long, or short. */
export const SPAN_RANK = 6.5;

/** From this rank on, drivers are states of the work: long, and in the walk's own index. */
export const STATE_RANK = 7;

/** The driver over classes: what a caller who sees little starts from. */
export function buildClassDriver(classes: readonly number[], spelling: Spelling): Driver {
  const source = fromIssue(6, 'acl', 'issue_acl_modified', () => [], 'int4');
  return buildDriver({ node: undefined }, source, classes, false, spelling);
}

/** Whether open issues alone are asked for. */
export function hasOpenTerm(filter: Filter | undefined): boolean {
  return listConjuncts(filter).some(isOpenTerm);
}

function isOpenTerm({ node }: Filter): boolean {
  return (
    node?.$case === 'term' &&
    node.value.field === 'open' &&
    node.value.values.length === 1 &&
    node.value.values[0]!.kind?.$case === 'flag' &&
    node.value.values[0]!.kind.value
  );
}
