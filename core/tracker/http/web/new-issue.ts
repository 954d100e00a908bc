import { IssueType, Priority, Severity } from '@bugless/kit/service';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FormValues } from '../../web/pages/issue-form.ts';
import { fillForm } from '../../web/pages/issue-form.ts';
import { NewIssuePage } from '../../web/pages/new-issue.ts';
import type { FormErrors } from '../../web/parts/form.ts';
import { toServiceError } from '../problem.ts';
import { explainErrors, readFields, readQuery, readText } from './body.ts';
import type { ComponentDirectory } from './component-directory.ts';
import { listChoices } from './component-directory.ts';
import { readCollections, readSingles } from './issue-input.ts';
import type { Pages } from './page.ts';

const DEFAULTS: FormValues = {
  type: String(IssueType.BUG),
  priority: String(Priority.P2),
  severity: String(Severity.S2),
  access_limit: '0',
};
const SHOWN: ReadonlySet<string> = new Set([
  'component',
  'title',
  'description',
  'type',
  'priority',
  'severity',
  'assignee',
  'cc',
  'labels',
  'found_in',
  'blocked_by',
  'access_limit',
]);

/** Filing an issue. */
export function newIssueRoutes(app: FastifyInstance, pages: Pages, components: ComponentDirectory): void {
  const { services } = pages;

  app.get('/issues/new', async (request, reply) => {
    const wanted = readQuery(request, 'component');
    const template = readQuery(request, 'template');
    const values: Record<string, string> = { ...DEFAULTS };
    for (const field of SHOWN) {
      const given = readQuery(request, field);
      if (given !== '') values[field] = given;
    }
    if (/^[1-9]\d{0,18}$/.test(wanted) && template !== '') {
      const { component } = await services.model.getComponent({ id: wanted }, request.caller.context);
      const issue = component?.templates.find(({ name }) => name === template)?.issue;
      if (issue) {
        const people = await services.identity.directory.getUsers(
          [issue.assignee, ...issue.cc].filter((id) => id !== ''),
        );
        const filled = fillForm(issue, people, []);
        for (const [field, value] of Object.entries(filled))
          if (SHOWN.has(field) && value !== '' && value !== '0') values[field] = value;
        values.description = issue.description;
        values.component = wanted;
      }
    }
    return send(request, reply, values);
  });

  async function send(
    request: FastifyRequest,
    reply: FastifyReply,
    values: FormValues,
    errors?: FormErrors,
    requestId?: string,
  ): Promise<FastifyReply> {
    const { context } = request.caller;
    const [shell, choices] = await Promise.all([pages.createShell(request, reply), listChoices(services, context)]);
    const component = choices.find(({ id }) => id === values.component)?.id ?? choices[0]?.id ?? '';
    const [customFields, templates] = await Promise.all([
      components.listCustomFields(component),
      component === ''
        ? []
        : services.model.getComponent({ id: component }, context).then((answer) => answer.component?.templates ?? []),
    ]);
    return pages.send(
      reply,
      NewIssuePage({
        shell,
        choices,
        values: { ...values, component },
        templates,
        customFields,
        errors,
        request: requestId,
      }),
      errors ? 400 : 200,
    );
  }

  app.post('/issues/new', async (request, reply) => {
    const sent = readFields(request);
    const requestId = readText(request, 'request');
    try {
      const definitions = await components.listCustomFields(sent.component ?? '');
      const custom = definitions
        .map(({ name }) => `custom_fields.${name}`)
        .filter((field) => (sent[field] ?? '').trim() !== '');
      const singles = await readSingles(
        ['title', 'type', 'priority', 'severity', 'component', 'assignee', 'access_limit', ...custom].filter(
          (field) => sent[field] !== undefined,
        ),
        sent,
        definitions,
        request,
        services,
      );
      const { add } = await readCollections(['cc', 'labels', 'found_in', 'blocked_by'], {}, sent, request, services);
      const { issue } = await services.model.createIssue(
        { issue: { ...singles, ...add, description: sent.description ?? '' } as never, requestId },
        request.caller.context,
      );
      return reply.redirect(`/issues/${issue?.id}`, 303);
    } catch (error) {
      const failure = toServiceError(error);
      if (failure.code === 'INTERNAL' || failure.code === 'UNAUTHENTICATED') throw error;
      // Whether it was written may be unknown: the same request id makes sure that it is written once.
      const unsure =
        failure.code === 'UNAVAILABLE' || failure.code === 'DEADLINE_EXCEEDED' || failure.code === 'CANCELLED';
      const errors =
        failure.reason === 'COMPONENT_NOT_FOUND' ? { component: failure.message } : explainErrors(failure, SHOWN);
      return send(request, reply, sent, errors, unsure ? requestId : undefined);
    }
  });
}
