import type { FilterTerm } from '@bugless/kit/service';
import { FilterOperator } from '@bugless/kit/service';
import { formatCustomKey } from '../issue-row.ts';
import { KEY_KIND } from '../schema/key-kind.ts';
import { COMPARISONS, type ConditionScope } from './condition.ts';

/** A condition on a custom field: exact values by their key, numbers and dates by the value in the issue. */
export function writeCustomField(name: string, term: FilterTerm, scope: ConditionScope): string {
  const { statement } = scope;
  const values = `(i.custom_fields -> ${statement.bind(name, 'text')})`;
  const present = `coalesce(${values} is not null, false)`;
  if (term.operator === FilterOperator.PRESENT) return present;

  const keys: string[] = [];
  const parts: string[] = [];
  const first = `(${values} ->> 0)`;
  for (const { kind } of term.values) {
    const comparison = COMPARISONS[term.operator];
    if (kind?.$case === 'text') keys.push(formatCustomKey(name, kind.value.text));
    else if (kind?.$case === 'user') keys.push(formatCustomKey(name, kind.value));
    else if (kind?.$case === 'reference') keys.push(formatCustomKey(name, kind.value.id));
    else if (kind?.$case === 'number') {
      parts.push(`${first}::float8 ${comparison ?? '='} ${statement.bind(kind.value, 'float8')}`);
    } else if (kind?.$case === 'range') {
      const { min, max } = kind.value;
      const span = [
        min === undefined ? '' : `${first}::float8 >= ${statement.bind(min, 'float8')}`,
        max === undefined ? '' : `${first}::float8 <= ${statement.bind(max, 'float8')}`,
      ].filter((end) => end !== '');
      parts.push(`(${span.join(' and ') || 'true'})`);
    } else if (kind?.$case === 'time') {
      // Dates are kept as YYYY-MM-DD, which compare as text.
      const { start, end } = kind.value;
      const span = [
        start === undefined ? '' : `${first} >= ${statement.bind(start.slice(0, 10), 'text')}`,
        end === undefined ? '' : `${first} < ${statement.bind(end.slice(0, 10), 'text')}`,
      ].filter((end) => end !== '');
      parts.push(`(${span.join(' and ') || 'true'})`);
    }
  }
  const conditions: string[] = [];
  if (keys.length > 0) {
    conditions.push(
      `exists (select 1 from issue_key k where k.issue_id = i.id and k.kind = ${KEY_KIND.CUSTOM_FIELD} and k.key = any(${statement.bind(keys, 'text[]')}))`,
    );
  }
  // CASE keeps casts away from issues that lack the field.
  if (parts.length > 0) conditions.push(`(case when ${present} then ${parts.join(' or ')} else false end)`);
  return conditions.length === 0 ? 'false' : `(${conditions.join(' or ')})`;
}
