/** Checks of Filters and orders that come over the wire, where bots write them by hand. */
import type { Filter, FilterTerm, FilterTimeRange, FilterValue, HistoryTerm, OrderKey } from '@bugless/proto';
import { FilterOperator, HistoryKind } from '@bugless/proto';
import { type ErrorReason, ServiceError } from '../../service/error.ts';
import { isId, quote } from '../check.ts';
import {
  CUSTOM_OPERATORS,
  CUSTOM_PREFIX,
  FIELDS,
  type FieldKind,
  getField,
  parseCustomName,
  RELEVANCE,
} from '../field.ts';
import { findNearest } from '../suggestion.ts';
import { WORDS } from '../word.ts';
import { QUERY_LIMITS } from './limit.ts';
import { tokenize } from './text.ts';

type ValueCase = NonNullable<FilterValue['kind']>['$case'];

/** Which values go with a field of each kind. */
const VALUE_CASES: Readonly<Record<FieldKind, readonly ValueCase[]>> = {
  text: ['text'],
  enum: ['number', 'range'],
  user: ['user'],
  users: ['user'],
  component: ['reference'],
  issue: ['reference'],
  issues: ['reference'],
  hotlists: ['reference'],
  labels: ['text'],
  time: ['time'],
  number: ['number', 'range'],
  flag: ['flag'],
};
const CUSTOM_CASES: readonly ValueCase[] = ['text', 'number', 'range', 'user', 'reference', 'time'];
const COMPARISONS: readonly FilterOperator[] = [
  FilterOperator.GREATER,
  FilterOperator.GREATER_OR_EQUAL,
  FilterOperator.LESS,
  FilterOperator.LESS_OR_EQUAL,
];

function refuseAt(reason: ErrorReason, field: string, description: string): ServiceError {
  return new ServiceError(reason, `${field}: ${description}`, { violations: [{ field, description }] });
}

/** Levels and terms of a Filter, read without recursion: it may come from anywhere. */
export function measureFilter(filter: Filter): { depth: number; terms: number } {
  let depth = 0;
  let terms = 0;
  let nodes = 0;
  const waiting: { filter: Filter; level: number }[] = [{ filter, level: 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node } = next.filter;
    // Every operand counts as a term at least, so that no list of empty ones is free.
    nodes += 1;
    if (node === undefined) continue;
    depth = Math.max(depth, next.level);
    if (depth > QUERY_LIMITS.depth || terms > QUERY_LIMITS.terms || nodes > QUERY_LIMITS.terms * 20) break;
    const level = next.level + 1;
    if (node.$case === 'and' || node.$case === 'or') {
      for (const operand of node.value.operands) waiting.push({ filter: operand, level });
    } else if (node.$case === 'not') waiting.push({ filter: node.value, level });
    else terms += 1;
  }
  return { depth, terms: nodes > QUERY_LIMITS.terms * 20 ? nodes : terms };
}

/**
 * Checks a Filter from the wire: shape, fields, operators, kinds of values, limits.
 * BAD_FILTER with the path of the wrong node: `filter.and.operands[1].term.field`. Absent: matches everything.
 */
export function checkFilter(filter: Filter | undefined, path = 'filter'): void {
  if (filter === undefined) return;
  const { depth, terms } = measureFilter(filter);
  if (depth > QUERY_LIMITS.depth) throw refuseAt('BAD_FILTER', path, `nests deeper than ${QUERY_LIMITS.depth} levels`);
  if (terms > QUERY_LIMITS.terms) throw refuseAt('BAD_FILTER', path, `has more than ${QUERY_LIMITS.terms} terms`);
  checkNode(filter, path);
}

function checkNode(filter: Filter, path: string): void {
  const { node } = filter;
  switch (node?.$case) {
    case undefined:
      return;
    case 'and':
    case 'or': {
      const list = `${path}.${node.$case}.operands`;
      if (node.value.operands.length === 0) throw refuseAt('BAD_FILTER', list, 'is empty; at least one is expected');
      for (const [index, operand] of node.value.operands.entries()) checkNode(operand, `${list}[${index}]`);
      return;
    }
    case 'not':
      checkNode(node.value, `${path}.not`);
      return;
    case 'term':
      checkTerm(node.value, `${path}.term`);
      return;
    case 'history':
      checkHistory(node.value, `${path}.history`);
      return;
  }
}

