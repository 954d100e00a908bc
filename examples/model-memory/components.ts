import {
  checkAction,
  checkCount,
  checkText,
  checkUserId,
  foldCase,
  listComponentPermissions,
  refuse,
} from '@bugless/kit/domain';
import {
  type CallContext,
  Component,
  CustomFieldKind,
  EventKind,
  type FieldViolation,
  type ModelImplementation,
  Permission,
  ServiceError,
  type UpdateComponentRequest,
} from '@bugless/kit/service';
import { findComponent, readAccess, readPath, type SeenComponent } from './access.ts';
import { type Environment, requireLogin } from './environment.ts';
import { paginate } from './page.ts';
import { writeOnce } from './request.ts';
import type { Store } from './store.ts';
import { checkVersion } from './version.ts';

const MAX_DEPTH = 20;

/** Fields that UpdateComponent may name, and where they stand. */
const SETTABLE = {
  name: 'name',
  description: 'description',
  owners: 'owners',
  default_assignee: 'defaultAssignee',
  default_cc: 'defaultCc',
  archived: 'archived',
  access: 'access',
  access_overridden: 'accessOverridden',
  custom_fields: 'customFields',
  templates: 'templates',
} as const satisfies Record<string, keyof Component>;

/** The tree of components. */
export function createComponentMethods(environment: Environment) {
  const { store } = environment;
  return {
    async createComponent(request, context) {
      return writeOnce(environment, context, 'CreateComponent', request, () => {
        const asked = request.component ?? Component.fromPartial({});
        if (asked.parent === '0') requireAdministrator(context);
        else checkAction(context, findComponent(store, asked.parent, context).permission, 'administer');
        const now = environment.now();
        const owners = asked.owners.length > 0 || context.user === '' ? asked.owners : [context.user];
        const isRoot = asked.parent === '0';
        const component = { ...asked, id: store.mintId(), version: '1', owners, created: now, modified: now };
        const made = { ...component, accessOverridden: isRoot || asked.accessOverridden };
        putComponent(environment, made, context);
        return { component: showComponent(store, findComponent(store, made.id, context), context) };
      });
    },

    async getComponent({ id }, context) {
      return { component: showComponent(store, findComponent(store, id, context), context) };
    },

    async listComponents(request, context) {
      const { below, includeArchived, name } = request;
      if (below !== '0') findComponent(store, below, context);
      const rows = [...store.components.values()]
        .filter((component) => below === '0' || readAccess(store, component.id).ancestry.includes(below))
        .filter((component) => includeArchived || !isArchived(store, component.id))
        .filter((component) => foldCase(component.name).includes(foldCase(name)))
        .map((component) => ({ component, keys: formatPath(store, component.id) }))
        .sort((a, b) => comparePaths(a.keys, b.keys))
        .flatMap((row) => {
          const seen = seeComponent(store, row.component.id, context);
          return seen ? [{ ...row, seen }] : [];
        });
      const page = paginate(rows, request, [below, includeArchived, name], (row) => row.keys, comparePaths);
      return {
        components: page.rows.map(({ seen }) => showComponent(store, seen, context)),
        nextPageToken: page.nextPageToken,
      };
    },

    async updateComponent(request, context) {
      return writeOnce(environment, context, 'UpdateComponent', request, () => {
        const { component, permission } = findComponent(store, request.id, context);
        checkAction(context, permission, request.updateMask?.includes('access') ? 'govern' : 'administer');
        const next = setFields(component, request);
        checkCustomFieldUse(store, component, next);
        writeNext(environment, component, next, context);
        return { component: showComponent(store, findComponent(store, request.id, context), context) };
      });
    },

    async moveComponent(request, context) {
      return writeOnce(environment, context, 'MoveComponent', request, () => {
        const { component, permission } = findComponent(store, request.id, context);
        checkAction(context, permission, 'administer');
        if (request.newParent === '0') requireAdministrator(context);
        else checkAction(context, findComponent(store, request.newParent, context).permission, 'administer');
        checkVersion(component, request.expectedVersion, undefined);
        if (readAccess(store, request.newParent).ancestry.includes(component.id))
          throw new ServiceError('CYCLE', `new_parent: component ${request.newParent} lies below ${component.id}`);
        const accessOverridden = component.accessOverridden || request.newParent === '0';
        writeNext(environment, component, { ...component, parent: request.newParent, accessOverridden }, context);
        return { component: showComponent(store, findComponent(store, request.id, context), context) };
      });
    },
  } satisfies Partial<ModelImplementation>;
}

function requireAdministrator(context: CallContext): void {
  requireLogin(context);
  checkAction(context, context.admin || context.system ? Permission.ADMIN : Permission.VIEW, 'administer');
}

function seeComponent(store: Store, id: string, context: CallContext): SeenComponent | undefined {
  try {
    return findComponent(store, id, context);
  } catch {
    return undefined;
  }
}

