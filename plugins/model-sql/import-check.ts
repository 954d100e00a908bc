import {
  checkCount,
  checkCustomValues,
  checkEnum,
  checkLabel,
  checkText,
  checkUserId,
  isId,
  LIMITS,
  refuse,
  WORDS,
} from '@bugless/kit/domain';
import { type FieldViolation, type ImportedIssue, ServiceError } from '@bugless/kit/service';
import type { ComponentTree } from './component-tree.ts';

/** Most updates of one issue. */
const MAX_UPDATES = 20_000;
const LINK_FIELDS = ['parent', 'blocked_by', 'duplicate_of'];

/** Checks one issue from another tracker; throws INVALID_FIELD with every violation, or COMPONENT_NOT_FOUND. */
export function checkImported(imported: ImportedIssue, tree: ComponentTree): void {
  const found: FieldViolation[] = [];
  checkText(found, 'key', imported.key, { maxCharacters: 100, required: true, singleLine: true });
  checkState(found, imported, tree);
  checkCount(found, 'updates', imported.updates.length, MAX_UPDATES);
  for (const [index, update] of imported.updates.entries()) {
    const place = `updates[${index}]`;
    checkUser(found, `${place}.author`, update.author, true);
    checkUser(found, `${place}.editor`, update.editor, false);
    checkTime(found, `${place}.created`, update.created, true);
    checkTime(found, `${place}.edited`, update.edited, false);
    checkText(found, `${place}.comment`, update.comment, { maxBytes: LIMITS.commentBytes });
    checkOptional(found, `${place}.significance`, update.significance, WORDS.significance);
    for (const [at, change] of update.changes.entries()) {
      checkText(found, `${place}.changes[${at}].field`, change.field, {
        maxCharacters: 100,
        required: true,
        singleLine: true,
      });
      for (const value of [...change.oldValues, ...change.newValues]) {
        checkText(found, `${place}.changes[${at}]`, value, { maxCharacters: LIMITS.customTextCharacters });
      }
    }
  }
  for (const [index, link] of imported.links.entries()) {
    checkText(found, `links[${index}].key`, link.key, { maxCharacters: 100, required: true, singleLine: true });
    if (!LINK_FIELDS.includes(link.field)) {
      found.push({ field: `links[${index}].field`, description: `one of ${LINK_FIELDS.join(', ')} is expected` });
    }
  }
  refuse(found);
  const { component } = imported.issue!;
  if (!tree.find(component))
    throw new ServiceError('COMPONENT_NOT_FOUND', `issue.component: there is no component ${component}`);
}

function checkState(found: FieldViolation[], { issue }: ImportedIssue, tree: ComponentTree): void {
  if (!issue) {
    found.push({ field: 'issue', description: 'is required' });
    return;
  }
  if (issue.id !== '0' && !isId(issue.id))
    found.push({ field: 'issue.id', description: 'a positive number is expected, or 0' });
  checkText(found, 'issue.title', issue.title, {
    maxCharacters: LIMITS.titleCharacters,
    required: true,
    singleLine: true,
  });
  checkText(found, 'issue.description', issue.description, { maxBytes: LIMITS.commentBytes });
  checkOptional(found, 'issue.type', issue.type, WORDS.type);
  checkOptional(found, 'issue.priority', issue.priority, WORDS.priority);
  checkOptional(found, 'issue.severity', issue.severity, WORDS.severity);
  checkOptional(found, 'issue.status', issue.status, WORDS.status);
  checkEnum(found, 'issue.access_limit', issue.accessLimit, WORDS.accessLimit);
  checkUser(found, 'issue.reporter', issue.reporter, false);
  checkUser(found, 'issue.assignee', issue.assignee, false);
  checkUser(found, 'issue.verifier', issue.verifier, false);
  checkUsers(found, 'issue.collaborators', issue.collaborators, LIMITS.collaborators);
  checkUsers(found, 'issue.cc', issue.cc, LIMITS.cc);
  checkLabels(found, 'issue.labels', issue.labels, false);
  checkLabels(found, 'issue.found_in', issue.foundIn, true);
  checkLabels(found, 'issue.targeted_to', issue.targetedTo, true);
  checkLabels(found, 'issue.verified_in', issue.verifiedIn, true);
  checkTime(found, 'issue.created', issue.created, false);
  checkTime(found, 'issue.modified', issue.modified, false);
  checkTime(found, 'issue.resolved', issue.resolved, false);
  checkTime(found, 'issue.verified', issue.verified, false);
  const definitions = tree.find(issue.component)?.customFields ?? [];
  for (const { field, values } of issue.customFields) {
    const definition = definitions.find(({ name }) => name === field);
    const place = `issue.custom_fields.${field}`;
    if (definition) checkCustomValues(found, place, { ...definition, required: false }, values);
    else found.push({ field: place, description: `component ${issue.component} defines no such field` });
  }
}

type WordTable = Parameters<typeof checkEnum>[3];

/** 0 lets the Model choose. */
function checkOptional(found: FieldViolation[], field: string, number: number, words: WordTable): void {
  if (number !== 0) checkEnum(found, field, number, words);
}

function checkUser(found: FieldViolation[], field: string, user: string, required: boolean): void {
  if (required || user !== '') checkUserId(found, field, user);
}

function checkUsers(found: FieldViolation[], field: string, users: readonly string[], max: number): void {
  checkCount(found, field, users.length, max);
  for (const [index, user] of users.entries()) checkUserId(found, `${field}[${index}]`, user);
}

function checkLabels(found: FieldViolation[], field: string, labels: readonly string[], spaces: boolean): void {
  checkCount(found, field, labels.length, LIMITS.labels);
  for (const [index, label] of labels.entries()) checkLabel(found, `${field}[${index}]`, label, spaces);
}

function checkTime(found: FieldViolation[], field: string, time: string | undefined, required: boolean): void {
  if (time === undefined) {
    if (required) found.push({ field, description: 'is required' });
  } else if (!(time >= '1970-01-01' && time < '9999')) {
    found.push({ field, description: `${time} is no time between 1970 and 9998` });
  }
}
