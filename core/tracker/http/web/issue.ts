import type { Issue, Update } from '@bugless/kit/service';
import { IssueView, Permission, ServiceError, Status } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { VNode } from '../../web/markup.ts';
import { CommentPage } from '../../web/pages/comment.ts';
import { IssuePage } from '../../web/pages/issue.ts';
import { IssueConflictPage } from '../../web/pages/issue-conflict.ts';
import type { FormValues } from '../../web/pages/issue-form.ts';
import { COLLECTION_FIELDS, fillForm, listChanged } from '../../web/pages/issue-form.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { listChangedUsers } from '../../web/parts/timeline.ts';
import { ACCESS_LIMIT_NAMES, nameStatus, nameType, PRIORITY_NAMES, SEVERITY_NAMES } from '../../web/wording.ts';
import { toServiceError } from '../problem.ts';
import { explainErrors, readFields, readId, readQuery, readText } from './body.ts';
import type { ComponentDirectory } from './component-directory.ts';
import { listChoices } from './component-directory.ts';
import { readCollections, readSingles } from './issue-input.ts';
import type { Pages } from './page.ts';

const PAGE_SIZE = 200;
const ISSUE_FIELDS: ReadonlySet<string> = new Set(['parent', 'blocked_by', 'blocking', 'duplicate_of']);
/** What only those in doubt about their base need a version for: replaced text and single values. */
const COLLECTIONS: ReadonlySet<string> = new Set(COLLECTION_FIELDS);

/** What a form that comes back is drawn with. */
interface Attempt {
  readonly draft: FormValues;
  readonly errors: FormErrors;
  readonly request?: string | undefined;
}

