import type { Component, CustomFieldDefinition, Group } from '@bugless/kit/service';
import { CustomFieldKind, Permission } from '@bugless/kit/service';
import { renderMarkdown } from '../markdown/renderer.ts';
import type { VNode } from '../markup.ts';
import { html, markup, trusted } from '../markup.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden, Notice } from '../parts/form.ts';
import { Icon } from '../parts/icon.ts';
import { namePerson } from '../parts/person.ts';
import type { People, Shell } from '../shell.ts';
import { Page } from '../shell.ts';
import { PERMISSION_NAMES } from '../wording.ts';
import type { ComponentChoice } from './issue.ts';
import type { FormValues } from './issue-form.ts';

interface TreeProperties {
  readonly shell: Shell;
  /** By path, so that each stands behind its parent. */
  readonly components: readonly Component[];
  readonly archived: boolean;
  readonly canCreate: boolean;
}

/** First line of a description. */
const excerpt = (text: string): string => text.split('\n', 1)[0]?.slice(0, 160) ?? '';

/** The tree of components. */
export function ComponentTreePage({ shell, components, archived, canCreate }: TreeProperties): VNode {
  return html`<${Page} shell=${shell} title="Components">
    <div class="head"><h1>Components</h1>
      <a class="button quiet" href=${archived ? '/components' : '/components?archived=yes'}>${archived ? 'Hide archived' : 'Show archived'}</a>
      ${canCreate ? html`<a class="button second" href="/components/new">${Icon('plus')} New component</a>` : null}
    </div>
    ${
      components.length === 0
        ? html`<div class="empty"><p>There are no components that you may see.</p></div>`
        : markup`<ul class="tree">${components.map(
            (component) =>
              markup`<li class="d${Math.min(component.path.length - 1, 5)}"><a href="/components/${component.id}">${Icon('folder')}<b>${component.name}</b>${
                component.archived ? markup`<span class="tag">archived</span>` : null
              }<small>${excerpt(component.description)}</small></a></li>`,
          )}</ul>`
    }
  <//>`;
}

interface ComponentProperties {
  readonly shell: Shell;
  readonly component: Component;
  /** Components above it, from the root, then itself. */
  readonly path: readonly { readonly id: string; readonly name: string }[];
  readonly below: readonly Component[];
  readonly people: People;
  /** Names of groups by id. */
  readonly groups: ReadonlyMap<string, Group>;
  readonly values: FormValues;
  readonly errors?: FormErrors | undefined;
  /** Places to move it to. */
  readonly parents: readonly ComponentChoice[];
  readonly notice?: string | undefined;
}

const KINDS: ReadonlyMap<number, string> = new Map([
  [CustomFieldKind.TEXT, 'text'],
  [CustomFieldKind.NUMBER, 'number'],
  [CustomFieldKind.DATE, 'date'],
  [CustomFieldKind.USER, 'user'],
  [CustomFieldKind.ENUM, 'enum'],
  [CustomFieldKind.MULTI_ENUM, 'multi_enum'],
  [CustomFieldKind.ISSUE, 'issue'],
]);

/** A custom field as one line of the form: `severity-area: enum(a|b) required # what it means`. */
export function formatCustomField(field: CustomFieldDefinition): string {
  const options = field.options.length > 0 ? `(${field.options.join('|')})` : '';
  return `${field.name}: ${KINDS.get(field.kind) ?? field.kind}${options}${field.required ? ' required' : ''}${field.description ? ` # ${field.description}` : ''}`;
}

/** The reverse; undefined: not such a line. */
export function parseCustomField(line: string): CustomFieldDefinition | undefined {
  const match = /^([\w-]{1,64})\s*:\s*([a-z_]+)\s*(?:\(([^)]*)\))?(\s+required)?\s*(?:#\s*(.*))?$/.exec(line.trim());
  const kind = [...KINDS].find(([, word]) => word === match?.[2])?.[0];
  if (match === null || kind === undefined) return undefined;
  const options = (match[3] ?? '')
    .split('|')
    .map((option) => option.trim())
    .filter((option) => option !== '');
  return {
    name: match[1] ?? '',
    kind: kind as CustomFieldKind,
    options,
    description: (match[5] ?? '').trim(),
    required: match[4] !== undefined,
  };
}