interface Searchable {
  readonly kind: FieldKind | undefined;
  readonly operators: readonly FilterOperator[];
  readonly recorded: boolean;
}

function findSearchable(name: string, path: string): Searchable {
  if (name.startsWith(CUSTOM_PREFIX) && parseCustomName(name) !== undefined) {
    return { kind: undefined, operators: CUSTOM_OPERATORS, recorded: true };
  }
  const field = getField(name);
  if (field !== undefined && field.operators.length > 0) return field;
  const near = findNearest(
    name,
    FIELDS.map((each) => each.name),
  );
  const hint = near === undefined ? '' : `; is ${quote(near)} meant?`;
  throw refuseAt('BAD_FILTER', `${path}.field`, `there is no field ${quote(name)}${hint}`);
}

function checkTerm(term: FilterTerm, path: string): void {
  const field = findSearchable(term.field, path);
  const { operator, values } = term;
  if (!field.operators.includes(operator)) {
    const allowed = field.operators.map(WORDS.filterOperator.format).join(', ');
    const found = WORDS.filterOperator.format(operator) || 'none';
    throw refuseAt('BAD_FILTER', `${path}.operator`, `${term.field} takes ${allowed}, not ${found}`);
  }
  if (operator === FilterOperator.PRESENT) {
    if (values.length > 0) throw refuseAt('BAD_FILTER', `${path}.values`, 'present takes no value');
    return;
  }
  checkValueCount(values, `${path}.values`, 1);
  const compares = COMPARISONS.includes(operator);
  if (compares && values.length > 1) throw refuseAt('BAD_FILTER', `${path}.values`, 'a comparison takes one value');
  for (const [index, value] of values.entries()) {
    const place = `${path}.values[${index}]`;
    checkValue(value, term.field, field.kind, place);
    if (compares && value.kind?.$case !== 'number') throw refuseAt('BAD_FILTER', place, 'a comparison takes a number');
    const exact = operator === FilterOperator.EQUALS && value.kind?.$case === 'text' ? value.kind.value : undefined;
    if (exact?.prefix === true) throw refuseAt('BAD_FILTER', `${place}.text.prefix`, 'equals takes a whole text');
  }
}

function checkValueCount(values: readonly unknown[], path: string, min: number): void {
  if (values.length < min) throw refuseAt('BAD_FILTER', path, 'at least one value is expected');
  if (values.length > QUERY_LIMITS.values) {
    throw refuseAt('BAD_FILTER', path, `has ${values.length} values; at most ${QUERY_LIMITS.values} are allowed`);
  }
}

function checkValue(
  value: FilterValue,
  field: string,
  kind: FieldKind | undefined,
  path: string,
  history = false,
): void {
  const allowed = kind === undefined ? CUSTOM_CASES : VALUE_CASES[kind];
  const found = value.kind;
  if (found === undefined || !allowed.includes(found.$case)) {
    throw refuseAt('BAD_FILTER', path, `${field} takes ${allowed.join(' or ')}, not ${found?.$case ?? 'nothing'}`);
  }
  switch (found.$case) {
    case 'text': {
      const { text, phrase, prefix } = found.value;
      if (text === '') throw refuseAt('BAD_FILTER', `${path}.text.text`, 'is empty');
      if (text.length > QUERY_LIMITS.textCharacters) {
        throw refuseAt('BAD_FILTER', `${path}.text.text`, `is longer than ${QUERY_LIMITS.textCharacters} characters`);
      }
      if (text.includes('\0')) throw refuseAt('BAD_FILTER', `${path}.text.text`, 'holds a NUL character');
      if (kind !== 'text' && (phrase || prefix)) {
        throw refuseAt('BAD_FILTER', path, `${field} is compared as a whole: no phrase, no prefix`);
      }
      if (kind === 'text' && tokenize(text).length === 0) {
        throw refuseAt('BAD_FILTER', `${path}.text.text`, `${quote(text)} has no letter or digit to search for`);
      }
      return;
    }
    case 'number':
      if (!Number.isFinite(found.value)) throw refuseAt('BAD_FILTER', `${path}.number`, 'is no finite number');
      return;
    case 'range': {
      const { min, max } = found.value;
      if (min === undefined && max === undefined)
        throw refuseAt('BAD_FILTER', `${path}.range`, 'has neither min nor max');
      for (const end of [min, max]) {
        if (end !== undefined && !Number.isFinite(end)) throw refuseAt('BAD_FILTER', `${path}.range`, 'is not finite');
      }
      return;
    }
    case 'reference':
      if (!isId(found.value.id) && !(history && found.value.id === '0')) {
        throw refuseAt('BAD_FILTER', `${path}.reference.id`, `${quote(found.value.id)} is no id`);
      }
      if (found.value.subtree && kind !== 'component') {
        throw refuseAt('BAD_FILTER', `${path}.reference.subtree`, 'is only for components');
      }
      return;
    case 'user':
      checkUser(found.value, `${path}.user`, history);
      return;
    case 'time':
      checkTime(found.value, `${path}.time`);
      return;
  }
}

