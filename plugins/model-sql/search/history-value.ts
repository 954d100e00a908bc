import { getField, parseCustomName } from '@bugless/kit/domain';
import type { FilterValue } from '@bugless/kit/service';

/** Values in field_change are cut to so many characters. */
const MAX_VALUE = 100;

/** How field_change writes a value of a field: enum words, ids, `true`; `''` where a number 0 stands for none. */
export function describeHistoryValue(field: string): (value: FilterValue) => string {
  const words = parseCustomName(field) === undefined ? getField(field)?.words : undefined;
  return (value) => {
    const kind = value.kind;
    switch (kind?.$case) {
      case 'number':
        return words ? words.format(kind.value) : String(kind.value);
      case 'reference':
        return kind.value.id === '0' ? '' : kind.value.id;
      case 'user':
        return kind.value;
      case 'flag':
        return kind.value ? 'true' : '';
      case 'text':
        return [...kind.value.text].slice(0, MAX_VALUE).join('');
      default:
        return '';
    }
  };
}
