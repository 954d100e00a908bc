import { AccessLimit, IssueType, Permission, Priority, Severity, Status } from '@bugless/kit/service';

/** Names of enum values for people, in the order in which pages offer them. */

/** Status → name and the query language's word. */
export const STATUS_NAMES: ReadonlyMap<
  number,
  { readonly name: string; readonly word: string; readonly open: boolean }
> = new Map([
  [Status.NEW, { name: 'New', word: 'new', open: true }],
  [Status.ASSIGNED, { name: 'Assigned', word: 'assigned', open: true }],
  [Status.ACCEPTED, { name: 'Accepted', word: 'accepted', open: true }],
  [Status.FIXED, { name: 'Fixed', word: 'fixed', open: false }],
  [Status.VERIFIED, { name: 'Verified', word: 'verified', open: false }],
  [Status.NOT_REPRODUCIBLE, { name: 'Not reproducible', word: 'not_reproducible', open: false }],
  [Status.INTENDED, { name: 'Intended behaviour', word: 'intended', open: false }],
  [Status.OBSOLETE, { name: 'Obsolete', word: 'obsolete', open: false }],
  [Status.INFEASIBLE, { name: 'Infeasible', word: 'infeasible', open: false }],
  [Status.DUPLICATE, { name: 'Duplicate', word: 'duplicate', open: false }],
]);

/** Type → name and icon (a symbol of icons.svg; also the query language's word). */
export const TYPE_NAMES: ReadonlyMap<number, { readonly name: string; readonly word: string }> = new Map([
  [IssueType.BUG, { name: 'Bug', word: 'bug' }],
  [IssueType.FEATURE_REQUEST, { name: 'Feature request', word: 'feature_request' }],
  [IssueType.CUSTOMER_ISSUE, { name: 'Customer issue', word: 'customer_issue' }],
  [IssueType.INTERNAL_CLEANUP, { name: 'Internal cleanup', word: 'internal_cleanup' }],
  [IssueType.PROCESS, { name: 'Process', word: 'process' }],
  [IssueType.VULNERABILITY, { name: 'Vulnerability', word: 'vulnerability' }],
]);

/** Priority → name. */
export const PRIORITY_NAMES: ReadonlyMap<number, string> = new Map([
  [Priority.P0, 'P0'],
  [Priority.P1, 'P1'],
  [Priority.P2, 'P2'],
  [Priority.P3, 'P3'],
  [Priority.P4, 'P4'],
]);

/** Severity → name. */
export const SEVERITY_NAMES: ReadonlyMap<number, string> = new Map([
  [Severity.S0, 'S0'],
  [Severity.S1, 'S1'],
  [Severity.S2, 'S2'],
  [Severity.S3, 'S3'],
  [Severity.S4, 'S4'],
]);

/** Access limit → name. */
export const ACCESS_LIMIT_NAMES: ReadonlyMap<number, string> = new Map([
  [AccessLimit.UNSPECIFIED, 'As the component says'],
  [AccessLimit.COMMENT, 'Limited commenting'],
  [AccessLimit.VIEW, 'Limited visibility'],
]);

/** Permission → name. */
export const PERMISSION_NAMES: ReadonlyMap<number, string> = new Map([
  [Permission.VIEW, 'View'],
  [Permission.COMMENT, 'Comment'],
  [Permission.CREATE, 'File issues'],
  [Permission.EDIT, 'Edit issues'],
  [Permission.ADMIN, 'Administer'],
]);

/** Name of a status, also of one from the future. */
export function nameStatus(status: number): string {
  return STATUS_NAMES.get(status)?.name ?? `Status ${status}`;
}

/** Name of a type, also of one from the future. */
export function nameType(type: number): string {
  return TYPE_NAMES.get(type)?.name ?? `Type ${type}`;
}

/** Whether work is left to do. A status from the future counts as closed. */
export function isOpen(status: number): boolean {
  return STATUS_NAMES.get(status)?.open ?? false;
}

/** Canonical field name → what pages call it. */
export const FIELD_NAMES: Readonly<Record<string, string>> = {
  title: 'Title',
  description: 'Description',
  type: 'Type',
  priority: 'Priority',
  severity: 'Severity',
  status: 'Status',
  component: 'Component',
  assignee: 'Assignee',
  verifier: 'Verifier',
  reporter: 'Reporter',
  collaborators: 'Collaborators',
  collaborator: 'Collaborators',
  cc: 'CC',
  labels: 'Labels',
  label: 'Labels',
  found_in: 'Found in',
  foundin: 'Found in',
  targeted_to: 'Targeted to',
  targetedto: 'Targeted to',
  verified_in: 'Verified in',
  verifiedin: 'Verified in',
  parent: 'Parent',
  blocked_by: 'Blocked by',
  blockedby: 'Blocked by',
  blocking: 'Blocking',
  duplicate_of: 'Duplicate of',
  duplicateof: 'Duplicate of',
  archived: 'Archived',
  access_limit: 'Access',
  accesslimit: 'Access',
};

/** What a page calls a field; a custom field by its own name. */
export function nameField(field: string): string {
  const known = FIELD_NAMES[field];
  if (known !== undefined) return known;
  return field.startsWith('field.') ? field.slice(6) : field.startsWith('custom_fields.') ? field.slice(14) : field;
}

/** Enum fields, by the canonical word that history records. */
const WORDS: Readonly<Record<string, ReadonlyMap<string, string>>> = {
  status: new Map([...STATUS_NAMES.values()].map((row) => [row.word, row.name])),
  type: new Map([...TYPE_NAMES.values()].map((row) => [row.word, row.name])),
  priority: new Map([...PRIORITY_NAMES.values()].map((name) => [name.toLowerCase(), name])),
  severity: new Map([...SEVERITY_NAMES.values()].map((name) => [name.toLowerCase(), name])),
  access_limit: new Map([
    ['default', 'as the component says'],
    ['limited_comment', 'limited commenting'],
    ['limited_view', 'limited visibility'],
  ]),
  archived: new Map([
    ['true', 'yes'],
    ['false', 'no'],
  ]),
};

/** What people call a value that history records as a word; other values as they are. */
export function nameValue(field: string, value: string): string {
  return WORDS[field]?.get(value) ?? value;
}
