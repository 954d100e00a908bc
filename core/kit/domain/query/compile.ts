/** Tree → Filter: names, `me` and dates become ids and times, once, so that a Model needs no names and no clock. */
import type { CustomFieldDefinition, Filter, FilterTerm, FilterValue, HistoryTerm, OrderKey } from '@bugless/proto';
import { FilterOperator, HistoryKind } from '@bugless/proto';
import { quote } from '../check.ts';
import { CUSTOM_PREFIX, createCustomField, formatFieldWord, getField, type IssueField } from '../field.ts';
import { isOpen, STATUS_GROUPS } from '../status.ts';
import type { Comparison, HistoryNode, Query, QueryNode, QueryValue, Span, TermNode, WordValue } from './ast.ts';
import { checkTimeZone } from './date.ts';
import { QueryError } from './error.ts';
import { hasTextTerm, measureFilter } from './filter-check.ts';
import { QUERY_LIMITS } from './limit.ts';
import { tokenize } from './text.ts';
import { type DateContext, readTimeRange, resolveValue } from './value.ts';

/** Looks up what a query names, as its caller may see it. Undefined: there is no such thing. */
export interface QueryResolver {
  /** Opaque id of the caller; undefined: not signed in. */
  readonly me: string | undefined;
  /** The id of a username (or of an id itself). */
  findUser(name: string): Promise<string | undefined>;
  /** Ids of the users in a group, nested ones included. */
  findGroupMembers(name: string): Promise<readonly string[] | undefined>;
  /** The id of a component, by the names on its path or, alone, by its name where it is the only one. */
  findComponent(path: readonly string[]): Promise<string | undefined>;
  findHotlist(name: string): Promise<string | undefined>;
  /** The definition of a custom field, its name compared without case. */
  findCustomField(name: string): Promise<CustomFieldDefinition | undefined>;
}

/** What compiling needs. */
export interface CompileOptions {
  readonly resolver: QueryResolver;
  /** Milliseconds since the epoch, or ISO. */
  readonly now: number | string;
  /** IANA name; UTC unless given. Days and months begin at midnight there. */
  readonly zone?: string;
}

/** A query that a Model can answer. */
export interface CompiledQuery {
  readonly filter: Filter;
  /** Empty: the default, `-modified`. */
  readonly order: OrderKey[];
  /** The query is nothing but the number of an issue. */
  readonly jump: string | undefined;
  /** It depends on now: pages that follow have to be asked for with the same `now`. */
  readonly relative: boolean;
  /** It asks about archived issues; else hideArchived may be wanted. */
  readonly mentionsArchived: boolean;
}

/** The Filter that matches every issue. */
export const EVERYTHING: Filter = { node: undefined };

const { HAS, EQUALS, PRESENT } = FilterOperator;
const ORDERED: Readonly<Partial<Record<Comparison, FilterOperator>>> = {
  '>': FilterOperator.GREATER,
  '>=': FilterOperator.GREATER_OR_EQUAL,
  '<': FilterOperator.LESS,
  '<=': FilterOperator.LESS_OR_EQUAL,
};

/**
 * Compiles a parsed query. Throws QueryError, and INVALID_FIELD for an unknown
 * zone. Failures of the resolver pass through.
 */
export async function compileQuery(query: Query, options: CompileOptions): Promise<CompiledQuery> {
  const now = typeof options.now === 'number' ? options.now : Date.parse(options.now);
  const zone = options.zone ?? 'UTC';
  checkTimeZone(zone);
  const compiler = new Compiler(options.resolver, { now, zone, relative: false });
  const filter = query.root === undefined ? EVERYTHING : await compiler.compile(query.root);
  const whole = { column: 1, length: query.length };
  const { depth, terms } = measureFilter(filter);
  if (depth > QUERY_LIMITS.depth)
    throw new QueryError(whole, `the query nests deeper than ${QUERY_LIMITS.depth} levels`);
  if (terms > QUERY_LIMITS.terms) throw new QueryError(whole, `the query has more than ${QUERY_LIMITS.terms} terms`);
  const ranked = query.order.some((key) => key.field === 'relevance');
  if (ranked && !hasTextTerm(filter)) {
    throw new QueryError(whole, 'orderby:relevance needs a word to search for', 'BAD_ORDER');
  }
  return {
    filter,
    order: query.order.map((key) => ({ ...key })),
    jump: query.jump,
    relative: compiler.dates.relative,
    mentionsArchived: compiler.mentionsArchived,
  };
}

/** Adds "not archived" to a Filter: what lists show unless archived issues are asked for. */
export function hideArchived(filter: Filter): Filter {
  const visible = makeTerm('archived', HAS, [{ kind: { $case: 'flag', value: false } }]);
  if (filter.node === undefined) return visible;
  const operands = filter.node.$case === 'and' ? filter.node.value.operands : [filter];
  return { node: { $case: 'and', value: { operands: [...operands, visible] } } };
}

