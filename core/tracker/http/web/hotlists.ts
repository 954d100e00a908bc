import { HotlistPermission, invalidField, ServiceError } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HotlistPage, HotlistsPage } from '../../web/pages/hotlists.ts';
import { splitList } from '../../web/pages/issue-form.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { toServiceError } from '../problem.ts';
import { explainErrors, readFields, readId, readQuery, readRaw, readText } from './body.ts';
import type { Pages } from './page.ts';

/** Hotlists, where the Model has them. */
export function hotlistRoutes(app: FastifyInstance, pages: Pages): void {
  const { services } = pages;
  const { model, identity } = services;

  app.get('/hotlists', (request, reply) => sendAll(request, reply));

  async function sendAll(
    request: FastifyRequest,
    reply: FastifyReply,
    values?: Record<string, string>,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const [shell, { hotlists, nextPageToken }] = await Promise.all([
      pages.createShell(request, reply),
      model.listHotlists({ pageSize: 200, pageToken: readQuery(request, 'page') }, request.caller.context),
    ]);
    const people = await identity.directory.getUsers(new Set(hotlists.map(({ owner }) => owner)));
    return pages.send(
      reply,
      HotlistsPage({ shell, hotlists, people, nextPageToken, ...(values && { values }), errors }),
      errors ? 400 : 200,
    );
  }

  app.post('/hotlists', async (request, reply) => {
    const shared = readText(request, 'shared') === 'yes';
    try {
      const { hotlist } = await model.createHotlist(
        {
          hotlist: {
            name: readText(request, 'name'),
            description: readRaw(request, 'description'),
            access: shared
              ? [{ principal: { $case: 'everyone', value: true }, permission: HotlistPermission.VIEW }]
              : [],
          },
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
      return reply.redirect(`/hotlists/${hotlist?.id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code !== 'INVALID_ARGUMENT' && failure.reason !== 'NAME_TAKEN') throw error;
      return sendAll(
        request,
        reply,
        readFields(request),
        failure.reason === 'NAME_TAKEN' ? { name: failure.message } : explainErrors(failure),
      );
    }
  });

  app.get('/hotlists/:id', (request, reply) => send(request, reply));

  async function send(request: FastifyRequest, reply: FastifyReply, errors?: FormErrors): Promise<FastifyReply> {
    const id = readId(request, 'id', 'HOTLIST_NOT_FOUND');
    const { context } = request.caller;
    const [shell, { hotlist }, { entries, nextPageToken }] = await Promise.all([
      pages.createShell(request, reply),
      model.getHotlist({ id }, context),
      model.listHotlistEntries({ hotlist: id, pageSize: 200, pageToken: readQuery(request, 'page') }, context),
    ]);
    if (hotlist === undefined) throw new ServiceError('HOTLIST_NOT_FOUND', `There is no hotlist ${id}.`);
    const people = await identity.directory.getUsers([hotlist.owner]);
    return pages.send(
      reply,
      HotlistPage({ shell, hotlist, entries, people, nextPageToken, errors }),
      errors ? 400 : 200,
    );
  }

  app.post('/hotlists/:id', async (request, reply) => {
    const id = readId(request, 'id', 'HOTLIST_NOT_FOUND');
    try {
      const gone = await change(request, id);
      return reply.redirect(gone ? '/hotlists' : `/hotlists/${id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      const correctable =
        failure.code === 'INVALID_ARGUMENT' ||
        failure.code === 'ALREADY_EXISTS' ||
        failure.code === 'ABORTED' ||
        failure.reason === 'ISSUE_NOT_FOUND';
      if (!correctable) throw error;
      return send(request, reply, { '': failure.message });
    }
  });

  /** Does what the button of the form says; true: the hotlist is gone. */
  async function change(request: FastifyRequest, hotlist: string): Promise<boolean> {
    const { context } = request.caller;
    const requestId = readText(request, 'request');
    const move = /^(\d{1,19}) (\d{1,19})$/.exec(readText(request, 'move'));
    const remove = readText(request, 'remove');
    if (move) await model.moveHotlistEntry({ hotlist, issue: move[1] ?? '', after: move[2] ?? '0' }, context);
    else if (remove !== '') await model.removeHotlistEntries({ hotlist, issues: [readNumber(remove)] }, context);
    else {
      switch (readText(request, 'action')) {
        case 'add': {
          const issues = splitList(readText(request, 'issues').replaceAll(/\s+/g, ',')).map(readNumber);
          await model.addHotlistEntries({ hotlist, issues, note: readText(request, 'note'), requestId }, context);
          break;
        }
        case 'edit':
          await model.updateHotlist(
            {
              id: hotlist,
              expectedVersion: readText(request, 'version'),
              requestId,
              hotlist: { name: readText(request, 'name'), description: readRaw(request, 'description') },
              updateMask: ['name', 'description'],
            },
            context,
          );
          break;
        case 'delete':
          await model.deleteHotlist({ id: hotlist }, context);
          return true;
        default:
          throw new ServiceError('INVALID_FIELD', 'The form does not say what to do; reload the page.');
      }
    }
    return false;
  }
}

function readNumber(text: string): string {
  const id = text.replace(/^(#|b\/)/, '');
  if (!/^[1-9]\d{0,18}$/.test(id)) throw invalidField('issues', `expected issue numbers, not “${text.slice(0, 40)}”`);
  return id;
}
