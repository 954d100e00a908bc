import { find, findAll } from './dom.js';

/** Times in the reader’s own zone; drafts of comments that survive a reload; menus that close by themselves. */
export function startTexts() {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  for (const time of findAll('time[title]')) time.title = `${format.format(new Date(time.dateTime))} (${time.title})`;

  keepDraft(find('#comment'), `bugless:draft:${location.pathname}`);
  const description = find('[data-draft] #description');
  if (description) keepDraft(description, 'bugless:draft:new');

  addEventListener('click', (event) => {
    for (const menu of findAll('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
  });
  addEventListener('keydown', (event) => {
    if (event.key === 'Escape') for (const menu of findAll('details.menu[open]')) menu.open = false;
  });
  // A field that is opened is meant to be typed into.
  for (const field of findAll('.fd details')) {
    field.addEventListener('toggle', () => {
      if (field.open) find('input:not([type=hidden]), select', field)?.focus();
    });
  }
}

function keepDraft(box, key) {
  if (!box || box.readOnly) return;
  const kept = sessionStorage.getItem(key);
  if (kept && box.value === '') box.value = kept;
  box.addEventListener('input', () => {
    if (box.value === '') sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, box.value);
  });
  box.form?.addEventListener('submit', () => sessionStorage.removeItem(key));
}
