/** Text → tree. The grammar stands in README.md beside this file. */
import type { OrderKey } from '@bugless/proto';
import { quote } from '../check.ts';
import {
  CUSTOM_PREFIX,
  FIELDS,
  type FieldKind,
  findField,
  formatFieldWord,
  getField,
  parseCustomName,
  RELEVANCE,
} from '../field.ts';
import { findNearest } from '../suggestion.ts';
import type { Comparison, HistoryNode, Query, QueryNode, QueryValue, Span, TermNode, WordValue } from './ast.ts';
import { QueryError } from './error.ts';
import { Lexer } from './lexer.ts';

/** Bounds of a query and of the Filter that it becomes. */
export const QUERY_LIMITS = {
  /** UTF-16 code units. */
  length: 4000,
  /** Levels of the tree. */
  depth: 16,
  terms: 200,
  /** Values of one term. */
  values: 100,
  /** Characters of one text value. */
  textCharacters: 1000,
  orderKeys: 4,
} as const;

const IS_WORDS = ['open', 'closed', 'blocked', 'starred', 'archived'];
const ORDER_WORDS = ['orderby', 'sort'];
const SPECIAL_WORDS = ['has', 'is', ...ORDER_WORDS];
const RANGE_KINDS: readonly FieldKind[] = ['time', 'number', 'enum'];
const FIELD_WORDS = FIELDS.filter((field) => field.operators.length > 0).flatMap((field) => [
  formatFieldWord(field.name),
  ...field.aliases.filter((alias) => alias.length > 1),
]);

/** Parses a query. Throws QueryError; nothing that is written is ignored. */
export function parseQuery(text: string): Query {
  if (text.length > QUERY_LIMITS.length) {
    const span = { column: QUERY_LIMITS.length + 1, length: text.length - QUERY_LIMITS.length };
    throw new QueryError(span, `the query has ${text.length} characters; at most ${QUERY_LIMITS.length} are allowed`);
  }
  const jump = /^\s*#?([1-9][0-9]{0,18})\s*$/.exec(text)?.[1];
  return new Parser(text).parse(jump);
}

class Parser {
  private readonly lexer: Lexer;
  private order: readonly OrderKey[] | undefined;
  private terms = 0;

  constructor(text: string) {
    this.lexer = new Lexer(text);
  }

  parse(jump: string | undefined): Query {
    const { lexer } = this;
    const nul = lexer.text.indexOf('\0');
    if (nul >= 0)
      throw new QueryError({ column: nul + 1, length: 1 }, 'a NUL character can not be searched for; remove it');
    const half = lexer.text.search(/\p{Surrogate}/u);
    if (half >= 0)
      throw new QueryError({ column: half + 1, length: 1 }, 'half of a surrogate pair is no character; remove it');
    lexer.skipBlanks();
    const root = lexer.atEnd ? undefined : this.parseOr(0);
    if (!lexer.atEnd) throw this.fail(lexer.sees(')') ? 'this ) was never opened' : 'expected a term');
    return { root, order: this.order ?? [], jump, length: lexer.text.length };
  }

  /** `or := and ("OR" and)*`. Undefined: only an order stood here. */
  private parseOr(level: number): QueryNode | undefined {
    const { lexer } = this;
    const start = lexer.position;
    const first = this.parseAnd(level);
    const operands = first === undefined ? [] : [first];
    let end = lexer.position;
    lexer.skipBlanks();
    while (lexer.sees('OR')) {
      const keyword = lexer.spanHere();
      if (!lexer.takeKeyword('OR')) break;
      if (operands.length === 0) throw new QueryError(keyword, 'expected a term before OR');
      lexer.skipBlanks();
      const next = this.parseAnd(level);
      if (next === undefined) throw new QueryError(keyword, 'expected a term after OR');
      operands.push(next);
      end = lexer.position;
      lexer.skipBlanks();
    }
    return this.join('or', operands, { column: start + 1, length: end - start });
  }

