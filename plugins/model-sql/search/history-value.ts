import { foldCase, getField, tokenize } from '@bugless/kit/domain';
import type { FilterValue, HistoryTerm } from '@bugless/kit/service';
import { cutText } from '../issue-row.ts';
import type { ConditionScope } from './condition.ts';

/** Values in field_change are cut to so many characters. */
const MAX_VALUE = 100;

/** Values of a history term that field_change holds to the letter: enum words, ids, `true`, `''` for none. */
export function listExactValues(field: string, values: readonly FilterValue[], scope: ConditionScope): string[] {
  const words = getField(field)?.words;
  return values.flatMap(({ kind }) => {
    switch (kind?.$case) {
      case 'number':
        return words ? [kind.value === 0 ? '' : words.format(kind.value)] : [String(kind.value)];
      case 'range': {
        const { min = 0, max = Number.MAX_VALUE } = kind.value;
        return words
          ? words.numbers
              .filter((each) => each >= min && each <= max)
              .map((each) => (each === 0 ? '' : words.format(each)))
          : [];
      }
      case 'reference':
        if (kind.value.id === '0') return [''];
        return kind.value.subtree ? scope.listBelow(kind.value.id) : [kind.value.id];
      case 'user':
        return [kind.value];
      case 'flag':
        return [kind.value ? 'true' : ''];
      default:
        return [];
    }
  });
}

/** Whether {@link listExactValues} says all that the values mean. */
export function isExact(field: string, values: readonly FilterValue[]): boolean {
  const words = getField(field)?.words;
  return values.every(({ kind }) => {
    if (kind?.$case === 'text' || kind?.$case === 'time') return false;
    return words !== undefined || (kind?.$case !== 'range' && kind?.$case !== 'number');
  });
}

/** The condition that a column of field_change holds one of the values. */
export function writeHistoryValue(
  column: string,
  term: HistoryTerm,
  values: readonly FilterValue[],
  scope: ConditionScope,
): string {
  const { statement } = scope;
  const exact = listExactValues(term.field, values, scope);
  const parts = exact.length > 0 ? [`${column} = any(${statement.bind(exact, 'text[]')})`] : [];
  const number = `(case when ${column} ~ '^-?[0-9]+([.][0-9]+)?$' then ${column}::float8 end)`;
  for (const { kind } of values) {
    if (kind?.$case === 'text') parts.push(writeTextValue(column, term.field, kind.value.text, scope));
    else if (kind?.$case === 'number' && getField(term.field)?.words === undefined) {
      parts.push(`coalesce(${number} = ${statement.bind(kind.value, 'float8')}, false)`);
    } else if (kind?.$case === 'range' && getField(term.field)?.words === undefined) {
      const { min, max } = kind.value;
      const ends = [
        min === undefined ? '' : `${number} >= ${statement.bind(min, 'float8')}`,
        max === undefined ? '' : `${number} <= ${statement.bind(max, 'float8')}`,
      ].filter((end) => end !== '');
      parts.push(`coalesce(${ends.join(' and ')}, false)`);
    } else if (kind?.$case === 'time') {
      // A custom date, YYYY-MM-DD.
      const { start, end } = kind.value;
      const ends = [
        `${column} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'`,
        start === undefined ? '' : `${column} >= ${statement.bind(firstDay(start), 'text')}`,
        end === undefined ? '' : `${column} < ${statement.bind(firstDay(end), 'text')}`,
      ].filter((part) => part !== '');
      parts.push(`(${ends.join(' and ')})`);
    }
  }
  return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`;
}

/** The first day (UTC) whose beginning is not before a time: spans of times compare with days by their beginnings. */
export function firstDay(time: string): string {
  const day = time.slice(0, 10);
  return time.slice(10) === 'T00:00:00.000Z'
    ? day
    : new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

function writeTextValue(column: string, field: string, text: string, scope: ConditionScope): string {
  if (getField(field)?.kind !== 'text') {
    return `lower(${column}) = ${scope.statement.bind(cutText(foldCase(text), MAX_VALUE), 'text')}`;
  }
  // Titles, by their words: split by the engine here, since history keeps no words of its own.
  const words = tokenize(text).map((word) => ` ${word} `);
  const places = words.map((word) => scope.statement.bind(word, 'text'));
  const spaced = `(' ' || regexp_replace(lower(${column}), '${scope.spelling.wordBreak}', ' ', 'g') || ' ')`;
  return `(${places.map((place) => `position(${place} in ${spaced}) > 0`).join(' and ')})`;
}
