/** What is sent to a webhook, as the Standard Webhooks specification has it: type, timestamp, data. Its data is that of the JSON API. */
import { CUSTOM_PREFIX, WORDS } from '@bugless/kit/domain';
import type { Attachment, Event, FieldChange, Update } from '@bugless/kit/service';
import { cutText } from './issue-row.ts';

/** Characters of a comment that are sent. */
const COMMENT_CHARACTERS = 64 * 1024;

/** The body of an event, JSON. */
export function formatDeliveryBody(event: Event): string {
  const kind = WORDS.eventKind.format(event.kind);
  return JSON.stringify({
    type: kind.replace('_', '.'),
    timestamp: event.created,
    data: {
      cursor: event.cursor,
      kind,
      created: event.created,
      author: event.author || null,
      issue: event.issue === '0' ? null : event.issue,
      version: event.version,
      component: event.component === '0' ? null : event.component,
      hotlist: event.hotlist === '0' ? null : event.hotlist,
      update: event.update === undefined ? null : formatUpdate(event.update),
    },
  });
}

function formatUpdate(update: Update): object {
  const comment = cutText(update.comment, COMMENT_CHARACTERS);
  return {
    issue: update.issue,
    sequence: update.sequence,
    author: update.author || null,
    created: update.created ?? null,
    comment,
    commentIsCut: comment.length < update.comment.length,
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

/** `found_in` → `foundIn`; custom fields keep their name. */
function formatChange({ field, oldValues, newValues }: FieldChange): object {
  const name = field.startsWith(CUSTOM_PREFIX)
    ? field
    : field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { field: name, oldValues, newValues };
}

function formatAttachment(attachment: Attachment): object {
  return {
    id: attachment.id,
    name: attachment.name,
    contentType: attachment.contentType,
    size: attachment.size,
    sha256: Buffer.from(attachment.sha256).toString('hex'),
  };
}
