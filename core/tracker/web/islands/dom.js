/** The first element that matches, or null. */
export const find = (selector, root = document) => root.querySelector(selector);

/** All elements that match. */
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Makes an element: properties first, then what stands in it (text or elements). */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** Asks the API of this server, as the user of this page. Throws with the line that the API gives. */
export async function callApi(path, { method = 'GET', body } = {}) {
  const headers = { accept: 'application/json' };
  if (method !== 'GET') headers['x-csrf-token'] = find('meta[name=csrf-token]').content;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const answer = await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const data = answer.status === 204 ? undefined : await answer.json();
  if (!answer.ok) throw new Error(data?.detail ?? answer.statusText);
  return data;
}

/** Whether a key goes into a field that is typed into. */
export function isTyping(event) {
  return event.target.closest('input:not([type=checkbox]), textarea, select, [contenteditable]') !== null;
}

/** A dialog that closes on Escape and on a click beside it, and is gone then. */
export function openDialog(name, ...children) {
  const dialog = make('dialog', { className: name }, ...children);
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
