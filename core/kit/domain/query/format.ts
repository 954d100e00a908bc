/** Tree → canonical text, and Filter → the text that would give it: the echo of what a search was understood as. */
import type { Filter, FilterTerm, FilterTimeRange, FilterValue, HistoryTerm, OrderKey } from '@bugless/proto';
import { FilterOperator, HistoryKind } from '@bugless/proto';
import { CUSTOM_PREFIX, formatFieldWord, getField, type IssueField, RELEVANCE } from '../field.ts';
import type { HistoryNode, Query, QueryNode, QueryValue } from './ast.ts';
import { formatDayBefore, formatDayStart } from './date.ts';

/** Prints a query. Parsing the result gives the same tree (but for columns). */
export function formatQuery(query: Query): string {
  const parts = query.root === undefined ? [] : [formatNode(query.root)];
  if (query.order.length > 0) parts.push(formatOrder(query.order));
  return parts.join(' ');
}

/** `orderby:priority,-modified`; empty for no order. */
export function formatOrder(order: readonly OrderKey[]): string {
  if (order.length === 0) return '';
  const keys = order.map(({ field, descending }) => {
    return (descending ? '-' : '') + (field === RELEVANCE ? RELEVANCE : formatFieldWord(field));
  });
  return `orderby:${keys.join(',')}`;
}

function formatNode(node: QueryNode): string {
  switch (node.type) {
    case 'or':
      return node.operands.map(formatNode).join(' OR ');
    case 'and':
      return node.operands.map((operand) => wrap(operand, operand.type === 'or')).join(' ');
    case 'not':
      return `-${wrap(node.operand, node.operand.type === 'or' || node.operand.type === 'and' || node.operand.type === 'not')}`;
    case 'text':
      return formatValue(node.value);
    case 'term':
      return formatTerm(node.field, node.comparison, node.values);
    case 'history':
      return formatHistory(node);
  }
}

const wrap = (node: QueryNode, needed: boolean): string => (needed ? `(${formatNode(node)})` : formatNode(node));

function formatTerm(field: string, comparison: string, values: readonly QueryValue[]): string {
  const [only] = values;
  const plain =
    values.length === 1 && only?.type === 'word' && !only.quoted && comparison === ':' ? only.text : undefined;
  if (plain !== undefined && getField(field)?.kind === 'flag') {
    if (plain === 'true') return `is:${formatFieldWord(field)}`;
    if (field === 'open' && plain === 'false') return 'is:closed';
  }
  return `${formatFieldWord(field)}${comparison}${formatValues(values)}`;
}

function formatValues(values: readonly QueryValue[]): string {
  return values.length === 1 ? formatValue(values[0]!) : `(${values.map(formatValue).join('|')})`;
}

function formatValue(value: QueryValue): string {
  switch (value.type) {
    case 'word':
      return (
        (value.quoted ? quoteText(value.text) : value.text) + (value.prefix ? '*' : '') + (value.subtree ? '+' : '')
      );
    case 'range':
      return `${formatEnd(value.from)}..${formatEnd(value.to)}`;
    case 'group':
      return `group(${formatWord(value.name)})`;
  }
}

const formatEnd = (end: string | undefined): string =>
  end === undefined ? '*' : needsQuotes(end) ? quoteText(end) : end;

function formatHistory(node: HistoryNode): string {
  const word = formatFieldWord(node.field);
  if (node.kind === 'was') return `was(${word}:${formatValues(node.to)})`;
  const parts = [word];
  for (const part of ['from', 'to', 'by'] as const) {
    if (node[part].length > 0) parts.push(`${part}:${formatValues(node[part])}`);
  }
  for (const part of ['after', 'before', 'during'] as const) {
    if (node[part] !== undefined) parts.push(`${part}:${formatValue(node[part])}`);
  }
  return `changed(${parts.join(' ')})`;
}

const quoteText = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

/** Whether a value would be read as something else, or not at all, without quotes. */
function needsQuotes(text: string): boolean {
  return !isPlain(text) || /^(me|none|any)$/i.test(text) || /[*+]$|\.\./.test(text);
}

