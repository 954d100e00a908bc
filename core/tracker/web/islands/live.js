import { find, findAll, make } from './dom.js';

/** Tells when others change what the page shows; nothing moves under the reader until asked. */
export function startLive() {
  if (!document.body.dataset.events || !window.EventSource) return;
  const id = /^\/issues\/(\d+)$/.exec(location.pathname)?.[1];
  const shown = id ? [id] : findAll('.issues tbody tr').map((row) => row.id.slice(1));
  if (shown.length === 0) return;
  const version = Number(find('#edit')?.dataset.version ?? 0);
  const source = new EventSource(`/api/v1/events${id ? `?issue=${id}` : ''}`);
  const changed = new Set();
  const notice = make('div', { className: 'notice info live', hidden: true });
  notice.setAttribute('role', 'status');
  const text = make('span');
  const again = make('button', { type: 'button', className: 'second', textContent: 'Show' });
  again.addEventListener('click', () => location.reload());
  notice.append(text, again);
  find('main').prepend(notice);
  const hear = (event) => {
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    const issue = String(data.issue?.id ?? data.issue ?? '');
    if (!shown.includes(issue) || (id && Number(data.version ?? data.issue?.version ?? Infinity) <= version)) return;
    changed.add(issue);
    text.textContent = id ? 'This issue was changed meanwhile.' : `${changed.size} of these issues changed meanwhile.`;
    notice.hidden = false;
  };
  source.onmessage = hear;
  for (const kind of ['issue_created', 'issue_updated', 'comment_edited']) source.addEventListener(kind, hear);
  // A page that is left must not hold its connection.
  addEventListener('pagehide', () => source.close());
}
