import type { Session, Token, User } from '@bugless/kit/service';
import { TokenScope } from '@bugless/kit/service';
import type { ComponentChildren, VNode } from '../markup.ts';
import { html } from '../markup.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden, Notice } from '../parts/form.ts';
import { namePerson } from '../parts/person.ts';
import { Time } from '../parts/time.ts';
import type { People, Shell } from '../shell.ts';
import { Page, searchUrl } from '../shell.ts';

interface FrameProperties {
  readonly shell: Shell;
  readonly title: string;
  readonly errors?: FormErrors | undefined;
  readonly notice?: string | undefined;
  readonly children?: ComponentChildren;
}

function Frame({ shell, title, errors, notice, children }: FrameProperties): VNode {
  const tabs: [string, string, boolean][] = [
    ['/settings', 'Profile', true],
    ['/settings/sessions', 'Sessions', true],
    ['/settings/tokens', 'API tokens', shell.features.tokens],
    ['/settings/bots', 'Bots', shell.features.tokens],
  ];
  return html`<${Page} shell=${shell} title=${title} kind="narrow">
    <h1>Settings</h1>
    <nav class="tabs" aria-label="Settings">${tabs.filter((tab) => tab[2]).map(([href, name]) => html`<a href=${href} aria-current=${name === title ? 'page' : undefined}>${name}</a>`)}</nav>
    <${Notice} text=${notice} /><${ErrorSummary} errors=${errors} />
    ${children}
  <//>`;
}

interface ProfileProperties {
  readonly shell: Shell;
  readonly user: User;
  readonly errors?: FormErrors | undefined;
  readonly notice?: string | undefined;
}

/** Who the user is to others, its password, its saved searches. */
export function ProfilePage({ shell, user, errors, notice }: ProfileProperties): VNode {
  return html`<${Frame} shell=${shell} title="Profile" errors=${errors} notice=${notice}>
    <section class="panel"><h2>Profile</h2><form method="post" action="/settings">
      ${Hidden(shell, { version: user.version })}
      <p class="lead">Username <b>${user.username}</b></p>
      ${Field({ name: 'display_name', label: 'Name', value: user.displayName, errors, required: true, maxlength: 200, autocomplete: 'name' })}
      ${Field({ name: 'email', label: 'E-mail', type: 'email', value: user.email, errors, autocomplete: 'email', hint: 'Seen by you and by administrators.' })}
      <button>Save</button></form></section>
    ${
      shell.features.passwords
        ? html`<section class="panel"><h2>Password</h2><p class="lead">Changing it ends your other sessions.</p><form method="post" action="/settings/password">
          ${Hidden(shell)}<input type="hidden" name="username" value=${user.username} autocomplete="username" />
          ${Field({ name: 'old_password', label: 'Present password', type: 'password', errors, required: true, autocomplete: 'current-password' })}
          ${Field({ name: 'new_password', label: 'New password', type: 'password', errors, required: true, autocomplete: 'new-password' })}
          <button>Change password</button></form></section>`
        : null
    }
    ${
      shell.savedSearches.length === 0
        ? null
        : html`<section class="panel"><h2>Saved searches</h2><table class="plainlist"><tbody>${shell.savedSearches.map(
            (
              saved,
            ) => html`<tr><td><a href=${searchUrl(saved.query)}>${saved.name}</a></td><td><code>${saved.query}</code></td>
            <td><form method="post" action="/searches/delete">${Hidden(shell, { name: saved.name })}<button class="quiet" aria-label="Delete ${saved.name}">Delete</button></form></td></tr>`,
          )}</tbody></table></section>`
    }
  <//>`;
}

interface SessionsProperties {
  readonly shell: Shell;
  readonly sessions: readonly Session[];
  /** Id of the session that asks. */
  readonly current: string;
}

/** Where the user is logged in. */
export function SessionsPage({ shell, sessions, current }: SessionsProperties): VNode {
  return html`<${Frame} shell=${shell} title="Sessions">
    <div class="scrollx"><table class="plainlist"><thead><tr><th scope="col">Browser</th><th scope="col">Address</th><th scope="col">Began</th><th scope="col">Last used</th><th scope="col"><span class="hide">End</span></th></tr></thead>
    <tbody>${sessions.map(
      (
        session,
      ) => html`<tr><td>${nameBrowser(session.userAgent)}${session.id === current ? html` <span class="tag">this one</span>` : null}</td><td>${session.address}</td><td>${Time(session.created, shell.now)}</td><td>${Time(session.used, shell.now)}</td>
      <td><form method="post" action="/settings/sessions">${Hidden(shell, { id: session.id })}<button class="quiet">End</button></form></td></tr>`,
    )}</tbody></table></div>
  <//>`;
}

