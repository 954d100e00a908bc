/** A value as written → values of a Filter, by the kind of its field. */
import type { FilterTimeRange, FilterValue } from '@bugless/proto';
import { isId, quote } from '../check.ts';
import { CUSTOM_PREFIX, formatFieldWord, type IssueField } from '../field.ts';
import { STATUS_GROUPS } from '../status.ts';
import type { Comparison, QueryValue, RangeValue, WordValue } from './ast.ts';
import type { QueryResolver } from './compile.ts';
import { DATE_FORMS, type DateSpan, readDate, toLocalDays } from './date.ts';
import { QueryError } from './error.ts';
import { suggest } from './name.ts';

/** When and where dates are read; notes whether now mattered. */
export interface DateContext {
  readonly now: number;
  readonly zone: string;
  relative: boolean;
}

/** More members of a group than this make no sensible search. */
const MAX_MEMBERS = 2000;

/** Reads one value of any field but a text. A group gives as many values as it has members, none perhaps. */
export async function resolveValue(
  value: QueryValue,
  field: IssueField,
  resolver: QueryResolver,
  dates: DateContext,
): Promise<FilterValue[]> {
  if (value.type === 'group') return resolveGroup(value.name, value, field, resolver);
  if (field.kind === 'time') return [{ kind: { $case: 'time', value: readTimeRange(value, field, ':', dates) } }];
  if (value.type === 'range') return [readNumberRange(value, field)];
  switch (field.kind) {
    case 'enum':
      return readEnum(value, field).map((number) => ({ kind: { $case: 'number', value: number } }));
    case 'number':
      return [{ kind: { $case: 'number', value: readNumber(value.text, value) } }];
    case 'user':
    case 'users':
      return [{ kind: { $case: 'user', value: await resolveUser(value, resolver) } }];
    case 'component':
    case 'hotlists':
    case 'issue':
    case 'issues': {
      const id = await resolveId(value, field, resolver);
      return [{ kind: { $case: 'reference', value: { id, subtree: value.subtree } } }];
    }
    case 'flag':
      return [{ kind: { $case: 'flag', value: readFlag(value) } }];
    case 'labels':
    case 'text':
      return [{ kind: { $case: 'text', value: { text: value.text, phrase: false, prefix: false } } }];
  }
}

async function resolveGroup(
  name: string,
  value: QueryValue,
  field: IssueField,
  resolver: QueryResolver,
): Promise<FilterValue[]> {
  if (field.kind !== 'user' && field.kind !== 'users') {
    throw new QueryError(value.span, `group() goes with fields of users, not ${formatFieldWord(field.name)}`);
  }
  const members = await resolver.findGroupMembers(name);
  if (members === undefined) throw new QueryError(value.span, `there is no group ${quote(name)}`);
  const ids = [...new Set(members)].sort();
  if (ids.length > MAX_MEMBERS) {
    throw new QueryError(
      value.span,
      `the group ${quote(name)} has ${ids.length} members; at most ${MAX_MEMBERS} can be searched for`,
    );
  }
  return ids.map((id) => ({ kind: { $case: 'user', value: id } }));
}

async function resolveUser(value: WordValue, resolver: QueryResolver): Promise<string> {
  if (!value.quoted && value.text.toLowerCase() === 'me') {
    if (resolver.me === undefined) throw new QueryError(value.span, 'me needs a login; log in or name a user');
    return resolver.me;
  }
  const id = await resolver.findUser(value.text);
  if (id === undefined) throw new QueryError(value.span, `there is no user ${quote(value.text)}`);
  return id;
}

