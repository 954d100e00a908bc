import type { Issue, OrderKey } from '@bugless/kit/service';
import type { VNode } from '../markup.ts';
import { escapeText, html, markup, trusted } from '../markup.ts';
import { labelHtml, priorityHtml, statusHtml, typeHtml } from '../parts/badge.ts';
import { Hidden, Notice, Select } from '../parts/form.ts';
import { Icon, iconHtml } from '../parts/icon.ts';
import { namePerson } from '../parts/person.ts';
import { timeHtml } from '../parts/time.ts';
import type { People, Shell } from '../shell.ts';
import { HOTLINKS, Page, searchUrl } from '../shell.ts';
import { isOpen, PRIORITY_NAMES, STATUS_NAMES } from '../wording.ts';

/** Component names by id, for lists: the last name, and the whole path as title. */
export type ComponentNames = ReadonlyMap<string, { readonly name: string; readonly path: string }>;

export interface IssueListProperties {
  readonly shell: Shell;
  /** As written. */
  readonly query: string;
  /** The query as it was understood, when that can be told. */
  readonly echo?: string | undefined;
  /** Why it was not understood; column counts from 1. */
  readonly error?: { readonly message: string; readonly column: number | undefined } | undefined;
  readonly issues: readonly Issue[];
  readonly people: People;
  readonly components: ComponentNames;
  readonly order: readonly OrderKey[];
  /** undefined: not counted. */
  readonly count?: { readonly count: number; readonly more: boolean } | undefined;
  /** Position of the first row, from 1. */
  readonly from: number;
  readonly nextPageToken: string;
  readonly notice?: string | undefined;
  /** Results of a bulk edit that went wrong, by issue. */
  readonly failures?: readonly { readonly id: string; readonly message: string }[];
}

const NUMBERS = new Intl.NumberFormat('en');

/** Keys of the order clause that headers set, and which way they go first. */
const HEADERS: readonly {
  readonly field: string;
  readonly name: string;
  readonly descending: boolean;
  readonly class: string;
}[] = [
  { field: 'priority', name: 'Pri', descending: false, class: 'pr' },
  { field: 'type', name: 'Type', descending: false, class: 'tp' },
  { field: 'title', name: 'Title', descending: false, class: 'ti' },
  { field: 'status', name: 'Status', descending: false, class: 'st' },
  { field: 'assignee', name: 'Assignee', descending: false, class: 'as' },
  { field: 'component', name: 'Component', descending: false, class: 'co' },
  { field: 'modified', name: 'Modified', descending: true, class: 'mo' },
  { field: 'id', name: 'ID', descending: true, class: 'id' },
];

/** The query ordered by one field instead of how it was. */
export function reorderQuery(query: string, field: string, descending: boolean): string {
  const rest = query.replace(/(^|\s)orderby:\S+/gi, '').trim();
  return `${rest}${rest === '' ? '' : ' '}orderby:${descending ? '-' : ''}${field}`;
}

function Header(properties: { query: string; order: readonly OrderKey[]; column: (typeof HEADERS)[number] }): VNode {
  const { query, order, column } = properties;
  const key = order[0];
  const current = key?.field === column.field;
  const descending = current ? !key.descending : column.descending;
  const sort = current ? markup` aria-sort="${key.descending ? 'descending' : 'ascending'}"` : null;
  const arrow = current ? Icon(key.descending ? 'down' : 'up') : null;
  return markup`<th scope="col" class="${column.class}"${sort}><a href="${searchUrl(reorderQuery(query, column.field, descending))}">${column.name}${arrow}</a></th>`;
}

/**
 * HTML of one row. Rows are what a list costs, so they are built as text: every value from outside goes
 * through `escapeText` (ids and times are digits and ISO text by contract).
 */
function rowHtml(issue: Issue, people: People, components: ComponentNames, now: number, selectable: boolean): string {
  const { id, labels, assignee, commentCount, stars, modified } = issue;
  const component = components.get(issue.component);
  let row = isOpen(issue.status) ? `<tr id="i${id}">` : `<tr id="i${id}" class="closed">`;
  if (selectable)
    row += `<td class="ck"><input type="checkbox" name="id" value="${id}" aria-label="Select ${id}"></td>`;
  row += `<td class="pr">${priorityHtml(issue.priority)}</td><td class="tp">${typeHtml(issue.type)}</td><td class="ti"><div><a href="/issues/${id}">${escapeText(issue.title)}</a>`;
  if (labels.length > 0) {
    row += '<span class="ls">';
    for (let i = 0; i < labels.length && i < MAX_LABELS; i++) row += labelHtml(labels[i] ?? '');
    if (labels.length > MAX_LABELS) row += `<span class="label">+${labels.length - MAX_LABELS}</span>`;
    row += '</span>';
  }
  row += `</div></td><td class="st">${statusHtml(issue.status)}</td><td class="as">${assignee === '' ? NOBODY : escapeText(namePerson(assignee, people))}</td>`;
  row += component
    ? `<td class="co" title="${escapeText(component.path)}">${escapeText(component.name)}</td>`
    : '<td class="co"></td>';
  row += `<td class="mo">${modified === undefined ? '' : timeHtml(modified, now)}</td><td class="id">${id}</td><td class="nu">`;
  if (commentCount > 0) row += `<span title="${commentCount} comments">${COMMENTS}${commentCount}</span>`;
  if (stars > 0) row += `<span title="${stars} stars">${issue.starred ? STARRED : STAR}${stars}</span>`;
  return `${row}</td></tr>`;
}
/** A row shows no more labels than these. */
const MAX_LABELS = 3;
const NOBODY = '<span class="none">—</span>';
const COMMENTS = iconHtml('comment');
const STAR = iconHtml('star');
const STARRED = iconHtml('starred');

