import { compareIds, decideHotlistPermission, listIssuePermissions } from '@bugless/kit/domain';
import {
  type CallContext,
  type FieldChange,
  type Issue,
  IssueView,
  Permission,
  type Update,
} from '@bugless/kit/service';
import { type SeenIssue, seeIssue } from './access.ts';
import type { Store } from './store.ts';

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
    blocking: (store.blocking.get(issue.id) ?? []).filter(seen).sort(compareIds),
    hotlists: listHotlists(store, issue.id, context),
    permissions: listIssuePermissions(context, permission),
  };
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
    // As they stand: a file that was withdrawn since is listed so.
    attachments: update.attachments.map((each) => store.attachments.get(each.id)?.attachment ?? each),
    changes: changes.filter((change) => change.oldValues.length > 0 || change.newValues.length > 0),
  };
}

function showChange(store: Store, change: FieldChange, context: CallContext): FieldChange {
  if (change.field !== 'blocked_by') return change;
  const seen = (id: string) => seeIssue(store, id, context) !== undefined;
  return { ...change, oldValues: change.oldValues.filter(seen), newValues: change.newValues.filter(seen) };
}