  /** `and := unary (["AND"] unary)*`. */
  private parseAnd(level: number): QueryNode | undefined {
    const { lexer } = this;
    const start = lexer.position;
    const operands: QueryNode[] = [];
    let end = start;
    for (let count = 0; ; count++) {
      const keyword = lexer.spanHere();
      if (lexer.takeKeyword('AND')) {
        if (count === 0) throw new QueryError(keyword, 'expected a term before AND');
        lexer.skipBlanks();
        if (this.endsHere()) throw new QueryError(keyword, 'expected a term after AND');
      }
      if (count > 0 && this.endsHere()) break;
      const next = this.parseUnary(level);
      if (next !== undefined) operands.push(next);
      end = lexer.position;
      if (!lexer.seesBlank() && !lexer.sees(')')) {
        throw this.fail('expected a blank between terms; put the whole in quotes to search for it as it stands');
      }
      lexer.skipBlanks();
    }
    return this.join('and', operands, { column: start + 1, length: end - start });
  }

  private endsHere(): boolean {
    const { lexer } = this;
    if (lexer.atEnd || lexer.sees(')')) return true;
    const before = lexer.position;
    const isOr = lexer.takeKeyword('OR');
    lexer.position = before;
    return isOr;
  }

  /** One operand stands for itself; operands of the same type are taken in, so parentheses leave no trace. */
  private join(type: 'and' | 'or', operands: readonly QueryNode[], span: Span): QueryNode | undefined {
    const flat = operands.flatMap((operand) => (operand.type === type ? operand.operands : [operand]));
    return flat.length < 2 ? flat[0] : { type, operands: flat, span };
  }

  /** `unary := ["-"|"NOT"] atom`. */
  private parseUnary(level: number): QueryNode | undefined {
    const { lexer } = this;
    const start = lexer.position;
    const minus = lexer.take('-');
    if (!minus && !lexer.takeKeyword('NOT')) return this.parseAtom(level, false);
    const mark = lexer.spanFrom(start);
    if (!minus) lexer.skipBlanks();
    if (this.endsHere() || (minus && lexer.seesBlank())) {
      throw new QueryError(mark, minus ? 'expected a term directly after -' : 'expected a term after NOT');
    }
    if (lexer.sees('-')) throw this.fail('expected a term, not a second negation; write -(-a) if that is meant');
    this.enter(level, mark);
    const operand = this.parseAtom(level + 1, true)!;
    return { type: 'not', operand, span: lexer.spanFrom(start) };
  }

  private enter(level: number, span: Span): void {
    if (level + 1 >= QUERY_LIMITS.depth) {
      throw new QueryError(span, `the query nests deeper than ${QUERY_LIMITS.depth} levels`);
    }
  }

  /** `atom := "(" or ")" | term`. */
  private parseAtom(level: number, negated: boolean): QueryNode | undefined {
    const { lexer } = this;
    const start = lexer.position;
    if (lexer.take('(')) {
      const open = lexer.spanFrom(start);
      this.enter(level, open);
      lexer.skipBlanks();
      if (lexer.sees(')')) throw this.fail('expected a term between ( and )');
      if (lexer.atEnd) throw new QueryError(open, 'this ( is never closed');
      const inner = this.parseOr(level + 1);
      if (!lexer.take(')'))
        throw lexer.atEnd ? new QueryError(open, 'this ( is never closed') : this.fail('expected )');
      return inner;
    }
    if (lexer.sees('|'))
      throw this.fail('| stands only between values, as in status:(new|fixed); use OR between terms');
    const history = lexer.takeCall('was') ? 'was' : lexer.takeCall('changed') ? 'changed' : undefined;
    if (history !== undefined) return this.parseHistory(history, start);
    const field = lexer.takeField();
    if (field !== undefined) return this.parseTerm(field, start, level, negated);
    return this.parseText(start);
  }

  private countTerm(start: number): void {
    this.terms += 1;
    if (this.terms > QUERY_LIMITS.terms) {
      throw new QueryError(this.lexer.spanFrom(start), `the query has more than ${QUERY_LIMITS.terms} terms`);
    }
  }

  private parseText(start: number): QueryNode {
    const { lexer } = this;
    const quoted = lexer.takeQuoted();
    const word = quoted ?? lexer.takeTextWord();
    if (word === undefined) throw this.fail('expected a term');
    if (quoted === undefined && /^(AND|OR|NOT)$/.test(word)) {
      throw new QueryError(
        lexer.spanFrom(start),
        `expected a term before ${word}; to search for the word, put it in quotes`,
      );
    }
    this.countTerm(start);
    if (quoted === undefined && /^p[0-4]$/i.test(word)) {
      const value = this.makeWord(word, false, false, false, lexer.spanFrom(start));
      return { type: 'term', field: 'priority', comparison: ':', values: [value], span: value.span };
    }
    const value = this.finishWord(word, quoted !== undefined, 'text', start);
    return { type: 'text', value, span: value.span };
  }

