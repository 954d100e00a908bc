import { foldCase, getField, parseCustomName } from '@bugless/kit/domain';
import type { Filter, FilterTerm, FilterValue, HistoryTerm } from '@bugless/kit/service';
import { FilterOperator, HistoryKind } from '@bugless/kit/service';
import { KEY_KIND } from '../schema/key-kind.ts';
import { writeCustomField } from './custom-field-condition.ts';
import { listExactValues, writeHistoryValue } from './history-value.ts';
import type { Spelling } from './spelling.ts';
import type { Statement } from './statement.ts';
import { writeReadable, writeText } from './text-condition.ts';
import { type Visibility, writeHotlistSeen, writeVisible } from './visibility.ts';

/** What conditions are written for. */
export interface ConditionScope {
  readonly statement: Statement;
  readonly visibility: Visibility;
  /** An issue's texts are in the bucket `id >> bucketBits` of doc. */
  readonly bucketBits: number;
  /** Words are in a tsvector; else in an array, in the order of their text. */
  readonly textSearch: 'tsvector' | 'tokens';
  readonly spelling: Spelling;
  /** Ids of a component and all below it. */
  listBelow(component: string): string[];
  /** Classes of a component, and with `subtree` of all below it; all access limits. Only those that exist. */
  listClasses(component: string, subtree: boolean): readonly number[];
}

/**
 * Writes a Filter as a condition on a row of issue under the alias `i`. The Filter has
 * been checked. No condition is ever null, so that `not` may stand before any. Columns are
 * hidden from the planner's choice of an index (`+ 0`, `|| ''`): which index leads is
 * decided by driver.ts, and one statement text serves all values.
 */
export function writeFilter(filter: Filter, scope: ConditionScope): string {
  const node = filter.node;
  switch (node?.$case) {
    case undefined:
      return 'true';
    case 'and':
      return joinConditions(node.value.operands, ' and ', scope);
    case 'or':
      return joinConditions(node.value.operands, ' or ', scope);
    case 'not':
      return `not ${writeFilter(node.value, scope)}`;
    case 'term':
      return writeTerm(node.value, scope);
    case 'history':
      return writeHistory(node.value, scope);
  }
}

function joinConditions(operands: readonly Filter[], joiner: string, scope: ConditionScope): string {
  return `(${operands.map((operand) => writeFilter(operand, scope)).join(joiner)})`;
}

type Writer = (term: FilterTerm, scope: ConditionScope) => string;

/** How each field is written. A field that is missing here is missing in the language: checkFilter refuses it. */
const WRITERS: Readonly<Record<string, Writer>> = {
  text: (term, scope) => writeText(term, scope),
  title: (term, scope) => (term.operator === FilterOperator.EQUALS ? writeTitle(term, scope) : writeText(term, scope)),
  description: (term, scope) => writeText(term, scope),
  comment: (term, scope) => writeText(term, scope),
  id: (term, scope) => `i.id = any(${scope.statement.bind(readReferences(term), 'int8[]')})`,
  type: writeNumbers('i.type'),
  priority: writeNumbers('i.priority'),
  severity: writeNumbers('i.severity'),
  status: writeNumbers('i.status'),
  access_limit: writeNumbers('(i.acl & 3)'),
  stars: writeNumbers('i.stars'),
  comment_count: writeNumbers('i.comment_count'),
  component: (term, scope) => `i.acl + 0 = any(${scope.statement.bind(readClasses(term, scope), 'int4[]')})`,
  reporter: writeUser('i.reporter'),
  assignee: writeUser('i.assignee'),
  verifier: writeUser('i.verifier'),
  cc: writeKeys(KEY_KIND.CC, 'i.cc', readUsers),
  collaborators: writeKeys(KEY_KIND.COLLABORATOR, 'i.collaborators', readUsers),
  labels: writeKeys(KEY_KIND.LABEL, 'i.labels', readFolded),
  found_in: writeKeys(KEY_KIND.FOUND_IN, 'i.found_in', readFolded),
  targeted_to: writeKeys(KEY_KIND.TARGETED_TO, 'i.targeted_to', readFolded),
  verified_in: writeKeys(KEY_KIND.VERIFIED_IN, 'i.verified_in', readFolded),
  // Restricted comments count only for those who read them, so the key is no answer.
  commenter: (term, scope) => {
    const users = scope.statement.bind(readUsers(term), 'text[]');
    return scope.spelling.exists(
      `issue_update u where u.issue_id = i.id and u.author = any(${users}) and u.comment <> ''${writeReadable('u', scope)}`,
    );
  },
  parent: writeReference('i.parent'),
  duplicate_of: writeReference('i.duplicate_of'),
  blocked_by: writeBlocks('issue_id', 'blocker_id'),
  blocking: writeBlocks('blocker_id', 'issue_id'),
  hotlists: (term, scope) => {
    const seen = writeHotlistSeen(scope.visibility, 'e.hotlist_id', scope.statement);
    const some = `select 1 from hotlist_entry e where e.issue_id = i.id${seen}`;
    if (term.operator === FilterOperator.PRESENT) return `exists (${some})`;
    return `exists (${some} and e.hotlist_id = any(${scope.statement.bind(readReferences(term), 'int8[]')}))`;
  },
  archived: writeFlag(() => 'i.archived'),
  open: writeFlag(() => 'i.is_open'),
  starred: writeFlag(({ statement, visibility, spelling }) =>
    spelling.exists(`star s where s.user_id = ${statement.bind(visibility.user, 'text')} and s.issue_id = i.id`),
  ),
  blocked: writeFlag(({ statement, visibility, spelling }) => {
    const visible = writeVisible(visibility, 'b', statement);
    return spelling.exists(
      `issue_block k join issue b on b.id = k.blocker_id where k.issue_id = i.id and b.is_open${visible && ` and ${visible}`}`,
    );
  }),
  attachments: (term, scope) => {
    const counted = '(select count(*)::int4 from attachment a where a.issue_id = i.id and not a.deleted)';
    return writeNumbers(counted)(term, scope);
  },
  created: writeTimes('i.created'),
  modified: writeTimes('i.modified'),
  resolved: writeTimes('i.resolved'),
  verified: writeTimes('i.verified'),
};

