/** Checks of whole issues: each field by its row of the table, custom fields by their definitions. */
import type { CustomFieldDefinition, Issue } from '@bugless/proto';
import type { FieldViolation } from '../service/error.ts';
import {
  checkCount,
  checkCustomValues,
  checkEnum,
  checkId,
  checkLabel,
  checkText,
  checkUserId,
  LIMITS,
  quote,
} from './check.ts';
import { EDITABLE_COLLECTIONS, getField, type IssueField } from './field.ts';
import { sortCustomFields, sortElements } from './fold.ts';

/** Collections that are edited element by element. */
export const EDITABLE = EDITABLE_COLLECTIONS.map(([name, property]) => ({ field: getField(name)!, property }));

const COUNTS: Readonly<Record<string, number>> = {
  collaborators: LIMITS.collaborators,
  cc: LIMITS.cc,
  blocked_by: LIMITS.blockedBy,
};

/** How many elements a collection may have. */
export function getMaxCount(field: IssueField): number {
  return COUNTS[field.name] ?? LIMITS.labels;
}

/**
 * Puts collections in their order and writes empty references as `0`. `only` some fields:
 * an imported issue may hold what a person may not write, and keeps it until that field changes.
 */
export function sortIssue(issue: Issue, only?: readonly IssueField[]): Issue {
  const sorted: Issue = {
    ...issue,
    parent: issue.parent || '0',
    duplicateOf: issue.duplicateOf || '0',
    customFields: sortCustomFields(issue.customFields),
  };
  for (const { field, property } of EDITABLE) {
    if (only === undefined || only.includes(field)) sorted[property] = sortElements(field, issue[property]);
  }
  return sorted;
}

/** Checks one element of a collection. */
export function checkElement(violations: FieldViolation[], path: string, field: IssueField, element: string): void {
  if (field.kind === 'users') checkUserId(violations, path, element);
  else if (field.kind === 'issues') checkId(violations, path, element);
  else checkLabel(violations, path, element, field.name !== 'labels');
}

/** Checks one settable field of an issue, at `root` in the request. */
export function checkField(violations: FieldViolation[], root: string, field: IssueField, issue: Issue): void {
  const path = `${root}.${field.name}`;
  const value = issue[field.property!];
  if (field.collection) {
    const elements = value as readonly string[];
    for (const [index, element] of elements.entries()) {
      checkElement(violations, `${path}[${index}]`, field, element);
    }
    checkCount(violations, path, sortElements(field, elements).length, getMaxCount(field));
  } else if (field.kind === 'enum') checkEnum(violations, path, value as number, field.words!);
  else if (field.kind === 'text') {
    checkText(violations, path, value as string, {
      maxCharacters: LIMITS.titleCharacters,
      required: true,
      singleLine: true,
    });
  } else if (field.kind === 'user') {
    if (value !== '') checkUserId(violations, path, value as string);
  } else if (field.kind === 'component') {
    if (value === '0' || value === '') violations.push({ field: path, description: 'is required' });
    else checkId(violations, path, value as string);
  } else if (field.kind === 'issue' && value !== '0' && value !== '') checkId(violations, path, value as string);
}

/** Checks custom fields against their definitions: all, or `only` those named. */
export function checkCustomFields(
  violations: FieldViolation[],
  issue: Issue,
  definitions: readonly CustomFieldDefinition[],
  only?: readonly string[],
): void {
  const seen = new Set<string>();
  for (const { field: name } of issue.customFields) {
    const path = `issue.custom_fields.${name}`;
    if (seen.has(name)) violations.push({ field: path, description: 'is given twice' });
    seen.add(name);
    // An old value of a field that is no longer defined may stay.
    if (only === undefined && !definitions.some((definition) => definition.name === name)) {
      violations.push({ field: path, description: describeUnknownCustom(name, definitions) });
    }
  }
  for (const definition of definitions) {
    if (only !== undefined && !only.includes(definition.name)) continue;
    const values = issue.customFields.find((value) => value.field === definition.name)?.values ?? [];
    checkCustomValues(violations, `issue.custom_fields.${definition.name}`, definition, values);
  }
}

/** Says that a component has no such custom field. */
export function describeUnknownCustom(name: string, definitions: readonly CustomFieldDefinition[]): string {
  const names = definitions.map((definition) => definition.name);
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  return `the component has no custom field ${quote(name)}; ${known}`;
}
