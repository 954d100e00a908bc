import { UserKind, UserState } from '@bugless/kit/service';
import type { VNode } from '../markup.ts';
import { markup } from '../markup.ts';
import type { People } from '../shell.ts';

/** Display name of a user; of one that is gone, says so. */
export function namePerson(id: string, people: People): string {
  const user = people.get(id);
  if (user === undefined || user.state === UserState.DELETED) return 'deleted user';
  return user.displayName || user.username;
}

/** Username of a user, for fields that are typed into; empty for nobody. */
export function nameForField(id: string, people: People): string {
  return id === '' ? '' : (people.get(id)?.username ?? id);
}

/** A user's name, the username as title. Nobody: a dash. */
export function Person(id: string, people: People): VNode {
  if (id === '') return markup`<span class="none">—</span>`;
  const user = people.get(id);
  if (user === undefined || user.state === UserState.DELETED)
    return markup`<span class="person none">deleted user</span>`;
  const name = user.displayName || user.username;
  return markup`<span class="person" title="${user.username}">${name}${
    user.kind === UserKind.BOT
      ? markup` <span class="tag">bot</span>`
      : user.state === UserState.DEACTIVATED
        ? markup` <span class="tag">inactive</span>`
        : null
  }</span>`;
}
