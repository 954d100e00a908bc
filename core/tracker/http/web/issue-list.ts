import { WORDS } from '@bugless/kit/domain';
import type { CallContext, Filter } from '@bugless/kit/service';
import { IssueView, ServiceError } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { splitList } from '../../web/pages/issue-form.ts';
import { IssueListPage } from '../../web/pages/issue-list.ts';
import { toServiceError } from '../problem.ts';
import { parseQueryText, searchByText } from '../query.ts';
import { resolveUserReference } from '../user-reference.ts';
import { readAll, readQuery, readRaw, readReturn, readText } from './body.ts';
import type { ComponentDirectory } from './component-directory.ts';
import type { Pages } from './page.ts';

const PAGE_SIZE = 50;
/** How long a count is good enough to be shown again, in milliseconds. */
const COUNT_LIFETIME = 2_000;

const NOTICES: Readonly<Record<string, string>> = {
  bulk: 'The selected issues were changed.',
  saved: 'The search is saved in the sidebar.',
};

/** The list, its bulk edits, and saved searches. */
export function issueListRoutes(app: FastifyInstance, pages: Pages, components: ComponentDirectory): void {
  const { services } = pages;
  const { model, identity } = services;
  const counts = new Map<
    string,
    { readonly until: number; readonly count: Promise<{ count: number; more: boolean }> }
  >();

  app.get('/', (_request, reply) => reply.redirect('/issues?q=is:open', 303));

  app.get('/issues', (request, reply) => sendList(request, reply));

  async function sendList(
    request: FastifyRequest,
    reply: FastifyReply,
    failures: readonly { id: string; message: string }[] = [],
  ): Promise<FastifyReply> {
    const failed = failures.length > 0;
    const query = failed ? '' : readQuery(request, 'q').trim();
    const pageToken = failed ? '' : readQuery(request, 'page');
    const from =
      pageToken === '' ? 1 : Math.max(1, Math.min(Number.parseInt(readQuery(request, 'from'), 10) || 1, 1e9));
    const shellReady = pages.createShell(request, reply);
    try {
      const parsed = await parseQueryText(query, request, services);
      if (parsed.jump !== undefined) {
        await shellReady;
        return reply.redirect(`/issues/${parsed.jump}`, 303);
      }
      const [found, count, names, shell] = await Promise.all([
        searchByText(
          { text: query, orderBy: '', pageSize: PAGE_SIZE, pageToken, view: IssueView.BASIC, includeArchived: false },
          request,
          services,
        ),
        countIssues(parsed.filter, parsed.canonical, parsed.relative, request.caller.context),
        components.getNames(),
        shellReady,
      ]);
      const people = await identity.directory.getUsers(
        new Set(found.issues.map((issue) => issue.assignee).filter((id) => id !== '')),
      );
      return pages.send(
        reply,
        IssueListPage({
          shell,
          query,
          echo: parsed.canonical,
          issues: found.issues,
          people,
          components: names,
          order: found.order.length > 0 ? found.order : [{ field: 'modified', descending: true }],
          count,
          from,
          nextPageToken: found.nextPageToken,
          notice: NOTICES[readQuery(request, 'done')],
          failures,
        }),
        failed ? 409 : 200,
      );
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code !== 'INVALID_ARGUMENT') throw error;
      const column = Number(failure.metadata.column);
      const page = IssueListPage({
        shell: await shellReady,
        query,
        error: { message: failure.message, column: Number.isInteger(column) && column > 0 ? column : undefined },
        issues: [],
        people: new Map(),
        components: new Map(),
        order: [],
        from: 1,
        nextPageToken: '',
      });
      return pages.send(reply, page, 400);
    }
  }

  /** Counts, or tells what was counted for the same caller a moment ago. */
  function countIssues(
    filter: Filter | undefined,
    canonical: string,
    relative: boolean,
    context: CallContext,
  ): Promise<{ count: number; more: boolean }> {
    const now = services.now();
    const key = JSON.stringify([context.user, context.admin, context.groups, context.scopeComponents, canonical]);
    const kept = counts.get(key);
    if (kept !== undefined && kept.until > now) return kept.count;
    const count = model.countIssues({ filter }, context);
    if (!relative) {
      if (counts.size >= 500) counts.clear();
      counts.set(key, { until: now + COUNT_LIFETIME, count });
      count.catch(() => counts.delete(key));
    }
    return count;
  }

  app.post('/issues/bulk', async (request, reply) => {
    const ids = [...new Set(readAll(request, 'id'))];
    const returnTo = readReturn(readText(request, 'return_to'), '/issues');
    if (ids.length === 0) return reply.redirect(returnTo, 303);
    if (ids.length > 500)
      throw new ServiceError('INVALID_FIELD', `Select at most 500 issues; these are ${ids.length}.`);
    const status = readWord('status', readText(request, 'status'));
    const priority = readWord('priority', readText(request, 'priority'));
    const assignee = readText(request, 'assignee');
    const mask: string[] = [];
    if (status !== undefined) mask.push('status');
    if (priority !== undefined) mask.push('priority');
    if (assignee !== '') mask.push('assignee');
    const person =
      assignee === '' || assignee === 'none' ? '' : await resolveUserReference(assignee, request, services, 'assignee');
    const update = {
      issue: {
        ...(status !== undefined && { status }),
        ...(priority !== undefined && { priority }),
        ...(assignee !== '' && { assignee: person }),
      },
      updateMask: mask,
      add: { labels: splitList(readText(request, 'addLabels')) },
      remove: { labels: splitList(readText(request, 'removeLabels')) },
      comment: readRaw(request, 'comment').trim(),
    };
    const { results } = await model.batchUpdateIssues(
      { updates: ids.map((id) => ({ id, ...update })) as never, requestId: readText(request, 'request') },
      request.caller.context,
    );
    const failures = results.flatMap(({ id, error }) => (error ? [{ id, message: error.message }] : []));
    if (failures.length > 0) return sendList(request, reply, failures);
    const url = new URL(returnTo, 'http://here');
    url.searchParams.set('done', 'bulk');
    return reply.redirect(`${url.pathname}${url.search}`, 303);
  });

  app.post('/searches', async (request, reply) => {
    const query = readText(request, 'query');
    const name = readText(request, 'name');
    await model.saveSearch({ search: { name, query } }, request.caller.context);
    pages.savedSearches.forget(request.caller.context.user);
    return reply.redirect(`/issues?q=${encodeURIComponent(query)}&done=saved`, 303);
  });

  app.post('/searches/delete', async (request, reply) => {
    await model.deleteSavedSearch({ name: readText(request, 'name') }, request.caller.context);
    pages.savedSearches.forget(request.caller.context.user);
    return reply.redirect('/settings', 303);
  });
}

function readWord(field: 'status' | 'priority', word: string): number | undefined {
  if (word === '') return undefined;
  const number = WORDS[field].parse(word);
  if (number === undefined)
    throw new ServiceError('INVALID_FIELD', `${field}: there is no ${field} “${word.slice(0, 40)}”.`);
  return number;
}
