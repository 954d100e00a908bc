import type { AuditEvent, Group, GroupMember, User } from '@bugless/kit/service';
import { UserKind, UserState } from '@bugless/kit/service';
import type { ComponentChildren, VNode } from '../markup.ts';
import { html } from '../markup.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden, Notice } from '../parts/form.ts';
import { namePerson } from '../parts/person.ts';
import { Time, tellTime } from '../parts/time.ts';
import type { People, Shell } from '../shell.ts';
import { Page } from '../shell.ts';

interface FrameProperties {
  readonly shell: Shell;
  readonly title: string;
  /** The tab under which it stands. */
  readonly tab: string;
  readonly errors?: FormErrors | undefined;
  readonly notice?: string | undefined;
  readonly children?: ComponentChildren;
}

function Frame({ shell, title, tab, errors, notice, children }: FrameProperties): VNode {
  const tabs: [string, string, boolean][] = [
    ['/admin/users', 'Users', true],
    ['/admin/groups', 'Groups', shell.features.groups],
    ['/admin/audit', 'Audit log', shell.features.audit],
  ];
  return html`<${Page} shell=${shell} title=${title}>
    <h1>Administration</h1>
    <nav class="tabs" aria-label="Administration">${tabs.filter((entry) => entry[2]).map(([href, name]) => html`<a href=${href} aria-current=${name === tab ? 'page' : undefined}>${name}</a>`)}</nav>
    <${Notice} text=${notice} /><${ErrorSummary} errors=${errors} />
    ${children}
  <//>`;
}

const STATES: Readonly<Record<number, string>> = {
  [UserState.ACTIVE]: 'active',
  [UserState.DEACTIVATED]: 'deactivated',
  [UserState.PLACEHOLDER]: 'placeholder',
  [UserState.DELETED]: 'deleted',
};

interface UsersProperties {
  readonly shell: Shell;
  readonly users: readonly User[];
  readonly nextPageToken: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: FormErrors | undefined;
}

/** All users. */
export function UsersPage({ shell, users, nextPageToken, values = {}, errors }: UsersProperties): VNode {
  return html`<${Frame} shell=${shell} title="Users" tab="Users" errors=${errors}>
    <div class="scrollx"><table class="plainlist"><thead><tr><th scope="col">Username</th><th scope="col">Name</th><th scope="col">E-mail</th><th scope="col">State</th><th scope="col">Last seen</th></tr></thead>
    <tbody>${users.map(
      (
        user,
      ) => html`<tr><td><a href="/admin/users/${user.id}"><b>${user.username}</b></a>${user.admin ? html` <span class="tag">admin</span>` : null}${user.kind === UserKind.BOT ? html` <span class="tag">bot</span>` : null}</td>
      <td>${user.displayName}</td><td>${user.email}</td><td>${STATES[user.state] ?? user.state}</td><td>${user.lastSeen ? Time(user.lastSeen, shell.now) : 'never'}</td></tr>`,
    )}</tbody></table></div>
    ${nextPageToken === '' ? null : html`<p class="actions"><a class="button second" href="/admin/users?page=${encodeURIComponent(nextPageToken)}">More</a></p>`}
    <details class="panel" open=${errors !== undefined}><summary><h2>New user</h2></summary><form method="post" action="/admin/users">${Hidden(shell)}
      <div class="grid">
        ${Field({ name: 'username', label: 'Username', value: values.username, errors, required: true, maxlength: 64 })}
        ${Field({ name: 'display_name', label: 'Name', value: values.display_name, errors, maxlength: 200 })}
        ${Field({ name: 'email', label: 'E-mail', type: 'email', value: values.email, errors })}
        ${shell.features.passwords ? Field({ name: 'password', label: 'First password', type: 'password', errors, autocomplete: 'new-password', hint: 'Empty: make a link for it afterwards.' }) : null}
      </div>
      <label class="check"><input type="checkbox" name="admin" value="yes" /> Administers this Bugless</label>
      <p class="actions"><button>Create user</button></p></form></details>
  <//>`;
}

