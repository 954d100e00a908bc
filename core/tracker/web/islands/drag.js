import { callApi, find, findAll } from './dom.js';

/** Entries of a hotlist are dragged to their place; the buttons beside them do the same. */
export function startDrag() {
  const form = find('[data-hotlist]');
  if (!form) return;
  let held;
  const rows = () => findAll('tr[data-issue]', form);
  for (const row of rows()) {
    row.draggable = true;
    row.addEventListener('dragstart', (event) => {
      held = row;
      event.dataTransfer.effectAllowed = 'move';
      event.dataTransfer.setData('text/plain', row.dataset.issue);
    });
    row.addEventListener('dragover', (event) => {
      if (!held || held === row) return;
      event.preventDefault();
      for (const other of rows()) other.classList.toggle('over', other === row);
    });
    row.addEventListener('drop', async (event) => {
      event.preventDefault();
      row.classList.remove('over');
      if (!held || held === row) return;
      row.before(held);
      const after = held.previousElementSibling?.dataset.issue ?? null;
      try {
        await callApi(`hotlists/${form.dataset.hotlist}/entries/${held.dataset.issue}`, {
          method: 'PATCH',
          body: { after },
        });
      } finally {
        // What the server holds is what counts, also after a failure.
        location.reload();
      }
    });
    row.addEventListener('dragend', () => {
      held = undefined;
      for (const other of rows()) other.classList.remove('over');
    });
  }
}
