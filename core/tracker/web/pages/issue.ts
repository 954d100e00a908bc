import type { CustomFieldDefinition, Hotlist, Issue, Update } from '@bugless/kit/service';
import { CustomFieldKind, Permission } from '@bugless/kit/service';
import type { VNode } from '../markup.ts';
import { html, markup } from '../markup.ts';
import { Label, NamedType, PriorityBadge, StatusBadge } from '../parts/badge.ts';
import type { Choice, FormErrors } from '../parts/form.ts';
import { ErrorSummary, Hidden, Notice, Select } from '../parts/form.ts';
import { Icon } from '../parts/icon.ts';
import { Person } from '../parts/person.ts';
import { Time } from '../parts/time.ts';
import type { Meanings } from '../parts/timeline.ts';
import { Entry } from '../parts/timeline.ts';
import type { Shell } from '../shell.ts';
import { Page } from '../shell.ts';
import {
  ACCESS_LIMIT_NAMES,
  isOpen,
  nameField,
  PRIORITY_NAMES,
  SEVERITY_NAMES,
  STATUS_NAMES,
  TYPE_NAMES,
} from '../wording.ts';
import type { FormValues } from './issue-form.ts';

/** A place that an issue can be put into. */
export interface ComponentChoice {
  readonly id: string;
  /** `Web > Login`. */
  readonly path: string;
}

export interface IssueProperties extends Meanings {
  readonly shell: Shell;
  readonly issue: Issue;
  /** Oldest first; the first one is the description unless `earlier` are left out. */
  readonly updates: readonly Update[];
  /** Token of the updates after those; empty: all are shown. */
  readonly later: string;
  readonly hotlists: readonly Hotlist[];
  readonly customFields: readonly CustomFieldDefinition[];
  /** Components to choose from; empty when the viewer may not edit. */
  readonly choices: readonly ComponentChoice[];
  /** The issue as its form holds it. */
  readonly values: FormValues;
  /** What was sent when the form comes back: shown instead of `values`, and kept in the comment box. */
  readonly draft?: FormValues | undefined;
  readonly errors?: FormErrors | undefined;
  /** Request id of a write whose fate is unknown: sent again, it is done once. */
  readonly request?: string | undefined;
  readonly notice?: string | undefined;
}

/** Names of an enum as choices. */
export function listChoices(names: ReadonlyMap<number, string | { readonly name: string }>): Choice[] {
  return [...names].map(([value, name]) => [String(value), typeof name === 'string' ? name : name.name]);
}

const CHOICES: Readonly<Record<string, readonly Choice[]>> = {
  status: listChoices(STATUS_NAMES),
  priority: listChoices(PRIORITY_NAMES),
  severity: listChoices(SEVERITY_NAMES),
  type: listChoices(TYPE_NAMES),
  access_limit: listChoices(ACCESS_LIMIT_NAMES),
  archived: [
    ['no', 'No'],
    ['yes', 'Yes, hidden from lists'],
  ],
};

/** One issue: description, timeline, comment box; fields at the side. All controls belong to one form. */
export function IssuePage(properties: IssueProperties): VNode {
  const { shell, issue, updates, components, errors, draft } = properties;
  const may = (permission: Permission): boolean => shell.viewer !== undefined && issue.permissions.includes(permission);
  const canEdit = may(Permission.EDIT);
  const canComment = canEdit || may(Permission.COMMENT);
  const open = isOpen(issue.status);
  const path = components.get(issue.component)?.path ?? '';
  return html`<${Page} shell=${shell} title="${issue.title} (${issue.id})" kind="issue">
    <div class="crumbs">
      <a href="/issues?q=component:${issue.component}">${path}</a>
      <span class="id">#${issue.id}</span>
      <span class="push"></span>
      ${shell.features.stars && shell.viewer ? Star(shell, issue) : null}
    </div>
    <div class="title">
      <h1 class=${open ? undefined : 'closed'}>${issue.title}</h1>
      ${canEdit ? TitleForm(properties) : null}
    </div>
    <p class="sum">${StatusBadge(issue.status)} ${PriorityBadge(issue.priority)} ${NamedType(issue.type)}
      <span class="dim">· reported by ${Person(issue.reporter, properties.people)} ${Time(issue.created, shell.now)}${issue.archived ? ' · archived' : ''}</span></p>
    <${Notice} text=${properties.notice} />
    <${ErrorSummary} errors=${errors} />
    <div class="cols">
      <div class="story">
        <ol class="timeline">${updates.map((update) =>
          Entry({
            update,
            meanings: properties,
            shell,
            editable:
              shell.features.commentEditing &&
              canComment &&
              (update.author === shell.viewer?.id || may(Permission.ADMIN)),
          }),
        )}</ol>
        ${properties.later === '' ? null : html`<p class="more"><a class="button second" href="/issues/${issue.id}?updates=${encodeURIComponent(properties.later)}">Later updates</a></p>`}
        ${canComment ? CommentBox(open, canEdit, draft) : shell.viewer ? null : html`<p class="lead"><a href="/login?return_to=${encodeURIComponent(shell.here)}">Log in</a> to comment.</p>`}
      </div>
      <aside class="fields" aria-label="Fields">
        ${
          canComment
            ? html`<form id="edit" method="post" action="/issues/${issue.id}" data-version=${issue.version}>
              ${Hidden(shell, { version: issue.version, base: JSON.stringify(canEdit ? properties.values : {}), ...(properties.request === undefined ? {} : { request: properties.request }) })}
              ${Fields(properties, canEdit)}</form>`
            : Fields(properties, false)
        }
      </aside>
    </div>
  <//>`;
}

