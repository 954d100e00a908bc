import { hash } from 'node:crypto';
import { invalidField, ServiceError } from '@bugless/kit/service';

const STANDARD_SIZE = 50;
/** Largest page of a list, in rows. */
export const MAX_PAGE_SIZE = 500;

/** A key that is any text. */
const TEXT_KEY = /^[^\p{Cc}]+$/u;
/** A key that is an int64. */
export const NUMBER_KEY = /^[0-9]{1,18}$/;

/** A page that was asked for. */
export interface Page {
  readonly size: number;
  /** Key of the last row before it; undefined: from the start. */
  readonly after: string | undefined;
  readonly scope: string;
}

/**
 * Reads the page fields of a list request. A token holds the key of the last row and a mark
 * of the list it belongs to (its name and filters), no authority. `form` is what a key looks like.
 *
 * Throws INVALID_FIELD, BAD_PAGE_TOKEN.
 */
export function readPageToken(
  request: { pageSize: number; pageToken: string },
  list: readonly unknown[],
  form: RegExp = TEXT_KEY,
): Page {
  if (request.pageSize < 0) throw invalidField('page_size', 'is negative; 0 means 50');
  const size = Math.min(request.pageSize || STANDARD_SIZE, MAX_PAGE_SIZE);
  const scope = hash('sha256', JSON.stringify(list), 'base64url').slice(0, 8);
  if (request.pageToken === '') return { size, after: undefined, scope };
  const text = Buffer.from(request.pageToken, 'base64url').toString();
  const after = text.slice(scope.length);
  if (!text.startsWith(scope) || !form.test(after) || writePageToken(scope, after) !== request.pageToken) {
    throw new ServiceError('BAD_PAGE_TOKEN', 'page_token: not one of this list; start from the first page', {
      violations: [{ field: 'page_token', description: 'not one of this list' }],
    });
  }
  return { size, after, scope };
}

function writePageToken(scope: string, key: string): string {
  return Buffer.from(scope + key).toString('base64url');
}

/** Cuts rows, of which one more than the page was read, and makes the token of the next page. */
export function takePage<Row>(
  page: Page,
  rows: readonly Row[],
  key: (row: Row) => string,
): { readonly shown: readonly Row[]; readonly nextPageToken: string } {
  const shown = rows.slice(0, page.size);
  const last = shown.at(-1);
  const nextPageToken = rows.length > page.size && last !== undefined ? writePageToken(page.scope, key(last)) : '';
  return { shown, nextPageToken };
}
