import pg from 'pg';

const TIMESTAMP = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/;

/**
 * Turns the server's text of a timestamptz (session in UTC, DateStyle ISO) into ISO 8601:
 * `2026-01-31T12:34:56.789Z`. Milliseconds always; up to six digits only when the column holds
 * more than milliseconds, so that a keyset compares exactly. What has no such form
 * (infinity, years before 1 or beyond 9999) stays as the server wrote it.
 */
export function formatTimestamp(text: string): string {
  // Milliseconds, the trailing zeros left out by the server: nearly all that ever comes.
  const { length } = text;
  if (length >= 22 && length <= 26 && text.charCodeAt(4) === 45 && text.charCodeAt(10) === 32 && text.endsWith('+00')) {
    const day = text.slice(0, 10);
    const time = text.slice(11, 19);
    switch (length) {
      case 22:
        return `${day}T${time}.000Z`;
      case 24:
        return `${day}T${time}.${text.slice(20, 21)}00Z`;
      case 25:
        return `${day}T${time}.${text.slice(20, 22)}0Z`;
      case 26:
        return `${day}T${time}.${text.slice(20, 23)}Z`;
    }
  }
  const parts = TIMESTAMP.exec(text);
  return parts ? `${parts[1]}T${parts[2]}.${(parts[3] ?? '').padEnd(3, '0')}Z` : text;
}

type Parser = (text: string) => unknown;

const keepText: Parser = (text) => text;
const parseAnyArray = pg.types.getTypeParser(1009 as 25) as (text: string) => (string | null)[];

/** One-dimensional text arrays. Most are empty or hold plain words; only others need the driver's parser. */
function parseTextArray(text: string): (string | null)[] {
  if (text === '{}') return [];
  if (text.charCodeAt(0) !== 123 || /["\\{]|null/i.test(text.slice(1))) return parseAnyArray(text);
  return text.slice(1, -1).split(',');
}

const parseTimestampArray: Parser = (text) =>
  parseTextArray(text).map((value) => (value === null ? null : formatTimestamp(value)));

/** By object identifier in pg_type: what is read otherwise than by the driver's defaults. */
const PARSERS = new Map<number, Parser>([
  // int8, date, timestamp, interval
  ...[20, 1082, 1114, 1186].map((oid): [number, Parser] => [oid, keepText]),
  // arrays of text, varchar and int8, date, timestamp, interval
  ...[1009, 1015, 1016, 1182, 1115, 1187].map((oid): [number, Parser] => [oid, parseTextArray]),
  // timestamptz
  [1184, formatTimestamp],
  [1185, parseTimestampArray],
]);

/** How values come from the server; a class, because the ORM merges plain objects. */
export class ValueParsers {
  getTypeParser(oid: number, format?: 'text' | 'binary'): Parser {
    const own = format === 'binary' ? undefined : PARSERS.get(oid);
    return own ?? (pg.types.getTypeParser(oid, format as 'text') as Parser);
  }
}