function writeTerm(term: FilterTerm, scope: ConditionScope): string {
  const custom = parseCustomName(term.field);
  if (custom !== undefined) return writeCustomField(custom, term, scope);
  const write = WRITERS[term.field];
  if (!write) throw new Error(`no condition for the field ${term.field}`);
  return write(term, scope);
}

function writeTitle(term: FilterTerm, scope: ConditionScope): string {
  return `lower(i.title) = any(${scope.statement.bind(readFolded(term), 'text[]')})`;
}

/** Numbers and enum numbers, alone or as spans. `column` may be any expression that is never null. */
function writeNumbers(column: string): Writer {
  return ({ operator, values }, { statement }) => {
    const comparison = COMPARISONS[operator];
    if (operator === FilterOperator.PRESENT) return `${column} > 0`;
    const parts: string[] = [];
    const numbers = values.flatMap((value) => (value.kind?.$case === 'number' ? [value.kind.value] : []));
    if (comparison !== undefined) {
      return `(${numbers.map((number) => `${column} + 0 ${comparison} ${statement.bind(number, 'float8')}`).join(' or ')})`;
    }
    const whole = numbers.filter((number) => Number.isInteger(number) && Math.abs(number) < 2 ** 31);
    // No whole column equals any other number.
    if (numbers.length > 0) parts.push(`${column} + 0 = any(${statement.bind(whole, 'int4[]')})`);
    for (const value of values) {
      if (value.kind?.$case !== 'range') continue;
      const { min, max } = value.kind.value;
      const ends = [
        min === undefined ? '' : `${column} + 0 >= ${statement.bind(min, 'float8')}`,
        max === undefined ? '' : `${column} + 0 <= ${statement.bind(max, 'float8')}`,
      ].filter((end) => end !== '');
      parts.push(ends.length === 0 ? 'true' : `(${ends.join(' and ')})`);
    }
    return `(${parts.join(' or ')})`;
  };
}

/** The operators that compare with one value. */
export const COMPARISONS: Readonly<Partial<Record<FilterOperator, string>>> = {
  [FilterOperator.GREATER]: '>',
  [FilterOperator.GREATER_OR_EQUAL]: '>=',
  [FilterOperator.LESS]: '<',
  [FilterOperator.LESS_OR_EQUAL]: '<=',
};

function writeUser(column: string): Writer {
  return (term, { statement }) =>
    term.operator === FilterOperator.PRESENT
      ? `${column} <> ''`
      : `${column} || '' = any(${statement.bind(readUsers(term), 'text[]')})`;
}

/** A collection kept in issue_key; `column` is the array in the issue itself. */
function writeKeys(kind: number, column: string, read: (term: FilterTerm) => string[]): Writer {
  return (term, { statement, spelling }) => {
    if (term.operator === FilterOperator.PRESENT) return `cardinality(${column}) > 0`;
    const keys = statement.bind(read(term), 'text[]');
    const has = spelling.exists(`issue_key k where k.issue_id = i.id and k.kind = ${kind} and k.key = any(${keys})`);
    return term.operator === FilterOperator.EQUALS ? `(cardinality(${column}) = 1 and ${has})` : has;
  };
}

function writeReference(column: string): Writer {
  return (term, { statement, visibility }) => {
    // What the caller may not see is not there.
    const visible = writeVisible(visibility, 'o', statement);
    const seen = visible ? ` and exists (select 1 from issue o where o.id = ${column} and ${visible})` : '';
    if (term.operator === FilterOperator.PRESENT) return `(${column} is not null${seen})`;
    return `(${column} is not null and ${column} = any(${statement.bind(readReferences(term), 'int8[]')})${seen})`;
  };
}

