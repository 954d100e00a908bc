import { Type } from '@mikro-orm/core';

/**
 * A timestamptz(3) property that stays the ISO 8601 text of formatTimestamp. Without a type
 * of its own the ORM makes a Date of any column of that kind: `at: p.type(TimestampType).$type<string>()`.
 */
export class TimestampType extends Type<string, string> {
  override getColumnType(): string {
    return 'timestamptz(3)';
  }

  override get runtimeType(): string {
    return 'string';
  }

  override compareAsType(): string {
    return 'string';
  }
}
