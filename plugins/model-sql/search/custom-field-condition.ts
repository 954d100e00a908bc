import type { FilterTerm } from '@bugless/kit/service';
import { FilterOperator } from '@bugless/kit/service';
import { formatCustomKey } from '../issue-row.ts';
import { KEY_KIND } from '../schema/key-kind.ts';
import { COMPARISONS, type ConditionScope } from './condition.ts';
import { firstDay } from './history-value.ts';

/** A condition on a custom field: exact values by their key, numbers and dates by the value in the issue. */
export function writeCustomField(name: string, term: FilterTerm, scope: ConditionScope): string {
  const { statement, spelling } = scope;
  const readValues = (): string => `(i.custom_fields -> ${statement.bind(name, 'text')})`;
  if (term.operator === FilterOperator.PRESENT) return `coalesce(${readValues()} is not null, false)`;

  const keys: string[] = [];
  const parts: string[] = [];
  for (const { kind } of term.values) {
    const readFirst = () => `(${readValues()} ->> 0)`;
    const comparison = COMPARISONS[term.operator];
    if (kind?.$case === 'text') keys.push(formatCustomKey(name, kind.value.text));
    else if (kind?.$case === 'user') keys.push(formatCustomKey(name, kind.value));
    else if (kind?.$case === 'reference') keys.push(formatCustomKey(name, kind.value.id));
    else if (kind?.$case === 'number') {
      parts.push(`${readFirst()}::float8 ${comparison ?? '='} ${statement.bind(kind.value, 'float8')}`);
    } else if (kind?.$case === 'range') {
      const { min, max } = kind.value;
      const span = [
        min === undefined ? '' : `${readFirst()}::float8 >= ${statement.bind(min, 'float8')}`,
        max === undefined ? '' : `${readFirst()}::float8 <= ${statement.bind(max, 'float8')}`,
      ].filter((end) => end !== '');
      parts.push(`(${span.join(' and ') || 'true'})`);
    } else if (kind?.$case === 'time') {
      // Dates are kept as YYYY-MM-DD, which compare as text.
      const { start, end } = kind.value;
      const span = [
        start === undefined ? '' : `${readFirst()} >= ${statement.bind(firstDay(start), 'text')}`,
        end === undefined ? '' : `${readFirst()} < ${statement.bind(firstDay(end), 'text')}`,
      ].filter((end) => end !== '');
      parts.push(`(${span.join(' and ') || 'true'})`);
    }
  }
  const conditions: string[] = [];
  if (keys.length > 0) {
    conditions.push(
      spelling.exists(
        `issue_key k where k.issue_id = i.id and k.kind = ${KEY_KIND.CUSTOM_FIELD} and k.key = any(${statement.bind(keys, 'text[]')})`,
      ),
    );
  }
  // CASE keeps casts away from issues that lack the field.
  if (parts.length > 0)
    conditions.push(
      `(case when coalesce(${readValues()} is not null, false) then ${parts.join(' or ')} else false end)`,
    );
  return conditions.length === 0 ? 'false' : `(${conditions.join(' or ')})`;
}
