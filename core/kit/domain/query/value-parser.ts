/** The part of the grammar behind a field: values, lists of them, ranges, groups. */
import { type FieldKind, getField } from '../field.ts';
import type { QueryValue, Span, WordValue } from './ast.ts';
import { QueryError } from './error.ts';
import type { Lexer } from './lexer.ts';
import { QUERY_LIMITS } from './limit.ts';

const RANGE_KINDS: readonly FieldKind[] = ['time', 'number', 'enum'];

/** A word, as a node of the tree. */
export function makeWord(text: string, quoted: boolean, prefix: boolean, subtree: boolean, span: Span): WordValue {
  return { type: 'word', text, quoted, prefix, subtree, span };
}

/** `value ("," value)*` or `"(" value (("|"|"OR"|",") value)* ")"`. */
export function parseValues(lexer: Lexer, field: string, head: string): QueryValue[] {
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
      push(parseValue(lexer, field, 'expected a value'));
      lexer.skipBlanks();
    } while (lexer.take('|') || lexer.take(',') || lexer.takeKeyword('OR'));
    if (!lexer.take(')')) {
      throw lexer.atEnd ? new QueryError(open, 'this ( is never closed') : lexer.fail('expected | or ) between values');
    }
    return values;
  }
  do push(parseValue(lexer, field, `expected a value directly after ${values.length === 0 ? head : 'the comma'}`));
  while (lexer.take(','));
  return values;
}

function parseValue(lexer: Lexer, field: string, expected: string): QueryValue {
  const start = lexer.position;
  const kind = getField(field)?.kind;
  if ((kind === undefined || kind === 'user' || kind === 'users') && lexer.takeCall('group'))
    return parseGroup(lexer, start);
  const ranges = kind === undefined || RANGE_KINDS.includes(kind);
  const quoted = lexer.takeQuoted();
  if (quoted !== undefined) {
    if (ranges && lexer.take('..')) {
      const to = lexer.takeQuoted() ?? readEnd(lexer, lexer.takeValueWord());
      return { type: 'range', from: quoted, to, span: lexer.spanFrom(start) };
    }
    return finishWord(lexer, quoted, true, field, start);
  }
  const word = lexer.takeValueWord();
  if (word === undefined) throw lexer.fail(expected);
  const dots = ranges ? word.indexOf('..') : -1;
  if (dots < 0) return finishWord(lexer, word, false, field, start);
  const to = word.length === dots + 2 ? lexer.takeQuoted() : undefined;
  const ends = { from: readEnd(lexer, word.slice(0, dots)), to: to ?? readEnd(lexer, word.slice(dots + 2)) };
  const span = lexer.spanFrom(start);
  if (ends.from === undefined && ends.to === undefined) throw new QueryError(span, '*..* has no end; use has: instead');
  return { type: 'range', ...ends, span };
}

function readEnd(lexer: Lexer, word: string | undefined): string | undefined {
  if (word === undefined || word === '')
    throw lexer.fail('expected both ends of the range, as in a..b; * leaves one open');
  return word === '*' ? undefined : word;
}

function parseGroup(lexer: Lexer, start: number): QueryValue {
  lexer.skipBlanks();
  const name = lexer.takeQuoted() ?? lexer.takeValueWord();
  if (name === undefined) throw lexer.fail('expected the name of a group, as in group(ops)');
  lexer.skipBlanks();
  if (!lexer.take(')')) throw lexer.fail('expected ) after the name of the group');
  return { type: 'group', name, span: lexer.spanFrom(start) };
}

/** Reads the marks behind a word: `*` of texts, `+` of components. */
export function finishWord(lexer: Lexer, word: string, quoted: boolean, field: string, start: number): WordValue {
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
  return makeWord(text, quoted, prefix, subtree, span);
}