interface UserProperties {
  readonly shell: Shell;
  readonly user: User;
  /** A link for a new password, just made. */
  readonly resetLink?: string | undefined;
  readonly notice?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

/** One user, as an administrator sees it. */
export function UserPage({ shell, user, resetLink, notice, errors }: UserProperties): VNode {
  const own = `/admin/users/${user.id}`;
  const active = user.state === UserState.ACTIVE;
  return html`<${Frame} shell=${shell} title=${user.username} tab="Users" notice=${notice} errors=${errors}>
    <div class="crumbs"><a href="/admin/users">Users</a> › ${user.username}</div>
    ${resetLink ? html`<div class="notice good" role="status"><p><b>Give this link to ${user.displayName || user.username}. It works once.</b></p><code class="secret" tabindex="0">${resetLink}</code></div>` : null}
    <section class="panel"><h2>${user.displayName || user.username}</h2><form method="post" action=${own}>${Hidden(shell, { version: user.version, action: 'edit' })}
      <div class="grid">
        ${Field({ name: 'username', label: 'Username', value: user.username, errors, required: true, maxlength: 64 })}
        ${Field({ name: 'display_name', label: 'Name', value: user.displayName, errors, maxlength: 200 })}
        ${Field({ name: 'email', label: 'E-mail', type: 'email', value: user.email, errors })}
      </div>
      <label class="check"><input type="checkbox" name="admin" value="yes" checked=${user.admin} /> Administers this Bugless</label>
      <p class="actions"><button>Save</button></p></form></section>
    <section class="panel"><h2>Access</h2><p class="lead">State: ${STATES[user.state] ?? user.state}. Id <code>${user.id}</code></p>
      <div class="actions">
        <form method="post" action=${own}>${Hidden(shell, { version: user.version })}<button class=${active ? 'danger' : 'second'} name="action" value=${active ? 'deactivate' : 'activate'}>${active ? 'Deactivate' : 'Activate'}</button></form>
        ${shell.features.passwords && user.kind === UserKind.PERSON ? html`<form method="post" action=${own}>${Hidden(shell)}<button class="second" name="action" value="reset">Make a link for a new password</button></form>` : null}
        <form method="post" action=${own}>${Hidden(shell)}<button class="second" name="action" value="sessions">End all sessions</button></form>
      </div></section>
  <//>`;
}

interface GroupsProperties {
  readonly shell: Shell;
  readonly groups: readonly Group[];
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: FormErrors | undefined;
}

/** All groups. */
export function GroupsPage({ shell, groups, values = {}, errors }: GroupsProperties): VNode {
  return html`<${Frame} shell=${shell} title="Groups" tab="Groups" errors=${errors}>
    ${
      groups.length === 0
        ? html`<p class="lead">No groups yet.</p>`
        : html`<table class="plainlist"><thead><tr><th scope="col">Name</th><th scope="col">Description</th><th scope="col">Members</th></tr></thead><tbody>${groups.map(
            (group) =>
              html`<tr><td><a href="/admin/groups/${group.id}"><b>${group.name}</b></a></td><td>${group.description}</td><td>${group.size}</td></tr>`,
          )}</tbody></table>`
    }
    <section class="panel"><h2>New group</h2><form method="post" action="/admin/groups">${Hidden(shell)}
      <div class="grid">${Field({ name: 'name', label: 'Name', value: values.name, errors, required: true, maxlength: 64 })}${Field({ name: 'description', label: 'Description', value: values.description, errors, maxlength: 1000 })}</div>
      <button>Create group</button></form></section>
  <//>`;
}

interface GroupProperties {
  readonly shell: Shell;
  readonly group: Group;
  readonly members: readonly GroupMember[];
  readonly groups: ReadonlyMap<string, Group>;
  readonly people: People;
  readonly errors?: FormErrors | undefined;
}

/** One group and its members. */
export function GroupPage({ shell, group, members, groups, people, errors }: GroupProperties): VNode {
  const own = `/admin/groups/${group.id}`;
  return html`<${Frame} shell=${shell} title=${group.name} tab="Groups" errors=${errors}>
    <div class="crumbs"><a href="/admin/groups">Groups</a> › ${group.name}</div>
    <section class="panel"><h2>Members</h2>
      <table class="plainlist"><tbody>${members.map(({ member }) => {
        if (member === undefined) return null;
        const name =
          member.$case === 'user'
            ? namePerson(member.value, people)
            : `Group ${groups.get(member.value)?.name ?? member.value}`;
        return html`<tr><td>${name}</td><td><form method="post" action=${own}>${Hidden(shell, { action: 'remove', member: `${member.$case} ${member.value}` })}<button class="quiet" aria-label="Take ${name} out">Take out</button></form></td></tr>`;
      })}</tbody></table>
      <form method="post" action=${own} class="inline">${Hidden(shell, { action: 'add' })}<label class="hide" for="member">Add</label><input id="member" name="member" required placeholder="Username, or group:NAME" data-complete="user" autocomplete="off" /><button>Add</button></form></section>
    <section class="panel"><h2>Change it</h2><form method="post" action=${own}>${Hidden(shell, { action: 'edit', version: group.version })}
      <div class="grid">${Field({ name: 'name', label: 'Name', value: group.name, errors, required: true, maxlength: 64 })}${Field({ name: 'description', label: 'Description', value: group.description, errors, maxlength: 1000 })}</div>
      <p class="actions"><button>Save</button></p></form>
      <form method="post" action=${own} class="actions">${Hidden(shell, { action: 'delete' })}<button class="danger">Delete group</button><small>Access granted to it ends.</small></form></section>
  <//>`;
}

interface AuditProperties {
  readonly shell: Shell;
  readonly events: readonly AuditEvent[];
  readonly people: People;
  readonly nextPageToken: string;
}

/** What happened to accounts and credentials, newest first. */
export function AuditPage({ shell, events, people, nextPageToken }: AuditProperties): VNode {
  return html`<${Frame} shell=${shell} title="Audit log" tab="Audit log">
    <div class="scrollx"><table class="plainlist"><thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">By</th><th scope="col">Whom</th><th scope="col">Address</th><th scope="col">Facts</th></tr></thead>
    <tbody>${events.map(
      (
        event,
      ) => html`<tr><td><time datetime=${event.created}>${event.created ? tellTime(event.created) : ''}</time></td><td>${event.kind.replaceAll('_', ' ')}</td><td>${event.author === '' ? '—' : namePerson(event.author, people)}</td><td>${event.user === '' ? '—' : namePerson(event.user, people)}</td><td>${event.address}</td>
      <td><small>${Object.entries(event.details)
        .map(([name, value]) => `${name}: ${value}`)
        .join(', ')}</small></td></tr>`,
    )}</tbody></table></div>
    ${nextPageToken === '' ? null : html`<p class="actions"><a class="button second" href="/admin/audit?page=${encodeURIComponent(nextPageToken)}">Earlier</a></p>`}
  <//>`;
}
