import { WORDS, type WordTable } from '@bugless/kit/domain';
import type { Attachment, FieldChange, Issue, Update } from '@bugless/kit/service';
import { quote, quoteAll } from './json-text.ts';

/** Quoted words by number; numbers not known here are written as their decimals. */
function quoteWords(table: WordTable): (number: number) => string {
  const words: string[] = [];
  for (const number of table.numbers) words[number] = JSON.stringify(table.format(number));
  return (number) => words[number] ?? (number === 0 ? 'null' : JSON.stringify(table.format(number)));
}

const type = quoteWords(WORDS.type);
const priority = quoteWords(WORDS.priority);
const severity = quoteWords(WORDS.severity);
const status = quoteWords(WORDS.status);
const accessLimit = quoteWords(WORDS.accessLimit);
const permission = quoteWords(WORDS.permission);

const user = (id: string): string => (id === '' ? 'null' : quote(id));
const reference = (id: string): string => (id === '0' || id === '' ? 'null' : `"${id}"`);
const time = (iso: string | undefined): string => (iso === undefined ? 'null' : `"${iso}"`);

/**
 * An issue as JSON text. Names are the contract's in lowerCamelCase; "none" is null; what a list
 * (view BASIC) does not hold is left out, so that nobody takes it for empty.
 */
export function writeIssue(issue: Issue, full: boolean): string {
  let json = `{"id":"${issue.id}","version":"${issue.version}","title":${quote(issue.title)}`;
  if (full) json += `,"description":${quote(issue.description)}`;
  json += `,"type":${type(issue.type)},"priority":${priority(issue.priority)},"severity":${severity(issue.severity)},"status":${status(issue.status)},"component":"${issue.component}","assignee":${user(issue.assignee)},"verifier":${user(issue.verifier)},"reporter":${user(issue.reporter)},"collaborators":${quoteAll(issue.collaborators)},"cc":${quoteAll(issue.cc)},"labels":${quoteAll(issue.labels)},"foundIn":${quoteAll(issue.foundIn)},"targetedTo":${quoteAll(issue.targetedTo)},"verifiedIn":${quoteAll(issue.verifiedIn)},"parent":${reference(issue.parent)},"duplicateOf":${reference(issue.duplicateOf)}`;
  if (full) {
    json += `,"blockedBy":${quoteAll(issue.blockedBy)},"blocking":${quoteAll(issue.blocking)},"hotlists":${quoteAll(issue.hotlists)},"customFields":${issue.customFields.length === 0 ? '[]' : JSON.stringify(issue.customFields)}`;
  }
  json += `,"archived":${issue.archived},"accessLimit":${accessLimit(issue.accessLimit)},"stars":${issue.stars},"starred":${issue.starred},"commentCount":${issue.commentCount},"created":${time(issue.created)},"modified":${time(issue.modified)},"resolved":${time(issue.resolved)},"verified":${time(issue.verified)}`;
  if (full) json += `,"permissions":[${issue.permissions.map(permission).join(',')}]`;
  return `${json}}`;
}

/** A list of issues: `{"issues": […], "nextPageToken": "…"}` and whatever else the answer says. */
export function writeIssueList(
  issues: readonly Issue[],
  full: boolean,
  rest: Readonly<Record<string, unknown>>,
): string {
  let json = '{"issues":[';
  for (let i = 0; i < issues.length; i++)
    json += i === 0 ? writeIssue(issues[i]!, full) : `,${writeIssue(issues[i]!, full)}`;
  const tail = JSON.stringify(rest);
  return tail === '{}' ? `${json}]}` : `${json}],${tail.slice(1)}`;
}

/** An update as plain data. */
export function formatUpdate(update: Update): object {
  return {
    issue: update.issue,
    sequence: update.sequence,
    author: update.author || null,
    created: update.created ?? null,
    comment: update.comment,
    changes: update.changes.map(formatChange),
    significance: WORDS.significance.format(update.significance),
    restricted: update.restricted,
    commentVersion: update.commentVersion,
    edited: update.edited ?? null,
    editor: update.editor || null,
    redacted: update.redacted,
    attachments: update.attachments.map(formatAttachment),
  };
}

/** Names of the fields of Issue, as the rest of the API has them: `found_in` → `foundIn`. */
function formatChange(change: FieldChange): object {
  const field = change.field.startsWith('field.')
    ? change.field
    : change.field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { field, oldValues: change.oldValues, newValues: change.newValues };
}

function formatAttachment(attachment: Attachment): object {
  return {
    id: attachment.id,
    issue: attachment.issue,
    sequence: attachment.sequence,
    name: attachment.name,
    contentType: attachment.contentType,
    size: attachment.size,
    sha256: Buffer.from(attachment.sha256).toString('hex'),
    author: attachment.author || null,
    created: attachment.created ?? null,
    deleted: attachment.deleted,
  };
}