  private parseTerm(
    head: { name: string; comparison: Comparison; span: Span },
    start: number,
    level: number,
    negated: boolean,
  ): QueryNode | undefined {
    const { lexer } = this;
    const word = head.name.toLowerCase();
    if (SPECIAL_WORDS.includes(word) && head.comparison !== ':') {
      throw new QueryError(head.span, `${word} takes only a colon: ${word}:…`);
    }
    if (ORDER_WORDS.includes(word)) {
      if (level > 0 || negated)
        throw new QueryError(head.span, 'orderby stands for the whole query; move it out of ( ) and -');
      if (this.order !== undefined)
        throw new QueryError(head.span, 'a query has one orderby; join its fields: orderby:a,-b');
      this.order = this.parseOrder();
      return undefined;
    }
    if (word === 'has' || word === 'is') return this.parseSpecial(word, start);
    const field = this.findFieldName(head.name, head.span);
    const values = this.parseValues(field, `${head.name}${head.comparison}`);
    this.countTerm(start);
    const node: TermNode = { type: 'term', field, comparison: head.comparison, values, span: lexer.spanFrom(start) };
    if (/[<>]/.test(head.comparison) && values.length > 1) {
      throw new QueryError(values[1]!.span, `${head.comparison} takes one value`);
    }
    return node;
  }

  private parseSpecial(word: 'has' | 'is', start: number): QueryNode {
    const { lexer } = this;
    const at = lexer.position;
    const name = lexer.takeName();
    const span = lexer.spanFrom(at);
    const expected = word === 'has' ? 'a field, as in has:assignee' : `one of ${IS_WORDS.join(', ')}`;
    if (name === undefined) throw this.fail(`expected ${expected}, directly after ${word}:`);
    this.countTerm(start);
    if (word === 'has') {
      const field = this.findFieldName(name, span);
      return this.makeTerm(field, 'any', start, span);
    }
    const flag = name.toLowerCase();
    if (!IS_WORDS.includes(flag))
      throw new QueryError(span, `${quote(name)} is unknown after is:${suggest(name, IS_WORDS)}`);
    return flag === 'closed' ? this.makeTerm('open', 'false', start, span) : this.makeTerm(flag, 'true', start, span);
  }

  private makeTerm(field: string, word: string, start: number, span: Span): TermNode {
    const value = this.makeWord(word, false, false, false, span);
    return { type: 'term', field, comparison: ':', values: [value], span: this.lexer.spanFrom(start) };
  }

  private makeWord(text: string, quoted: boolean, prefix: boolean, subtree: boolean, span: Span): WordValue {
    return { type: 'word', text, quoted, prefix, subtree, span };
  }

  private findFieldName(name: string, span: Span): string {
    const custom = parseCustomName(name);
    if (custom !== undefined) return CUSTOM_PREFIX + custom;
    const field = findField(name);
    if (field !== undefined && field.operators.length > 0) return field.name;
    const hint = suggest(name, [...FIELD_WORDS, ...SPECIAL_WORDS], false);
    throw new QueryError(span, `there is no field ${quote(name)}${hint}; to search for the text, put it in quotes`);
  }

  /** `value ("," value)*` or `"(" value (("|"|"OR"|",") value)* ")"`. */
  private parseValues(field: string, head: string): QueryValue[] {
    const { lexer } = this;
    const start = lexer.position;
    const values: QueryValue[] = [];
    const push = (value: QueryValue) => {
      values.push(value);
      if (values.length > QUERY_LIMITS.values) {
        throw new QueryError(value.span, `a term takes at most ${QUERY_LIMITS.values} values`);
      }
    };
    if (lexer.take('(')) {
      const open = lexer.spanFrom(start);
      do {
        lexer.skipBlanks();
        if (lexer.atEnd) throw new QueryError(open, 'this ( is never closed');
        push(this.parseValue(field, 'expected a value'));
        lexer.skipBlanks();
      } while (lexer.take('|') || lexer.take(',') || lexer.takeKeyword('OR'));
      if (!lexer.take(')')) {
        throw lexer.atEnd
          ? new QueryError(open, 'this ( is never closed')
          : this.fail('expected | or ) between values');
      }
      return values;
    }
    do push(this.parseValue(field, `expected a value directly after ${values.length === 0 ? head : 'the comma'}`));
    while (lexer.take(','));
    return values;
  }