function showComponent(store: Store, { component, permission }: SeenComponent, context: CallContext): Component {
  const path = readPath(store, component.id);
  return {
    ...component,
    path: path.map(({ name }) => name),
    ancestry: path.map(({ id }) => id),
    permissions: listComponentPermissions(context, permission),
  };
}

function isArchived(store: Store, id: string): boolean {
  return readPath(store, id).some((component) => component.archived);
}

/** What a list is ordered by: folded names from the root; the id where two fold alike. */
function formatPath(store: Store, id: string): string[] {
  return [...readPath(store, id).map(({ name }) => foldCase(name)), id];
}

function comparePaths(a: readonly string[], b: readonly string[]): number {
  const [names, others] = [a.slice(0, -1), b.slice(0, -1)];
  for (const [index, name] of names.entries()) {
    const other = others[index];
    if (other === undefined || name > other) return 1;
    if (name < other) return -1;
  }
  if (names.length < others.length) return -1;
  const [id, otherId] = [a.at(-1)!, b.at(-1)!];
  return id.length - otherId.length || (id < otherId ? -1 : id > otherId ? 1 : 0);
}

function setFields(component: Component, request: UpdateComponentRequest): Component {
  const mask = request.updateMask ?? [];
  const violations: FieldViolation[] = [];
  const next = { ...component };
  for (const [index, path] of mask.entries()) {
    const property = SETTABLE[path as keyof typeof SETTABLE];
    const names = Object.keys(SETTABLE).join(', ');
    if (property === undefined)
      violations.push({
        field: `update_mask.paths[${index}]`,
        description: `${path} cannot be set; one of ${names} is expected`,
      });
    else Object.assign(next, { [property]: request.component?.[property] });
  }
  refuse(violations);
  const text = (['name', 'description'] as const).find((field) => mask.includes(field));
  checkVersion(component, request.expectedVersion, text);
  if (component.parent === '0') next.accessOverridden = true;
  return next;
}

function writeNext(environment: Environment, before: Component, next: Component, context: CallContext): void {
  if (JSON.stringify(before) === JSON.stringify(next)) return;
  const version = String(BigInt(before.version) + 1n);
  putComponent(environment, { ...next, version, modified: environment.now() }, context);
}

/** Checks a component where it is going to stand, and puts it. */
function putComponent({ store }: Environment, component: Component, context: CallContext): void {
  const violations: FieldViolation[] = [];
  const { name } = component;
  checkText(violations, 'component.name', name, { maxCharacters: 100, required: true, singleLine: true });
  if (/[>"]/.test(name))
    violations.push({ field: 'component.name', description: 'holds `>` or `"`, which paths in queries need' });
  checkText(violations, 'component.description', component.description, { maxBytes: 64 * 1024 });
  for (const [index, owner] of component.owners.entries()) checkUserId(violations, `component.owners[${index}]`, owner);
  checkCount(violations, 'component.default_cc', component.defaultCc.length, 500);
  for (const [index, grant] of component.access.entries())
    if (!grant.principal || grant.permission === Permission.UNSPECIFIED)
      violations.push({ field: `component.access[${index}]`, description: 'needs a principal and a permission' });
  for (const [index, field] of component.customFields.entries())
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(field.name) || field.kind === CustomFieldKind.UNSPECIFIED)
      violations.push({
        field: `component.custom_fields[${index}]`,
        description: 'needs a name of letters, digits, `_` and `-`, and a kind',
      });
  refuse(violations);

  const siblings = [...store.components.values()].filter(
    ({ parent, id }) => parent === component.parent && id !== component.id,
  );
  if (siblings.some((sibling) => foldCase(sibling.name) === foldCase(name)))
    throw new ServiceError(
      'NAME_TAKEN',
      `component.name: there is ${JSON.stringify(name)} already below the same parent`,
    );
  store.put(store.components, component.id, component);
  if (depthBelow(store, component.id) + readPath(store, component.parent).length > MAX_DEPTH)
    throw new ServiceError('TREE_TOO_DEEP', `components nest at most ${MAX_DEPTH} deep`);
  const { id, modified } = component;
  const event = { kind: EventKind.COMPONENT_CHANGED, created: modified, author: context.user, component: id };
  store.tell({ ...event, issue: '0', version: component.version, hotlist: '0', update: undefined });
}

function depthBelow(store: Store, id: string): number {
  const below = [...store.components.values()].filter((component) => component.parent === id);
  return 1 + Math.max(0, ...below.map((component) => depthBelow(store, component.id)));
}

function checkCustomFieldUse(store: Store, before: Component, next: Component): void {
  for (const field of before.customFields) {
    const after = next.customFields.find(({ name }) => name === field.name);
    if (after?.kind === field.kind) continue;
    const inside = [...store.issues.values()].filter(({ issue }) =>
      readAccess(store, issue.component).ancestry.includes(before.id),
    );
    if (inside.some(({ issue }) => issue.customFields.some((value) => value.field === field.name)))
      throw new ServiceError('FIELD_IN_USE', `component.custom_fields: issues use ${field.name}; leave it as it is`);
  }
}