function writeBlocks(own: string, other: string): Writer {
  return (term, { statement, visibility, spelling }) => {
    const visible = writeVisible(visibility, 'o', statement);
    const chosen =
      term.operator === FilterOperator.PRESENT
        ? ''
        : ` and k.${other} = any(${statement.bind(readReferences(term), 'int8[]')})`;
    const seen = visible ? ` and exists (select 1 from issue o where o.id = k.${other} and ${visible})` : '';
    return spelling.exists(`issue_block k where k.${own} = i.id${chosen}${seen}`);
  };
}

function writeFlag(write: (scope: ConditionScope) => string): Writer {
  return ({ operator, values }, scope) => {
    const wanted = values.map((value) => value.kind?.$case === 'flag' && value.kind.value);
    if (wanted.includes(true) && wanted.includes(false)) return 'true';
    return operator === FilterOperator.PRESENT || wanted.includes(true) ? write(scope) : `not ${write(scope)}`;
  };
}

function writeTimes(column: string): Writer {
  return (term, { statement }) => {
    if (term.operator === FilterOperator.PRESENT) return `${column} is not null`;
    const spans = term.values.flatMap((value) => (value.kind?.$case === 'time' ? [value.kind.value] : []));
    const parts = spans.map(({ start, end }) =>
      [
        `${column} is not null`,
        start === undefined ? '' : `${column} >= ${statement.bind(start, 'timestamptz')}`,
        end === undefined ? '' : `${column} < ${statement.bind(end, 'timestamptz')}`,
      ]
        .filter((part) => part !== '')
        .join(' and '),
    );
    return `(${parts.map((part) => `(${part})`).join(' or ')})`;
  };
}

function writeHistory(term: HistoryTerm, scope: ConditionScope): string {
  const changed = scope.spelling.exists(`field_change h where h.issue_id = i.id and ${writeChange(term, 'h', scope)}`);
  if (term.kind !== HistoryKind.WAS || !listExactValues(term.field, term.to, scope).includes('')) return changed;
  // Empty now, and perhaps always: nothing in the history says so.
  return `(${changed} or ${writeEmpty(term.field, scope)})`;
}

function writeEmpty(field: string, scope: ConditionScope): string {
  if (field === 'access_limit') return '(i.acl & 3) = 0';
  return `not ${writeTerm({ field, operator: FilterOperator.PRESENT, values: [] }, scope)}`;
}

/** The condition that a row of field_change, under `alias`, is what a history term asks for. */
export function writeChange(term: HistoryTerm, alias: string, scope: ConditionScope): string {
  const { statement } = scope;
  const parts = [`${alias}.field = ${statement.bind(term.field, 'text')}`];
  const write = (column: string, values: readonly FilterValue[]) =>
    writeHistoryValue(`${alias}.${column}`, term, values, scope);
  if (term.kind === HistoryKind.WAS) {
    // A value that was only taken away stands on the left. Before update 1 there was no issue, so no empty value.
    parts.push(`(${write('new_value', term.to)} or (${write('old_value', term.to)} and ${alias}.sequence > 1))`);
    return parts.join(' and ');
  }
  // What an issue was filed with is no change.
  parts.push(`${alias}.sequence > 1`);
  if (term.to.length > 0) parts.push(write('new_value', term.to));
  const isSingle = getField(term.field)?.collection === false;
  if (term.from.length > 0 && term.to.length > 0 && !isSingle) {
    // Elements that a collection lost and got stand in rows of their own.
    parts.push(
      `exists (select 1 from field_change p where p.issue_id = ${alias}.issue_id and p.sequence = ${alias}.sequence and p.field = ${alias}.field and ${writeHistoryValue('p.old_value', term, term.from, scope)})`,
    );
  } else if (term.from.length > 0) parts.push(write('old_value', term.from));
  if (term.by.length > 0) parts.push(`${alias}.author = any(${statement.bind(term.by, 'text[]')})`);
  if (term.time?.start !== undefined) {
    parts.push(`${alias}.created >= ${statement.bind(term.time.start, 'timestamptz')}`);
  }
  if (term.time?.end !== undefined) parts.push(`${alias}.created < ${statement.bind(term.time.end, 'timestamptz')}`);
  return parts.join(' and ');
}

/** The ids that a term names. */
export function readReferences(term: FilterTerm): string[] {
  return term.values.flatMap((value) => (value.kind?.$case === 'reference' ? [value.kind.value.id] : []));
}

/** The users that a term names. */
export function readUsers(term: FilterTerm): string[] {
  return term.values.flatMap((value) => (value.kind?.$case === 'user' ? [value.kind.value] : []));
}

/** The exact texts that a term names, folded as keys are. */
export function readFolded(term: FilterTerm): string[] {
  return term.values.flatMap((value) => (value.kind?.$case === 'text' ? [foldCase(value.kind.value.text)] : []));
}

/** The classes of the components that a term names, ascending. */
export function readClasses(term: FilterTerm, scope: ConditionScope): number[] {
  const classes = term.values.flatMap((value) =>
    value.kind?.$case === 'reference' ? scope.listClasses(value.kind.value.id, value.kind.value.subtree) : [],
  );
  return [...new Set(classes)].sort((a, b) => a - b);
}
