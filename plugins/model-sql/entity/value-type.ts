import { Type } from '@mikro-orm/core';

/**
 * text[] whose elements are kept as they are. The ORM's own array type leaves
 * `null` unquoted, and a label `null` would come back as SQL NULL.
 */
export class TextArrayType extends Type<string[], string> {
  override convertToDatabaseValue(value: string[]): string {
    return formatTextArray(value);
  }

  override convertToJSValue(value: string[] | string): string[] {
    return value as string[];
  }

  override compareAsType(): string {
    return 'array';
  }

  override getColumnType(): string {
    return 'text[]';
  }

  override ensureComparable(): boolean {
    return true;
  }
}

/** An array literal of Postgres with every element quoted. */
export function formatTextArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** timestamptz(3) as ISO text: no Date is made on the way. */
export class TimeType extends Type<string, string> {
  override get runtimeType(): string {
    return 'string';
  }

  override compareAsType(): string {
    return 'string';
  }

  override getColumnType(): string {
    return 'timestamptz(3)';
  }
}
