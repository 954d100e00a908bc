import {
  checkAction,
  decodePageToken,
  encodePageToken,
  fingerprintRequest,
  foldCase,
  listComponentPermissions,
} from '@bugless/kit/domain';
import {
  type CallContext,
  type Component,
  type GetComponentRequest,
  type GetComponentResponse,
  type ListComponentsRequest,
  type ListComponentsResponse,
  Permission,
} from '@bugless/kit/service';
import { checkComponentId, componentNotFound } from './component-check.ts';
import { type ComponentNode, type ComponentTree, foldName } from './component-tree.ts';
import type { Store } from './store.ts';
import { readPageSize } from './update-reader.ts';
import type { Sight } from './viewer.ts';

/** GetComponent. */
export async function getComponent(
  store: Store,
  request: GetComponentRequest,
  context: CallContext,
): Promise<GetComponentResponse> {
  checkComponentId('id', request.id);
  const tree = await store.components.fresh(0);
  const sight = tree.look(context);
  const node = findVisible(tree, sight, request.id);
  if (!node) throw componentNotFound(request.id);
  checkAction(context, Permission.VIEW, 'view');
  return { component: presentComponent(node, sight, context) };
}

/** ListComponents. */
export async function listComponents(
  store: Store,
  request: ListComponentsRequest,
  context: CallContext,
): Promise<ListComponentsResponse> {
  const size = readPageSize(request.pageSize);
  const fingerprint = fingerprintRequest('ListComponents', request.below, request.includeArchived, request.name);
  const after = decodePageToken(request.pageToken, fingerprint, 1)?.keys[0] as string | undefined;
  const tree = await store.components.fresh(0);
  const sight = tree.look(context);
  const below = request.below === '0' ? undefined : findVisible(tree, sight, request.below);
  if (request.below !== '0' && !below) throw componentNotFound(request.below, 'below');
  checkAction(context, Permission.VIEW, 'view');
  const part = foldCase(request.name);
  const page: ComponentNode[] = [];
  for (const node of tree.walk(below ? [below] : tree.roots)) {
    const { component } = node;
    if (component.archived && !request.includeArchived) continue;
    if (part !== '' && !foldCase(component.name).includes(part)) continue;
    if (sight.getPermission(component.id) < Permission.VIEW) continue;
    if (after !== undefined && formatPlace(component) <= after) continue;
    page.push(node);
    if (page.length > size) break;
  }
  const shown = page.slice(0, size);
  return {
    components: shown.map((node) => presentComponent(node, sight, context)),
    nextPageToken:
      page.length > size ? encodePageToken({ keys: [formatPlace(shown.at(-1)!.component)], id: '' }, fingerprint) : '',
  };
}

/** Names of the path, so that a component comes before those below it, and siblings in the order of their names. */
const formatPlace = (component: Component): string => component.path.map(foldName).join('\u0001');

/** A component that is there for this caller. */
export function findVisible(tree: ComponentTree, sight: Sight, id: string): ComponentNode | undefined {
  return sight.getPermission(id) >= Permission.VIEW ? tree.find(id) : undefined;
}

/** A component as its caller gets it. */
export function presentComponent(node: ComponentNode, sight: Sight, context: CallContext): Component {
  const permissions = listComponentPermissions(context, sight.getPermission(node.component.id));
  return { ...node.component, permissions };
}
