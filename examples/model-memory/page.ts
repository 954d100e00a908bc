import { decodePageToken, encodePageToken, fingerprintRequest } from '@bugless/kit/domain';

/** Largest page; a larger page_size is lowered to it. */
export const MAX_PAGE_SIZE = 500;
const USUAL_PAGE_SIZE = 50;

/** As every request for a list has it. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Part of a list. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Empty: the list ends here. */
  readonly nextPageToken: string;
}

/**
 * Cuts a page out of rows in their order. The token holds the keys of the last
 * row shown, not a count: the next page begins behind them, whatever was written
 * in between. `parts` are the other fields of the request, for which alone the token is good.
 */
export function paginate<Row>(
  rows: readonly Row[],
  request: PageRequest,
  parts: readonly unknown[],
  keysOf: (row: Row) => readonly string[],
  compare: (a: readonly string[], b: readonly string[]) => number,
): Page<Row> {
  const fingerprint = fingerprintRequest(...parts);
  const position = decodePageToken(request.pageToken, fingerprint);
  const rest = position ? rows.filter((row) => compare(keysOf(row), position.keys.map(String)) > 0) : rows;
  const page = rest.slice(0, readPageSize(request.pageSize));
  const last = page.at(-1);
  if (last === undefined || page.length === rest.length) return { rows: page, nextPageToken: '' };
  return { rows: page, nextPageToken: encodePageToken({ keys: [...keysOf(last)], id: '' }, fingerprint) };
}

/** How many rows a page has: 0 asks for the usual number. */
export function readPageSize(asked: number): number {
  return asked <= 0 ? USUAL_PAGE_SIZE : Math.min(asked, MAX_PAGE_SIZE);
}
