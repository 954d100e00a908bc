import { assetUrl } from '../assets.ts';
import type { VNode } from '../markup.ts';
import { trusted } from '../markup.ts';

const cache = new Map<string, string>();

/** A symbol of icons.svg, for the eye alone: give its meaning in words beside it. */
export function Icon(name: string): VNode {
  return trusted(iconHtml(name));
}

/** HTML of `Icon`. */
export function iconHtml(name: string): string {
  let markup = cache.get(name);
  if (markup === undefined) {
    markup = `<svg class="i" aria-hidden="true"><use href="${assetUrl('icons.svg')}#${name}"/></svg>`;
    cache.set(name, markup);
  }
  return markup;
}