/** What the heading calls a query: the name of a link in the sidebar, or `Search`. */
function nameQuery(query: string, shell: Shell): string {
  return (
    HOTLINKS.find((link) => link.query === query)?.name ??
    shell.savedSearches.find((saved) => saved.query === query)?.name ??
    'Search results'
  );
}

function countText({ issues, from, count, nextPageToken }: IssueListProperties): string {
  if (issues.length === 0) return from > 1 ? 'No more issues' : 'No issues';
  const last = from + issues.length - 1;
  const span = `${NUMBERS.format(from)}–${NUMBERS.format(last)}`;
  if (count?.more) return `${span} of more than ${NUMBERS.format(count.count)}`;
  if (count) return `${span} of ${NUMBERS.format(Math.max(count.count, last))}`;
  return nextPageToken === '' ? `${span} of ${NUMBERS.format(last)}` : span;
}

function QueryError({ query, error }: { query: string; error: NonNullable<IssueListProperties['error']> }): VNode {
  const column = error.column === undefined ? undefined : Math.min(Math.max(error.column, 1), query.length + 1);
  return html`<div class="notice bad" role="alert">
    <p>${error.message}</p>
    ${column === undefined ? null : html`<pre class="caret" aria-hidden="true">${`${query}\n${' '.repeat(column - 1)}▲`}</pre>`}
  </div>`;
}

function BulkBar(): VNode {
  return markup`<fieldset class="bulk"><legend class="hide">Change the selected issues</legend><b class="picked" aria-live="polite">Selected</b>${Select(
    {
      name: 'status',
      id: 'bulk-status',
      label: 'Status',
      choices: [
        ['', 'Status…'],
        ...[...STATUS_NAMES.values()]
          .filter((row) => row.word !== 'duplicate')
          .map((row) => [row.word, row.name] as const),
      ],
    },
  )}${Select({
    name: 'priority',
    id: 'bulk-priority',
    label: 'Priority',
    choices: [['', 'Priority…'], ...[...PRIORITY_NAMES.values()].map((name) => [name.toLowerCase(), name] as const)],
  })}<input name="assignee" aria-label="Assignee" placeholder="Assignee" title="A username, or none" data-complete="user" autocomplete="off" size="12"><input name="addLabels" aria-label="Add labels" placeholder="Add labels" size="12"><input name="removeLabels" aria-label="Remove labels" placeholder="Remove labels" size="12"><input name="comment" aria-label="Comment" placeholder="Comment" class="wide"><button>Apply</button></fieldset>`;
}

/** The list of issues for a query. */
export function IssueListPage(properties: IssueListProperties): VNode {
  const { shell, query, echo, error, issues, people, components, order, from, nextPageToken, failures } = properties;
  const selectable = shell.viewer !== undefined && issues.length > 0;
  const base = searchUrl(query);
  const link = (parameters: string): string => `${base}${base.includes('?') ? '&' : '?'}${parameters}`;
  const pager = (): VNode => html`<nav class="pager" aria-label="Pages">
    <span class="count">${countText(properties)}</span>
    ${from > 1 ? html`<a class="button quiet icon" href=${base} rel="first" title="First page" aria-label="First page">${Icon('left')}</a>` : null}
    ${nextPageToken === '' ? null : html`<a class="button quiet" rel="next" href=${link(`from=${from + issues.length}&page=${encodeURIComponent(nextPageToken)}`)}>Next ${Icon('right')}</a>`}
  </nav>`;
  const name = nameQuery(query, shell);
  return html`<${Page} shell=${shell} title=${name} query=${query} kind="list">
    <div class="head">
      <h1>${name}</h1>
      ${error ? null : pager()}
      ${
        shell.viewer && shell.features.savedSearches && query !== '' && !error && name === 'Search results'
          ? html`<details class="menu save"><summary class="button quiet">Save search</summary><form class="pop" method="post" action="/searches">
            ${Hidden(shell, { query })}<label for="save-name">Name</label><input id="save-name" name="name" required maxlength="100" /><button>Save</button></form></details>`
          : null
      }
    </div>
    <${Notice} text=${properties.notice} />
    ${failures?.length ? html`<div class="notice bad" role="alert">${failures.map((failure) => html`<p><a href="/issues/${failure.id}">${failure.id}</a>: ${failure.message}</p>`)}</div>` : null}
    ${error ? html`<${QueryError} query=${query} error=${error} />` : null}
    ${echo && !error && echo !== query ? markup`<p class="echo"><span>Read as</span> <code>${echo}</code></p>` : null}
    ${
      error
        ? null
        : issues.length === 0
          ? html`<div class="empty"><p>Nothing matches${query === '' ? '' : ' this search'}.</p>
            ${shell.viewer ? html`<p><a href="/issues/new">File a new issue</a>${query === '' ? '' : ' or '}${query === '' ? null : html`<a href="/issues">see all issues</a>`}.</p>` : null}</div>`
          : html`<form class="bulk-form" method="post" action="/issues/bulk">
            ${selectable ? Hidden(shell, { return_to: shell.here }) : null}
            ${markup`<table class="issues"><thead><tr>${selectable ? CHECK_ALL : null}${HEADERS.map((column) => Header({ query, order, column }))}<th scope="col" class="nu"><span class="hide">Comments and stars</span></th></tr></thead><tbody>${trusted(issues.map((issue) => rowHtml(issue, people, components, shell.now, selectable)).join(''))}</tbody></table>`}
            ${selectable ? BulkBar() : null}
          </form>`
    }
    ${error || issues.length < 25 ? null : html`<div class="foot">${pager()}</div>`}
  <//>`;
}
const CHECK_ALL = markup`<th scope="col" class="ck"><span class="hide">Select</span></th>`;
