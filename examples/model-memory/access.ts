import { type ComponentAccess, collectAccess, decideIssuePermission, decidePermission } from '@bugless/kit/domain';
import { type CallContext, type Component, Permission, ServiceError } from '@bugless/kit/service';
import type { IssueRecord, Store } from './store.ts';

/** A component with what the caller may do there. */
export interface SeenComponent {
  readonly component: Component;
  readonly permission: Permission;
}

/** An issue with what the caller may do with it. */
export interface SeenIssue {
  readonly record: IssueRecord;
  readonly permission: Permission;
}

/** The component and all above it, the root first. */
export function readPath(store: Store, id: string): Component[] {
  const component = store.components.get(id);
  if (!component) return [];
  return [...readPath(store, component.parent), component];
}

/** The access that holds in a component. */
export function readAccess(store: Store, id: string): ComponentAccess {
  return collectAccess(readPath(store, id));
}

/** A component that the caller may see; else COMPONENT_NOT_FOUND, as if it did not exist. */
export function findComponent(store: Store, id: string, context: CallContext): SeenComponent {
  const component = store.components.get(id);
  const permission = component ? decidePermission(context, readAccess(store, id)) : Permission.UNSPECIFIED;
  if (component && permission >= Permission.VIEW) return { component, permission };
  throw new ServiceError('COMPONENT_NOT_FOUND', `there is no component ${id}, or it is not visible to you`);
}

/** An issue that the caller may see; undefined as if it did not exist. */
export function seeIssue(store: Store, id: string, context: CallContext): SeenIssue | undefined {
  const record = store.issues.get(id);
  if (!record) return undefined;
  const permission = decideIssuePermission(context, readAccess(store, record.issue.component), record.issue);
  return permission >= Permission.VIEW ? { record, permission } : undefined;
}

/** The same; else ISSUE_NOT_FOUND. `path` names the field of the request when the id is a reference. */
export function findIssue(store: Store, id: string, context: CallContext, path = ''): SeenIssue {
  const seen = seeIssue(store, id, context);
  if (seen) return seen;
  const violations = path === '' ? [] : [{ field: path, description: `there is no issue ${id}` }];
  const place = path === '' ? '' : `${path}: `;
  throw new ServiceError('ISSUE_NOT_FOUND', `${place}there is no issue ${id}, or it is not visible to you`, {
    violations,
  });
}