const makeTerm = (field: string, operator: FilterOperator, values: FilterValue[]): Filter => ({
  node: { $case: 'term', value: { field, operator, values } satisfies FilterTerm },
});
const negate = (filter: Filter): Filter => ({ node: { $case: 'not', value: filter } });

function join(type: 'and' | 'or', operands: Filter[]): Filter {
  // A term that became several alternatives joins those around it.
  const flat = operands.flatMap((operand) => (operand.node?.$case === type ? operand.node.value.operands : [operand]));
  return flat.length === 1 ? flat[0]! : { node: { $case: type, value: { operands: flat } } };
}

class Compiler {
  readonly dates: DateContext;
  mentionsArchived = false;
  private readonly resolver: QueryResolver;

  constructor(resolver: QueryResolver, dates: DateContext) {
    this.resolver = resolver;
    this.dates = dates;
  }

  async compile(node: QueryNode): Promise<Filter> {
    switch (node.type) {
      case 'and':
      case 'or': {
        // One after another: the first wrong name is the first error, and a resolver sees no storm.
        const operands: Filter[] = [];
        for (const operand of node.operands) operands.push(await this.compile(operand));
        return join(node.type, operands);
      }
      case 'not':
        return negate(await this.compile(node.operand));
      case 'text':
        return makeTerm('text', HAS, [readText(node.value)]);
      case 'term':
        return this.compileTerm(node);
      case 'history':
        return this.compileHistory(node);
    }
  }

  private async findField(name: string, span: Span): Promise<IssueField> {
    if (!name.startsWith(CUSTOM_PREFIX)) return getField(name)!;
    const definition = await this.resolver.findCustomField(name.slice(CUSTOM_PREFIX.length));
    if (definition !== undefined) return createCustomField(definition.name, definition.kind);
    throw new QueryError(span, `there is no custom field ${quote(name.slice(CUSTOM_PREFIX.length))}`);
  }

  private async compileTerm(node: TermNode): Promise<Filter> {
    const { comparison } = node;
    const field = await this.findField(node.field, node.span);
    if (field.name === 'archived') this.mentionsArchived = true;
    const ordered = ORDERED[comparison];
    if (ordered !== undefined) return this.compileComparison(node, field, ordered);
    const operator = this.chooseOperator(node, field);
    const alternatives: Filter[] = [];
    const values: FilterValue[] = [];
    for (const value of node.values) {
      const presence = readPresence(value, field);
      if (presence !== undefined) {
        const present = makeTerm(field.name, PRESENT, []);
        alternatives.push(presence ? present : negate(present));
      } else if (field.kind === 'text' && operator === HAS) values.push(readText(value as WordValue));
      else values.push(...(await resolveValue(value, field, this.resolver, this.dates)));
    }
    for (const part of splitValues(values)) alternatives.push(makeTerm(field.name, operator, part));
    // A group without members matches nobody.
    if (alternatives.length === 0) alternatives.push(negate(EVERYTHING));
    const filter = simplifyStatus(join('or', alternatives));
    return comparison === '!=' ? negate(filter) : filter;
  }

  /** `:` has, `=` equals; on what holds a single value they mean the same, which is then HAS. */
  private chooseOperator(node: TermNode, field: IssueField): FilterOperator {
    if (node.comparison === ':') return HAS;
    const exact = field.collection || field.kind === 'text';
    if (!exact) return HAS;
    if (field.operators.includes(EQUALS)) {
      const pattern = node.values.find((value) => value.type === 'word' && value.prefix);
      if (pattern !== undefined)
        throw new QueryError(pattern.span, '= takes a whole text, without *; use : for its beginning');
      return EQUALS;
    }
    throw new QueryError(node.span, `${formatFieldWord(field.name)} takes only a colon, not ${node.comparison}`);
  }

  private async compileComparison(node: TermNode, field: IssueField, operator: FilterOperator): Promise<Filter> {
    const value = node.values[0]!;
    if (field.kind === 'time') {
      const time = readTimeRange(value, field, node.comparison, this.dates);
      return makeTerm(field.name, HAS, [{ kind: { $case: 'time', value: time } }]);
    }
    if (!field.operators.includes(operator)) {
      throw new QueryError(
        node.span,
        `${formatFieldWord(field.name)} has no order; use : or =, not ${node.comparison}`,
      );
    }
    if (value.type === 'range') throw new QueryError(value.span, `a range goes with a colon, not ${node.comparison}`);
    const values = await resolveValue(value, field, this.resolver, this.dates);
    if (values.length !== 1) throw new QueryError(value.span, `${node.comparison} takes one value`);
    return makeTerm(field.name, operator, values);
  }

