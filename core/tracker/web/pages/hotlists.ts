import type { Hotlist, HotlistEntry } from '@bugless/kit/service';
import { HotlistPermission } from '@bugless/kit/service';
import { renderMarkdown } from '../markdown/renderer.ts';
import type { VNode } from '../markup.ts';
import { html, markup, trusted } from '../markup.ts';
import { PriorityBadge, StatusBadge, TypeBadge } from '../parts/badge.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden, Notice } from '../parts/form.ts';
import { Icon } from '../parts/icon.ts';
import { Person } from '../parts/person.ts';
import { Time } from '../parts/time.ts';
import type { People, Shell } from '../shell.ts';
import { Page } from '../shell.ts';
import { isOpen } from '../wording.ts';

interface HotlistsProperties {
  readonly shell: Shell;
  readonly hotlists: readonly Hotlist[];
  readonly people: People;
  readonly nextPageToken: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: FormErrors | undefined;
}

/** All hotlists that the viewer may see. */
export function HotlistsPage({
  shell,
  hotlists,
  people,
  nextPageToken,
  values = {},
  errors,
}: HotlistsProperties): VNode {
  return html`<${Page} shell=${shell} title="Hotlists" kind="narrow">
    <h1>Hotlists</h1><p class="lead">Lists of issues across components, in an order of your own.</p>
    <${ErrorSummary} errors=${errors} />
    ${
      hotlists.length === 0
        ? html`<div class="empty"><p>No hotlists yet.</p></div>`
        : html`<div class="scrollx"><table class="plainlist"><thead><tr><th scope="col">Name</th><th scope="col">Owner</th><th scope="col">Modified</th></tr></thead>
          <tbody>${hotlists.map((hotlist) => html`<tr><td><a href="/hotlists/${hotlist.id}"><b>${hotlist.name}</b></a></td><td>${Person(hotlist.owner, people)}</td><td>${Time(hotlist.modified, shell.now)}</td></tr>`)}</tbody></table></div>`
    }
    ${nextPageToken === '' ? null : html`<p class="actions"><a class="button second" href="/hotlists?page=${encodeURIComponent(nextPageToken)}">More</a></p>`}
    ${
      shell.viewer
        ? html`<section class="panel"><h2>New hotlist</h2><form method="post" action="/hotlists">${Hidden(shell)}
          ${Field({ name: 'name', label: 'Name', value: values.name, errors, required: true, maxlength: 100 })}
          ${Field({ name: 'description', label: 'Description', value: values.description, errors, rows: 2 })}
          <label class="check"><input type="checkbox" name="shared" value="yes" /> Everyone may see it</label>
          <p class="actions"><button>Create hotlist</button></p></form></section>`
        : null
    }
  <//>`;
}

interface HotlistProperties {
  readonly shell: Shell;
  readonly hotlist: Hotlist;
  readonly entries: readonly HotlistEntry[];
  readonly people: People;
  readonly nextPageToken: string;
  readonly errors?: FormErrors | undefined;
  readonly notice?: string | undefined;
}

/** One hotlist: its issues in their order, moved by buttons or by dragging. */
export function HotlistPage({
  shell,
  hotlist,
  entries,
  people,
  nextPageToken,
  errors,
  notice,
}: HotlistProperties): VNode {
  const may = (permission: HotlistPermission): boolean =>
    shell.viewer !== undefined && hotlist.permissions.includes(permission);
  const canAppend = may(HotlistPermission.APPEND);
  const own = `/hotlists/${hotlist.id}`;
  return html`<${Page} shell=${shell} title=${hotlist.name}>
    <div class="crumbs"><a href="/hotlists">Hotlists</a></div>
    <div class="head"><h1>${hotlist.name}</h1><span class="dim">by ${Person(hotlist.owner, people)}</span></div>
    <${Notice} text=${notice} /><${ErrorSummary} errors=${errors} />
    ${hotlist.description ? html`<div class="prose lead">${trusted(renderMarkdown(hotlist.description))}</div>` : null}
    ${
      canAppend
        ? html`<form method="post" action=${own} class="inline">${Hidden(shell, { action: 'add' })}
          <label class="hide" for="issues">Issues</label><input id="issues" name="issues" required placeholder="Add issues: 12, 34" />
          <label class="hide" for="note">Note</label><input id="note" name="note" placeholder="Note" maxlength="4000" /><button>Add on top</button></form>`
        : null
    }
    ${
      entries.length === 0
        ? html`<div class="empty"><p>No issues in it yet.</p></div>`
        : html`<form method="post" action=${own} data-hotlist=${canAppend ? hotlist.id : undefined}>${canAppend ? Hidden(shell) : null}
          <div class="scrollx"><table class="hot"><tbody>${entries.map((entry, index) => Row(entry, entries, index, canAppend))}</tbody></table></div></form>`
    }
    ${nextPageToken === '' ? null : html`<p class="actions"><a class="button second" href="${own}?page=${encodeURIComponent(nextPageToken)}">More</a></p>`}
    ${
      may(HotlistPermission.ADMIN)
        ? html`<details class="panel"><summary><h2>Change it ${Icon('down')}</h2></summary>
          <form method="post" action=${own}>${Hidden(shell, { action: 'edit', version: hotlist.version })}
          ${Field({ name: 'name', label: 'Name', value: hotlist.name, required: true, maxlength: 100 })}
          ${Field({ name: 'description', label: 'Description', value: hotlist.description, rows: 3 })}
          <p class="actions"><button>Save</button></p></form>
          <form method="post" action=${own} class="actions">${Hidden(shell, { action: 'delete' })}<button class="danger">Delete hotlist</button><small>Its issues stay.</small></form></details>`
        : null
    }
  <//>`;
}

function Row(entry: HotlistEntry, entries: readonly HotlistEntry[], index: number, canAppend: boolean): VNode {
  const { issue, summary, note } = entry;
  // Up: behind the one before the one before; down: behind the next one.
  const up = index === 0 ? undefined : (entries[index - 2]?.issue ?? '0');
  const down = entries[index + 1]?.issue;
  return markup`<tr data-issue="${issue}"${summary && !isOpen(summary.status) ? markup` class="closed"` : null}>${
    canAppend
      ? markup`<td class="grip">${
          up === undefined
            ? null
            : markup`<button class="quiet icon" name="move" value="${issue} ${up}" aria-label="Move ${issue} up">${Icon('up')}</button>`
        }${down === undefined ? null : markup`<button class="quiet icon" name="move" value="${issue} ${down}" aria-label="Move ${issue} down">${Icon('down')}</button>`}</td>`
      : null
  }<td>${summary ? PriorityBadge(summary.priority) : null}</td><td>${summary ? TypeBadge(summary.type) : null}</td><td><a href="/issues/${issue}">${summary?.title ?? `#${issue}`}</a>${
    note === '' ? null : markup` <span class="note">— ${note}</span>`
  }</td><td>${summary ? StatusBadge(summary.status) : null}</td><td class="dim">${issue}</td>${
    canAppend
      ? markup`<td><button class="quiet" name="remove" value="${issue}" aria-label="Take ${issue} out">Take out</button></td>`
      : null
  }</tr>`;
}
