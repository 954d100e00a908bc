/** What UpdateIssue makes of an issue: the next state and the update that history keeps, or the refusal. Pure. */
import type { CustomFieldDefinition, FieldChange, Issue, Update, UpdateIssueRequest } from '@bugless/proto';
import { CustomFieldKind, Significance, Status } from '@bugless/proto';
import { type FieldViolation, ServiceError } from '../service/error.ts';
import { checkCount, checkEnum, checkText, LIMITS, quote, refuse } from './check.ts';
import { FIELDS, getField, type IssueField } from './field.ts';
import { applyChanges, diffIssues, foldCase, sortElements } from './fold.ts';
import {
  checkCustomFields,
  checkElement,
  checkField,
  describeUnknownCustom,
  EDITABLE,
  getMaxCount,
  sortIssue,
} from './issue-check.ts';
import { collectReferences, type Reference } from './reference.ts';
import { canFollow, decideStatus, formatStatus } from './status.ts';
import { findNearest } from './suggestion.ts';
import { WORDS } from './word.ts';

/** What the rules have to know of the surroundings of an update. */
export interface UpdateSituation {
  /** Opaque user id of who acts. */
  readonly author: string;
  /** The time of the write (ISO). */
  readonly now: string;
  /** Definitions along the path of the component that the issue will be in. */
  readonly customFields: readonly CustomFieldDefinition[];
}

/** A write that the rules allow. */
export interface PlannedWrite {
  /** The issue after it. Of a creation without id. */
  readonly issue: Issue;
  /** What history keeps; its `sequence` is left 0 for the Model to give. Undefined: nothing changes. */
  readonly update: Update | undefined;
  /** Newly named objects. */
  readonly references: readonly Reference[];
}

/**
 * Plans UpdateIssue: mask, add, remove and comment as one update, with what
 * follows from them (see decideStatus). The issue has to be whole (view FULL, unfiltered).
 *
 * Errors: VERSION_MISMATCH (metadata `current`), VERSION_REQUIRED, INVALID_FIELD with
 * every violation, BAD_TRANSITION, DUPLICATE_NEEDS_CANONICAL, CYCLE when the issue names itself.
 */
export function planUpdate(issue: Issue, request: UpdateIssueRequest, situation: UpdateSituation): PlannedWrite {
  const violations: FieldViolation[] = [];
  const masked = readMask(violations, request, situation.customFields);
  refuse(violations);
  checkVersion(issue, request, masked, situation.customFields);

  const next = sortIssue(setFields(issue, request, masked), masked.fields);
  editCollections(violations, issue, next, request, masked.fields);
  for (const field of masked.fields) checkField(violations, 'issue', field, { ...next, ...rawField(request, field) });
  checkCustomFields(violations, next, situation.customFields, masked.custom);
  checkText(violations, 'comment', request.comment, {
    maxBytes: LIMITS.commentBytes,
    required: request.comment !== '',
  });
  if (!WORDS.significance.has(request.significance) && request.significance !== 0) {
    checkEnum(violations, 'significance', request.significance, WORDS.significance);
  }
  refuse(violations);

  decideConsequences(issue, next, new Set(masked.fields.map((field) => field.name)));
  const changes = diffIssues(issue, next);
  if (changes.length === 0 && request.comment === '') return { issue, update: undefined, references: [] };
  // A clock that stepped back must not reorder history.
  const at = issue.modified !== undefined && issue.modified > situation.now ? issue.modified : situation.now;
  const update = createUpdate({
    author: situation.author,
    at,
    comment: request.comment,
    changes,
    restricted: request.restricted && request.comment !== '',
  });
  update.issue = issue.id;
  update.significance = request.significance || decideSignificance(request.comment, changes);
  const after: Issue = {
    ...applyChanges(issue, changes, at),
    version: String(BigInt(issue.version) + 1n),
    commentCount: issue.commentCount + (request.comment === '' ? 0 : 1),
    modified: at,
  };
  return {
    issue: after,
    update,
    references: collectReferences(issue, after, request.issue, request.add, situation.customFields),
  };
}