function checkUser(id: string, path: string, emptyAllowed: boolean): void {
  if (emptyAllowed && id === '') return;
  if (!/^[\x21-\x7e]{1,64}$/.test(id)) throw refuseAt('BAD_FILTER', path, `${quote(id)} is no user id`);
}

function checkTime(time: FilterTimeRange, path: string): void {
  if (time.start === undefined && time.end === undefined)
    throw refuseAt('BAD_FILTER', path, 'has neither start nor end');
  for (const end of ['start', 'end'] as const) {
    const value = time[end];
    if (value !== undefined && Number.isNaN(Date.parse(value))) {
      throw refuseAt('BAD_FILTER', `${path}.${end}`, `${quote(value)} is no time (RFC 3339)`);
    }
  }
}

function checkHistory(term: HistoryTerm, path: string): void {
  const field = findSearchable(term.field, path);
  if (!field.recorded) throw refuseAt('BAD_FILTER', `${path}.field`, `history does not record ${term.field}`);
  const lists = ['from', 'to'] as const;
  for (const list of lists) {
    checkValueCount(term[list], `${path}.${list}`, 0);
    for (const [index, value] of term[list].entries()) {
      checkValue(value, term.field, field.kind, `${path}.${list}[${index}]`, true);
    }
  }
  checkValueCount(term.by, `${path}.by`, 0);
  for (const [index, id] of term.by.entries()) checkUser(id, `${path}.by[${index}]`, false);
  if (term.time !== undefined) checkTime(term.time, `${path}.time`);
  switch (term.kind) {
    case HistoryKind.WAS:
      if (term.to.length === 0) throw refuseAt('BAD_FILTER', `${path}.to`, 'was takes at least one value');
      if (term.from.length > 0 || term.by.length > 0 || term.time !== undefined) {
        throw refuseAt('BAD_FILTER', path, 'was takes only to; use changed for from, by and time');
      }
      return;
    case HistoryKind.CHANGED:
      return;
    default:
      throw refuseAt(
        'BAD_FILTER',
        `${path}.kind`,
        `${term.kind} is no kind of history; 1 (was) or 2 (changed) is expected`,
      );
  }
}

/** Whether a Filter searches text: what an order by relevance needs. */
export function hasTextTerm(filter: Filter): boolean {
  const { node } = filter;
  switch (node?.$case) {
    case 'and':
    case 'or':
      return node.value.operands.some(hasTextTerm);
    case 'term':
      return getField(node.value.field)?.kind === 'text' && node.value.operator === FilterOperator.HAS;
    default:
      return false;
  }
}

/** Checks an order from the wire, beside the Filter that it goes with. BAD_ORDER with the path of the wrong key. */
export function checkOrder(order: readonly OrderKey[], filter: Filter | undefined): void {
  if (order.length > QUERY_LIMITS.orderKeys) {
    throw refuseAt('BAD_ORDER', 'order', `has ${order.length} keys; at most ${QUERY_LIMITS.orderKeys} are allowed`);
  }
  const seen = new Set<string>();
  for (const [index, { field }] of order.entries()) {
    const path = `order[${index}].field`;
    if (field === RELEVANCE) {
      if (filter === undefined || !hasTextTerm(filter)) {
        throw refuseAt('BAD_ORDER', path, 'relevance needs a filter that searches text');
      }
    } else if (getField(field)?.orderable !== true) {
      const names = [...FIELDS.filter((each) => each.orderable).map((each) => each.name), RELEVANCE];
      throw refuseAt('BAD_ORDER', path, `can not order by ${quote(field)}; one of ${names.join(', ')} is expected`);
    }
    if (seen.has(field)) throw refuseAt('BAD_ORDER', path, `${field} stands twice`);
    seen.add(field);
  }
}