/** `Firefox on Linux`, as far as a browser says. */
function nameBrowser(agent: string): string {
  const browser = /Edg\//.test(agent)
    ? 'Edge'
    : /Firefox\//.test(agent)
      ? 'Firefox'
      : /Chrom(e|ium)\//.test(agent)
        ? 'Chrome'
        : /Safari\//.test(agent)
          ? 'Safari'
          : '';
  const system = /Android/.test(agent)
    ? 'Android'
    : /iPhone|iPad/.test(agent)
      ? 'iOS'
      : /Windows/.test(agent)
        ? 'Windows'
        : /Mac OS/.test(agent)
          ? 'macOS'
          : /Linux/.test(agent)
            ? 'Linux'
            : '';
  return browser === '' ? agent.slice(0, 60) || 'Unknown' : system === '' ? browser : `${browser} on ${system}`;
}

const SCOPES = [
  [String(TokenScope.READ), 'Read'],
  [String(TokenScope.COMMENT), 'File issues and comment'],
  [String(TokenScope.EDIT), 'Edit'],
  [String(TokenScope.ADMIN), 'Everything'],
] as const;

interface TokensProperties {
  readonly shell: Shell;
  readonly tokens: readonly Token[];
  /** Bots that the user owns. */
  readonly bots: readonly User[];
  readonly people: People;
  /** A token just made: shown this once. */
  readonly secret?: string | undefined;
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: FormErrors | undefined;
}

/** Credentials for programs. */
export function TokensPage({ shell, tokens, bots, people, secret, values = {}, errors }: TokensProperties): VNode {
  const owners: [string, string][] = [
    ['', `Me (${shell.viewer?.username})`],
    ...bots.map((bot): [string, string] => [bot.id, `Bot ${bot.username}`]),
  ];
  return html`<${Frame} shell=${shell} title="API tokens" errors=${errors}>
    ${
      secret
        ? html`<div class="notice good" role="status"><p><b>Copy the token now; it is not shown again.</b></p><code class="secret" tabindex="0">${secret}</code><p>Send it as <code>Authorization: Bearer …</code></p></div>`
        : null
    }
    ${
      tokens.length === 0
        ? html`<p class="lead">No tokens yet.</p>`
        : html`<div class="scrollx"><table class="plainlist"><thead><tr><th scope="col">Name</th><th scope="col">Acts as</th><th scope="col">Begins with</th><th scope="col">May</th><th scope="col">Last used</th><th scope="col">Expires</th><th scope="col"><span class="hide">End</span></th></tr></thead>
          <tbody>${tokens.map(
            (
              token,
            ) => html`<tr><td><b>${token.name}</b></td><td>${namePerson(token.user, people)}</td><td><code>${token.hint}…</code></td><td>${token.scopes.map((scope) => SCOPES.find(([value]) => value === String(scope))?.[1] ?? scope).join(', ')}</td>
            <td>${token.used ? Time(token.used, shell.now) : 'never'}</td><td>${token.expires ? token.expires.slice(0, 10) : 'never'}</td>
            <td><form method="post" action="/settings/tokens/revoke">${Hidden(shell, { id: token.id })}<button class="quiet" aria-label="End ${token.name}">End</button></form></td></tr>`,
          )}</tbody></table></div>`
    }
    <section class="panel"><h2>New token</h2><form method="post" action="/settings/tokens">${Hidden(shell)}
      ${Field({ name: 'name', label: 'Name', value: values.name, errors, required: true, maxlength: 100, placeholder: 'What it is for' })}
      <div class="grid">
        ${Field({ name: 'user', label: 'Acts as', value: values.user, errors, choices: owners })}
        ${Field({ name: 'scope', label: 'May', value: values.scope ?? String(TokenScope.EDIT), errors, choices: SCOPES })}
        ${Field({ name: 'expires', label: 'Expires', type: 'date', value: values.expires, errors, hint: 'Empty: never.' })}
      </div>
      <button>Make token</button></form></section>
  <//>`;
}

interface BotsProperties {
  readonly shell: Shell;
  readonly bots: readonly User[];
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: FormErrors | undefined;
}

/** Users that are programs of the viewer's. */
export function BotsPage({ shell, bots, values = {}, errors }: BotsProperties): VNode {
  return html`<${Frame} shell=${shell} title="Bots" errors=${errors}>
    <p class="lead">A bot is a user of its own that logs in with tokens alone. What it may do is granted to it as to anyone.</p>
    ${
      bots.length === 0
        ? null
        : html`<table class="plainlist"><thead><tr><th scope="col">Username</th><th scope="col">Name</th><th scope="col">Made</th></tr></thead><tbody>${bots.map(
            (bot) =>
              html`<tr><td><b>${bot.username}</b></td><td>${bot.displayName}</td><td>${Time(bot.created, shell.now)}</td></tr>`,
          )}</tbody></table>`
    }
    <section class="panel"><h2>New bot</h2><form method="post" action="/settings/bots">${Hidden(shell)}
      <div class="grid">${Field({ name: 'username', label: 'Username', value: values.username, errors, required: true, maxlength: 64 })}
      ${Field({ name: 'display_name', label: 'Name', value: values.display_name, errors, maxlength: 200 })}</div>
      <button>Create bot</button></form></section>
  <//>`;
}
