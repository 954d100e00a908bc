import { callApi, findAll, make } from './dom.js';

/** Fields that take usernames offer whom they may mean. `user`: one; `users`: several, with commas. */
export function startCompletion() {
  for (const box of findAll('[data-complete^=user]')) attach(box, box.dataset.complete === 'users');
}

function attach(box, several) {
  const id = `suggest-${box.name}`;
  const list = make('ul', { className: 'suggest', hidden: true, id });
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', 'Users');
  box.setAttribute('role', 'combobox');
  box.setAttribute('aria-controls', id);
  box.setAttribute('aria-expanded', 'false');
  box.after(list);
  let at = -1;
  let wait;
  let users = [];

  const close = () => {
    list.hidden = true;
    box.setAttribute('aria-expanded', 'false');
  };
  const take = (user) => {
    const before = several ? box.value.replace(/[^,]*$/, (part) => (/^\s/.test(part) ? ' ' : '')) : '';
    box.value = before + user.username + (several ? ', ' : '');
    close();
    box.focus();
  };
  const mark = (index) => {
    at = (index + users.length) % users.length;
    for (const [i, row] of [...list.children].entries()) row.setAttribute('aria-selected', String(i === at));
    box.setAttribute('aria-activedescendant', `${id}-${at}`);
  };
  const ask = async () => {
    const text = (several ? box.value.split(',').at(-1) : box.value).trim().replace(/^@/, '');
    if (text === '') return close();
    const answer = await callApi(`users?prefix=${encodeURIComponent(text)}`).catch(() => ({ users: [] }));
    users = answer.users;
    if (users.length === 0 || document.activeElement !== box) return close();
    list.replaceChildren(
      ...users.map((user, index) => {
        const row = make('li', {
          id: `${id}-${index}`,
          textContent: `${user.displayName || user.username} (${user.username})`,
        });
        row.setAttribute('role', 'option');
        row.addEventListener('mousedown', (event) => {
          event.preventDefault();
          take(user);
        });
        return row;
      }),
    );
    list.hidden = false;
    box.setAttribute('aria-expanded', 'true');
    mark(0);
  };
  box.addEventListener('input', () => {
    clearTimeout(wait);
    wait = setTimeout(ask, 120);
  });
  box.addEventListener('blur', close);
  box.addEventListener('keydown', (event) => {
    if (list.hidden) return;
    if (event.key === 'ArrowDown') mark(at + 1);
    else if (event.key === 'ArrowUp') mark(at - 1);
    else if (event.key === 'Enter' || event.key === 'Tab') take(users[at]);
    else if (event.key === 'Escape') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