/** One issue: reading, changing, commenting, starring; one comment: editing, withdrawing. */
export function issueRoutes(app: FastifyInstance, pages: Pages, components: ComponentDirectory): void {
  const { services } = pages;
  const { model, identity } = services;

  app.get('/issues/:id', async (request, reply) =>
    pages.send(reply, await drawIssue(request, reply, readId(request, 'id', 'ISSUE_NOT_FOUND'))),
  );

  async function drawIssue(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    attempt?: Attempt,
  ): Promise<VNode> {
    const { context } = request.caller;
    const [shell, { issue }, { updates, nextPageToken }] = await Promise.all([
      pages.createShell(request, reply),
      model.getIssue({ id }, context),
      model.listUpdates({ issue: id, pageSize: PAGE_SIZE, pageToken: readQuery(request, 'updates') }, context),
    ]);
    if (issue === undefined) throw new ServiceError('ISSUE_NOT_FOUND', `There is no issue ${id}.`);
    const mentioned = [...listRelated(issue, updates)].filter((other) => other !== id).slice(0, 500);
    const canEdit = shell.viewer !== undefined && issue.permissions.includes(Permission.EDIT);
    const [related, people, names, hotlists, customFields, choices] = await Promise.all([
      mentioned.length === 0
        ? []
        : model.batchGetIssues({ ids: mentioned, view: IssueView.BASIC }, context).then((answer) => answer.issues),
      identity.directory.getUsers(listPeople(issue, updates)),
      components.getNames(),
      issue.hotlists.length === 0
        ? []
        : model.listHotlists({ issue: id, pageSize: 50 }, context).then((answer) => answer.hotlists),
      components.listCustomFields(issue.component),
      canEdit ? componentChoices.list(request) : [],
    ]);
    return IssuePage({
      shell,
      issue,
      updates,
      later: nextPageToken,
      hotlists,
      customFields,
      choices,
      values: fillForm(issue, people, customFields),
      people,
      components: names,
      related: new Map(related.map((other) => [other.id, other])),
      ...attempt,
    });
  }

  /** Components to move an issue to, per user for 10 s: the whole tree would else be read for each page. */
  const componentChoices = {
    kept: new Map<string, { readonly until: number; readonly choices: ReturnType<typeof listChoices> }>(),
    list(request: FastifyRequest): ReturnType<typeof listChoices> {
      const { context } = request.caller;
      const now = services.now();
      const key = `${context.user} ${context.admin} ${context.groups.join()} ${context.scopeComponents.join()}`;
      const known = this.kept.get(key);
      if (known !== undefined && known.until > now) return known.choices;
      const choices = listChoices(services, context);
      if (this.kept.size >= 200) this.kept.clear();
      this.kept.set(key, { until: now + 10_000, choices });
      choices.catch(() => this.kept.delete(key));
      return choices;
    },
  };

  app.post('/issues/:id', async (request, reply) => {
    const id = readId(request, 'id', 'ISSUE_NOT_FOUND');
    const sent = readFields(request);
    const base = readBase(sent.base ?? '');
    const requestId = readText(request, 'request');
    const version = /^\d{1,19}$/.test(sent.version ?? '') ? (sent.version ?? '0') : '0';
    const changed = listChanged(base, sent);
    try {
      const definitions = await components.listCustomFields(
        changed.includes('component') ? (sent.component ?? '') : (base.component ?? ''),
      );
      const mask = changed.filter((field) => !COLLECTIONS.has(field));
      const values = await readSingles(mask, sent, definitions, request, services);
      if (changed.includes('duplicate_of') && values.duplicateOf !== '0' && !changed.includes('status')) {
        values.status = Status.DUPLICATE;
        mask.push('status');
      }
      const closing = sent.action === 'close' && !changed.includes('status');
      const reopening = sent.action === 'reopen' && !changed.includes('status');
      if (closing) values.status = Status.FIXED;
      if (reopening) values.status = base.assignee === '' ? Status.NEW : Status.ASSIGNED;
      if (closing || reopening) mask.push('status');
      const { add, remove } = await readCollections(changed, base, sent, request, services);
      const { update } = await model.updateIssue(
        {
          id,
          expectedVersion: mask.length > 0 ? version : '0',
          requestId,
          issue: values as never,
          updateMask: mask,
          add,
          remove,
          comment: (sent.comment ?? '').trimEnd(),
          restricted: sent.restricted === 'yes',
        },
        request.caller.context,
      );
      return reply.redirect(update ? `/issues/${id}#c${update.sequence}` : `/issues/${id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.reason === 'VERSION_MISMATCH')
        return pages.send(reply, await drawConflict(request, reply, id, version, base, sent, changed), 412);
      if (
        failure.code === 'INTERNAL' ||
        failure.code === 'UNAUTHENTICATED' ||
        (failure.code === 'NOT_FOUND' && failure.reason === 'ISSUE_NOT_FOUND' && failure.violations.length === 0)
      )
        throw error;
      const unsure =
        failure.code === 'UNAVAILABLE' || failure.code === 'DEADLINE_EXCEEDED' || failure.code === 'CANCELLED';
      const attempt: Attempt = { draft: sent, errors: explainErrors(failure), request: unsure ? requestId : undefined };
      return pages.send(
        reply,
        await drawIssue(request, reply, id, attempt),
        failure.code === 'PERMISSION_DENIED' ? 403 : 400,
      );
    }
  });

  async function drawConflict(
    request: FastifyRequest,
    reply: FastifyReply,
    id: string,
    version: string,
    base: FormValues,
    sent: FormValues,
    changed: readonly string[],
  ): Promise<VNode> {
    const { context } = request.caller;
    const [shell, { issue }, { updates }, names] = await Promise.all([
      pages.createShell(request, reply),
      model.getIssue({ id }, context),
      model.listUpdates({ issue: id, descending: true, pageSize: 50 }, context),
      components.getNames(),
    ]);
    if (issue === undefined) throw new ServiceError('ISSUE_NOT_FOUND', `There is no issue ${id}.`);
    const people = await identity.directory.getUsers(listPeople(issue, updates));
    const customFields = await components.listCustomFields(issue.component);
    // Each update raises the version by one, so what came in between are the newest ones.
    const missed = Math.max(1, Math.min(50, Number(BigInt(issue.version) - BigInt(version))));
    const action = sent.action === 'close' || sent.action === 'reopen' ? ['status'] : [];
    return IssueConflictPage({
      shell,
      id,
      version: issue.version,
      base,
      sent:
        action.length > 0 && !changed.includes('status')
          ? { ...sent, status: sent.action === 'close' ? String(Status.FIXED) : String(Status.NEW), action: '' }
          : sent,
      current: fillForm(issue, people, customFields),
      changed: [...new Set([...changed, ...action])],
      between: updates.slice(0, missed).reverse(),
      people,
      components: names,
      related: new Map(),
      tell: (field, value) => tellValue(field, value, names),
    });
  }

  app.post('/issues/:id/star', async (request, reply) => {
    const id = readId(request, 'id', 'ISSUE_NOT_FOUND');
    await model.setStar({ issue: id, starred: readText(request, 'starred') === 'yes' }, request.caller.context);
    return reply.redirect(`/issues/${id}`, 303);
  });

  app.get('/issues/:id/updates/:sequence', (request, reply) => sendComment(request, reply));

  async function sendComment(
    request: FastifyRequest,
    reply: FastifyReply,
    draft?: string,
    errors?: FormErrors,
  ): Promise<FastifyReply> {
    const { context } = request.caller;
    const id = readId(request, 'id', 'ISSUE_NOT_FOUND');
    const sequence = Number(readId(request, 'sequence', 'UPDATE_NOT_FOUND'));
    const [shell, { issue }, update] = await Promise.all([
      pages.createShell(request, reply),
      model.getIssue({ id }, context),
      findUpdate(request, id, sequence),
    ]);
    if (issue === undefined) throw new ServiceError('ISSUE_NOT_FOUND', `There is no issue ${id}.`);
    const versions = await model.listCommentVersions({ issue: id, sequence }, context).then(
      (answer) => answer.versions,
      (error) => {
        if (toServiceError(error).code === 'INTERNAL') throw error;
        return [];
      },
    );
    const people = await identity.directory.getUsers(
      [update.author, ...versions.map((version) => version.author)].filter((user) => user !== ''),
    );
    const editable =
      shell.features.commentEditing &&
      shell.viewer !== undefined &&
      (update.author === shell.viewer.id || issue.permissions.includes(Permission.ADMIN));
    return pages.send(
      reply,
      CommentPage({ shell, issue, update, versions, people, editable, draft, errors }),
      errors ? 409 : 200,
    );
  }

  async function findUpdate(request: FastifyRequest, issue: string, sequence: number): Promise<Update> {
    for (let pageToken = ''; ; ) {
      const page = await model.listUpdates({ issue, pageSize: 500, pageToken }, request.caller.context);
      const found = page.updates.find((update) => update.sequence === sequence);
      if (found !== undefined) return found;
      if (page.nextPageToken === '' || (page.updates.at(-1)?.sequence ?? 0) > sequence) {
        throw new ServiceError('UPDATE_NOT_FOUND', `Issue ${issue} has no update ${sequence}.`);
      }
      pageToken = page.nextPageToken;
    }
  }

  app.post('/issues/:id/updates/:sequence', async (request, reply) => {
    const id = readId(request, 'id', 'ISSUE_NOT_FOUND');
    const sequence = Number(readId(request, 'sequence', 'UPDATE_NOT_FOUND'));
    const sent = readFields(request);
    try {
      await model.editComment(
        {
          issue: id,
          sequence,
          comment: sent.comment ?? '',
          expectedCommentVersion: Number(sent.version),
          requestId: readText(request, 'request'),
        },
        request.caller.context,
      );
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.reason !== 'VERSION_MISMATCH' && failure.code !== 'INVALID_ARGUMENT' && failure.reason !== 'REDACTED')
        throw error;
      const message =
        failure.reason === 'VERSION_MISMATCH'
          ? 'The text was edited meanwhile; it stands below. Yours is still in the box: save it again to replace the other.'
          : failure.message;
      return sendComment(request, reply, sent.comment, { '': message });
    }
    return reply.redirect(`/issues/${id}#c${sequence}`, 303);
  });

  app.post('/issues/:id/updates/:sequence/redact', async (request, reply) => {
    const id = readId(request, 'id', 'ISSUE_NOT_FOUND');
    const sequence = Number(readId(request, 'sequence', 'UPDATE_NOT_FOUND'));
    await model.redactComment({ issue: id, sequence }, request.caller.context);
    return reply.redirect(`/issues/${id}#c${sequence}`, 303);
  });
}

/** Everybody named on an issue's page. */
function listPeople(issue: Issue, updates: readonly Update[]): Set<string> {
  const ids = new Set([issue.assignee, issue.verifier, issue.reporter, ...issue.collaborators, ...issue.cc]);
  for (const update of updates) {
    ids.add(update.author);
    if (update.editor !== '') ids.add(update.editor);
    if (update.changes.length > 0) for (const id of listChangedUsers(update)) ids.add(id);
  }
  ids.delete('');
  return ids;
}

/** Other issues whose titles the page shows. */
function listRelated(issue: Issue, updates: readonly Update[]): Set<string> {
  const ids = new Set([issue.parent, issue.duplicateOf, ...issue.blockedBy, ...issue.blocking]);
  for (const update of updates) {
    for (const change of update.changes)
      if (ISSUE_FIELDS.has(change.field)) for (const id of [...change.oldValues, ...change.newValues]) ids.add(id);
  }
  ids.delete('0');
  return ids;
}

function readBase(text: string): FormValues {
  try {
    const base: unknown = JSON.parse(text === '' ? '{}' : text);
    if (typeof base !== 'object' || base === null) return {};
    return Object.fromEntries(
      Object.entries(base).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    throw new ServiceError('INVALID_FIELD', 'The form is damaged; reload the page and send it again.');
  }
}

function tellValue(field: string, value: string, names: Awaited<ReturnType<ComponentDirectory['getNames']>>): string {
  const number = Number(value);
  if (field === 'status') return nameStatus(number);
  if (field === 'type') return nameType(number);
  if (field === 'priority') return PRIORITY_NAMES.get(number) ?? value;
  if (field === 'severity') return SEVERITY_NAMES.get(number) ?? value;
  if (field === 'access_limit') return ACCESS_LIMIT_NAMES.get(number) ?? value;
  if (field === 'component') return names.get(value)?.path ?? value;
  return value;
}
