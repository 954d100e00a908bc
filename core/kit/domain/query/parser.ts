/** Text → tree. The grammar stands in README.md beside this file. */
import type { OrderKey } from '@bugless/proto';
import { quote } from '../check.ts';
import type { Comparison, HistoryNode, Query, QueryNode, QueryValue, Span, TermNode } from './ast.ts';
import { QueryError } from './error.ts';
import { Lexer } from './lexer.ts';
import { QUERY_LIMITS } from './limit.ts';
import {
  findFieldName,
  findOrderField,
  findRecorded,
  IS_WORDS,
  ORDER_WORDS,
  ORDERABLE,
  SPECIAL_WORDS,
  suggest,
} from './name.ts';
import { finishWord, makeWord, parseValues } from './value-parser.ts';

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
    if (!lexer.atEnd) throw lexer.fail(lexer.sees(')') ? 'this ) was never opened' : 'expected a term');
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
      const at = lexer.position;
      if (lexer.takeKeyword('AND')) {
        const keyword = lexer.spanFrom(at);
        if (count === 0) throw new QueryError(keyword, 'expected a term before AND');
        lexer.skipBlanks();
        if (this.endsHere()) throw new QueryError(keyword, 'expected a term after AND');
      }
      if (count > 0 && this.endsHere()) break;
      const next = this.parseUnary(level);
      if (next !== undefined) operands.push(next);
      end = lexer.position;
      if (!lexer.seesBlank() && !lexer.sees(')')) {
        throw lexer.fail('expected a blank between terms; put the whole in quotes to search for it as it stands');
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
    if (lexer.sees('-')) throw lexer.fail('expected a term, not a second negation; write -(-a) if that is meant');
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
      if (lexer.sees(')')) throw lexer.fail('expected a term between ( and )');
      if (lexer.atEnd) throw new QueryError(open, 'this ( is never closed');
      const inner = this.parseOr(level + 1);
      if (!lexer.take(')'))
        throw lexer.atEnd ? new QueryError(open, 'this ( is never closed') : lexer.fail('expected )');
      return inner;
    }
    if (lexer.sees('|'))
      throw lexer.fail('| stands only between values, as in status:(new|fixed); use OR between terms');
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
    if (word === undefined) throw lexer.fail('expected a term');
    if (quoted === undefined && /^(AND|OR|NOT)$/.test(word)) {
      throw new QueryError(
        lexer.spanFrom(start),
        `expected a term before ${word}; to search for the word, put it in quotes`,
      );
    }
    this.countTerm(start);
    if (quoted === undefined && /^p[0-4]$/i.test(word)) {
      const value = makeWord(word, false, false, false, lexer.spanFrom(start));
      return { type: 'term', field: 'priority', comparison: ':', values: [value], span: value.span };
    }
    const value = finishWord(lexer, word, quoted !== undefined, 'text', start);
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
    const field = findFieldName(head.name, head.span);
    const values = parseValues(lexer, field, `${head.name}${head.comparison}`);
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
    if (name === undefined) throw lexer.fail(`expected ${expected}, directly after ${word}:`);
    this.countTerm(start);
    if (word === 'has') {
      const field = findFieldName(name, span);
      return this.makeTerm(field, 'any', start, span);
    }
    const flag = name.toLowerCase();
    if (!IS_WORDS.includes(flag))
      throw new QueryError(span, `${quote(name)} is unknown after is:${suggest(name, IS_WORDS)}`);
    return flag === 'closed' ? this.makeTerm('open', 'false', start, span) : this.makeTerm(flag, 'true', start, span);
  }

  private makeTerm(field: string, word: string, start: number, span: Span): TermNode {
    const value = makeWord(word, false, false, false, span);
    return { type: 'term', field, comparison: ':', values: [value], span: this.lexer.spanFrom(start) };
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
      const field = findOrderField(name);
      if (field === undefined)
        throw new QueryError(span, `can not order by ${quote(name)}${suggest(name, ORDERABLE)}`, 'BAD_ORDER');
      if (keys.some((key) => key.field === field)) throw new QueryError(span, `orders by ${name} twice`, 'BAD_ORDER');
      keys.push({ field, descending });
      if (keys.length > QUERY_LIMITS.orderKeys) {
        throw new QueryError(span, `an order has at most ${QUERY_LIMITS.orderKeys} fields`, 'BAD_ORDER');
      }
    } while (lexer.take(','));
    if (!lexer.atEnd && !lexer.seesBlank() && !lexer.sees(')')) throw lexer.fail('expected a comma or a blank');
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
        throw lexer.fail('expected a field with a value, as in was(status:new)');
      field = findRecorded(head.name, head.span);
      parts.to = parseValues(lexer, field, `${head.name}:`);
    } else {
      const at = lexer.position;
      const name = lexer.takeName();
      if (name === undefined || (!lexer.seesBlank() && !lexer.sees(')'))) {
        throw lexer.fail(
          'expected a field alone, then from: to: by: after: before: during:, as in changed(status to:fixed by:me)',
        );
      }
      field = findRecorded(name, lexer.spanFrom(at));
      lexer.skipBlanks();
      while (!lexer.sees(')') && !lexer.atEnd) {
        const head = lexer.takeField();
        const word = head?.name.toLowerCase();
        const words = ['from', 'to', 'by', 'after', 'before', 'during'] as const;
        const part = words.find((each) => each === word);
        if (part === undefined || head?.comparison !== ':') {
          if (head === undefined) throw lexer.fail(`expected one of ${words.join(': ')}:`);
          throw new QueryError(head.span, `expected one of ${words.join(': ')}:, not ${quote(head.name)}`);
        }
        if (parts[part] !== undefined) throw new QueryError(head.span, `${part}: is given twice`);
        const of = part === 'by' ? 'assignee' : part === 'from' || part === 'to' ? field : 'created';
        parts[part] = parseValues(lexer, of, `${part}:`);
        const single = part === 'after' || part === 'before' || part === 'during';
        if (single && parts[part].length > 1) throw new QueryError(parts[part][1]!.span, `${part}: takes one date`);
        lexer.skipBlanks();
      }
    }
    lexer.skipBlanks();
    if (!lexer.take(')')) {
      throw lexer.atEnd ? new QueryError(open, `this ${kind}( is never closed`) : lexer.fail('expected )');
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
}
