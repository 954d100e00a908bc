/** Reads the pieces of a query text: blanks, marks, words, texts in quotes, fields with their comparison. */
import { quote } from '../check.ts';
import type { Comparison, Span } from './ast.ts';
import { QueryError } from './error.ts';

const BLANKS = /\s*/y;
const FIELD = /([A-Za-z][A-Za-z0-9._-]*)(!=|>=|<=|[:=<>])/y;
const TEXT_WORD = /[^\s()|"]+/y;
const VALUE_WORD = /[^\s()|",]+/y;
const NAME = /[A-Za-z][A-Za-z0-9._-]*/y;

/** A cursor over the text. Nothing is read twice, so reading is linear. */
export class Lexer {
  readonly text: string;
  /** Code units read. */
  position = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.position >= this.text.length;
  }

  /** The span from a position to here. */
  spanFrom(start: number): Span {
    return { column: start + 1, length: this.position - start };
  }

  /** The span of what is read next: up to the next blank. */
  spanHere(): Span {
    const rest = /^[^\s]{0,60}/.exec(this.text.slice(this.position))!;
    return { column: this.position + 1, length: rest[0].length };
  }

  /** What stands here, for a message: `")"`, `the end`. */
  describeHere(): string {
    if (this.atEnd) return 'the end';
    const point = this.text.codePointAt(this.position)!;
    return quote(String.fromCodePoint(point));
  }

  /** An error at what stands here. */
  fail(problem: string): QueryError {
    return new QueryError(this.spanHere(), `${problem}; found ${this.describeHere()}`);
  }

  skipBlanks(): void {
    this.match(BLANKS);
  }

  /** Whether the text goes on with a mark; not read. */
  sees(mark: string): boolean {
    return this.text.startsWith(mark, this.position);
  }

  /** Whether a blank or the end stands here. */
  seesBlank(): boolean {
    return this.atEnd || /\s/.test(this.text[this.position]!);
  }

  /** Reads a mark if it stands here. */
  take(mark: string): boolean {
    if (!this.sees(mark)) return false;
    this.position += mark.length;
    return true;
  }

  /** Reads a keyword (`AND`, `OR`, `NOT`) if it stands here as a whole word. */
  takeKeyword(keyword: string): boolean {
    if (!this.sees(keyword)) return false;
    const next = this.text[this.position + keyword.length];
    if (next !== undefined && !/[\s()"]/.test(next)) return false;
    this.position += keyword.length;
    return true;
  }

  /** Reads `name:` or another comparison; undefined: none stands here. */
  takeField(): { name: string; comparison: Comparison; span: Span } | undefined {
    const start = this.position;
    const found = this.match(FIELD);
    if (found === undefined) return undefined;
    const [, name, comparison] = found;
    return { name: name!, comparison: comparison as Comparison, span: { column: start + 1, length: name!.length } };
  }

  /** Reads `name(` if it stands here, in any case. */
  takeCall(name: string): boolean {
    const end = this.position + name.length;
    if (this.text[end] !== '(' || this.text.slice(this.position, end).toLowerCase() !== name) return false;
    this.position += name.length + 1;
    return true;
  }

  takeName(): string | undefined {
    return this.match(NAME)?.[0];
  }

  /** Reads a bare word. */
  takeTextWord(): string | undefined {
    return this.match(TEXT_WORD)?.[0];
  }

  /** Reads a word in the place of a value, where a comma ends it. */
  takeValueWord(): string | undefined {
    return this.match(VALUE_WORD)?.[0];
  }

  /** Reads a text in quotes, in which `\"` is a quote and `\\` a backslash; undefined: none stands here. */
  takeQuoted(): string | undefined {
    const start = this.position;
    if (!this.take('"')) return undefined;
    let text = '';
    for (;;) {
      if (this.atEnd) {
        this.position = this.text.length;
        throw new QueryError(this.spanFrom(start), 'the text in quotes does not end; expected another "');
      }
      const char = this.text[this.position++]!;
      if (char === '"') return text;
      const next = this.text[this.position];
      if (char === '\\' && (next === '"' || next === '\\')) {
        text += next;
        this.position++;
      } else text += char;
    }
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.position += found[0].length;
    return found;
  }
}
