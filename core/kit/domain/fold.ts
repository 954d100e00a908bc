/**
 * An issue is the fold of its updates. Here: how a field's value is written in
 * history, the difference of two states, and its application.
 */
import type { CustomFieldValue, FieldChange, Issue, Update } from '@bugless/proto';
import { AccessLimit, IssueType, Priority, Severity, Status } from '@bugless/proto';
import { CUSTOM_PREFIX, FIELDS, getField, type IssueField } from './field.ts';
import { decideTimes } from './status.ts';

/** An issue with nothing in it: where every fold begins. */
export function createEmptyIssue(): Issue {
  return {
    id: '0',
    version: '0',
    title: '',
    description: '',
    type: IssueType.UNSPECIFIED,
    priority: Priority.UNSPECIFIED,
    severity: Severity.UNSPECIFIED,
    status: Status.UNSPECIFIED,
    component: '0',
    assignee: '',
    verifier: '',
    reporter: '',
    collaborators: [],
    cc: [],
    labels: [],
    foundIn: [],
    targetedTo: [],
    verifiedIn: [],
    parent: '0',
    blockedBy: [],
    blocking: [],
    duplicateOf: '0',
    hotlists: [],
    customFields: [],
    archived: false,
    accessLimit: AccessLimit.UNSPECIFIED,
    stars: 0,
    starred: false,
    commentCount: 0,
    created: undefined,
    modified: undefined,
    resolved: undefined,
    verified: undefined,
    permissions: [],
  };
}

/** Labels, versions, options and names are compared by this: NFC, lower case of every script. */
export function foldCase(text: string): string {
  return text.normalize('NFC').toLowerCase();
}

/** Orders decimal ids by their number, without leaving 63 bits. */
export function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Puts the elements of a collection in the order of the contract and drops doubles; the first spelling stays. */
export function sortElements(field: IssueField, elements: readonly string[]): string[] {
  if (field.kind !== 'labels') {
    return [...new Set(elements)].sort(field.kind === 'users' ? compareText : compareIds);
  }
  const byKey = new Map<string, string>();
  for (const element of elements) {
    const key = foldCase(element);
    if (!byKey.has(key)) byKey.set(key, element);
  }
  return [...byKey].sort(([a], [b]) => compareText(a, b)).map(([, element]) => element);
}

/** A field's value as history writes it: enums as words, flags as `true`; nothing when empty. */
export function readValues(issue: Issue, field: IssueField): readonly string[] {
  const value = field.property === undefined ? undefined : issue[field.property];
  switch (field.kind) {
    case 'enum':
      return value === 0 ? [] : [field.words!.format(value as number)];
    case 'flag':
      return value === true ? ['true'] : [];
    case 'component':
    case 'issue':
      return value === '0' || value === '' ? [] : [value as string];
    case 'text':
    case 'user':
      return value === '' ? [] : [value as string];
    default:
      return value as readonly string[];
  }
}

function writeValues(issue: Issue, field: IssueField, values: readonly string[]): void {
  const target = issue as unknown as Record<string, unknown>;
  const [first] = values;
  switch (field.kind) {
    case 'enum':
      // A word from a newer version: keep what stood there rather than invent a number.
      target[field.property!] = first === undefined ? 0 : (field.words!.parse(first) ?? target[field.property!]);
      break;
    case 'flag':
      target[field.property!] = first === 'true';
      break;
    case 'component':
    case 'issue':
      target[field.property!] = first ?? '0';
      break;
    case 'text':
    case 'user':
      target[field.property!] = first ?? '';
      break;
    default:
      target[field.property!] = sortElements(field, values);
  }
}

const RECORDED = FIELDS.filter((field) => field.recorded);
const REPORTER = getField('reporter')!;

/**
 * The changes that lead from one state to another, in the order of FIELDS, custom
 * fields last by name. Derived times, counts and stars are no changes; the
 * reporter is none either: foldUpdates takes it from update 1.
 */
