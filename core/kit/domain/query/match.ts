/**
 * The naive evaluator: what a Filter means, in the plainest code. Used by the
 * in-memory Model, and the reference that engines are compared with. A filter sees
 * an issue as its caller does: blockers, hotlists and comments that are hidden
 * from the caller have to be left out of what is passed.
 */
import type { Filter, FilterTerm, FilterTimeRange, FilterValue, HistoryTerm, Issue, Update } from '@bugless/proto';
import { FilterOperator, HistoryKind } from '@bugless/proto';
import { CUSTOM_PREFIX, getField, type IssueField } from '../field.ts';
import { foldCase, readValues } from '../fold.ts';
import { isOpen } from '../status.ts';
import { matchWords, readWordPattern, tokenize } from './text.ts';

/** What has to be known beside the issue. */
export interface IssueFacts {
  /** Its history, oldest first, comments that the caller may not read emptied. */
  readonly updates: readonly Update[];
  /** Attachments that are not withdrawn. */
  readonly attachments: number;
  /** Whether another issue is open. */
  isOpen(issue: string): boolean;
  /** Whether a component is another one or lies below it. */
  isBelow(component: string, ancestor: string): boolean;
}

/** Whether an issue matches. The Filter has passed checkFilter; absent matches everything. */
export function matchFilter(filter: Filter | undefined, issue: Issue, facts: IssueFacts): boolean {
  const node = filter?.node;
  switch (node?.$case) {
    case undefined:
      return true;
    case 'and':
      return node.value.operands.every((operand) => matchFilter(operand, issue, facts));
    case 'or':
      return node.value.operands.some((operand) => matchFilter(operand, issue, facts));
    case 'not':
      return !matchFilter(node.value, issue, facts);
    case 'term':
      return matchTerm(node.value, issue, facts);
    case 'history':
      return matchHistory(node.value, issue, facts);
  }
}

function matchTerm(term: FilterTerm, issue: Issue, facts: IssueFacts): boolean {
  if (term.field.startsWith(CUSTOM_PREFIX)) {
    const name = term.field.slice(CUSTOM_PREFIX.length);
    const stored = issue.customFields.find((value) => value.field === name)?.values ?? [];
    if (term.operator === FilterOperator.PRESENT) return stored.length > 0;
    return stored.some((each) =>
      term.values.some((value) => matchStored(each, value, term.operator, undefined, facts)),
    );
  }
  const field = getField(term.field)!;
  switch (field.kind) {
    case 'text':
      return matchTexts(listTexts(field, issue, facts), term);
    case 'flag':
      return term.values.some((value) => value.kind?.value === readFlag(field, issue, facts));
    case 'number':
    case 'enum':
      return matchNumber(readNumber(field, issue, facts), term);
    case 'time': {
      const time = issue[field.property!] as string | undefined;
      if (term.operator === FilterOperator.PRESENT) return time !== undefined;
      return (
        time !== undefined &&
        term.values.some((value) => value.kind?.$case === 'time' && isWithin(time, value.kind.value))
      );
    }
    default: {
      const stored = field.name === 'commenter' ? listCommenters(facts) : readValues(issue, field);
      if (term.operator === FilterOperator.PRESENT) return stored.length > 0;
      if (term.operator === FilterOperator.EQUALS && field.collection && stored.length !== 1) return false;
      return stored.some((each) =>
        term.values.some((value) => matchStored(each, value, FilterOperator.HAS, field, facts)),
      );
    }
  }
}

function listTexts(field: IssueField, issue: Issue, facts: IssueFacts): string[] {
  const comments = facts.updates.slice(1).map((update) => update.comment);
  const texts = {
    text: [issue.title, issue.description, ...comments],
    title: [issue.title],
    description: [issue.description],
    comment: comments,
  }[field.name]!;
  return texts.filter((text) => text !== '');
}

/** Words of one text: those of a title and of a comment do not add up. */
function matchTexts(texts: readonly string[], term: FilterTerm): boolean {
  if (term.operator === FilterOperator.PRESENT) return texts.length > 0;
  return term.values.some((value) => {
    if (value.kind?.$case !== 'text') return false;
    const wanted = value.kind.value;
    if (term.operator === FilterOperator.EQUALS) return texts.some((text) => foldCase(text) === foldCase(wanted.text));
    const pattern = readWordPattern(wanted);
    return pattern !== undefined && texts.some((text) => matchWords(tokenize(text), pattern));
  });
}

function readFlag(field: IssueField, issue: Issue, facts: IssueFacts): boolean {
  if (field.name === 'open') return isOpen(issue.status);
  if (field.name === 'blocked') return issue.blockedBy.some((id) => facts.isOpen(id));
  return issue[field.property!] === true;
}