/** What the Model decides when nobody says: MAJOR for comments and status changes, else MINOR. */
export function decideSignificance(comment: string, changes: readonly FieldChange[]): Significance {
  const major = comment !== '' || changes.some((change) => change.field === 'status');
  return major ? Significance.MAJOR : Significance.MINOR;
}

/** Users that the canonical issue gains in cc when another becomes its duplicate: reporter and cc of that one. */
export function mergeDuplicate(duplicate: Issue, canonical: Issue): string[] {
  const there = new Set([...canonical.cc, canonical.reporter, canonical.assignee, '']);
  const gained = [...new Set([duplicate.reporter, ...duplicate.cc])].filter((user) => !there.has(user)).sort();
  return gained.slice(0, Math.max(0, LIMITS.cc - canonical.cc.length));
}

/** Fields that a mask may name and a form may fill. */
export const SETTABLE = FIELDS.filter((field) => field.settable);
const CUSTOM_MASK = 'custom_fields.';

interface Mask {
  readonly fields: readonly IssueField[];
  /** Names of custom fields. */
  readonly custom: readonly string[];
}

function readMask(
  violations: FieldViolation[],
  request: UpdateIssueRequest,
  definitions: readonly CustomFieldDefinition[],
): Mask {
  const fields = new Set<IssueField>();
  const custom = new Set<string>();
  const paths = request.updateMask ?? [];
  if (paths.length > 0 && request.issue === undefined) {
    violations.push({ field: 'issue', description: 'is required: it holds the values of the fields in update_mask' });
  }
  paths.forEach((path, index) => {
    const place = `update_mask.paths[${index}]`;
    if (path.startsWith(CUSTOM_MASK)) {
      const name = path.slice(CUSTOM_MASK.length);
      const held = request.issue?.customFields.some((value) => value.field === name && value.values.length > 0);
      // Clearing works for any name: the definition may be gone while the value is still there.
      if (held !== true || definitions.some((definition) => definition.name === name)) custom.add(name);
      else violations.push({ field: `issue.${path}`, description: describeUnknownCustom(name, definitions) });
      return;
    }
    const field = getField(path);
    if (field?.settable === true) fields.add(field);
    else violations.push({ field: place, description: describeUnknownPath(path) });
  });
  for (const { field, property } of EDITABLE) {
    const edited = [request.add, request.remove].some((edit) => (edit?.[property].length ?? 0) > 0);
    if (edited && fields.has(field)) {
      violations.push({
        field: field.name,
        description: 'stands in update_mask and in add or remove; use one of them',
      });
    }
  }
  return { fields: [...fields], custom: [...custom] };
}

function describeUnknownPath(path: string): string {
  if (path === 'description') return 'the description is changed with EditComment, sequence 1';
  if (path === 'custom_fields') return 'name each custom field: custom_fields.NAME';
  const names = SETTABLE.map((field) => field.name);
  const near = findNearest(path, names);
  const hint = near === undefined ? `one of ${names.join(', ')}, custom_fields.NAME is expected` : `is ${near} meant?`;
  return `${quote(path)} is no field that can be set; ${hint}`;
}

function checkVersion(
  issue: Issue,
  request: UpdateIssueRequest,
  mask: Mask,
  definitions: readonly CustomFieldDefinition[],
): void {
  const expected = request.expectedVersion;
  if (expected !== '0' && expected !== '') {
    if (expected === issue.version) return;
    const message = `issue ${issue.id} is at version ${issue.version}, not ${expected}: it was changed in between`;
    throw new ServiceError('VERSION_MISMATCH', message, { metadata: { current: issue.version } });
  }
  const isText = (name: string) =>
    definitions.some((definition) => definition.name === name && definition.kind === CustomFieldKind.TEXT);
  const text = mask.fields.some((field) => field.name === 'title') ? 'title' : mask.custom.find(isText);
  if (text !== undefined) {
    throw new ServiceError('VERSION_REQUIRED', `expected_version: is required to replace the text of ${text}`);
  }
}