function Star(shell: Shell, issue: Issue): VNode {
  const text = issue.starred ? 'Unstar' : 'Star';
  return markup`<form method="post" action="/issues/${issue.id}/star" class="star">${Hidden(shell)}<button class="quiet${issue.starred ? ' on' : ''}" name="starred" value="${issue.starred ? 'no' : 'yes'}">${Icon(issue.starred ? 'starred' : 'star')}<span class="hide">${text} this issue. Stars: </span>${issue.stars}</button></form>`;
}

function TitleForm({ values, draft, errors }: IssueProperties): VNode {
  const value = draft?.title ?? values.title ?? '';
  const open = errors?.title !== undefined || value !== values.title ? OPEN : null;
  return markup`<details class="retitle"${open}><summary class="button quiet icon" aria-label="Edit the title">${Icon('edit')}</summary><div><label class="hide" for="title">Title</label><input id="title" name="title" form="edit" value="${value}" maxlength="500" required><button form="edit">Save</button></div></details>`;
}
const OPEN = markup` open`;

function CommentBox(open: boolean, canEdit: boolean, draft: FormValues | undefined): VNode {
  return markup`<section class="reply" aria-label="Comment"><label for="comment">Comment</label><textarea id="comment" name="comment" form="edit" rows="4" placeholder="Markdown. #123 links an issue, @name a person.">${draft?.comment ?? ''}</textarea><div class="actions">${
    canEdit
      ? markup`<label class="check"><input type="checkbox" name="restricted" value="yes" form="edit"${draft?.restricted ? markup` checked` : null}> Only for those who may edit</label>`
      : null
  }<span class="push"></span>${
    canEdit
      ? markup`<button form="edit" class="second" name="action" value="${open ? 'close' : 'reopen'}">${open ? 'Comment & close' : 'Comment & reopen'}</button>`
      : null
  }<button form="edit" name="action" value="comment">Comment</button></div></section>`;
}

