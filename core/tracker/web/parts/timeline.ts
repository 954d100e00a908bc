import type { FieldChange, Issue, Update } from '@bugless/kit/service';
import { renderMarkdown } from '../markdown/renderer.ts';
import type { VNode } from '../markup.ts';
import { escapeText, html, markup, trusted } from '../markup.ts';
import type { ComponentNames } from '../pages/issue-list.ts';
import type { People, Shell } from '../shell.ts';
import { initials } from '../shell.ts';
import { nameField, nameValue } from '../wording.ts';
import { Icon } from './icon.ts';
import { namePerson, Person } from './person.ts';
import { Time } from './time.ts';

/** What the ids in a history mean. */
export interface Meanings {
  readonly people: People;
  readonly components: ComponentNames;
  /** Issues mentioned, for their titles. */
  readonly related: ReadonlyMap<string, Issue>;
}

const USER_FIELDS = new Set(['assignee', 'verifier', 'reporter', 'collaborators', 'cc']);
const ISSUE_FIELDS = new Set(['parent', 'blocked_by', 'blocking', 'duplicate_of']);
const COLLECTIONS = new Set([
  'collaborators',
  'cc',
  'labels',
  'found_in',
  'targeted_to',
  'verified_in',
  'blocked_by',
  'blocking',
  'hotlists',
]);

/** Ids of users that an update's changes name. */
export function listChangedUsers(update: Update): string[] {
  return update.changes
    .filter((change) => USER_FIELDS.has(change.field))
    .flatMap((change) => [...change.oldValues, ...change.newValues]);
}

function valueHtml(field: string, value: string, meanings: Meanings): string {
  if (USER_FIELDS.has(field)) return escapeText(namePerson(value, meanings.people));
  if (ISSUE_FIELDS.has(field)) {
    const title = meanings.related.get(value)?.title;
    return `<a href="/issues/${escapeText(value)}"${title === undefined ? '' : ` title="${escapeText(title)}"`}>#${escapeText(value)}</a>`;
  }
  if (field === 'component') return escapeText(meanings.components.get(value)?.path ?? `component ${value}`);
  return escapeText(nameValue(field, value));
}

function changeHtml(change: FieldChange, meanings: Meanings): string {
  const { field } = change;
  const name = `<span class="k">${escapeText(nameField(field))}</span> `;
  const old = change.oldValues.map((value) => valueHtml(field, value, meanings));
  const now = change.newValues.map((value) => valueHtml(field, value, meanings));
  if (field === 'description') return `<li>${name}set</li>`;
  if (COLLECTIONS.has(field) || old.length > 1 || now.length > 1) {
    const put = now.map((value) => `<ins>+ ${value}</ins>`);
    const taken = old.map((value) => `<del>− ${value}</del>`);
    return `<li>${name}${[...put, ...taken].join(' ')}</li>`;
  }
  const from = old.length === 0 ? '' : `<del>${old[0]}</del> → `;
  return `<li>${name}${from}<ins>${now.length === 0 ? 'none' : now[0]}</ins></li>`;
}

/** The changes of an update, one line each. */
export function Changes(update: Update, meanings: Meanings): VNode {
  return trusted(`<ul class="changes">${update.changes.map((change) => changeHtml(change, meanings)).join('')}</ul>`);
}

/** A comment's text: Markdown, or what became of it. */
export function CommentText(update: Update): VNode {
  if (update.redacted) return markup`<p class="gone">This comment was withdrawn.</p>`;
  return markup`<div class="prose">${trusted(renderMarkdown(update.comment))}</div>`;
}

interface EntryProperties {
  readonly update: Update;
  readonly meanings: Meanings;
  readonly shell: Shell;
  /** Offer to edit the comment. */
  readonly editable: boolean;
}

/** One update of the timeline. Its anchor is `c` and the sequence. */
export function Entry({ update, meanings, shell, editable }: EntryProperties): VNode {
  const { sequence, author, comment, redacted } = update;
  const anchor = `c${sequence}`;
  const first = sequence === 1;
  const name = namePerson(author, meanings.people);
  const when = markup`<a class="when" href="#${anchor}">${Time(update.created, shell.now)}</a>`;
  if (comment === '' && !redacted && !first) {
    return markup`<li id="${anchor}" class="event"><span class="bullet" aria-hidden="true"></span><div><p>${Person(author, meanings.people)} ${when}</p>${Changes(update, meanings)}</div></li>`;
  }
  const edited = update.edited
    ? markup`<a class="edited" href="/issues/${update.issue}/updates/${sequence}" title="See earlier texts">edited ${Time(update.edited, shell.now)}</a>`
    : null;
  const edit =
    editable && !redacted
      ? markup`<a class="button quiet icon" href="/issues/${update.issue}/updates/${sequence}" aria-label="Edit ${first ? 'the description' : `comment ${sequence}`}">${Icon('edit')}</a>`
      : null;
  return markup`<li id="${anchor}" class="entry${first ? ' first' : ''}"><span class="avatar" aria-hidden="true">${initials(name)}</span><article aria-label="${first ? 'Description' : `Comment by ${name}`}"><header>${Person(author, meanings.people)}${update.restricted ? markup`<span class="tag">${Icon('lock')} restricted</span>` : null} ${when} ${edited}<span class="push">${first ? null : markup`<span class="seq">#${sequence}</span>`}${edit}</span></header>${
    first && comment === '' && !redacted ? markup`<p class="gone">No description.</p>` : CommentText(update)
  }${first || update.changes.length === 0 ? null : Changes(update, meanings)}${Attachments(update)}</article></li>`;
}

function Attachments(update: Update): VNode | null {
  if (update.attachments.length === 0) return null;
  return html`<ul class="files">${update.attachments.map((file) => html`<li>${Icon('link')} ${file.name} <small>${file.deleted ? 'withdrawn' : `${Math.ceil(Number(file.size) / 1024)} kB`}</small></li>`)}</ul>`;
}
