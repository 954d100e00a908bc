import { tokenize } from '@bugless/kit/domain';
import type { FilterTerm, FilterText } from '@bugless/kit/service';
import { FilterOperator } from '@bugless/kit/service';
import type { ConditionScope } from './condition.ts';

/** Which texts of an issue a field means, by their sequence in doc: 0 the title, 1 the description, more are comments. */
export const TEXT_SEQUENCES: Readonly<Record<string, string>> = {
  text: '',
  title: ' and d.sequence = 0',
  description: ' and d.sequence = 1',
  comment: ' and d.sequence >= 2',
};

/** A condition on a field of text: one text of the issue that the caller may read has the words. */
export function writeText(term: FilterTerm, scope: ConditionScope): string {
  const sequence = TEXT_SEQUENCES[term.field] ?? '';
  if (term.operator === FilterOperator.PRESENT) {
    // A text may be there and have no word.
    const which = sequence.replace('d.sequence', 'u.sequence');
    return scope.spelling.exists(
      `issue_update u where u.issue_id = i.id${which} and u.comment <> ''${writeReadable('u', scope)}`,
    );
  }
  const matches = term.values.flatMap((value) =>
    value.kind?.$case === 'text' ? [writeMatch(value.kind.value, scope)] : [],
  );
  const has = matches.length === 0 ? 'false' : `(${matches.join(' or ')})`;
  return scope.spelling.exists(`doc d where d.issue_id = i.id${sequence} and ${has}${writeReadable('d', scope)}`);
}

/** Restricted comments exist only for those who may edit; empty where the caller reads all. `alias`: of doc, or of issue_update beside issue `i`. */
export function writeReadable(alias: 'd' | 'u', { statement, visibility }: ConditionScope): string {
  if (visibility.everything && visibility.restrictedToo) return '';
  const acl = alias === 'd' ? 'd.acl' : 'i.acl';
  return ` and (not ${alias}.restricted or ${acl} + 0 = any(${statement.bind(visibility.restricted, 'int4[]')}))`;
}

/** The condition that the text in the row `d` of doc has the words. Text without any word matches nothing. */
export function writeMatch(text: FilterText, scope: ConditionScope): string {
  const words = tokenize(text.text);
  if (words.length === 0) return 'false';
  if (scope.textSearch === 'tsvector') {
    return `d.words @@ ${scope.statement.bind(writeWordQuery(words, text), 'tsquery')}`;
  }
  const { whole, pattern } = readTokens(text);
  const parts = whole.length === 0 ? [] : [`d.words @> ${scope.statement.bind(whole, 'text[]')}`];
  // The words in their order, a blank on either side of each.
  const spaced = `(' ' || array_to_string(d.words, ' ') || ' ')`;
  if (pattern !== undefined) parts.push(`${spaced} like ${scope.statement.bind(pattern, 'text')}`);
  return parts.join(' and ');
}

/** What an array of words has to hold: whole words, and what has to be in it by a pattern besides. */
function readTokens({ text, phrase, prefix }: FilterText): { whole: string[]; pattern: string | undefined } {
  const words = tokenize(text);
  const whole = prefix ? words.slice(0, -1) : words;
  const inOrder = phrase && words.length > 1 ? words : prefix ? words.slice(-1) : [];
  if (inOrder.length === 0) return { whole, pattern: undefined };
  return { whole, pattern: `% ${escapeLike(inOrder.join(' '))}${prefix ? '' : ' '}%` };
}

/** Whether the index over words finds the text: an array's index knows whole words only. */
export function isIndexed(text: FilterText, textSearch: ConditionScope['textSearch']): boolean {
  return textSearch === 'tsvector' || readTokens(text).whole.length > 0;
}

/** A tsquery: every word quoted, so that none is read as an operator. */
function writeWordQuery(words: readonly string[], { phrase, prefix }: FilterText): string {
  const quoted = words.map((word) => `'${word.replace(/['\\]/g, '$&$&')}'`);
  if (prefix) quoted[quoted.length - 1] += ':*';
  return quoted.join(phrase ? ' <-> ' : ' & ');
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
