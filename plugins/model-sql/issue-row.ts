import { createEmptyIssue, foldCase, isOpen } from '@bugless/kit/domain';
import type { AccessLimit, Issue } from '@bugless/kit/service';
import type { Dialect } from '@bugless/sql';
import { KEY_KIND } from './schema/key-kind.ts';
import type { IssueTable } from './schema/tables.ts';

/** Columns of `issue i` that toIssue reads: the whole row. */
export const ISSUE_COLUMNS = `i.id, i.version, i.last_sequence, i.acl, i.status, i.priority, i.severity, i.type, i.is_open, i.archived,
  i.stars, i.comment_count, i.created, i.modified, i.resolved, i.verified, i.parent, i.duplicate_of, i.reporter, i.assignee, i.verifier,
  i.title, i.collaborators, i.cc, i.labels, i.found_in, i.targeted_to, i.verified_in, i.custom_fields`;

/** The class by which access to an issue is decided. Component ids stay below 2^29. */
export function formatAcl(component: string | number, limit: AccessLimit): number {
  return Number(component) * 4 + limit;
}

/** The component and access limit of a class. */
export function parseAcl(acl: number): { component: string; limit: AccessLimit } {
  return { component: String(Math.floor(acl / 4)), limit: (acl % 4) as AccessLimit };
}

/**
 * An issue's words stand in the part `id >> bits` of the text index: parts are searched newest
 * first. 512 issues; of Snowflake ids those of some 5 hours (2^24 ms).
 */
export const BUCKET_BITS: Readonly<Record<Dialect['ids'], number>> = { identity: 9, snowflake: 46 };

/** The part of the text index that an issue's words stand in. */
export function bucketOf(dialect: Dialect, id: string): number {
  return Number(BigInt(id) >> BigInt(BUCKET_BITS[dialect.ids]));
}

/**
 * An issue as its row tells it (view BASIC, access not yet decided): parent and
 * duplicate_of as stored; without description, blocked_by, blocking, hotlists and permissions.
 */
export function toIssue(row: IssueTable): Issue {
  const { component, limit } = parseAcl(row.acl);
  const issue = createEmptyIssue();
  issue.id = row.id;
  issue.version = row.version;
  issue.title = row.title;
  issue.type = row.type as Issue['type'];
  issue.priority = row.priority as Issue['priority'];
  issue.severity = row.severity as Issue['severity'];
  issue.status = row.status as Issue['status'];
  issue.component = component;
  issue.assignee = row.assignee;
  issue.verifier = row.verifier;
  issue.reporter = row.reporter;
  issue.collaborators = row.collaborators;
  issue.cc = row.cc;
  issue.labels = row.labels;
  issue.foundIn = row.found_in;
  issue.targetedTo = row.targeted_to;
  issue.verifiedIn = row.verified_in;
  issue.parent = row.parent ?? '0';
  issue.duplicateOf = row.duplicate_of ?? '0';
  issue.archived = row.archived;
  issue.accessLimit = limit;
  issue.stars = row.stars;
  issue.commentCount = row.comment_count;
  issue.created = row.created;
  issue.modified = row.modified;
  issue.resolved = row.resolved ?? undefined;
  issue.verified = row.verified ?? undefined;
  if (row.custom_fields) {
    issue.customFields = Object.keys(row.custom_fields)
      .sort()
      .map((field) => ({ field, values: row.custom_fields![field]! }));
  }
  return issue;
}

/** The row of an issue: what toIssue reads, the other way round. */
export function toIssueRow(issue: Issue, lastSequence: number): IssueTable {
  return {
    id: issue.id,
    version: issue.version,
    last_sequence: lastSequence,
    acl: formatAcl(issue.component, issue.accessLimit),
    status: issue.status,
    priority: issue.priority,
    severity: issue.severity,
    type: issue.type,
    is_open: isOpen(issue.status),
    archived: issue.archived,
    stars: issue.stars,
    comment_count: issue.commentCount,
    created: issue.created!,
    modified: issue.modified!,
    resolved: issue.resolved ?? null,
    verified: issue.verified ?? null,
    parent: issue.parent === '0' ? null : issue.parent,
    duplicate_of: issue.duplicateOf === '0' ? null : issue.duplicateOf,
    reporter: issue.reporter,
    assignee: issue.assignee,
    verifier: issue.verifier,
    title: issue.title,
    collaborators: issue.collaborators,
    cc: issue.cc,
    labels: issue.labels,
    found_in: issue.foundIn,
    targeted_to: issue.targetedTo,
    verified_in: issue.verifiedIn,
    custom_fields:
      issue.customFields.length === 0
        ? null
        : Object.fromEntries(issue.customFields.map(({ field, values }) => [field, values])),
  };
}

/** Longest value of a custom field that can be looked up, in characters. */
const KEY_CHARACTERS = 200;

/** What an issue is found by (rows of issue_key), commenters aside: those come with their updates. */
export function listKeys(issue: Issue): { kind: number; key: string }[] {
  const keys = new Map<string, { kind: number; key: string }>();
  const add = (kind: number, key: string): void => {
    keys.set(`${kind} ${key}`, { kind, key });
  };
  for (const label of issue.labels) add(KEY_KIND.LABEL, foldCase(label));
  for (const user of issue.cc) add(KEY_KIND.CC, user);
  for (const user of issue.collaborators) add(KEY_KIND.COLLABORATOR, user);
  if (issue.verifier !== '') add(KEY_KIND.VERIFIER, issue.verifier);
  for (const version of issue.foundIn) add(KEY_KIND.FOUND_IN, foldCase(version));
  for (const version of issue.targetedTo) add(KEY_KIND.TARGETED_TO, foldCase(version));
  for (const version of issue.verifiedIn) add(KEY_KIND.VERIFIED_IN, foldCase(version));
  for (const { field, values } of issue.customFields) {
    for (const value of values) add(KEY_KIND.CUSTOM_FIELD, formatCustomKey(field, value));
  }
  if (issue.accessLimit !== 0) for (const user of listParty(issue)) add(KEY_KIND.PARTY, user);
  return [...keys.values()];
}

/** The key of a custom field's value. */
export function formatCustomKey(field: string, value: string): string {
  return `${field}=${cutText(foldCase(value), KEY_CHARACTERS)}`;
}

/** Everyone named on an issue, once. */
export function listParty(issue: Issue): string[] {
  const named = new Set([issue.reporter, issue.assignee, issue.verifier, ...issue.collaborators, ...issue.cc]);
  named.delete('');
  return [...named];
}

/** At most so many characters, never half of a pair. */
export function cutText(text: string, characters: number): string {
  if (text.length <= characters) return text;
  const last = text.charCodeAt(characters - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? characters - 1 : characters);
}
