/** What an order means: the values that rows are compared by. The reference for engines, and all that a Model in memory needs. */
import type { Issue, OrderKey } from '@bugless/proto';
import { getField, RELEVANCE } from '../field.ts';
import { compareIds, foldCase } from '../fold.ts';
import type { OrderValue, PagePosition } from '../page-token.ts';

/** The order of an empty one: what was changed last comes first. */
export const DEFAULT_ORDER: readonly OrderKey[] = [{ field: 'modified', descending: true }];

/**
 * Values of an issue under an order. Titles by foldCase; ids (`id`, `component`) as
 * decimals; an empty time or assignee is null, which comes before all others (so last when descending).
 */
export function readOrderValues(issue: Issue, order: readonly OrderKey[]): OrderValue[] {
  return order.map(({ field: name }) => {
    if (name === RELEVANCE) return null;
    const value = issue[getField(name)!.property!] as string | number | undefined;
    if (name === 'title') return foldCase(issue.title);
    return value === undefined || value === '' ? null : value;
  });
}

/** The place of an issue in an order: what a page token holds. */
export function readPosition(issue: Issue, order: readonly OrderKey[]): PagePosition {
  return { keys: readOrderValues(issue, order), id: issue.id };
}

/** Compares two places: keys in turn, ties by id, newest first. */
export function comparePositions(order: readonly OrderKey[]): (a: PagePosition, b: PagePosition) => number {
  return (a, b) => {
    for (const [index, { field, descending }] of order.entries()) {
      const kind = getField(field)?.kind;
      const ids = kind === 'issue' || kind === 'component';
      const compared = compareValues(a.keys[index] ?? null, b.keys[index] ?? null, ids);
      if (compared !== 0) return descending ? -compared : compared;
    }
    return compareIds(b.id, a.id);
  };
}

/** Compares issues under an order, as SearchIssues lists them. */
export function compareIssues(order: readonly OrderKey[]): (a: Issue, b: Issue) => number {
  const keys = order.length === 0 ? DEFAULT_ORDER : order;
  const compare = comparePositions(keys);
  return (a, b) => compare(readPosition(a, keys), readPosition(b, keys));
}

function compareValues(a: OrderValue, b: OrderValue, ids: boolean): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return ids ? compareIds(String(a), String(b)) : compareCodePoints(String(a), String(b));
}

/** Texts by code points, as UTF-8 bytes compare; `<` compares UTF-16, which puts U+E000… behind U+10000…. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x !== y) return (isSurrogate(x) ? x + 0x10000 : x) - (isSurrogate(y) ? y + 0x10000 : y);
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
