import { WORDS } from '@bugless/kit/domain';
import type { AccessGrant, Component, Group } from '@bugless/kit/service';
import { invalidField, Permission, ServiceError } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  ComponentPage,
  ComponentTreePage,
  formatCustomField,
  NewComponentPage,
  parseCustomField,
} from '../../web/pages/components.ts';
import type { FormValues } from '../../web/pages/issue-form.ts';
import { splitList } from '../../web/pages/issue-form.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { nameForField } from '../../web/parts/person.ts';
import type { People } from '../../web/shell.ts';
import { toServiceError } from '../problem.ts';
import { resolveUserReferences } from '../user-reference.ts';
import { explainErrors, readFields, readId, readQuery, readText } from './body.ts';
import type { ComponentDirectory } from './component-directory.ts';
import { listAllComponents } from './component-directory.ts';
import type { Pages } from './page.ts';

const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'description',
  'owners',
  'default_assignee',
  'default_cc',
  'access',
  'custom_fields',
  'parent',
]);
const NOTICES: Readonly<Record<string, string>> = { saved: 'Saved.', moved: 'Moved.' };

/** The tree of components, and one component. */
export function componentRoutes(app: FastifyInstance, pages: Pages, directory: ComponentDirectory): void {
  const { services } = pages;
  const { model, identity } = services;

  app.get('/components', async (request, reply) => {
    const archived = readQuery(request, 'archived') === 'yes';
    const [shell, components] = await Promise.all([
      pages.createShell(request, reply),
      listAllComponents(services, request.caller.context, archived),
    ]);
    const canCreate = shell.viewer !== undefined && (shell.viewer.admin || components.some(isAdmin));
    return pages.send(reply, ComponentTreePage({ shell, components, archived, canCreate }));
  });

  app.get('/components/new', (request, reply) => sendNew(request, reply, { parent: readQuery(request, 'parent') }));

  async function sendNew(
    request: FastifyRequest,
    reply: FastifyReply,
    values: FormValues,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const [shell, parents] = await Promise.all([pages.createShell(request, reply), listParents(request)]);
    return pages.send(reply, NewComponentPage({ shell, parents, values, errors }), errors ? 400 : 200);
  }

  async function listParents(request: FastifyRequest): Promise<{ id: string; path: string }[]> {
    const all = await listAllComponents(services, request.caller.context, false);
    return all.filter(isAdmin).map(({ id, path }) => ({ id, path: path.join(' > ') }));
  }

  app.post('/components/new', async (request, reply) => {
    const sent = readFields(request);
    try {
      const { component } = await model.createComponent(
        {
          component: { ...(await readComponent(sent, request)), parent: sent.parent ?? '0' },
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
      directory.forget();
      return reply.redirect(`/components/${component?.id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      return sendNew(request, reply, sent, explainComponent(failure));
    }
  });

  app.get('/components/:id', (request, reply) => send(request, reply));

  async function send(
    request: FastifyRequest,
    reply: FastifyReply,
    draft?: FormValues,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const { context } = request.caller;
    const id = readId(request, 'id', 'COMPONENT_NOT_FOUND');
    const [shell, { component }, all, groups] = await Promise.all([
      pages.createShell(request, reply),
      model.getComponent({ id }, context),
      listAllComponents(services, context, true),
      listGroups(request),
    ]);
    if (component === undefined) throw new ServiceError('COMPONENT_NOT_FOUND', `There is no component ${id}.`);
    const grantees = component.access.flatMap(({ principal }) =>
      principal?.$case === 'user' ? [principal.value] : [],
    );
    const people = await identity.directory.getUsers(
      [...component.owners, component.defaultAssignee, ...component.defaultCc, ...grantees].filter(
        (user) => user !== '',
      ),
    );
    const page = ComponentPage({
      shell,
      component,
      path: component.path.map((name, index) => ({ name, id: component.ancestry[index] ?? '' })),
      below: all.filter(({ parent }) => parent === id),
      people,
      groups,
      values: draft ?? fillComponent(component, people, groups),
      errors,
      parents: all
        .filter((other) => isAdmin(other) && !other.archived && !other.ancestry.includes(id))
        .map((other) => ({ id: other.id, path: other.path.join(' > ') })),
      notice: NOTICES[readQuery(request, 'done')],
    });
    return pages.send(reply, page, errors ? 400 : 200);
  }

  app.post('/components/:id', async (request, reply) => {
    const id = readId(request, 'id', 'COMPONENT_NOT_FOUND');
    const sent = readFields(request);
    try {
      const component = await readComponent(sent, request);
      const updateMask = ['name', 'description', 'owners', 'default_assignee', 'default_cc'];
      if (sent.access !== undefined) updateMask.push('access', 'access_overridden');
      if (sent.custom_fields !== undefined) updateMask.push('custom_fields');
      await model.updateComponent(
        { id, expectedVersion: sent.version ?? '0', requestId: readText(request, 'request'), component, updateMask },
        request.caller.context,
      );
      directory.forget();
      return reply.redirect(`/components/${id}?done=saved`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      return send(request, reply, sent, explainComponent(failure));
    }
  });

  app.post('/components/:id/move', async (request, reply) => {
    const id = readId(request, 'id', 'COMPONENT_NOT_FOUND');
    try {
      await model.moveComponent(
        {
          id,
          newParent: readText(request, 'new_parent'),
          expectedVersion: readText(request, 'version'),
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      return send(request, reply, undefined, { '': failure.message });
    }
    directory.forget();
    return reply.redirect(`/components/${id}?done=moved`, 303);
  });

  app.post('/components/:id/archive', async (request, reply) => {
    const id = readId(request, 'id', 'COMPONENT_NOT_FOUND');
    await model.updateComponent(
      {
        id,
        expectedVersion: readText(request, 'version'),
        requestId: readText(request, 'request'),
        component: { archived: readText(request, 'archived') === 'yes' },
        updateMask: ['archived'],
      },
      request.caller.context,
    );
    directory.forget();
    return reply.redirect(`/components/${id}?done=saved`, 303);
  });

  async function listGroups(request: FastifyRequest): Promise<ReadonlyMap<string, Group>> {
    if (request.caller.user === undefined) return new Map();
    try {
      const { groups } = await identity.withCapability('groups').listGroups({ pageSize: 500 }, request.caller.context);
      return new Map(groups.map((group) => [group.id, group]));
    } catch (error) {
      // Without groups, or the right to list them, their ids are shown.
      const { code } = toServiceError(error);
      if (code === 'UNIMPLEMENTED' || code === 'PERMISSION_DENIED') return new Map();
      throw error;
    }
  }

  async function readComponent(sent: FormValues, request: FastifyRequest) {
    const grants = (sent.access ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map(splitGrant);
    const users = grants
      .filter(({ who }) => who !== 'everyone' && who !== 'visitors' && !who.startsWith('group:'))
      .map(({ who }) => who);
    const resolved = await resolveUserReferences(
      {
        owners: splitList(sent.owners ?? ''),
        default_assignee: [(sent.default_assignee ?? '').trim()],
        default_cc: splitList(sent.default_cc ?? ''),
        access: users,
      },
      request,
      services,
    );
    const groups = grants.some(({ who }) => who.startsWith('group:'))
      ? await listGroups(request)
      : new Map<string, Group>();
    let nextUser = 0;
    const access: AccessGrant[] = grants.map(({ who, permission }) => {
      if (who === 'everyone' || who === 'visitors')
        return { principal: { $case: 'everyone', value: who === 'visitors' }, permission };
      if (who.startsWith('group:')) {
        const name = who.slice(6);
        const group = [...groups.values()].find(
          (candidate) => candidate.name.toLowerCase() === name.toLowerCase() || candidate.id === name,
        );
        if (group === undefined) throw invalidField('access', `there is no group “${name}”`);
        return { principal: { $case: 'group', value: group.id }, permission };
      }
      return { principal: { $case: 'user', value: resolved.access?.[nextUser++] ?? '' }, permission };
    });
    const customFields = (sent.custom_fields ?? '')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const field = parseCustomField(line);
        if (field === undefined) throw invalidField('custom_fields', `cannot read the line “${line.slice(0, 60)}”`);
        return field;
      });
    return {
      name: (sent.name ?? '').trim(),
      description: sent.description ?? '',
      owners: resolved.owners ?? [],
      defaultAssignee: resolved.default_assignee?.[0] ?? '',
      defaultCc: resolved.default_cc ?? [],
      access,
      accessOverridden: access.length > 0,
      customFields,
    };
  }
}

const isAdmin = ({ permissions }: Component): boolean => permissions.includes(Permission.ADMIN);

function splitGrant(line: string): { who: string; permission: Permission } {
  const match = /^(\S.*?)\s*[\s:]\s*([a-z]+)$/i.exec(line);
  const permission = WORDS.permission.parse((match?.[2] ?? '').toLowerCase());
  if (match === null || permission === undefined || permission === 0) {
    throw invalidField(
      'access',
      `cannot read “${line.slice(0, 60)}”: a name, then view, comment, create, edit or admin`,
    );
  }
  return { who: match[1] ?? '', permission: permission as Permission };
}

function fillComponent(component: Component, people: People, groups: ReadonlyMap<string, Group>): FormValues {
  const names = (ids: readonly string[]): string => ids.map((id) => nameForField(id, people)).join(', ');
  const access = component.accessOverridden
    ? component.access.map(({ principal, permission }) => {
        const who =
          principal?.$case === 'user'
            ? nameForField(principal.value, people)
            : principal?.$case === 'group'
              ? `group:${groups.get(principal.value)?.name ?? principal.value}`
              : principal?.value
                ? 'visitors'
                : 'everyone';
        return `${who} ${WORDS.permission.format(permission)}`;
      })
    : [];
  return {
    name: component.name,
    description: component.description,
    owners: names(component.owners),
    default_assignee: nameForField(component.defaultAssignee, people),
    default_cc: names(component.defaultCc),
    access: access.join('\n'),
    custom_fields: component.customFields.map(formatCustomField).join('\n'),
  };
}

function isCorrectable({ code }: ServiceError): boolean {
  return (
    code === 'INVALID_ARGUMENT' || code === 'ALREADY_EXISTS' || code === 'FAILED_PRECONDITION' || code === 'ABORTED'
  );
}

function explainComponent(failure: ServiceError): FormErrors {
  if (failure.reason === 'NAME_TAKEN') return { name: failure.message };
  if (failure.reason === 'VERSION_MISMATCH')
    return {
      '': 'Somebody else changed this component meanwhile. Reload the page to see it; your text is still in the form.',
    };
  return explainErrors(failure, FIELDS);
}