const isPlain = (text: string): boolean => /^[^\s()|",]+$/.test(text);

/** The same of words to search for, where quotes make a phrase and so are not to be put lightly. */
function needsPhrase(text: string, field: IssueField): boolean {
  if (text.endsWith('*')) return true;
  if (field.name !== 'text') {
    return !isPlain(text) || (field.operators.includes(FilterOperator.PRESENT) && /^(none|any)$/i.test(text));
  }
  const plain = /^[^\s()|"-][^\s()|"]*$/.test(text);
  return !plain || /^(AND|OR|NOT)$/.test(text) || /^p[0-4]$/i.test(text) || /^[A-Za-z][\w.-]*(!=|[:=<>])/.test(text);
}

const formatWord = (text: string): string => (needsQuotes(text) ? quoteText(text) : text);

/** Names of what ids stand for; what has none is printed by its id. */
export interface FilterNames {
  user(id: string): string | undefined;
  /** Names from the root. */
  component(id: string): readonly string[] | undefined;
  hotlist(id: string): string | undefined;
}

/** How a Filter is printed. */
export interface FormatOptions {
  readonly names: FilterNames;
  /** IANA name; UTC unless given. Whole days are printed as such. */
  readonly zone?: string;
}

/**
 * Prints a Filter as a query: compiled again with the same names and zone, it gives
 * the same Filter. Of Filters that no query gives, it prints the nearest.
 */
export function formatFilter(filter: Filter | undefined, options: FormatOptions): string {
  return filter?.node === undefined ? '' : new FilterPrinter(options).print(filter);
}

const SIGNS: Readonly<Partial<Record<FilterOperator, string>>> = {
  [FilterOperator.HAS]: ':',
  [FilterOperator.EQUALS]: '=',
  [FilterOperator.GREATER]: '>',
  [FilterOperator.GREATER_OR_EQUAL]: '>=',
  [FilterOperator.LESS]: '<',
  [FilterOperator.LESS_OR_EQUAL]: '<=',
};

class FilterPrinter {
  private readonly names: FilterNames;
  private readonly zone: string;

  constructor(options: FormatOptions) {
    this.names = options.names;
    this.zone = options.zone ?? 'UTC';
  }

  print(filter: Filter): string {
    const { node } = filter;
    switch (node?.$case) {
      case undefined:
        // What matches everything: closed or not.
        return '(is:open OR is:closed)';
      case 'or':
        return node.value.operands.map((operand) => this.print(operand)).join(' OR ');
      case 'and':
        return node.value.operands.map((operand) => this.printOperand(operand, ['or'])).join(' ');
      case 'not': {
        const inner = node.value.node;
        const present = inner?.$case === 'term' && inner.value.operator === FilterOperator.PRESENT;
        if (present) return `${formatFieldWord(inner.value.field)}:none`;
        return `-${this.printOperand(node.value, ['or', 'and', 'not'])}`;
      }
      case 'term':
        return this.printTerm(node.value);
      case 'history':
        return this.printHistory(node.value);
    }
  }

  private printOperand(filter: Filter, wrapped: readonly string[]): string {
    const type = filter.node?.$case;
    return type !== undefined && wrapped.includes(type) ? `(${this.print(filter)})` : this.print(filter);
  }

  private printTerm(term: FilterTerm): string {
    const field = getField(term.field);
    const word = formatFieldWord(term.field);
    if (term.operator === FilterOperator.PRESENT) return `has:${word}`;
    const [only] = term.values;
    if (term.values.length === 1 && only?.kind?.$case === 'flag') {
      if (only.kind.value) return `is:${word}`;
      if (term.field === 'open') return 'is:closed';
    }
    const sign = SIGNS[term.operator] ?? ':';
    const values = term.values.map((value) => this.printValue(value, field));
    if (term.field === 'text' && values.length === 1) return values[0]!;
    const time = only?.kind?.$case === 'time' ? only.kind.value : undefined;
    if (values.length === 1 && time !== undefined && (time.start === undefined || time.end === undefined)) {
      return this.printOpenTime(word, time);
    }
    return `${word}${sign}${joinValues(values)}`;
  }

  private printHistory(term: HistoryTerm): string {
    const field = getField(term.field);
    const list = (values: readonly FilterValue[]) =>
      joinValues(values.map((value) => this.printValue(value, field, true)));
    const word = formatFieldWord(term.field);
    if (term.kind === HistoryKind.WAS) return `was(${word}:${list(term.to)})`;
    const parts = [word];
    if (term.from.length > 0) parts.push(`from:${list(term.from)}`);
    if (term.to.length > 0) parts.push(`to:${list(term.to)}`);
    if (term.by.length > 0) parts.push(`by:${joinValues(term.by.map((id) => this.printUser(id)))}`);
    if (term.time !== undefined) parts.push(...this.printHistoryTime(term.time));
    return `changed(${parts.join(' ')})`;
  }

  private printHistoryTime(time: FilterTimeRange): string[] {
    return [`during:${this.printTime(time)}`];
  }

  private printValue(value: FilterValue, field: IssueField | undefined, history = false): string {
    const { kind } = value;
    switch (kind?.$case) {
      case 'text': {
        const { text, phrase, prefix } = kind.value;
        const quoted = phrase || (field?.kind === 'text' ? needsPhrase(text, field) : needsQuotes(text));
        return (quoted ? quoteText(text) : text) + (prefix ? '*' : '');
      }
      case 'number':
        return this.printNumber(kind.value, field);
      case 'range': {
        const { min, max } = kind.value;
        const end = (number: number | undefined) => (number === undefined ? '*' : this.printNumber(number, field));
        return `${end(min)}..${end(max)}`;
      }
      case 'reference':
        if (history && kind.value.id === '0') return 'none';
        return this.printReference(kind.value.id, field) + (kind.value.subtree ? '+' : '');
      case 'user':
        return history && kind.value === '' ? 'none' : this.printUser(kind.value);
      case 'time':
        return this.printTime(kind.value, field === undefined);
      case 'flag':
        return String(kind.value);
      default:
        return '""';
    }
  }

  private printNumber(number: number, field: IssueField | undefined): string {
    return field?.words === undefined ? formatDecimal(number) : formatWordOf(field, number);
  }

  private printUser(id: string): string {
    return formatWord(this.names.user(id) ?? id);
  }

  private printReference(id: string, field: IssueField | undefined): string {
    if (field?.kind === 'component') {
      const path = this.names.component(id);
      return path === undefined ? id : quoteText(path.join('>'));
    }
    const name = field?.kind === 'hotlists' ? this.names.hotlist(id) : undefined;
    return name === undefined ? id : quoteText(name);
  }

  private printOpenTime(word: string, time: FilterTimeRange): string {
    const custom = word.startsWith(CUSTOM_PREFIX);
    if (time.start !== undefined) return `${word}>=${this.printStart(time.start, custom)}`;
    return `${word}<${this.printStart(time.end!, custom)}`;
  }

  private printTime(time: FilterTimeRange, custom = false): string {
    const zone = custom ? 'UTC' : this.zone;
    const first = time.start === undefined ? '*' : this.printStart(time.start, custom);
    if (time.end === undefined) return `${first}..*`;
    const end = Date.parse(time.end);
    // The end of a range is included, so the last day or millisecond before is named.
    const last = formatDayBefore(end, zone) ?? new Date(end - 1).toISOString();
    return first === last ? first : `${first}..${last}`;
  }

  private printStart(time: string, custom: boolean): string {
    const at = Date.parse(time);
    return formatDayStart(at, custom ? 'UTC' : this.zone) ?? new Date(at).toISOString();
  }
}

const joinValues = (values: readonly string[]): string => (values.length === 1 ? values[0]! : `(${values.join('|')})`);

const formatWordOf = (field: IssueField, number: number): string => field.words!.format(number) || '0';

/** Decimals without an exponent, as the language reads them. */
function formatDecimal(number: number): string {
  const text = String(number);
  return text.includes('e') ? number.toFixed(15).replace(/\.?0+$/, '') : text;
}
