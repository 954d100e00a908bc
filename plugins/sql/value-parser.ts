import pg from 'pg';

/** Object identifiers of the types in pg_type that are read otherwise than by the driver's defaults. */
const OID = {
  int8: 20,
  int8Array: 1016,
  date: 1082,
  dateArray: 1182,
  timestamptz: 1184,
  timestamptzArray: 1185,
} as const;

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

const keepText = (text: string): string => text;
const parseTextArray = pg.types.getTypeParser(1009) as (text: string) => (string | null)[];

const PARSERS = new Map<number, (text: string) => unknown>([
  [OID.int8, keepText],
  [OID.int8Array, parseTextArray],
  [OID.date, keepText],
  [OID.dateArray, parseTextArray],
  [OID.timestamptz, formatTimestamp],
  [
    OID.timestamptzArray,
    (text) => parseTextArray(text).map((value) => (value === null ? null : formatTimestamp(value))),
  ],
]);

/** Asks the given types first only where PARSERS says nothing. */
export function createTypes(base: pg.CustomTypesConfig | undefined): pg.CustomTypesConfig {
  const fallback = base ?? pg.types;
  return {
    getTypeParser(oid: number, format?: 'text' | 'binary') {
      const own = format === 'binary' ? undefined : PARSERS.get(oid);
      return own ?? fallback.getTypeParser(oid, format as 'text');
    },
  } as pg.CustomTypesConfig;
}