export function diffIssues(before: Issue, after: Issue): FieldChange[] {
  const changes: FieldChange[] = [];
  for (const field of RECORDED) {
    addChange(changes, field.name, readValues(before, field), readValues(after, field));
  }
  const customBefore = indexCustomFields(before.customFields);
  const customAfter = indexCustomFields(after.customFields);
  for (const name of [...new Set([...customBefore.keys(), ...customAfter.keys()])].sort(compareText)) {
    addChange(changes, CUSTOM_PREFIX + name, customBefore.get(name) ?? [], customAfter.get(name) ?? []);
  }
  return changes;
}

function addChange(changes: FieldChange[], field: string, before: readonly string[], after: readonly string[]): void {
  // Of a single value this gives the value before and after, of a collection what went and what came.
  const oldValues = before.filter((value) => !after.includes(value));
  const newValues = after.filter((value) => !before.includes(value));
  if (oldValues.length > 0 || newValues.length > 0) changes.push({ field, oldValues, newValues });
}

function indexCustomFields(values: readonly CustomFieldValue[]): Map<string, readonly string[]> {
  return new Map(values.map((value) => [value.field, value.values]));
}

/**
 * The state after some changes at a time (ISO; undefined: unknown). Fields that
 * are not known here are skipped. `at` gives `resolved` and `verified`; version,
 * counts and `modified` are left to the caller.
 */
export function applyChanges(issue: Issue, changes: readonly FieldChange[], at: string | undefined): Issue {
  const next: Issue = { ...issue };
  for (const change of changes) {
    if (change.field.startsWith(CUSTOM_PREFIX)) applyCustomChange(next, change);
    else {
      const field = change.field === REPORTER.name ? REPORTER : getField(change.field);
      if (field === undefined || !(field.recorded || field === REPORTER)) continue;
      if (field.collection) writeValues(next, field, applyElements(field, readValues(next, field), change));
      else writeValues(next, field, change.newValues);
    }
  }
  return { ...next, ...decideTimes(issue, next.status, at) };
}

function applyElements(field: IssueField, present: readonly string[], change: FieldChange): string[] {
  const key = field.kind === 'labels' ? foldCase : (text: string) => text;
  const gone = new Set([...change.oldValues, ...change.newValues].map(key));
  return [...present.filter((value) => !gone.has(key(value))), ...change.newValues];
}

function applyCustomChange(issue: Issue, change: FieldChange): void {
  const name = change.field.slice(CUSTOM_PREFIX.length);
  const byName = indexCustomFields(issue.customFields);
  const kept = (byName.get(name) ?? []).filter((value) => !change.oldValues.includes(value));
  const values = [...new Set([...kept, ...change.newValues])].sort(compareText);
  byName.set(name, values);
  issue.customFields = sortCustomFields([...byName].map(([field, value]) => ({ field, values: [...value] })));
}

/** Custom fields as an issue holds them: by name, without empty ones, their values sorted. */
export function sortCustomFields(fields: readonly CustomFieldValue[]): CustomFieldValue[] {
  return fields
    .filter((field) => field.values.length > 0)
    .map((field) => ({ field: field.field, values: [...field.values].sort(compareText) }))
    .sort((a, b) => compareText(a.field, b.field));
}

/**
 * The issue that a history tells, oldest update first: every recorded field, the
 * description, reporter, comment count and times. Id and version follow from the
 * first and the number of updates; stars, `blocking`, hotlists and permissions
 * stand elsewhere and stay empty.
 */
export function foldUpdates(updates: readonly Update[]): Issue {
  let issue = createEmptyIssue();
  updates.forEach((update, index) => {
    if (index === 0) {
      issue.id = update.issue;
      issue.reporter = update.author;
      issue.description = update.comment;
      issue.created = update.created;
    } else if (update.comment !== '') issue.commentCount += 1;
    issue = applyChanges(issue, update.changes, update.created);
    issue.modified = update.created;
    issue.version = String(index + 1);
  });
  return issue;
}
