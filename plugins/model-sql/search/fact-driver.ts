import type { Filter, FilterTerm, FilterValue } from '@bugless/kit/service';
import { FilterOperator } from '@bugless/kit/service';
import type { ConditionScope } from './condition.ts';
import { buildWholeDriver, type Driver, SPAN_RANK } from './driver.ts';
import { writeColumn } from './order.ts';

const { HAS, EQUALS, GREATER, GREATER_OR_EQUAL, PRESENT } = FilterOperator;

/** The driver over what an issue has in a table of its own, or when something was done to it. */
export function buildFactDriver(filter: Filter, term: FilterTerm, scope: ConditionScope): Driver | undefined {
  switch (term.field) {
    case 'starred':
      return isWanted(term) ? buildStarDriver(filter, scope) : undefined;
    case 'attachments':
      return isAboveZero(term) ? buildAttachmentDriver(filter, term) : undefined;
    case 'created':
    case 'resolved':
      return buildSpanDriver(filter, term, scope);
    default:
      return undefined;
  }
}

/** The flag has to be set. */
function isWanted({ operator, values }: FilterTerm): boolean {
  return operator === PRESENT || values.every(({ kind }) => kind?.$case === 'flag' && kind.value);
}

/** The number has to be above zero. */
function isAboveZero({ operator, values }: FilterTerm): boolean {
  const least = (value: FilterValue): number => {
    const { kind } = value;
    if (kind?.$case === 'range') return kind.value.min ?? 0;
    return kind?.$case === 'number' ? kind.value : 0;
  };
  if (operator === GREATER) return least(values[0]!) >= 0;
  if (operator === PRESENT) return true;
  return (
    (operator === HAS || operator === EQUALS || operator === GREATER_OR_EQUAL) && values.every((v) => least(v) > 0)
  );
}

function buildStarDriver(filter: Filter, { visibility }: ConditionScope): Driver {
  return buildWholeDriver(filter, {
    rank: 3,
    meets: true,
    writeFrom: () => '(select issue_id as id, user_id from star) c',
    writeAny: (statement) => `c.user_id = ${statement.bind(visibility.user, 'text')}`,
  });
}

function buildAttachmentDriver(filter: Filter, { operator }: FilterTerm): Driver {
  return buildWholeDriver(filter, {
    rank: 5,
    meets: operator === PRESENT,
    writeFrom: () => '(select issue_id as id from attachment where not deleted) c',
    // True of all: it has the index read, up to the limit, and not the table.
    writeAny: () => 'c.id > 0',
  });
}

function buildSpanDriver(filter: Filter, term: FilterTerm, { spelling }: ConditionScope): Driver | undefined {
  const [value, ...others] = term.values;
  if (term.operator !== HAS || others.length > 0 || value?.kind?.$case !== 'time') return undefined;
  const { start, end } = value.kind.value;
  const { expression, index } = writeColumn(term.field, 'c');
  return buildWholeDriver(filter, {
    rank: SPAN_RANK,
    covered: term.field === 'created',
    meets: term.field === 'created',
    writeFrom: () => spelling.table('issue', 'c', index),
    writeAny: (statement) =>
      [
        start === undefined ? '' : `${expression} >= ${statement.bind(start, 'timestamptz')}`,
        end === undefined ? '' : `${expression} < ${statement.bind(end, 'timestamptz')}`,
      ]
        .filter((part) => part !== '')
        .join(' and ') || 'true',
  });
}
