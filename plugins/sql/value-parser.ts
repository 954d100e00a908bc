import pg from 'pg';

const TIMESTAMP = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/;

/**
 * Turns the server's text of a timestamptz (session in UTC, DateStyle ISO) into ISO 8601:
 * `2026-01-31T12:34:56.789Z`. Milliseconds always; up to six digits only when the column holds
 * more than milliseconds, so that a keyset compares exactly. What has no such form
 * (infinity, years before 1 or beyond 9999) stays as the server wrote it.
 */
export function formatTimestamp(text: string): string {
  const parts = TIMESTAMP.exec(text);
  return parts ? `${parts[1]}T${parts[2]}.${(parts[3] ?? '').padEnd(3, '0')}Z` : text;
}

type Parser = (text: string) => unknown;

const keepText: Parser = (text) => text;
const parseTextArray = pg.types.getTypeParser(1009 as 25) as (text: string) => (string | null)[];
const parseTimestampArray: Parser = (text) =>
  parseTextArray(text).map((value) => (value === null ? null : formatTimestamp(value)));

/** By object identifier in pg_type: what is read otherwise than by the driver's defaults. */
const PARSERS = new Map<number, Parser>([
  // int8, date, timestamp, interval
  ...[20, 1082, 1114, 1186].map((oid): [number, Parser] => [oid, keepText]),
  ...[1016, 1182, 1115, 1187].map((oid): [number, Parser] => [oid, parseTextArray]),
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
