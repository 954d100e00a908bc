import { find, findAll, make } from './dom.js';

/** Bulk selection: how many, all at once, and a range with Shift. */
export function startList() {
  const form = find('.bulk-form');
  const boxes = form ? findAll('[name=id]', form) : [];
  if (boxes.length === 0) return;
  const picked = find('.picked', form);
  const all = make('input', { type: 'checkbox', ariaLabel: 'Select all on this page' });
  find('th.ck', form)?.append(all);
  let last;
  const tell = () => {
    const count = boxes.filter((box) => box.checked).length;
    picked.textContent = `${count} selected`;
    all.checked = count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  };
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  for (const box of boxes) {
    box.addEventListener('click', (event) => {
      if (event.shiftKey && last) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
      }
      last = box;
      tell();
    });
  }
  tell();
}