function Fields(properties: IssueProperties, canEdit: boolean): VNode {
  const { issue, shell, people, components, related, hotlists } = properties;
  const list = (values: readonly string[]): VNode | null =>
    values.length === 0 ? NONE : markup`${values.map((value) => markup`<span class="v1">${value}</span>`)}`;
  const persons = (ids: readonly string[]): VNode =>
    ids.length === 0 ? NONE : markup`${ids.map((id) => markup`<span class="v1">${Person(id, people)}</span>`)}`;
  const issues = (ids: readonly string[]): VNode =>
    ids.length === 0 ? NONE : markup`${ids.map((id) => IssueLink(id, related.get(id)))}`;
  const field = (name: string, shown: VNode | null, control?: VNode): VNode =>
    FieldRow(properties, canEdit, name, shown, control);
  const componentShown = markup`<span>${components.get(issue.component)?.path ?? issue.component}</span>`;
  const names = (name: string): string => ({ ...properties.values, ...properties.draft })[name] ?? '';
  return markup`<div class="rows">${[
    field(
      'status',
      StatusBadge(issue.status),
      markup`${Select({ name: 'status', choices: CHOICES.status ?? [], value: names('status'), label: 'Status' })}<label class="sub">Duplicate of<input name="duplicate_of" value="${names('duplicate_of')}" inputmode="numeric" placeholder="Issue number"></label>`,
    ),
    issue.duplicateOf === '0' ? markup`` : Fixed('Duplicate of', issues([issue.duplicateOf])),
    field('priority', PriorityBadge(issue.priority)),
    field('severity', markup`${SEVERITY_NAMES.get(issue.severity) ?? String(issue.severity)}`),
    field('type', NamedType(issue.type)),
    field('assignee', Person(issue.assignee, people)),
    field('verifier', Person(issue.verifier, people)),
    Fixed('Reporter', Person(issue.reporter, people)),
    field(
      'component',
      componentShown,
      Select({
        name: 'component',
        label: 'Component',
        value: names('component'),
        choices: listComponentChoices(properties),
      }),
    ),
    field('labels', issue.labels.length === 0 ? NONE : markup`${issue.labels.map(Label)}`),
    field('cc', persons(issue.cc)),
    field('collaborators', persons(issue.collaborators)),
    field('found_in', list(issue.foundIn)),
    field('targeted_to', list(issue.targetedTo)),
    field('verified_in', list(issue.verifiedIn)),
    field('parent', issue.parent === '0' ? NONE : issues([issue.parent])),
    field('blocked_by', issues(issue.blockedBy)),
    issue.blocking.length === 0 ? markup`` : Fixed('Blocking', issues(issue.blocking)),
    ...properties.customFields.map((definition) => {
      const name = `custom_fields.${definition.name}`;
      const values = issue.customFields.find((value) => value.field === definition.name)?.values ?? [];
      const control =
        definition.kind === CustomFieldKind.ENUM
          ? Select({
              name,
              label: definition.name,
              value: names(name),
              choices: [['', '—'], ...definition.options.map((option) => [option, option] as const)],
            })
          : undefined;
      return field(
        name,
        definition.kind === CustomFieldKind.USER
          ? persons(values)
          : definition.kind === CustomFieldKind.ISSUE
            ? issues(values)
            : list(values),
        control,
      );
    }),
    hotlists.length === 0
      ? markup``
      : Fixed(
          'Hotlists',
          markup`${hotlists.map((hotlist) => markup`<a class="v1" href="/hotlists/${hotlist.id}">${hotlist.name}</a>`)}`,
        ),
    shell.features.access
      ? field('access_limit', markup`${ACCESS_LIMIT_NAMES.get(issue.accessLimit) ?? ''}`)
      : markup``,
    field('archived', markup`${issue.archived ? 'Yes' : 'No'}`),
    Fixed('Created', Time(issue.created, shell.now)),
    Fixed('Modified', Time(issue.modified, shell.now)),
    issue.resolved ? Fixed('Resolved', Time(issue.resolved, shell.now)) : markup``,
    issue.verified ? Fixed('Verified', Time(issue.verified, shell.now)) : markup``,
  ]}</div>`;
}
const NONE = markup`<span class="none">—</span>`;

function listComponentChoices({ choices, issue, components }: IssueProperties): Choice[] {
  const list: Choice[] = choices.map(({ id, path }) => [id, path]);
  if (!choices.some(({ id }) => id === issue.component))
    list.unshift([issue.component, components.get(issue.component)?.path ?? issue.component]);
  return list;
}

function Fixed(name: string, shown: VNode | null): VNode {
  return markup`<div class="fd"><span class="k">${name}</span><span class="v">${shown}</span></div>`;
}

/** What to type into a text field. */
const HINTS: Readonly<Record<string, { readonly placeholder: string; readonly complete?: string }>> = {
  assignee: { placeholder: 'Username', complete: 'user' },
  verifier: { placeholder: 'Username', complete: 'user' },
  cc: { placeholder: 'Usernames, with commas', complete: 'users' },
  collaborators: { placeholder: 'Usernames, with commas', complete: 'users' },
  labels: { placeholder: 'Labels, with commas' },
  parent: { placeholder: 'Issue number' },
  blocked_by: { placeholder: 'Issue numbers, with commas' },
};

function FieldRow(
  properties: IssueProperties,
  canEdit: boolean,
  field: string,
  shown: VNode | null,
  control?: VNode,
): VNode {
  const name = nameField(field);
  if (!canEdit) return Fixed(name, shown);
  const { values, draft, errors } = properties;
  const value = draft?.[field] ?? values[field] ?? '';
  const choices = CHOICES[field];
  const hint = HINTS[field];
  const error = errors?.[field];
  const open = error !== undefined || value !== (values[field] ?? '') ? OPEN : null;
  const input =
    control ??
    (choices
      ? Select({ name: field, choices, value, label: name })
      : markup`<input name="${field}" id="${field}" value="${value}" aria-label="${name}" placeholder="${hint?.placeholder ?? ''}"${hint?.complete ? markup` data-complete="${hint.complete}" autocomplete="off"` : null}${error ? markup` aria-invalid="true"` : null}>`);
  // The value stands beside the summary, not in it: it may hold links.
  return markup`<div class="fd"><details${open}><summary><span class="hide">Edit </span>${name}</summary><div class="ed">${input}<button class="second">Save</button>${error ? markup`<p class="error">${error}</p>` : null}</div></details><span class="v">${shown}</span></div>`;
}

function IssueLink(id: string, issue: Issue | undefined): VNode {
  if (issue === undefined) return markup`<a class="v1" href="/issues/${id}">#${id}</a>`;
  return markup`<a class="v1${isOpen(issue.status) ? '' : ' closed'}" href="/issues/${id}">#${id} <span>${issue.title}</span></a>`;
}