async function resolveId(value: WordValue, field: IssueField, resolver: QueryResolver): Promise<string> {
  const bare = value.text.replace(/^#/, '');
  if (!value.quoted && isId(bare)) return bare;
  if (field.kind === 'component') {
    const path = value.text.split('>').map((name) => name.trim());
    const id = path.includes('') ? undefined : await resolver.findComponent(path);
    if (id === undefined) throw new QueryError(value.span, `there is no component ${quote(value.text)}`);
    return id;
  }
  if (field.kind === 'hotlists') {
    const id = await resolver.findHotlist(value.text);
    if (id === undefined) throw new QueryError(value.span, `there is no hotlist ${quote(value.text)}`);
    return id;
  }
  throw new QueryError(
    value.span,
    `${quote(value.text)} is no number of an issue, which ${formatFieldWord(field.name)} expects`,
  );
}

function readEnum(value: WordValue, field: IssueField): readonly number[] {
  const words = field.words!;
  const groups = field.name === 'status' ? STATUS_GROUPS : {};
  const group = groups[value.text.toLowerCase().replace(/[-\s]/g, '_')];
  if (group !== undefined) return group;
  const number = words.parse(value.text);
  if (number !== undefined && value.text !== '') return [number];
  const known = [...words.words, ...Object.keys(groups)];
  throw new QueryError(value.span, `${quote(value.text)} is no ${words.name}${suggest(value.text, known)}`);
}

function readNumber(text: string, value: QueryValue): number {
  if (!/^-?[0-9]{1,15}(\.[0-9]{1,15})?$/.test(text)) throw new QueryError(value.span, `${quote(text)} is no number`);
  // Zero has one sign.
  return Number(text) + 0;
}

function readNumberRange(value: RangeValue, field: IssueField): FilterValue {
  const read = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    if (field.kind === 'number') return readNumber(text, value);
    if (field.kind !== 'enum') {
      throw new QueryError(
        value.span,
        `${formatFieldWord(field.name)} takes no range; put the text in quotes if .. belongs to it`,
      );
    }
    const numbers = readEnum({ ...value, type: 'word', text, quoted: false, prefix: false, subtree: false }, field);
    if (numbers.length > 1)
      throw new QueryError(value.span, `${quote(text)} is several; a range goes from one to another`);
    return numbers[0];
  };
  const min = read(value.from);
  const max = read(value.to);
  if (min !== undefined && max !== undefined && min > max) {
    throw new QueryError(value.span, 'the range ends before it begins; turn it round');
  }
  return { kind: { $case: 'range', value: { min, max } } };
}

function readFlag(value: WordValue): boolean {
  const word = value.text.toLowerCase();
  if (word === 'true' || word === 'yes') return true;
  if (word === 'false' || word === 'no') return false;
  throw new QueryError(value.span, `${quote(value.text)} is neither true nor false`);
}

/** The span of time of a value behind a comparison. */
export function readTimeRange(
  value: QueryValue,
  field: IssueField,
  comparison: Comparison,
  dates: DateContext,
): FilterTimeRange {
  const days = field.name.startsWith(CUSTOM_PREFIX);
  const read = (text: string): DateSpan & { point: boolean } => {
    const span = readDate(text, dates.now, dates.zone);
    if (span === undefined || !isWritable(span)) {
      throw new QueryError(value.span, `${quote(text)} is no date; one of these forms is expected: ${DATE_FORMS}`);
    }
    if (span.relative) dates.relative = true;
    // Custom dates are days without a zone.
    return { ...(days ? toLocalDays(span, dates.zone) : span), point: span.start === span.end };
  };
  if (value.type === 'group') throw new QueryError(value.span, 'a date is expected, not a group');
  if (value.type === 'range') {
    if (comparison !== ':' && comparison !== '=' && comparison !== '!=') {
      throw new QueryError(value.span, `a range goes with a colon, not ${comparison}`);
    }
    const start = value.from === undefined ? undefined : read(value.from).start;
    const end = value.to === undefined ? undefined : read(value.to).end;
    if (start !== undefined && end !== undefined && start >= end) {
      throw new QueryError(value.span, 'the range ends before it begins; turn it round');
    }
    return makeRange(start, end);
  }
  const span = read(value.text);
  switch (comparison) {
    case '>':
      return makeRange(span.end, undefined);
    case '>=':
      return makeRange(span.start, undefined);
    case '<':
      return makeRange(undefined, span.start);
    case '<=':
      return makeRange(undefined, span.end);
    default:
      // A point in time, as `7d`, asks for what came since.
      return span.point ? makeRange(span.start, undefined) : makeRange(span.start, span.end);
  }
}

function makeRange(start: number | undefined, end: number | undefined): FilterTimeRange {
  const format = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString());
  return { start: format(start), end: format(end) };
}

/** Whether both ends lie in the years of the contract, 1 to 9999. */
function isWritable(span: DateSpan): boolean {
  return span.start >= -62_135_596_800_000 && span.end <= 253_402_300_799_999;
}
