import { find, findAll, isTyping, make, openDialog } from './dom.js';

const LAST_LIST = 'bugless:list';

/** Single keys: what they do, for the help. */
const HELP = [
  ['j  k', 'Next, previous issue or comment'],
  ['o  Enter', 'Open the issue'],
  ['x', 'Select the issue'],
  ['/', 'Search'],
  ['c', 'New issue'],
  ['e', 'Edit the title'],
  ['r', 'Write a comment'],
  ['s', 'Star the issue'],
  ['u', 'Back to the list'],
  ['g i', 'Open issues'],
  ['g m', 'Assigned to me'],
  ['g c', 'Components'],
  ['Ctrl K', 'Go to anything'],
  ['Ctrl Enter', 'Send the comment'],
  ['?', 'This help'],
];

const PLACES = {
  i: '/issues?q=is:open',
  m: '/issues?q=is:open+assignee:me',
  r: '/issues?q=reporter:me',
  c: '/components',
  h: '/hotlists',
  s: '/settings',
};

/** Keys as in mail and code review, on lists and issues. */
export function startKeys() {
  if (find('main.list')) sessionStorage.setItem(LAST_LIST, location.pathname + location.search);
  let going = false;
  addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.matches('textarea')) {
      event.preventDefault();
      event.target.form?.requestSubmit(find('.reply button[value=comment]') ?? undefined);
      return;
    }
    if (event.key === 'Escape' && isTyping(event)) event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || find('dialog[open]')) return;
    if (going) {
      going = false;
      if (PLACES[event.key]) location.href = PLACES[event.key];
      return;
    }
    const act = ACTIONS[event.key];
    if (event.key === 'g') {
      going = true;
      setTimeout(() => {
        going = false;
      }, 1200);
    } else if (act && act(event) !== false) event.preventDefault();
  });
}

const ACTIONS = {
  j: () => move(1),
  k: () => move(-1),
  o: () => open(),
  Enter: (event) => (event.target === document.body || event.target.matches('main') ? open() : false),
  x: () => {
    const box = find('tr.at [name=id]');
    if (!box) return false;
    box.click();
  },
  '/': () => {
    const box = find('#q');
    box?.focus();
    box?.select();
  },
  c: () => follow('.top .new'),
  e: () => {
    const title = find('.retitle');
    if (!title) return false;
    title.open = true;
    find('#title', title).select();
  },
  r: () => find('#comment')?.focus(),
  s: () => find('.star button')?.click(),
  u: () => {
    location.href = sessionStorage.getItem(LAST_LIST) ?? '/issues?q=is:open';
  },
  '?': () => {
    const list = make(
      'dl',
      {},
      ...HELP.flatMap(([keys, text]) => [
        make('dt', {}, ...keys.split('  ').flatMap((key, i) => [i ? ' ' : '', make('kbd', { textContent: key })])),
        make('dd', { textContent: text }),
      ]),
    );
    openDialog('keys', make('h2', { textContent: 'Keys' }), list);
  },
};

function move(step) {
  const stops = findAll('.issues tbody tr, .timeline > li, .hot tr');
  if (stops.length === 0) return false;
  const at = stops.findIndex((stop) => stop.classList.contains('at'));
  const next = stops[Math.max(0, Math.min(stops.length - 1, at + step))];
  stops[at]?.classList.remove('at');
  next.classList.add('at');
  const target = find('.ti a, a', next);
  target?.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'nearest' });
}

function open() {
  return follow('tr.at .ti a, tr.at a[href^="/issues/"]');
}

function follow(selector) {
  const link = find(selector);
  if (!link) return false;
  link.click();
}
