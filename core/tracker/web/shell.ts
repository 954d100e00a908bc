import type { User } from '@bugless/kit/service';
import { assetUrl } from './assets.ts';
import type { ComponentChildren, VNode } from './markup.ts';
import { html, markup } from './markup.ts';
import { Icon } from './parts/icon.ts';

/** How a browser shows pages: as its own setting says, or one or the other. */
export type Theme = 'auto' | 'light' | 'dark';

/** Users by their opaque ids, fetched in one call for a whole page. */
export type People = ReadonlyMap<string, User>;

/** Who looks at a page. */
export interface Viewer {
  readonly id: string;
  readonly name: string;
  readonly username: string;
  readonly admin: boolean;
}

/** What every page is drawn with, whatever it shows. */
export interface Shell {
  /** undefined: not signed in. */
  readonly viewer: Viewer | undefined;
  /** Goes into each form as the hidden field `_csrf`. */
  readonly csrf: string;
  readonly theme: Theme;
  /** Path and query of this page, for coming back after login or a theme change. */
  readonly here: string;
  /** Time against which "3 h ago" is told, milliseconds since the epoch. */
  readonly now: number;
  /** What the Model can do. */
  readonly features: Features;
  readonly savedSearches: readonly { readonly name: string; readonly query: string }[];
}

/** Parts of pages that are there only when the Model or the Authenticators have the capability. */
export interface Features {
  readonly hotlists: boolean;
  readonly stars: boolean;
  readonly savedSearches: boolean;
  readonly events: boolean;
  readonly commentEditing: boolean;
  readonly access: boolean;
  readonly customFields: boolean;
  readonly tokens: boolean;
  readonly passwords: boolean;
  readonly groups: boolean;
  readonly audit: boolean;
}

/** Searches that everyone has in the sidebar. */
export const HOTLINKS: readonly {
  readonly name: string;
  readonly query: string;
  readonly icon: string;
  readonly needs?: 'viewer' | 'stars';
}[] = [
  { name: 'Assigned to me', query: 'is:open assignee:me', icon: 'inbox', needs: 'viewer' },
  { name: 'Reported by me', query: 'reporter:me', icon: 'send', needs: 'viewer' },
  { name: 'CC’d to me', query: 'is:open cc:me', icon: 'eye', needs: 'viewer' },
  { name: 'Starred by me', query: 'is:starred', icon: 'star', needs: 'stars' },
  { name: 'Open issues', query: 'is:open', icon: 'open' },
  { name: 'All recent', query: '', icon: 'clock' },
];

/** Address of the list of issues for a query. */
export function searchUrl(query: string): string {
  return query === ''
    ? '/issues'
    : `/issues?q=${encodeURIComponent(query).replaceAll('%20', '+').replaceAll('%3A', ':')}`;
}

function SideLink(properties: { href: string; icon: string; name: string; current: boolean }): VNode {
  const { href, icon, name, current } = properties;
  return markup`<li><a href="${href}" ${current ? CURRENT : null}>${Icon(icon)}<span>${name}</span></a></li>`;
}
const CURRENT = markup`aria-current="page"`;

function Sidebar({ shell, query }: { shell: Shell; query: string | undefined }): VNode {
  const { viewer, features, here } = shell;
  const links = HOTLINKS.filter(
    (link) => link.needs === undefined || (viewer && (link.needs !== 'stars' || features.stars)),
  );
  const path = here.split('?', 1)[0] ?? '';
  const places: [string, string, string, boolean][] = [
    ['/components', 'folder', 'Components', path.startsWith('/components')],
  ];
  if (features.hotlists) places.push(['/hotlists', 'list', 'Hotlists', path.startsWith('/hotlists')]);
  if (viewer) places.push(['/settings', 'gear', 'Settings', path.startsWith('/settings')]);
  if (viewer?.admin) places.push(['/admin/users', 'lock', 'Administration', path.startsWith('/admin')]);
  return markup`<nav class="side" aria-label="Searches and places"><ul>${links.map((link) =>
    SideLink({ href: searchUrl(link.query), icon: link.icon, name: link.name, current: link.query === query }),
  )}</ul>${
    shell.savedSearches.length === 0
      ? null
      : markup`<h2>Saved searches</h2><ul>${shell.savedSearches.map((saved) =>
          SideLink({ href: searchUrl(saved.query), icon: 'search', name: saved.name, current: saved.query === query }),
        )}</ul>`
  }<h2>Places</h2><ul>${places.map(([href, icon, name, current]) => SideLink({ href, icon, name, current }))}</ul></nav>`;
}

