import { checkAction, checkScope } from '@bugless/kit/domain';
import {
  type CallContext,
  Component,
  CreateComponentRequest,
  CreateComponentResponse,
  EventKind,
  invalidField,
  MoveComponentRequest,
  MoveComponentResponse,
  Permission,
  ServiceError,
  TokenScope,
  UpdateComponentRequest,
  UpdateComponentResponse,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import { checkComponent, checkComponentId, checkPlace, componentNotFound } from './component-check.ts';
import { findVisible, presentComponent } from './component-reader.ts';
import { type ComponentNode, type ComponentTree, foldName, toStoredGrant } from './component-tree.ts';
import { ComponentEntity } from './entity/component.ts';
import { insertEvents } from './issue-derived.ts';
import { formatAcl } from './issue-row.ts';
import { runWrite, type WriteScope } from './request-log.ts';
import { KEY_KIND } from './schema/key-kind.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';

const SETTABLE = [
  'name',
  'description',
  'owners',
  'default_assignee',
  'default_cc',
  'archived',
  'access',
  'access_overridden',
  'custom_fields',
  'templates',
];
/** Changing these changes who may do what. */
const GOVERNING = ['owners', 'access', 'access_overridden'];
const TEXTS = ['name', 'description'];

/** CreateComponent. */
export async function createComponent(
  store: Store,
  request: CreateComponentRequest,
  context: CallContext,
): Promise<CreateComponentResponse> {
  const asked = Component.fromPartial(request.component ?? {});
  return change(
    store,
    {
      method: 'CreateComponent',
      requestId: request.requestId,
      request,
      requestCodec: CreateComponentRequest,
      responseCodec: CreateComponentResponse,
      context,
    },
    async (scope, tree, next) => {
      checkComponent(asked, new Set(SETTABLE));
      const isRoot = asked.parent === '0';
      if (isRoot) checkAdministrator(context);
      else {
        checkComponentId('component.parent', asked.parent);
        checkAction(context, needNode(tree, context, asked.parent, 'component.parent').permission, 'administer');
      }
      checkPlace(tree, asked.parent, asked, undefined);
      const created: Component = {
        ...asked,
        id: next,
        owners: asked.owners.length === 0 && context.user !== '' ? [context.user] : [...new Set(asked.owners)],
        accessOverridden: isRoot || asked.accessOverridden,
      };
      const at = readClock(store);
      scope.em.persist(
        scope.em.create(ComponentEntity, {
          ...toEntity(created),
          id: Number(next),
          version: '1',
          created: at,
          modified: at,
        }),
      );
      return next;
    },
  );
}

/** UpdateComponent. */
export async function updateComponent(
  store: Store,
  request: UpdateComponentRequest,
  context: CallContext,
): Promise<UpdateComponentResponse> {
  checkComponentId('id', request.id);
  const mask = readMask(request);
  const asked = Component.fromPartial(request.component ?? {});
  return change(
    store,
    {
      method: 'UpdateComponent',
      requestId: request.requestId,
      request,
      requestCodec: UpdateComponentRequest,
      responseCodec: UpdateComponentResponse,
      context,
    },
    async (scope, tree) => {
      const { node, permission } = needNode(tree, context, request.id, 'id');
      checkAction(context, permission, GOVERNING.some((field) => mask.has(field)) ? 'govern' : 'administer');
      checkVersion(
        node.component,
        request.expectedVersion,
        TEXTS.find((field) => mask.has(field)),
      );
      checkComponent(asked, mask);
      const wanted = applyMask(node.component, asked, mask);
      if (wanted.parent === '0' && !wanted.accessOverridden) {
        throw invalidField('component.access_overridden', 'a root component has nobody to inherit from; leave it true');
      }
      checkPlace(tree, wanted.parent, wanted, node);
      if (mask.has('custom_fields')) await checkFieldsInUse(scope, tree, node, wanted);
      const entity = await scope.em.findOneOrFail(ComponentEntity, Number(request.id));
      const { owners, ...values } = toEntity(wanted);
      Object.assign(entity, values, { owners: [...new Set(owners)] });
      raiseVersion(entity, readClock(store));
      return request.id;
    },
  );
}

/** MoveComponent. */
export async function moveComponent(
  store: Store,
  request: MoveComponentRequest,
  context: CallContext,
): Promise<MoveComponentResponse> {
  checkComponentId('id', request.id);
  if (request.newParent !== '0') checkComponentId('new_parent', request.newParent);
  return change(
    store,
    {
      method: 'MoveComponent',
      requestId: request.requestId,
      request,
      requestCodec: MoveComponentRequest,
      responseCodec: MoveComponentResponse,
      context,
    },
    async (scope, tree) => {
      const { node, permission } = needNode(tree, context, request.id, 'id');
      checkAction(context, permission, 'govern');
      if (request.newParent === '0') checkAdministrator(context);
      else checkAction(context, needNode(tree, context, request.newParent, 'new_parent').permission, 'administer');
      checkVersion(node.component, request.expectedVersion, undefined);
      if (tree.find(request.newParent)?.component.ancestry.includes(request.id)) {
        throw new ServiceError(
          'CYCLE',
          `new_parent: component ${request.newParent} stands below component ${request.id}`,
        );
      }
      checkPlace(tree, request.newParent, node.component, node);
      if (node.component.parent === request.newParent) return request.id;
      const entity = await scope.em.findOneOrFail(ComponentEntity, Number(request.id));
      entity.parent = Number(request.newParent);
      if (request.newParent === '0' && !entity.accessOverridden) {
        // A root has to stand for itself: what it inherited so far stays in force.
        entity.accessOverridden = true;
        entity.access = node.access.grants.map(toStoredGrant);
      }
      raiseVersion(entity, readClock(store));
      return request.id;
    },
  );
}

type ComponentWrite<Request, Response> = Parameters<typeof runWrite<Request, Response>>[1];

/** Runs one write to the tree: the lock on it, the work, its new version, the event and the answer. */
async function change<Request, Response extends { component: Component | undefined }>(
  store: Store,
  write: ComponentWrite<Request, Response>,
  work: (scope: WriteScope, tree: ComponentTree, nextId: string) => Promise<string>,
): Promise<Response> {
  const { context } = write;
  if (context.user === '' && !context.system) checkAction(context, Permission.ADMIN, 'administer');
  let made: { response: Response; tree: ComponentTree } | undefined;
  const response = await runWrite(store, write, async (scope) => {
    const { rows } = await sql<{ version: string; last_component: number }>`
      select version, last_component from component_tree where id = ${1} for update`.execute(scope.db);
    const next = rows[0]!.last_component + 1;
    const before = await store.components.at(rows[0]!.version, scope.db);
    const id = await work(scope, before, String(next));
    await scope.em.flush();
    await sql`update component_tree set version = version + 1, last_component = greatest(last_component, ${Number(id)}::int4)
      where id = ${1}`.execute(scope.db);
    const changed = await sql<ModelTables['component']>`select * from component where id = ${Number(id)}`.execute(
      scope.db,
    );
    const tree = before.with(String(BigInt(rows[0]!.version) + 1n), changed.rows[0]!);
    const node = tree.find(id)!;
    await insertEvents([
      {
        id: store.ids.nextRowId(),
        kind: EventKind.COMPONENT_CHANGED,
        issue_id: '0',
        sequence: 0,
        version: node.component.version,
        component: Number(id),
        hotlist: '0',
        acl: formatAcl(id, 0),
        author: context.user,
        created: readClock(store),
      },
    ]).execute(scope.db);
    const answer = { component: presentComponent(node, tree.look(context), context) } as Response;
    made = { response: answer, tree };
    return answer;
  });
  // An answer from the log says nothing of the tree as it is now.
  if (made?.response === response) store.components.keep(made.tree);
  else await store.components.fresh(0);
  return response;
}

function needNode(
  tree: ComponentTree,
  context: CallContext,
  id: string,
  field: string,
): { node: ComponentNode; permission: Permission } {
  const sight = tree.look(context);
  const node = findVisible(tree, sight, id);
  if (!node) throw componentNotFound(id, field);
  return { node, permission: sight.getPermission(id) };
}

function checkAdministrator(context: CallContext): void {
  if (!context.system && !context.admin) {
    throw new ServiceError('FORBIDDEN', 'only an administrator may make a root component');
  }
  checkScope(context, TokenScope.ADMIN);
}

function checkVersion(component: Component, expected: string, text: string | undefined): void {
  if (expected === '0' || expected === '') {
    if (text === undefined) return;
    throw new ServiceError('VERSION_REQUIRED', `expected_version: is required to replace the text of ${text}`);
  }
  if (expected === component.version) return;
  throw new ServiceError(
    'VERSION_MISMATCH',
    `component ${component.id} is at version ${component.version}, not ${expected}: it was changed in between`,
    { metadata: { current: component.version } },
  );
}

function readMask(request: UpdateComponentRequest): Set<string> {
  const paths = request.updateMask ?? [];
  for (const [index, path] of paths.entries()) {
    if (!SETTABLE.includes(path)) {
      throw invalidField(
        `update_mask.paths[${index}]`,
        `${path} can not be set; one of ${SETTABLE.join(', ')} is expected`,
      );
    }
  }
  if (paths.length === 0) throw invalidField('update_mask', 'is required: the fields to set');
  return new Set(paths);
}

function applyMask(component: Component, asked: Component, mask: ReadonlySet<string>): Component {
  const take = <Name extends keyof Component>(field: string, name: Name): Component[Name] =>
    mask.has(field) ? asked[name] : component[name];
  return {
    ...component,
    name: take('name', 'name'),
    description: take('description', 'description'),
    owners: take('owners', 'owners'),
    defaultAssignee: take('default_assignee', 'defaultAssignee'),
    defaultCc: take('default_cc', 'defaultCc'),
    archived: take('archived', 'archived'),
    access: take('access', 'access'),
    accessOverridden: take('access_overridden', 'accessOverridden'),
    customFields: take('custom_fields', 'customFields'),
    templates: take('templates', 'templates'),
  };
}

/** A field that issues have values of keeps its kind and stays. */
async function checkFieldsInUse(
  scope: WriteScope,
  tree: ComponentTree,
  node: ComponentNode,
  wanted: Component,
): Promise<void> {
  const classes = [...tree.walk([node])].flatMap(({ component }) =>
    [0, 1, 2].map((limit) => formatAcl(component.id, limit as 0)),
  );
  for (const { name, kind } of node.component.customFields) {
    const kept = wanted.customFields.find((definition) => definition.name === name);
    if (kept?.kind === kind) continue;
    const { rows } = await sql<{
      used: boolean;
    }>`select exists (select 1 from issue_key where kind = ${KEY_KIND.CUSTOM_FIELD}
      and key >= ${`${name}=`} and key < ${`${name}>`} and acl = any(${classes}::int4[])) as used`.execute(scope.db);
    if (rows[0]!.used) {
      const what = kept ? 'keeps its kind' : 'can not be removed';
      throw new ServiceError('FIELD_IN_USE', `component.custom_fields: ${name} ${what}: issues have values of it`);
    }
  }
}

function raiseVersion(entity: ComponentEntity, now: string): void {
  entity.version = String(BigInt(entity.version) + 1n);
  entity.modified = entity.modified > now ? entity.modified : now;
}

function toEntity(component: Component) {
  return {
    parent: Number(component.parent),
    name: component.name.trim(),
    nameKey: foldName(component.name),
    description: component.description,
    owners: component.owners,
    defaultAssignee: component.defaultAssignee,
    defaultCc: [...new Set(component.defaultCc)].sort(),
    archived: component.archived,
    accessOverridden: component.accessOverridden,
    access: component.access.map(toStoredGrant),
    customFields: component.customFields.map(({ name, kind, options, description, required }) => ({
      name,
      kind,
      options,
      description,
      required,
    })),
    templates: component.templates.map(({ name, issue }) => ({
      name,
      issue: issue ?? {},
    })),
  };
}
