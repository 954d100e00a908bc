/** What an imported issue looks like here: its state, and a history whose fold gives that state. Pure. */
import {
  applyChanges,
  CUSTOM_PREFIX,
  createEmptyIssue,
  decideSignificance,
  diffIssues,
  foldUpdates,
  getField,
  sortCustomFields,
  sortElements,
} from '@bugless/kit/domain';
import {
  type FieldChange,
  type ImportedIssue,
  type Issue,
  IssueType,
  Priority,
  Severity,
  Significance,
  Status,
  type Update,
} from '@bugless/kit/service';

/** Links that are made at once, since both ends are there. */
export interface ReadyLinks {
  readonly parent: string;
  readonly duplicateOf: string;
  readonly blockedBy: readonly string[];
}

/** An imported issue, ready to be written. */
export interface PlannedImport {
  readonly issue: Issue;
  /** With their sequence. */
  readonly updates: readonly Update[];
}

const LINK_FIELDS: ReadonlySet<string> = new Set(['parent', 'blocked_by', 'duplicate_of']);

/**
 * Plans one issue. Where update 1 tells no fields, they follow from the end by going back
 * through the later changes. Links in the history are left out: they name ids of the other tracker.
 */
export function planImport(
  imported: ImportedIssue,
  id: string,
  links: ReadyLinks,
  importer: string,
  now: string,
): PlannedImport {
  const end = completeState(imported.issue!, id, links);
  const updates = readHistory(imported, end, importer, now);
  const first = updates[0]!;
  if (first.changes.length === 0) first.changes = diffIssues(createEmptyIssue(), rewind(end, updates));
  if (end.reporter !== '' && end.reporter !== first.author) {
    first.changes.push({ field: 'reporter', oldValues: [], newValues: [end.reporter] });
  }
  let folded = foldUpdates(updates);
  const missing = diffIssues(folded, end);
  if (missing.length > 0) {
    updates.push(createUpdate(id, importer, laterOf(updates.at(-1)!.created!, end.modified), missing));
    folded = foldUpdates(updates);
  }
  for (const [index, update] of updates.entries()) {
    update.sequence = index + 1;
    if (update.significance === 0) update.significance = decideSignificance(update.comment, update.changes);
  }
  const issue: Issue = {
    ...folded,
    id,
    resolved: folded.resolved === undefined ? undefined : (end.resolved ?? folded.resolved),
    verified: folded.verified === undefined ? undefined : (end.verified ?? folded.verified),
    // Updates may be in any order of time, if the other tracker had them so.
    modified: updates.reduce((latest, { created }) => laterOf(created!, latest), end.modified ?? ''),
  };
  return { issue, updates };
}

/** The given state with defaults and the links that can be made. */
function completeState(given: Issue, id: string, links: ReadyLinks): Issue {
  const sorted = (name: string, values: readonly string[]): string[] => sortElements(getField(name)!, values);
  return {
    ...given,
    id,
    type: given.type || IssueType.BUG,
    priority: given.priority || Priority.P2,
    severity: given.severity || Severity.S2,
    status: given.status || (given.assignee === '' ? Status.NEW : Status.ASSIGNED),
    collaborators: sorted('collaborators', given.collaborators),
    cc: sorted('cc', given.cc),
    labels: sorted('labels', given.labels),
    foundIn: sorted('found_in', given.foundIn),
    targetedTo: sorted('targeted_to', given.targetedTo),
    verifiedIn: sorted('verified_in', given.verifiedIn),
    customFields: sortCustomFields(given.customFields),
    parent: links.parent,
    duplicateOf: links.duplicateOf,
    blockedBy: sorted('blocked_by', links.blockedBy),
  };
}

function readHistory(imported: ImportedIssue, end: Issue, importer: string, now: string): Update[] {
  const updates = imported.updates.map(
    (update): Update => ({
      ...update,
      issue: end.id,
      comment: update.redacted ? '' : update.comment,
      changes: update.changes.filter((change) => !LINK_FIELDS.has(change.field)).map((change) => ({ ...change })),
      commentVersion: Math.max(1, update.commentVersion),
      restricted: update.restricted && update.comment !== '',
      attachments: [],
    }),
  );
  if (updates.length === 0) {
    updates.push(createUpdate(end.id, end.reporter || importer, end.created ?? end.modified ?? now, []));
    updates[0]!.significance = Significance.MAJOR;
  }
  if (updates[0]!.comment === '' && !updates[0]!.redacted) updates[0]!.comment = end.description;
  return updates;
}

/** The state before every update but the first, as far as the changes tell it. */
function rewind(end: Issue, updates: readonly Update[]): Issue {
  let state = end;
  for (let index = updates.length - 1; index > 0; index--) {
    const back = updates[index]!.changes.filter(isKnown).map(
      ({ field, oldValues, newValues }): FieldChange => ({
        field,
        oldValues: newValues,
        newValues: oldValues,
      }),
    );
    if (back.length > 0) state = applyChanges(state, back, undefined);
  }
  return state;
}

const isKnown = ({ field }: FieldChange): boolean =>
  field.startsWith(CUSTOM_PREFIX) || getField(field)?.recorded === true;

function laterOf(a: string, b: string | undefined): string {
  return b === undefined || a > b ? a : b;
}

function createUpdate(issue: string, author: string, created: string, changes: FieldChange[]): Update {
  return {
    issue,
    sequence: 0,
    author,
    created,
    comment: '',
    changes,
    significance: Significance.SILENT,
    restricted: false,
    commentVersion: 1,
    edited: undefined,
    editor: '',
    redacted: false,
    attachments: [],
  };
}