function readNumber(field: IssueField, issue: Issue, facts: IssueFacts): number {
  return field.name === 'attachments' ? facts.attachments : (issue[field.property!] as number);
}

function listCommenters(facts: IssueFacts): string[] {
  return facts.updates.filter((update) => update.comment !== '').map((update) => update.author);
}

function matchNumber(number: number, term: FilterTerm): boolean {
  if (term.operator === FilterOperator.PRESENT) return number > 0;
  return term.values.some((value) => compareNumber(number, value, term.operator));
}

function compareNumber(number: number, value: FilterValue, operator: FilterOperator): boolean {
  if (value.kind?.$case === 'range') {
    const { min, max } = value.kind.value;
    return (min === undefined || number >= min) && (max === undefined || number <= max);
  }
  if (value.kind?.$case !== 'number') return false;
  const wanted = value.kind.value;
  switch (operator) {
    case FilterOperator.GREATER:
      return number > wanted;
    case FilterOperator.GREATER_OR_EQUAL:
      return number >= wanted;
    case FilterOperator.LESS:
      return number < wanted;
    case FilterOperator.LESS_OR_EQUAL:
      return number <= wanted;
    default:
      return number === wanted;
  }
}

/** Times as the contract writes them compare as text; others are read first. */
function isWithin(time: string, range: FilterTimeRange): boolean {
  const at = Date.parse(time);
  const after = range.start === undefined || at >= Date.parse(range.start);
  return after && (range.end === undefined || at < Date.parse(range.end));
}

/** One value as history writes it against a value of a Filter. `field` undefined: a custom one. */
function matchStored(
  stored: string,
  value: FilterValue,
  operator: FilterOperator,
  field: IssueField | undefined,
  facts: IssueFacts,
): boolean {
  const { kind } = value;
  switch (kind?.$case) {
    case 'text':
      if (field?.kind === 'text')
        return matchTexts([stored], { field: field.name, operator: FilterOperator.HAS, values: [value] });
      return foldCase(stored) === foldCase(kind.value.text);
    case 'user':
      return stored === kind.value;
    case 'reference':
      return stored === kind.value.id || (kind.value.subtree && stored !== '0' && facts.isBelow(stored, kind.value.id));
    case 'flag':
      return (stored === 'true') === kind.value;
    case 'number':
    case 'range': {
      const number = field?.words === undefined ? Number(stored) : (field.words.parse(stored) ?? Number.NaN);
      return stored !== '' && compareNumber(number, value, operator);
    }
    case 'time':
      // A custom date: a day of UTC.
      return /^\d{4}-\d{2}-\d{2}$/.test(stored) && isWithin(`${stored}T00:00:00.000Z`, kind.value);
    default:
      return false;
  }
}

/** How the empty value of a single-valued field is written among values to compare with. */
function withEmpty(values: readonly string[], field: IssueField | undefined): readonly string[] {
  if (values.length > 0 || field?.collection === true) return values;
  return [field?.kind === 'issue' ? '0' : field?.kind === 'enum' ? field.words!.format(0) : ''];
}

/**
 * `was`: one of the values stands in the history, before or after a change, or is
 * there now. `changed`: one change fits every condition; what an issue was filed
 * with (update 1) is no change.
 */
function matchHistory(term: HistoryTerm, issue: Issue, facts: IssueFacts): boolean {
  const custom = term.field.startsWith(CUSTOM_PREFIX);
  const field = custom ? undefined : getField(term.field)!;
  const fits = (stored: readonly string[], values: readonly FilterValue[]) =>
    withEmpty(stored, field).some((each) =>
      values.some((value) => matchStored(each, value, FilterOperator.HAS, field, facts)),
    );
  if (term.kind === HistoryKind.WAS) {
    const now =
      field === undefined
        ? (issue.customFields.find((value) => CUSTOM_PREFIX + value.field === term.field)?.values ?? [])
        : readValues(issue, field);
    if (fits(now, term.to)) return true;
  }
  return facts.updates.some((update) =>
    update.changes.some((change) => {
      if (change.field !== term.field) return false;
      // Before update 1 there was no issue, so no empty value either.
      const old = update.sequence === 1 ? false : fits(change.oldValues, term.to);
      if (term.kind === HistoryKind.WAS) return old || fits(change.newValues, term.to);
      return (
        update.sequence !== 1 &&
        (term.from.length === 0 || fits(change.oldValues, term.from)) &&
        (term.to.length === 0 || fits(change.newValues, term.to)) &&
        (term.by.length === 0 || term.by.includes(update.author)) &&
        (term.time === undefined || (update.created !== undefined && isWithin(update.created, term.time)))
      );
    }),
  );
}
