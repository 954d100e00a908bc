import type { CustomFieldDefinition, IssueTemplate } from '@bugless/kit/service';
import { CustomFieldKind } from '@bugless/kit/service';
import type { VNode } from '../markup.ts';
import { html } from '../markup.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden } from '../parts/form.ts';
import type { Shell } from '../shell.ts';
import { Page } from '../shell.ts';
import { ACCESS_LIMIT_NAMES, PRIORITY_NAMES, SEVERITY_NAMES, TYPE_NAMES } from '../wording.ts';
import type { ComponentChoice } from './issue.ts';
import { listChoices } from './issue.ts';
import type { FormValues } from './issue-form.ts';

interface NewIssueProperties {
  readonly shell: Shell;
  readonly choices: readonly ComponentChoice[];
  readonly values: FormValues;
  readonly templates: readonly IssueTemplate[];
  readonly customFields: readonly CustomFieldDefinition[];
  readonly errors?: FormErrors | undefined;
  readonly request?: string | undefined;
}

/** Filing an issue. What was typed stays when something is wrong. */
export function NewIssuePage({
  shell,
  choices,
  values,
  templates,
  customFields,
  errors,
  request,
}: NewIssueProperties): VNode {
  const field = (name: string, label: string, more: object = {}): VNode =>
    Field({ name, label, value: values[name], errors, ...more });
  return html`<${Page} shell=${shell} title="New issue" kind="narrow">
    <h1>New issue</h1>
    <p class="lead"> </p>
    <${ErrorSummary} errors=${errors} />
    ${choices.length === 0 ? html`<p class="notice info">There is no component in which you may file issues; ask an administrator.</p>` : null}
    ${
      templates.length === 0
        ? null
        : html`<p class="actions">Start from ${templates.map((template) => html`<a class="button second" href="/issues/new?component=${values.component}&template=${encodeURIComponent(template.name)}">${template.name}</a>`)}</p>`
    }
    <form method="post" action="/issues/new" data-draft="new-issue">
      ${Hidden(shell, request === undefined ? {} : { request })}
      ${field('component', 'Component', { choices: choices.map(({ id, path }) => [id, path] as const), required: true })}
      ${field('title', 'Title', { required: true, maxlength: 500, autofocus: true, autocomplete: 'off' })}
      ${field('description', 'Description', { rows: 10, hint: 'Markdown. #123 links an issue, @name a person.' })}
      <div class="grid">
        ${field('type', 'Type', { choices: listChoices(TYPE_NAMES) })}
        ${field('priority', 'Priority', { choices: listChoices(PRIORITY_NAMES) })}
        ${field('severity', 'Severity', { choices: listChoices(SEVERITY_NAMES) })}
        ${field('assignee', 'Assignee', { placeholder: 'Username, or me', complete: 'user' })}
      </div>
      <div class="grid">
        ${field('cc', 'CC', { placeholder: 'Usernames, with commas', complete: 'users' })}
        ${field('labels', 'Labels', { placeholder: 'With commas' })}
        ${field('found_in', 'Found in', { placeholder: 'Versions, with commas' })}
        ${field('blocked_by', 'Blocked by', { placeholder: 'Issue numbers, with commas' })}
      </div>
      ${
        customFields.length === 0
          ? null
          : html`<div class="grid">${customFields.map((definition) =>
              field(`custom_fields.${definition.name}`, definition.name, {
                hint: definition.description || undefined,
                required: definition.required,
                ...(definition.kind === CustomFieldKind.ENUM
                  ? { choices: [['', '—'], ...definition.options.map((option) => [option, option])] }
                  : {}),
                ...(definition.kind === CustomFieldKind.DATE ? { type: 'date' } : {}),
              }),
            )}</div>`
      }
      ${shell.features.access ? field('access_limit', 'Access', { choices: listChoices(ACCESS_LIMIT_NAMES) }) : null}
      <p class="actions"><button>File issue</button></p>
    </form>
  <//>`;
}
