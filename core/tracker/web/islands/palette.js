import { callApi, find, findAll, make, openDialog } from './dom.js';

/** Ctrl-K: every link of the page’s bars, any issue by its number, any search. */
export function startPalette() {
  addEventListener('keydown', (event) => {
    if (event.key !== 'k' || !(event.ctrlKey || event.metaKey) || find('dialog[open]')) return;
    event.preventDefault();
    openPalette();
  });
}

function openPalette() {
  const places = findAll('.side a, .top .new').map((link) => ({ name: link.textContent.trim(), href: link.href }));
  const box = make('input', {
    className: 'palette-input',
    placeholder: 'Go to an issue, a place, a search…',
    ariaLabel: 'Go to',
    autocomplete: 'off',
  });
  box.setAttribute('role', 'combobox');
  box.setAttribute('aria-controls', 'palette-list');
  box.setAttribute('aria-expanded', 'true');
  const list = make('ul', { id: 'palette-list' });
  list.setAttribute('role', 'listbox');
  const dialog = openDialog('palette', box, list);
  let at = 0;
  let found = [];

  const show = (items) => {
    at = 0;
    list.replaceChildren(
      ...items.map((item, index) => {
        const row = make('li', { textContent: item.name, id: `palette-${index}` });
        row.setAttribute('role', 'option');
        row.addEventListener('click', () => go(item));
        return row;
      }),
    );
    found = items;
    mark(0);
  };
  const mark = (index) => {
    at = Math.max(0, Math.min(found.length - 1, index));
    for (const [i, row] of [...list.children].entries()) row.setAttribute('aria-selected', String(i === at));
    list.children[at]?.scrollIntoView({ block: 'nearest' });
    box.setAttribute('aria-activedescendant', `palette-${at}`);
  };
  const go = (item) => {
    dialog.close();
    location.href = item.href;
  };
  let asked = 0;
  const search = () => {
    const turn = ++asked;
    const text = box.value.trim();
    const number = /^#?(\d+)$/.exec(text)?.[1];
    const matching = places.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
    const jump = number ? [{ name: `Issue ${number}`, href: `/issues/${number}` }] : [];
    const query = text === '' ? [] : [{ name: `Search for “${text}”`, href: `/issues?q=${encodeURIComponent(text)}` }];
    show([...jump, ...matching, ...query]);
    if (text.length < 2 || number) return;
    setTimeout(async () => {
      if (turn !== asked) return;
      const { issues } = await callApi(`issues?pageSize=8&q=${encodeURIComponent(text)}`).catch(() => ({ issues: [] }));
      if (turn !== asked || !dialog.open) return;
      const chosen = at;
      show([...found, ...issues.map(({ id, title }) => ({ name: `#${id} ${title}`, href: `/issues/${id}` }))]);
      mark(chosen);
    }, 150);
  };
  box.addEventListener('input', search);
  box.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') mark(at + 1);
    else if (event.key === 'ArrowUp') mark(at - 1);
    else if (event.key === 'Enter' && found[at]) go(found[at]);
    else return;
    event.preventDefault();
  });
  show(places);
}
