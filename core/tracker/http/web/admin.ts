import type { Group, GroupMember } from '@bugless/kit/service';
import { invalidField, ServiceError, UserKind, UserState } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AuditPage, GroupPage, GroupsPage, UserPage, UsersPage } from '../../web/pages/admin.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { toServiceError } from '../problem.ts';
import { resolveUserReference } from '../user-reference.ts';
import { explainErrors, readFields, readQuery, readRaw, readText } from './body.ts';
import type { Pages } from './page.ts';

/** Users, groups and the audit log, for administrators (the route table says so). */
export function adminRoutes(app: FastifyInstance, pages: Pages): void {
  const { services } = pages;
  const { identity } = services;

  app.get('/admin', (_request, reply) => reply.redirect('/admin/users', 303));
  app.get('/admin/users', (request, reply) => sendUsers(request, reply));

  async function sendUsers(
    request: FastifyRequest,
    reply: FastifyReply,
    values?: Record<string, string>,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const [shell, { users, nextPageToken }] = await Promise.all([
      pages.createShell(request, reply),
      identity
        .withCapability('directory')
        .listUsers({ pageSize: 100, pageToken: readQuery(request, 'page') }, request.caller.context),
    ]);
    return pages.send(
      reply,
      UsersPage({ shell, users, nextPageToken, ...(values && { values }), errors }),
      errors ? 400 : 200,
    );
  }

  app.post('/admin/users', async (request, reply) => {
    try {
      const { user } = await identity.withCapability('directory').createUser(
        {
          user: {
            kind: UserKind.PERSON,
            username: readText(request, 'username'),
            displayName: readText(request, 'display_name'),
            email: readText(request, 'email'),
            admin: readText(request, 'admin') === 'yes',
          },
          password: readRaw(request, 'password'),
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
      return reply.redirect(`/admin/users/${user?.id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      const { password: _, ...values } = readFields(request);
      return sendUsers(request, reply, values, explainAccount(failure, 'username'));
    }
  });

  app.get('/admin/users/:id', (request, reply) => sendUser(request, reply));

  async function sendUser(
    request: FastifyRequest,
    reply: FastifyReply,
    more: { resetLink?: string; notice?: string; errors?: FormErrors } = {},
  ): Promise<FastifyReply> {
    const { id } = request.params as { id: string };
    const [shell, { users }] = await Promise.all([
      pages.createShell(request, reply),
      identity.withCapability('directory').batchGetUsers({ ids: [id] }, request.caller.context),
    ]);
    const user = users[0];
    if (user === undefined || user.state === UserState.DELETED)
      throw new ServiceError('USER_NOT_FOUND', 'There is no such user.');
    return pages.send(reply, UserPage({ shell, user, ...more }), more.errors ? 400 : 200);
  }

  app.post('/admin/users/:id', async (request, reply) => {
    const { id } = request.params as { id: string };
    const { context } = request.caller;
    const directory = identity.withCapability('directory');
    const expectedVersion = readText(request, 'version');
    try {
      switch (readText(request, 'action')) {
        case 'edit':
          await directory.updateUser(
            {
              id,
              expectedVersion,
              user: {
                username: readText(request, 'username'),
                displayName: readText(request, 'display_name'),
                email: readText(request, 'email'),
                admin: readText(request, 'admin') === 'yes',
              },
              updateMask: ['username', 'display_name', 'email', 'admin'],
            },
            context,
          );
          break;
        case 'activate':
        case 'deactivate': {
          const state = readText(request, 'action') === 'activate' ? UserState.ACTIVE : UserState.DEACTIVATED;
          await directory.updateUser({ id, expectedVersion, user: { state }, updateMask: ['state'] }, context);
          break;
        }
        case 'reset': {
          const { code } = await identity.withCapability('passwords').createPasswordReset({ user: id }, context);
          // No redirect: the link is shown in this answer alone.
          return await sendUser(request, reply, {
            resetLink: `${services.getPublicUrl()}/reset?code=${encodeURIComponent(code)}`,
          });
        }
        case 'sessions':
          await identity.withCapability('sessions').revokeSessions({ user: id }, context);
          break;
        default:
          throw new ServiceError('INVALID_FIELD', 'The form does not say what to do; reload the page.');
      }
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      return sendUser(request, reply, { errors: explainAccount(failure, 'username') });
    }
    identity.forgetCredentials();
    return reply.redirect(`/admin/users/${id}`, 303);
  });

  app.get('/admin/groups', (request, reply) => sendGroups(request, reply));

  async function listGroups(request: FastifyRequest): Promise<Group[]> {
    const all: Group[] = [];
    for (let pageToken = ''; ; ) {
      const page = await identity
        .withCapability('groups')
        .listGroups({ pageSize: 500, pageToken }, request.caller.context);
      all.push(...page.groups);
      if (page.nextPageToken === '') return all;
      pageToken = page.nextPageToken;
    }
  }

  async function sendGroups(
    request: FastifyRequest,
    reply: FastifyReply,
    values?: Record<string, string>,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const [shell, groups] = await Promise.all([pages.createShell(request, reply), listGroups(request)]);
    return pages.send(reply, GroupsPage({ shell, groups, ...(values && { values }), errors }), errors ? 400 : 200);
  }

  app.post('/admin/groups', async (request, reply) => {
    try {
      const { group } = await identity.withCapability('groups').createGroup(
        {
          group: { name: readText(request, 'name'), description: readText(request, 'description') },
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
      return reply.redirect(`/admin/groups/${group?.id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      return sendGroups(request, reply, readFields(request), explainAccount(failure, 'name'));
    }
  });

  app.get('/admin/groups/:id', (request, reply) => sendGroup(request, reply));

  async function sendGroup(request: FastifyRequest, reply: FastifyReply, errors?: FormErrors): Promise<FastifyReply> {
    const { id } = request.params as { id: string };
    const [shell, all, members] = await Promise.all([
      pages.createShell(request, reply),
      listGroups(request),
      listMembers(request, id),
    ]);
    const group = all.find((candidate) => candidate.id === id);
    if (group === undefined) throw new ServiceError('GROUP_NOT_FOUND', 'There is no such group.');
    const people = await identity.directory.getUsers(
      members.flatMap(({ member }) => (member?.$case === 'user' ? [member.value] : [])),
    );
    return pages.send(
      reply,
      GroupPage({ shell, group, members, groups: new Map(all.map((each) => [each.id, each])), people, errors }),
      errors ? 400 : 200,
    );
  }

  async function listMembers(request: FastifyRequest, group: string): Promise<GroupMember[]> {
    const all: GroupMember[] = [];
    for (let pageToken = ''; ; ) {
      const page = await identity
        .withCapability('groups')
        .listGroupMembers({ group, pageSize: 500, pageToken }, request.caller.context);
      all.push(...page.members);
      if (page.nextPageToken === '') return all;
      pageToken = page.nextPageToken;
    }
  }

  app.post('/admin/groups/:id', async (request, reply) => {
    const { id } = request.params as { id: string };
    const { context } = request.caller;
    const groups = identity.withCapability('groups');
    try {
      switch (readText(request, 'action')) {
        case 'add':
          await groups.changeGroupMembers({ group: id, add: [await readMember(request)] }, context);
          break;
        case 'remove': {
          const [kind, value] = readText(request, 'member').split(' ');
          const member =
            kind === 'group'
              ? ({ $case: 'group', value: value ?? '' } as const)
              : ({ $case: 'user', value: value ?? '' } as const);
          await groups.changeGroupMembers({ group: id, remove: [{ member }] }, context);
          break;
        }
        case 'edit':
          await groups.updateGroup(
            {
              id,
              expectedVersion: readText(request, 'version'),
              group: { name: readText(request, 'name'), description: readText(request, 'description') },
              updateMask: ['name', 'description'],
            },
            context,
          );
          break;
        case 'delete':
          await groups.deleteGroup({ id }, context);
          identity.forgetCredentials();
          return reply.redirect('/admin/groups', 303);
        default:
          throw new ServiceError('INVALID_FIELD', 'The form does not say what to do; reload the page.');
      }
    } catch (error) {
      const failure = toServiceError(error);
      if (!isCorrectable(failure)) throw error;
      return sendGroup(request, reply, explainAccount(failure, 'name'));
    }
    identity.forgetCredentials();
    return reply.redirect(`/admin/groups/${id}`, 303);
  });

  async function readMember(request: FastifyRequest): Promise<GroupMember> {
    const text = readText(request, 'member');
    if (!text.startsWith('group:'))
      return { member: { $case: 'user', value: await resolveUserReference(text, request, services, 'user') } };
    const group = (await listGroups(request)).find(({ name }) => name.toLowerCase() === text.slice(6).toLowerCase());
    if (group === undefined) throw invalidField('member', `there is no group “${text.slice(6, 70)}”`);
    return { member: { $case: 'group', value: group.id } };
  }

  app.get('/admin/audit', async (request, reply) => {
    const [shell, { events, nextPageToken }] = await Promise.all([
      pages.createShell(request, reply),
      identity
        .withCapability('audit')
        .listAuditEvents({ pageSize: 100, pageToken: readQuery(request, 'page') }, request.caller.context),
    ]);
    const people = await identity.directory.getUsers(
      new Set(events.flatMap(({ author, user }) => [author, user]).filter((id) => id !== '')),
    );
    return pages.send(reply, AuditPage({ shell, events, people, nextPageToken }));
  });
}

function isCorrectable({ code }: ServiceError): boolean {
  return (
    code === 'INVALID_ARGUMENT' || code === 'ALREADY_EXISTS' || code === 'FAILED_PRECONDITION' || code === 'ABORTED'
  );
}

function explainAccount(failure: ServiceError, nameField: string): FormErrors {
  if (failure.reason === 'NAME_TAKEN') return { [nameField]: failure.message };
  if (failure.reason === 'WEAK_PASSWORD') return { password: failure.message };
  return explainErrors(failure);
}