  private parseValue(field: string, expected: string): QueryValue {
    const { lexer } = this;
    const start = lexer.position;
    const kind = getField(field)?.kind;
    if ((kind === undefined || kind === 'user' || kind === 'users') && lexer.takeCall('group'))
      return this.parseGroup(start);
    const ranges = kind === undefined || RANGE_KINDS.includes(kind);
    const quoted = lexer.takeQuoted();
    if (quoted !== undefined) {
      if (ranges && lexer.take('..')) {
        const to = lexer.takeQuoted() ?? this.readEnd(lexer.takeValueWord());
        return { type: 'range', from: quoted, to, span: lexer.spanFrom(start) };
      }
      return this.finishWord(quoted, true, field, start);
    }
    const word = lexer.takeValueWord();
    if (word === undefined) throw this.fail(expected);
    const dots = ranges ? word.indexOf('..') : -1;
    if (dots < 0) return this.finishWord(word, false, field, start);
    const to = word.length === dots + 2 ? lexer.takeQuoted() : undefined;
    const ends = { from: this.readEnd(word.slice(0, dots)), to: to ?? this.readEnd(word.slice(dots + 2)) };
    const span = lexer.spanFrom(start);
    if (ends.from === undefined && ends.to === undefined)
      throw new QueryError(span, '*..* has no end; use has: instead');
    return { type: 'range', ...ends, span };
  }

  private readEnd(word: string | undefined): string | undefined {
    if (word === undefined || word === '')
      throw this.fail('expected both ends of the range, as in a..b; * leaves one open');
    return word === '*' ? undefined : word;
  }

  private parseGroup(start: number): QueryValue {
    const { lexer } = this;
    lexer.skipBlanks();
    const name = lexer.takeQuoted() ?? lexer.takeValueWord();
    if (name === undefined) throw this.fail('expected the name of a group, as in group(ops)');
    lexer.skipBlanks();
    if (!lexer.take(')')) throw this.fail('expected ) after the name of the group');
    return { type: 'group', name, span: lexer.spanFrom(start) };
  }

  /** Reads the marks behind a word: `*` of texts, `+` of components. */
  private finishWord(word: string, quoted: boolean, field: string, start: number): WordValue {
    const { lexer } = this;
    const kind = getField(field)?.kind;
    const takesPrefix = kind === 'text';
    const mark = (char: string) => (quoted ? lexer.take(char) : word.length > 1 && word.endsWith(char));
    const prefix = takesPrefix && mark('*');
    const subtree = kind === 'component' && mark('+');
    const text = !quoted && (prefix || subtree) ? word.slice(0, -1) : word;
    const span = lexer.spanFrom(start);
    if (text === '') throw new QueryError(span, 'expected something between the quotes');
    if (text.length > QUERY_LIMITS.textCharacters) {
      throw new QueryError(span, `a value has at most ${QUERY_LIMITS.textCharacters} characters`);
    }
    return this.makeWord(text, quoted, prefix, subtree, span);
  }

  private parseOrder(): OrderKey[] {
    const { lexer } = this;
    const keys: OrderKey[] = [];
    do {
      const descending = lexer.take('-');
      const start = lexer.position;
      const name = lexer.takeName();
      const span = lexer.spanFrom(start);
      if (name === undefined) {
        throw new QueryError(
          lexer.spanHere(),
          `expected a field, as in orderby:priority,-modified, not ${lexer.describeHere()}`,
          'BAD_ORDER',
        );
      }
      const field = name.toLowerCase() === RELEVANCE ? RELEVANCE : findOrderField(name);
      if (field === undefined)
        throw new QueryError(span, `can not order by ${quote(name)}${suggest(name, ORDERABLE)}`, 'BAD_ORDER');
      if (keys.some((key) => key.field === field)) throw new QueryError(span, `orders by ${name} twice`, 'BAD_ORDER');
      keys.push({ field, descending });
      if (keys.length > QUERY_LIMITS.orderKeys) {
        throw new QueryError(span, `an order has at most ${QUERY_LIMITS.orderKeys} fields`, 'BAD_ORDER');
      }
    } while (lexer.take(','));
    if (!lexer.atEnd && !lexer.seesBlank() && !lexer.sees(')')) throw this.fail('expected a comma or a blank');
    return keys;
  }

