/** Names of fields as queries write them, and what is said of unknown ones. */
import { quote } from '../check.ts';
import { CUSTOM_PREFIX, FIELDS, findField, formatFieldWord, getField, parseCustomName, RELEVANCE } from '../field.ts';
import { findNearest } from '../suggestion.ts';
import type { Span } from './ast.ts';
import { QueryError } from './error.ts';

/** Words after `is:`. */
export const IS_WORDS = ['open', 'closed', 'blocked', 'starred', 'archived'];
/** Words that begin an order. */
export const ORDER_WORDS = ['orderby', 'sort'];
/** Words before a colon that are no fields. */
export const SPECIAL_WORDS = ['has', 'is', ...ORDER_WORDS];
const FIELD_WORDS = FIELDS.filter((field) => field.operators.length > 0).flatMap((field) => [
  formatFieldWord(field.name),
  ...field.aliases.filter((alias) => alias.length > 1),
]);

/** Words that an order may name. */
export const ORDERABLE = [
  ...FIELDS.filter((field) => field.orderable).map((field) => formatFieldWord(field.name)),
  RELEVANCE,
];

/** The canonical name of a field to order by; undefined: there is none. */
export function findOrderField(name: string): string | undefined {
  if (name.toLowerCase() === RELEVANCE) return RELEVANCE;
  const field = findField(name);
  return field?.orderable === true ? field.name : undefined;
}

/** `; is "status" meant?`, else the list of what is known, if wanted. */
export function suggest(word: string, candidates: readonly string[], list = true): string {
  const near = findNearest(word, candidates);
  if (near !== undefined) return `; is ${quote(near)} meant?`;
  return list ? `; one of ${candidates.join(', ')} is expected` : '';
}

/** The canonical name of a field to search. */
export function findFieldName(name: string, span: Span): string {
  const custom = parseCustomName(name);
  if (custom !== undefined) return CUSTOM_PREFIX + custom;
  const field = findField(name);
  if (field !== undefined && field.operators.length > 0) return field.name;
  const hint = suggest(name, [...FIELD_WORDS, ...SPECIAL_WORDS], false);
  throw new QueryError(span, `there is no field ${quote(name)}${hint}; to search for the text, put it in quotes`);
}

/** The canonical name of a field whose history is asked for. */
export function findRecorded(name: string, span: Span): string {
  const field = findFieldName(name, span);
  if (field.startsWith(CUSTOM_PREFIX) || getField(field)!.recorded) return field;
  const recorded = FIELDS.filter((each) => each.recorded).map((each) => formatFieldWord(each.name));
  throw new QueryError(span, `history does not record ${name}; it records ${recorded.join(', ')}`);
}
