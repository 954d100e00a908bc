/**
 * Checks of single values that a request brings. Each adds what is wrong to a
 * list, so that one answer names every wrong field; `refuse` throws it.
 */
import { type CustomFieldDefinition, CustomFieldKind } from '@bugless/proto';
import { type FieldViolation, ServiceError } from '../service/error.ts';
import type { WordTable } from './word.ts';

/** Limits of the contract (issue.proto, component.proto, model.proto). Characters are code points, bytes UTF-8. */
export const LIMITS = {
  titleCharacters: 500,
  commentBytes: 1024 * 1024,
  labels: 50,
  labelCharacters: 100,
  collaborators: 100,
  cc: 500,
  blockedBy: 500,
  customTextCharacters: 10_000,
  userIdCharacters: 64,
} as const;

/** What a text may be. */
export interface TextRule {
  readonly maxCharacters?: number;
  readonly maxBytes?: number;
  /** Has to hold more than white space. */
  readonly required?: boolean;
  /** No line breaks. */
  readonly singleLine?: boolean;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks as Unicode defines them (UAX 14: BK, CR, LF, NL)
const LINE_BREAK = /[\n\r\u000b\u000c\u0085\u2028\u2029]/;
// Without the flag u a pair would count as two lone halves.
const LONE_SURROGATE = /\p{Surrogate}/u;
const encoder = new TextEncoder();

/** Throws INVALID_FIELD with every violation; does nothing when there is none. */
export function refuse(violations: readonly FieldViolation[]): void {
  const [first] = violations;
  if (first === undefined) return;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  throw new ServiceError('INVALID_FIELD', `${first.field}: ${first.description}${more}`, { violations });
}

/** Checks free text. NUL and halves of surrogate pairs are refused everywhere: no store keeps them. */
export function checkText(violations: FieldViolation[], field: string, text: string, rule: TextRule): void {
  const complain = (description: string) => violations.push({ field, description });
  if (text.includes('\0')) {
    complain(`holds a NUL character at position ${text.indexOf('\0') + 1}; remove it`);
  } else if (LONE_SURROGATE.test(text)) {
    complain(`holds half of a surrogate pair at position ${text.search(LONE_SURROGATE) + 1}; send well-formed Unicode`);
  } else if (rule.required === true && text.trim() === '') {
    complain(text === '' ? 'is required' : 'is blank; write something or leave it out');
  } else if (rule.singleLine === true && LINE_BREAK.test(text)) {
    complain('holds a line break; keep it to one line');
  } else if (rule.maxCharacters !== undefined && countCharacters(text, rule.maxCharacters) > rule.maxCharacters) {
    complain(`has ${countCharacters(text)} characters; at most ${rule.maxCharacters} are allowed`);
  } else if (rule.maxBytes !== undefined && text.length * 3 > rule.maxBytes) {
    const bytes = encoder.encode(text).length;
    if (bytes > rule.maxBytes) complain(`has ${bytes} bytes of UTF-8; at most ${rule.maxBytes} are allowed`);
  }
}

/** Code points; without counting when the text cannot have more than `enough`. */
function countCharacters(text: string, enough = 0): number {
  if (text.length <= enough) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Checks an opaque user id; a Model knows nothing else about users. */
export function checkUserId(violations: FieldViolation[], field: string, id: string): void {
  if (!/^[\x21-\x7e]{1,64}$/.test(id)) {
    violations.push({
      field,
      description: `${quote(id)} is no user id: 1 to 64 visible ASCII characters are expected`,
    });
  }
}

/** Whether the text is a positive int64 in decimals, without leading zeros. */
export function isId(id: string): boolean {
  return /^[1-9][0-9]{0,18}$/.test(id) && (id.length < 19 || id <= '9223372036854775807');
}

/** Checks the id of an issue, component or hotlist. */
export function checkId(violations: FieldViolation[], field: string, id: string): void {
  if (!isId(id)) violations.push({ field, description: `${quote(id)} is no id: a positive number is expected` });
}

/** Checks a number of an enum; `required` refuses "unspecified" too. */
export function checkEnum(violations: FieldViolation[], field: string, number: number, words: WordTable): void {
  if (words.has(number)) return;
  const found = number === 0 ? `needs a ${words.name}` : `${number} is no ${words.name} known here`;
  violations.push({ field, description: `${found}; one of ${words.words.join(', ')} is expected` });
}

/** Checks a label (no white space) or a version (white space inside allowed). */
export function checkLabel(violations: FieldViolation[], field: string, label: string, spaces: boolean): void {
  const before = violations.length;
  checkText(violations, field, label, { maxCharacters: LIMITS.labelCharacters, required: true, singleLine: true });
  if (violations.length > before) return;
  if (label.includes(',')) violations.push({ field, description: `${quote(label)} holds a comma` });
  else if (spaces ? label !== label.trim() : /\s/.test(label)) {
    const where = spaces ? 'begins or ends with' : 'holds';
    violations.push({ field, description: `${quote(label)} ${where} white space` });
  }
}

/** Checks how many elements a collection has. */
export function checkCount(violations: FieldViolation[], field: string, count: number, max: number): void {
  if (count > max) violations.push({ field, description: `has ${count} elements; at most ${max} are allowed` });
}

/** Whether the text is a day of the calendar, YYYY-MM-DD. */
export function isDay(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00.000Z`);
  // Date.parse takes some days that no month has (2026-02-30) and moves them on.
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** Whether the text is a number in decimals. */
export function isDecimal(text: string): boolean {
  return /^-?[0-9]{1,15}(\.[0-9]{1,15})?$/.test(text);
}

/** Checks the values of a custom field against its definition; no values: it is cleared. */
export function checkCustomValues(
  violations: FieldViolation[],
  field: string,
  definition: CustomFieldDefinition,
  values: readonly string[],
): void {
  const complain = (description: string) => violations.push({ field, description });
  if (values.length === 0) {
    if (definition.required) complain('is required');
    return;
  }
  if (values.length > 1 && definition.kind !== CustomFieldKind.MULTI_ENUM) {
    complain(`takes one value, not ${values.length}`);
    return;
  }
  if (new Set(values).size < values.length) complain('names a value twice');
  for (const value of values) {
    switch (definition.kind) {
      case CustomFieldKind.NUMBER:
        if (!isDecimal(value)) complain(`${quote(value)} is no decimal number`);
        break;
      case CustomFieldKind.DATE:
        if (!isDay(value)) complain(`${quote(value)} is no day; YYYY-MM-DD is expected`);
        break;
      case CustomFieldKind.USER:
        checkUserId(violations, field, value);
        break;
      case CustomFieldKind.ENUM:
      case CustomFieldKind.MULTI_ENUM:
        if (!definition.options.includes(value)) {
          complain(`${quote(value)} is no option; one of ${definition.options.join(', ')} is expected`);
        }
        break;
      case CustomFieldKind.ISSUE:
        checkId(violations, field, value);
        break;
      default:
        checkText(violations, field, value, { maxCharacters: LIMITS.customTextCharacters, required: true });
    }
  }
}

/** The text in quotes, cut short, for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