function Menu({ shell }: { shell: Shell }): VNode {
  const { viewer, here } = shell;
  const next: Theme = shell.theme === 'auto' ? 'dark' : shell.theme === 'dark' ? 'light' : 'auto';
  const theme = markup`<form method="post" action="/theme" class="theme"><input type="hidden" name="_csrf" value="${shell.csrf}"><input type="hidden" name="return_to" value="${here}"><button name="theme" value="${next}" class="quiet icon" title="Colours: ${shell.theme}. Change to ${next}." aria-label="Colours: ${shell.theme}. Change to ${next}.">${Icon('theme')}</button></form>`;
  if (!viewer)
    return markup`${theme}<a class="button quiet" href="/login?return_to=${encodeURIComponent(here)}">Log in</a>`;
  return markup`${theme}<details class="menu"><summary title="${viewer.name}"><span class="avatar">${initials(viewer.name)}</span><span class="hide"> Account of ${viewer.name}</span></summary><div class="pop"><p><b>${viewer.name}</b><br><small>${viewer.username}</small></p><a href="/settings">Settings</a>${viewer.admin ? markup`<a href="/admin/users">Administration</a>` : null}<form method="post" action="/logout"><input type="hidden" name="_csrf" value="${shell.csrf}"><button class="plain">Log out</button></form></div></details>`;
}

/** Up to two letters that stand for a name. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter((word) => word !== '');
  const first = [...(words[0] ?? '?')][0] ?? '?';
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : '';
  return (first + last).toUpperCase();
}

interface PageProperties {
  readonly shell: Shell;
  readonly title: string;
  /** Query in the search box. undefined: this page is no list; the box is empty. */
  readonly query?: string | undefined;
  /** Class of `main`. */
  readonly kind?: string;
  readonly children?: ComponentChildren;
}

/** A whole document: head, bar with search, sidebar, and the page in `main`. */
export function Page({ shell, title, query, kind, children }: PageProperties): VNode {
  return html`<${Document} shell=${shell} title=${title}>
    ${markup`<header class="top"><a class="brand" href="/">${Icon('logo')}<b>Bugless</b></a><form class="find" role="search" action="/issues"><label class="hide" for="q">Search issues</label>${Icon('search')}<input id="q" name="q" type="search" value="${query ?? ''}" placeholder="Search: is:open priority:p0,p1 component:12+" autocomplete="off" spellcheck="false" maxlength="4000"></form>${
      shell.viewer ? markup`<a class="button new" href="/issues/new">${Icon('plus')}<span>New issue</span></a>` : null
    }${Menu({ shell })}</header>`}
    ${Sidebar({ shell, query })}
    <main id="main" class=${kind} tabindex="-1">${children}</main>
  <//>`;
}

/** A small page of one card: login, setup, errors before login. */
export function Card({ shell, title, children }: PageProperties): VNode {
  return html`<${Document} shell=${shell} title=${title}>
    <main id="main" class="card" tabindex="-1"><p class="brand">${Icon('logo')}<b>Bugless</b></p>${children}</main>
  <//>`;
}

function Document({ shell, title, children }: PageProperties): VNode {
  return html`<html lang="en" data-theme=${shell.theme}>${HEAD(title, shell.csrf)}
    <body data-events=${shell.features.events && shell.viewer ? '1' : undefined}>
      <a class="skip" href="#main">Skip to content</a>${children}</body></html>`;
}

function HEAD(title: string, csrf: string): VNode {
  return markup`<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="csrf-token" content="${csrf}"><title>${title} · Bugless</title><link rel="stylesheet" href="${assetUrl('style.css')}"><link rel="icon" type="image/svg+xml" href="${assetUrl('favicon.svg')}"><script type="module" src="${assetUrl('islands/main.js')}"></script></head>`;
}