function rawField(request: UpdateIssueRequest, field: IssueField): Partial<Issue> {
  return { [field.property!]: request.issue![field.property!] };
}

function setFields(issue: Issue, request: UpdateIssueRequest, mask: Mask): Issue {
  const next: Issue = { ...issue };
  for (const field of mask.fields) Object.assign(next, rawField(request, field));
  if (mask.custom.length > 0) {
    const given = request.issue?.customFields.filter((value) => mask.custom.includes(value.field)) ?? [];
    next.customFields = [...issue.customFields.filter((value) => !mask.custom.includes(value.field)), ...given];
  }
  return next;
}

function editCollections(
  violations: FieldViolation[],
  issue: Issue,
  next: Issue,
  request: UpdateIssueRequest,
  masked: readonly IssueField[],
): void {
  for (const { field, property } of EDITABLE) {
    const add = request.add?.[property] ?? [];
    const remove = request.remove?.[property] ?? [];
    if (masked.includes(field) || (add.length === 0 && remove.length === 0)) continue;
    for (const [index, element] of add.entries()) {
      checkElement(violations, `add.${field.name}[${index}]`, field, element);
    }
    const key = field.kind === 'labels' ? foldCase : (text: string) => text;
    const gone = new Set(remove.map(key));
    const both = add.find((element) => gone.has(key(element)));
    if (both !== undefined) {
      violations.push({ field: `remove.${field.name}`, description: `${quote(both)} is in add too; use one of them` });
    }
    const kept = issue[property].filter((element) => !gone.has(key(element)));
    next[property] = sortElements(field, [...kept, ...add]);
    checkCount(violations, `add.${field.name}`, next[property].length, getMaxCount(field));
  }
}

/** Sets the status and canonical issue that follow from the fields set. */
function decideConsequences(before: Issue, next: Issue, set: ReadonlySet<string>): void {
  const named = set.has('duplicate_of') && next.duplicateOf !== '0';
  next.status = decideStatus({
    before: before.status,
    asked: set.has('status') ? next.status : undefined,
    assigneeBefore: before.assignee,
    assigneeAfter: next.assignee,
    duplicateNamed: named,
  });
  if (next.status !== Status.DUPLICATE) {
    if (named) {
      const description = `is only for the status duplicate, not ${WORDS.status.format(next.status)}`;
      refuse([{ field: 'issue.duplicate_of', description }]);
    }
    next.duplicateOf = '0';
  } else if (next.duplicateOf === '0' && (set.has('status') || set.has('duplicate_of'))) {
    // An imported duplicate may lack its canonical issue; that is no reason to refuse a comment.
    const message = 'issue.duplicate_of: is required for the status duplicate';
    throw new ServiceError('DUPLICATE_NEEDS_CANONICAL', message);
  }
  if (!canFollow(before.status, next.status)) {
    const message = `issue.status: ${formatStatus(next.status)} can not follow ${formatStatus(before.status)}`;
    throw new ServiceError('BAD_TRANSITION', message);
  }
}

/** An update as history keeps it, without sequence, issue and significance. */
export function createUpdate(values: {
  author: string;
  at: string;
  comment: string;
  changes: FieldChange[];
  restricted: boolean;
}): Update {
  return {
    issue: '0',
    sequence: 0,
    author: values.author,
    created: values.at,
    comment: values.comment,
    changes: values.changes,
    significance: Significance.UNSPECIFIED,
    restricted: values.restricted,
    commentVersion: 1,
    edited: undefined,
    editor: '',
    redacted: false,
    attachments: [],
  };
}