  private async compileHistory(node: HistoryNode): Promise<Filter> {
    const field = await this.findField(node.field, node.span);
    const term: HistoryTerm = {
      kind: node.kind === 'was' ? HistoryKind.WAS : HistoryKind.CHANGED,
      field: field.name,
      from: await this.readHistoryValues(node.from, field),
      to: await this.readHistoryValues(node.to, field),
      by: [],
      time: undefined,
    };
    const unrestricted = node.kind === 'was' && term.to.length === 0;
    if (unrestricted) throw new QueryError(node.span, 'was() needs a value; use has: for any');
    const person = getField('assignee')!;
    for (const value of node.by) {
      if (readPresence(value, person) !== undefined)
        throw new QueryError(value.span, 'by: takes users, not none or any');
      for (const { kind } of await resolveValue(value, person, this.resolver, this.dates)) {
        if (kind?.$case === 'user') term.by.push(kind.value);
      }
    }
    if (node.by.length > 0 && term.by.length === 0) return negate(EVERYTHING);
    for (const values of [term.from, term.to, term.by]) {
      if (values.length > QUERY_LIMITS.values) {
        throw new QueryError(node.span, `names more than ${QUERY_LIMITS.values} values; name a smaller group`);
      }
    }
    term.time = this.readHistoryTime(node);
    return { node: { $case: 'history', value: term } };
  }

  /** `none` is the empty value of the field's kind; `any` says nothing. */
  private async readHistoryValues(values: readonly QueryValue[], field: IssueField): Promise<FilterValue[]> {
    const read: FilterValue[] = [];
    for (const value of values) {
      const presence = readPresence(value, field);
      if (presence === true) throw new QueryError(value.span, 'any says nothing here; leave it out');
      if (presence === undefined) {
        const resolved =
          field.kind === 'text'
            ? [readText(value as WordValue)]
            : await resolveValue(value, field, this.resolver, this.dates);
        read.push(...resolved);
      } else if (field.collection) {
        throw new QueryError(value.span, `${formatFieldWord(field.name)} holds several values; none says nothing here`);
      } else if (field.kind === 'user') read.push({ kind: { $case: 'user', value: '' } });
      else if (field.kind === 'issue') read.push({ kind: { $case: 'reference', value: { id: '0', subtree: false } } });
      else throw new QueryError(value.span, `history can not be asked for an empty ${formatFieldWord(field.name)}`);
    }
    return read;
  }

  private readHistoryTime(node: HistoryNode): HistoryTerm['time'] {
    const when = getField('created')!;
    const during = node.during === undefined ? undefined : readTimeRange(node.during, when, ':', this.dates);
    const after = node.after === undefined ? undefined : readTimeRange(node.after, when, '>', this.dates);
    const before = node.before === undefined ? undefined : readTimeRange(node.before, when, '<', this.dates);
    const mixed = during !== undefined && (after !== undefined || before !== undefined);
    if (mixed) throw new QueryError(node.span, 'during: stands alone, without after: and before:');
    if (during !== undefined) return during;
    if (after === undefined && before === undefined) return undefined;
    const time = { start: after?.start, end: before?.end };
    if (time.start !== undefined && time.end !== undefined && time.start >= time.end) {
      throw new QueryError(node.before!.span, 'before: lies before after:, so nothing can match');
    }
    return time;
  }
}

/** True of an unquoted `any`, false of `none`, on fields that can be empty; undefined of all else. */
function readPresence(value: QueryValue, field: IssueField): boolean | undefined {
  if (value.type !== 'word' || value.quoted || !field.operators.includes(PRESENT)) return undefined;
  const word = value.text.toLowerCase();
  return word === 'any' ? true : word === 'none' ? false : undefined;
}

/** A word that is several (`foo-bar`) is looked for as a phrase. */
function readText(value: WordValue): FilterValue {
  const count = tokenize(value.text).length;
  if (count === 0) throw new QueryError(value.span, `${quote(value.text)} has no letter or digit to search for`);
  const text = { text: value.text, phrase: value.quoted || count > 1, prefix: value.prefix };
  return { kind: { $case: 'text', value: text } };
}

function splitValues(values: readonly FilterValue[]): FilterValue[][] {
  const parts: FilterValue[][] = [];
  for (let at = 0; at < values.length; at += QUERY_LIMITS.values)
    parts.push(values.slice(at, at + QUERY_LIMITS.values));
  return parts;
}

/** `status:open` and `status:closed` are the flag `open`, which engines keep an index for. */
function simplifyStatus(filter: Filter): Filter {
  if (filter.node?.$case !== 'term' || filter.node.value.field !== 'status') return filter;
  const numbers = filter.node.value.values.map((value) => (value.kind?.$case === 'number' ? value.kind.value : 0));
  for (const group of [STATUS_GROUPS.open!, STATUS_GROUPS.closed!]) {
    if (numbers.length === group.length && group.every((status) => numbers.includes(status))) {
      return makeTerm('open', HAS, [{ kind: { $case: 'flag', value: isOpen(group[0]!) } }]);
    }
  }
  return filter;
}
