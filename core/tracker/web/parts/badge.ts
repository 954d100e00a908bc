import { assetUrl } from '../assets.ts';
import type { VNode } from '../markup.ts';
import { escapeText, trusted } from '../markup.ts';
import { nameStatus, nameType, PRIORITY_NAMES, STATUS_NAMES, TYPE_NAMES } from '../wording.ts';

const priorities = new Map(
  [...PRIORITY_NAMES].map(([value, name]) => [value, `<span class="p ${name.toLowerCase()}">${name}</span>`]),
);
const statuses = new Map(
  [...STATUS_NAMES].map(([value, row]) => [value, `<span class="s ${row.word}">${escapeText(row.name)}</span>`]),
);
const types = new Map(
  [...TYPE_NAMES].map(([value, row]) => [
    value,
    `<svg class="i ty ${row.word}" role="img" aria-label="${row.name}"><title>${row.name}</title><use href="${assetUrl('icons.svg')}#${row.word}"/></svg>`,
  ]),
);

/** HTML of `P1`, coloured; the colour repeats what the text says. */
export function priorityHtml(priority: number): string {
  return priorities.get(priority) ?? `<span class="p">P?${priority}</span>`;
}

/** HTML of a dot and the status in words. */
export function statusHtml(status: number): string {
  return statuses.get(status) ?? `<span class="s">${escapeText(nameStatus(status))}</span>`;
}

/** HTML of the icon of a type, with its name for readers and as title. */
export function typeHtml(type: number): string {
  return types.get(type) ?? `<span class="ty">${escapeText(nameType(type))}</span>`;
}

/** HTML of a label that searches for itself. */
export function labelHtml(label: string): string {
  const word = /[\s"():,|]/.test(label) ? `"${label.replaceAll('"', '')}"` : label;
  return `<a class="label" href="/issues?q=label:${encodeURIComponent(word)}">${escapeText(label)}</a>`;
}

/** Node of `priorityHtml`. */
export const PriorityBadge = (priority: number): VNode => trusted(priorityHtml(priority));
/** Node of `statusHtml`. */
export const StatusBadge = (status: number): VNode => trusted(statusHtml(status));
/** Node of `typeHtml`. */
export const TypeBadge = (type: number): VNode => trusted(typeHtml(type));
/** Node of `labelHtml`. */
export const Label = (label: string): VNode => trusted(labelHtml(label));

/** The icon of a type beside its name in words. */
export function NamedType(type: number): VNode {
  const word = TYPE_NAMES.get(type)?.word;
  const icon =
    word === undefined
      ? ''
      : `<svg class="i ty ${word}" aria-hidden="true"><use href="${assetUrl('icons.svg')}#${word}"/></svg>`;
  return trusted(`<span class="named">${icon}${escapeText(nameType(type))}</span>`);
}
