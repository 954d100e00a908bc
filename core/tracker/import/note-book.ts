import type { SourceNote } from './source.ts';

/** The longest title that an issue can have, in UTF-16 code units. */
const MAX_TITLE = 500;
/** The longest comment, in UTF-8 bytes. */
export const MAX_COMMENT_BYTES = 1024 * 1024;
/** The longest value of a custom field, in characters; UTF-16 code units are at least as many. */
const MAX_CUSTOM_VALUE = 10_000;

/** Mends the texts of one issue so that every store takes them, and notes what it mended. */
export class NoteBook {
  readonly #counts = new Map<string, number>();

  /** Notes something that was mended or left out. */
  add(what: string, count = 1): void {
    if (count > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  /** The notes so far, most frequent kinds as they came. */
  list(): SourceNote[] {
    return [...this.#counts].map(([what, count]) => ({ what, count }));
  }

  /** Text without what Postgres or UTF-8 refuse: NUL and lone surrogates; line ends as LF. */
  cleanText(text: string): string {
    let clean = text;
    if (clean.includes('\u0000')) {
      this.add('NUL characters removed', clean.split('\u0000').length - 1);
      clean = clean.replaceAll('\u0000', '');
    }
    if (!clean.isWellFormed()) {
      this.add('broken Unicode characters replaced by U+FFFD');
      clean = clean.toWellFormed();
    }
    return clean.includes('\r') ? clean.replace(/\r\n?/g, '\n') : clean;
  }

  /** A title: one line, not empty, not too long. */
  cleanTitle(text: string): string {
    const line = this.cleanText(text)
      .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
      .trim();
    if (line === '') {
      this.add('missing titles replaced by (no title)');
      return '(no title)';
    }
    if (line.length <= MAX_TITLE) return line;
    this.add('titles cut to 500 characters');
    return `${line
      .slice(0, MAX_TITLE - 1)
      .toWellFormed()
      .replace(/\uFFFD$/, '')}…`;
  }

  /** A label or version: no white space or comma where labels allow none. */
  cleanLabel(text: string): string {
    const label = this.cleanText(text)
      .trim()
      .replace(/[\s,\p{Cc}]+/gu, '-');
    return label.slice(0, 100).toWellFormed();
  }

  /** A version: as a label, but with white space inside. */
  cleanVersion(text: string): string {
    return this.cleanText(text)
      .replace(/[,\p{Cc}\u2028\u2029]+/gu, ' ')
      .trim()
      .slice(0, 100)
      .trim()
      .toWellFormed();
  }

  /** The first `max` of a list that can't be longer. */
  limitList<T>(what: string, values: readonly T[], max: number): readonly T[] {
    if (values.length <= max) return values;
    this.add(`${what} beyond ${max} of one issue left out`, values.length - max);
    return values.slice(0, max);
  }

  /** Takes values that no custom field can hold out of the fields; returns each as a comment, or several. */
  takeLongValues(fields: Record<string, string>): string[] {
    const comments: string[] = [];
    for (const [name, value] of Object.entries(fields)) {
      if (value.length <= MAX_CUSTOM_VALUE) continue;
      delete fields[name];
      this.add('values over 10,000 characters moved from a field to a comment');
      comments.push(...this.splitComment(`${name}:\n\n${value}`));
    }
    return comments;
  }

  /** A comment in pieces that each fit: nearly always one. */
  splitComment(text: string): string[] {
    const clean = this.cleanText(text);
    if (clean.length * 3 <= MAX_COMMENT_BYTES || Buffer.byteLength(clean) <= MAX_COMMENT_BYTES) return [clean];
    const bytes = Buffer.from(clean);
    const pieces: string[] = [];
    let start = 0;
    while (start < bytes.length) {
      let end = Math.min(start + MAX_COMMENT_BYTES, bytes.length);
      // Never inside a character: continuation bytes are 10xxxxxx.
      while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end -= 1;
      pieces.push(bytes.subarray(start, end).toString());
      start = end;
    }
    this.add('comments over 1 MiB split');
    return pieces;
  }
}
