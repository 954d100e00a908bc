import type { CustomFieldDefinition, CustomFieldValue, Issue } from '@bugless/kit/service';
import { nameForField } from '../parts/person.ts';
import type { People } from '../shell.ts';

/** An issue's fields as a form holds them: text by field name, the proto's; custom fields as `custom_fields.NAME`. */
export type FormValues = Readonly<Record<string, string>>;

/** Collections of an issue that a form edits as comma-separated text. */
export const COLLECTION_FIELDS = [
  'collaborators',
  'cc',
  'labels',
  'found_in',
  'targeted_to',
  'verified_in',
  'blocked_by',
] as const;

/** Collections whose elements are users. */
export const PEOPLE_FIELDS: ReadonlySet<string> = new Set(['collaborators', 'cc']);

/** `a, b,c` → its elements, without doubles. */
export function splitList(text: string): string[] {
  return [...new Set(text.split(/[,\n]/).map((part) => part.trim()))].filter((part) => part !== '');
}

/** Fills a form with an issue as it stands. */
export function fillForm(issue: Issue, people: People, customFields: readonly CustomFieldDefinition[]): FormValues {
  const names = (ids: readonly string[]): string => ids.map((id) => nameForField(id, people)).join(', ');
  const reference = (id: string): string => (id === '0' ? '' : id);
  const values: Record<string, string> = {
    title: issue.title,
    status: String(issue.status),
    duplicate_of: reference(issue.duplicateOf),
    priority: String(issue.priority),
    severity: String(issue.severity),
    type: String(issue.type),
    component: issue.component,
    assignee: nameForField(issue.assignee, people),
    verifier: nameForField(issue.verifier, people),
    collaborators: names(issue.collaborators),
    cc: names(issue.cc),
    labels: issue.labels.join(', '),
    found_in: issue.foundIn.join(', '),
    targeted_to: issue.targetedTo.join(', '),
    verified_in: issue.verifiedIn.join(', '),
    parent: reference(issue.parent),
    blocked_by: issue.blockedBy.join(', '),
    access_limit: String(issue.accessLimit),
    archived: issue.archived ? 'yes' : 'no',
  };
  for (const { name } of customFields)
    values[`custom_fields.${name}`] = readCustom(issue.customFields, name).join(', ');
  return values;
}

function readCustom(values: readonly CustomFieldValue[], name: string): readonly string[] {
  return values.find((value) => value.field === name)?.values ?? [];
}

/** Field names whose text differs from what the form started with. Order and spaces of a list mean nothing. */
export function listChanged(base: FormValues, sent: FormValues): string[] {
  return Object.keys(base).filter((field) => {
    const now = sent[field];
    const was = base[field] ?? '';
    if (now === undefined || now === was) return false;
    if (!(COLLECTION_FIELDS as readonly string[]).includes(field)) return now.trim() !== was.trim();
    return splitList(now).sort().join() !== splitList(was).sort().join();
  });
}