  private parseHistory(kind: 'was' | 'changed', start: number): HistoryNode {
    const { lexer } = this;
    const open = lexer.spanFrom(start);
    lexer.skipBlanks();
    const parts: Partial<Record<'from' | 'to' | 'by' | 'after' | 'before' | 'during', readonly QueryValue[]>> = {};
    let field: string;
    if (kind === 'was') {
      const head = lexer.takeField();
      if (head === undefined || head.comparison !== ':')
        throw this.fail('expected a field with a value, as in was(status:new)');
      field = this.findRecorded(head.name, head.span);
      parts.to = this.parseValues(field, `${head.name}:`);
    } else {
      const at = lexer.position;
      const name = lexer.takeName();
      if (name === undefined || (!lexer.seesBlank() && !lexer.sees(')'))) {
        throw this.fail(
          'expected a field alone, then from: to: by: after: before: during:, as in changed(status to:fixed by:me)',
        );
      }
      field = this.findRecorded(name, lexer.spanFrom(at));
      lexer.skipBlanks();
      while (!lexer.sees(')') && !lexer.atEnd) {
        const head = lexer.takeField();
        const word = head?.name.toLowerCase();
        const words = ['from', 'to', 'by', 'after', 'before', 'during'] as const;
        const part = words.find((each) => each === word);
        if (part === undefined || head?.comparison !== ':') {
          if (head === undefined) throw this.fail(`expected one of ${words.join(': ')}:`);
          throw new QueryError(head.span, `expected one of ${words.join(': ')}:, not ${quote(head.name)}`);
        }
        if (parts[part] !== undefined) throw new QueryError(head.span, `${part}: is given twice`);
        const of = part === 'by' ? 'assignee' : part === 'from' || part === 'to' ? field : 'created';
        parts[part] = this.parseValues(of, `${part}:`);
        const single = part === 'after' || part === 'before' || part === 'during';
        if (single && parts[part].length > 1) throw new QueryError(parts[part][1]!.span, `${part}: takes one date`);
        lexer.skipBlanks();
      }
    }
    lexer.skipBlanks();
    if (!lexer.take(')')) {
      throw lexer.atEnd ? new QueryError(open, `this ${kind}( is never closed`) : this.fail('expected )');
    }
    this.countTerm(start);
    const { from = [], to = [], by = [], after, before, during } = parts;
    return {
      type: 'history',
      kind,
      field,
      from,
      to,
      by,
      after: after?.[0],
      before: before?.[0],
      during: during?.[0],
      span: lexer.spanFrom(start),
    };
  }

  private findRecorded(name: string, span: Span): string {
    const field = this.findFieldName(name, span);
    if (field.startsWith(CUSTOM_PREFIX) || getField(field)!.recorded) return field;
    const recorded = FIELDS.filter((each) => each.recorded).map((each) => formatFieldWord(each.name));
    throw new QueryError(span, `history does not record ${name}; it records ${recorded.join(', ')}`);
  }

  private fail(problem: string): QueryError {
    const { lexer } = this;
    return new QueryError(lexer.spanHere(), `${problem}; found ${lexer.describeHere()}`);
  }
}

const ORDERABLE = [...FIELDS.filter((field) => field.orderable).map((field) => formatFieldWord(field.name)), RELEVANCE];

function findOrderField(name: string): string | undefined {
  const field = findField(name);
  return field?.orderable === true ? field.name : undefined;
}

/** `; is "status" meant?`, else the list of what is known, if wanted. */
export function suggest(word: string, candidates: readonly string[], list = true): string {
  const near = findNearest(word, candidates);
  if (near !== undefined) return `; is ${quote(near)} meant?`;
  return list ? `; one of ${candidates.join(', ')} is expected` : '';
}
