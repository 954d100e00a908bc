import { compareIds, decideHotlistPermission, isOpen, listIssuePermissions } from '@bugless/kit/domain';
import {
  type CallContext,
  type FieldChange,
  type Issue,
  IssueView,
  Permission,
  type Update,
} from '@bugless/kit/service';
import { type SeenIssue, seeIssue } from './access.ts';
import type { IssueRecord, Store } from './store.ts';

/** An issue as the caller sees it: without links to what it may not see, with what is its own. */
export function showIssue(
  store: Store,
  { record, permission }: SeenIssue,
  context: CallContext,
  view: IssueView = IssueView.FULL,
): Issue {
  const { issue, fans } = record;
  const shown = { ...issue, stars: fans.size, starred: context.user !== '' && fans.has(context.user) };
  if (view === IssueView.BASIC)
    return { ...shown, description: '', blockedBy: [], blocking: [], hotlists: [], customFields: [], permissions: [] };
  const [first] = record.updates;
  const seen = (id: string) => seeIssue(store, id, context) !== undefined;
  return {
    ...shown,
    description: first ? showUpdate(store, first, permission, context).comment : '',
    blockedBy: issue.blockedBy.filter(seen),
    blocking: listBlocking(store, issue.id).filter(seen),
    hotlists: listHotlists(store, issue.id, context),
    permissions: listIssuePermissions(context, permission),
  };
}

/** Ids of the issues that one blocks. A database has an index for this. */
export function listBlocking(store: Store, id: string): string[] {
  const blocked = [...store.issues.values()].filter(({ issue }) => issue.blockedBy.includes(id));
  return blocked.map(({ issue }) => issue.id).sort(compareIds);
}

/** Whether one of the issues that block it, as far as the caller sees them, is open. */
export function isBlocked(store: Store, { issue }: IssueRecord, context: CallContext): boolean {
  return issue.blockedBy.some((id) => {
    const seen = seeIssue(store, id, context);
    return seen !== undefined && isOpen(seen.record.issue.status);
  });
}

/** Ids of the hotlists that hold an issue and that the caller may see. */
export function listHotlists(store: Store, id: string, context: CallContext): string[] {
  const seen = [...store.hotlists.values()].filter((hotlist) => decideHotlistPermission(context, hotlist) > 0);
  const holding = seen.filter((hotlist) => store.entries.get(hotlist.id)?.some((entry) => entry.issue === id));
  return holding.map((hotlist) => hotlist.id).sort(compareIds);
}

/** Whether the caller may read the comment of an update. */
export function mayRead(update: Update, permission: Permission): boolean {
  return !update.redacted && (!update.restricted || permission >= Permission.EDIT);
}

/** An update as the caller sees it: without a comment that it may not read and links to what it may not see. */
export function showUpdate(store: Store, update: Update, permission: Permission, context: CallContext): Update {
  const changes = update.changes.map((change) => showChange(store, change, context));
  return {
    ...update,
    comment: mayRead(update, permission) ? update.comment : '',
    changes: changes.filter((change) => change.oldValues.length > 0 || change.newValues.length > 0),
  };
}

function showChange(store: Store, change: FieldChange, context: CallContext): FieldChange {
  if (change.field !== 'blocked_by') return change;
  const seen = (id: string) => seeIssue(store, id, context) !== undefined;
  return { ...change, oldValues: change.oldValues.filter(seen), newValues: change.newValues.filter(seen) };
}