/** A component: what it is, who owns it, who may do what; its form for those who administer it. */
export function ComponentPage(properties: ComponentProperties): VNode {
  const { shell, component, path, below, people, groups, errors } = properties;
  const admin = shell.viewer !== undefined && component.permissions.includes(Permission.ADMIN);
  return html`<${Page} shell=${shell} title=${component.path.join(' > ')} kind="narrow">
    <nav class="crumbs" aria-label="Path"><a href="/components">Components</a>${path.slice(0, -1).map(({ id, name }) => html` <span>›</span> <a href="/components/${id}">${name}</a>`)}</nav>
    <div class="head"><h1>${component.name}${component.archived ? html` <span class="tag">archived</span>` : null}</h1>
      <a class="button second" href="/issues?q=is:open+component:${component.id}%2B">${Icon('open')} Open issues</a>
      ${component.permissions.includes(Permission.CREATE) && shell.viewer ? html`<a class="button" href="/issues/new?component=${component.id}">${Icon('plus')} New issue here</a>` : null}
    </div>
    <${Notice} text=${properties.notice} />
    <${ErrorSummary} errors=${errors} />
    ${component.description ? html`<div class="prose panel">${trusted(renderMarkdown(component.description))}</div>` : null}
    <section class="panel"><h2>People and access</h2><div class="rows-plain">
      ${Line('Owners', component.owners.length === 0 ? '—' : component.owners.map((id) => namePerson(id, people)).join(', '))}
      ${Line('New issues go to', component.defaultAssignee === '' ? 'nobody' : namePerson(component.defaultAssignee, people))}
      ${Line('CC of new issues', component.defaultCc.length === 0 ? '—' : component.defaultCc.map((id) => namePerson(id, people)).join(', '))}
      ${
        component.accessOverridden
          ? component.access.map(({ principal, permission }) =>
              Line(
                principal?.$case === 'user'
                  ? namePerson(principal.value, people)
                  : principal?.$case === 'group'
                    ? `Group ${groups.get(principal.value)?.name ?? principal.value}`
                    : principal?.value
                      ? 'Everyone, also visitors'
                      : 'Everyone signed in',
                PERMISSION_NAMES.get(permission) ?? String(permission),
              ),
            )
          : Line('Access', 'as the component above says')
      }
    </div></section>
    ${component.customFields.length === 0 ? null : html`<section class="panel"><h2>Custom fields</h2><ul>${component.customFields.map((field) => html`<li><code>${formatCustomField(field)}</code></li>`)}</ul></section>`}
    ${
      below.length === 0 && !admin
        ? null
        : html`<section class="panel"><h2>Below it</h2>
          <ul class="tree">${below.map((child) => html`<li><a href="/components/${child.id}">${Icon('folder')}<b>${child.name}</b>${child.archived ? html`<span class="tag">archived</span>` : null}</a></li>`)}</ul>
          ${admin ? html`<p class="actions"><a class="button second" href="/components/new?parent=${component.id}">${Icon('plus')} New component below</a></p>` : null}</section>`
    }
    ${admin ? AdminForms(properties) : null}
  <//>`;
}

function Line(name: string, value: string): VNode {
  return markup`<div class="fd"><span class="k">${name}</span><span class="v">${value}</span></div>`;
}

function AdminForms({ shell, component, values, errors, parents }: ComponentProperties): VNode {
  const own = `/components/${component.id}`;
  return html`<details class="panel" open=${errors !== undefined}><summary><h2>Change it ${Icon('down')}</h2></summary>
      <form method="post" action=${own}>
        ${Hidden(shell, { version: component.version })}
        <${ComponentFields} values=${values} errors=${errors} shell=${shell} />
        <p class="actions"><button>Save</button></p>
      </form></details>
    <details class="panel"><summary><h2>Move or archive it ${Icon('down')}</h2></summary>
      <form method="post" action="${own}/move" class="inline">
        ${Hidden(shell, { version: component.version })}
        <label class="flabel" for="new_parent">Move below</label>
        <select id="new_parent" name="new_parent"><option value="0">(make it a root)</option>${parents.map(({ id, path }) => html`<option value=${id} selected=${id === component.parent}>${path}</option>`)}</select>
        <button class="second">Move</button>
      </form>
      <form method="post" action="${own}/archive" class="actions">
        ${Hidden(shell, { version: component.version })}
        <button class="second" name="archived" value=${component.archived ? 'no' : 'yes'}>${component.archived ? 'Bring it back' : 'Archive it'}</button>
        <small>${component.archived ? 'It takes new issues again.' : 'It takes no new issues and is hidden from pickers. Can be undone.'}</small>
      </form></details>`;
}

interface FieldsProperties {
  readonly values: FormValues;
  readonly errors?: FormErrors | undefined;
  readonly shell: Shell;
}

function ComponentFields({ values, errors, shell }: FieldsProperties): VNode {
  const field = (name: string, label: string, more: object = {}): VNode =>
    Field({ name, label, value: values[name], errors, ...more });
  return html`
    ${field('name', 'Name', { required: true, maxlength: 100 })}
    ${field('description', 'Description', { rows: 4, hint: 'Markdown.' })}
    ${field('owners', 'Owners', { complete: 'users', hint: 'Usernames, with commas. They administer it and all below.' })}
    <div class="grid">
      ${field('default_assignee', 'New issues go to', { complete: 'user', placeholder: 'Nobody' })}
      ${field('default_cc', 'CC of new issues', { complete: 'users' })}
    </div>
    ${
      shell.features.access
        ? field('access', 'Access', {
            rows: 3,
            hint: 'One line each: a username, group:NAME, everyone (signed in) or visitors; then view, comment, create, edit or admin. Empty: as the component above says.',
          })
        : null
    }
    ${shell.features.customFields ? field('custom_fields', 'Custom fields', { rows: 3, hint: 'One line each, as: browser: enum(firefox|chrome) required # Where it was seen. Kinds: text, number, date, user, enum, multi_enum, issue.' }) : null}`;
}

interface NewComponentProperties {
  readonly shell: Shell;
  readonly parents: readonly ComponentChoice[];
  readonly values: FormValues;
  readonly errors?: FormErrors | undefined;
}

/** Making a component. */
export function NewComponentPage({ shell, parents, values, errors }: NewComponentProperties): VNode {
  const roots: readonly (readonly [string, string])[] = shell.viewer?.admin ? [['0', '(none: a root)']] : [];
  return html`<${Page} shell=${shell} title="New component" kind="narrow">
    <h1>New component</h1><p class="lead">A place for issues, with its own people and access.</p>
    <${ErrorSummary} errors=${errors} />
    <form method="post" action="/components/new">
      ${Hidden(shell)}
      ${Field({ name: 'parent', label: 'Below', value: values.parent, errors, choices: [...roots, ...parents.map(({ id, path }) => [id, path] as const)] })}
      <${ComponentFields} values=${values} errors=${errors} shell=${shell} />
      <p class="actions"><button>Create component</button></p>
    </form>
  <//>`;
}
