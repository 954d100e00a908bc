import { html } from 'htm/preact';
import type { ComponentChildren, VNode } from 'preact';
import { jsxTemplate } from 'preact/jsx-runtime';
import { renderToString } from 'preact-render-to-string';

export type { ComponentChildren, VNode };
/**
 * Two ways to write the same trees. `html` (htm) makes ordinary Preact nodes and is what pages are
 * written in. `markup` makes Preact's precompiled template nodes: its fixed parts are copied to the
 * answer as they stand, so a table row costs a few string joins instead of thirty nodes.
 *
 * htm caches nodes without dynamic parts between renders: never change a node.
 */
export { html };

/** What may stand in a hole of `markup`. An array may hold nodes only. */
export type Hole = VNode | readonly VNode[] | string | number | boolean | null | undefined;

const SPECIAL = /["&<>]/;

/** Escapes text for element content and double-quoted attributes. */
export function escapeText(text: string): string {
  if (!SPECIAL.test(text)) return text;
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/**
 * A template node. Holes are escaped text, nodes, or arrays of nodes; a hole may stand in element
 * content or within a double-quoted attribute, nowhere else. null, undefined, true and false leave nothing.
 */
export function markup(strings: TemplateStringsArray, ...holes: Hole[]): VNode {
  const values = new Array(holes.length);
  for (let i = 0; i < holes.length; i++) {
    const hole = holes[i];
    if (typeof hole === 'string') values[i] = escapeText(hole);
    else if (typeof hole === 'boolean' || hole == null) values[i] = null;
    else values[i] = hole;
  }
  return jsxTemplate(strings as unknown as string[], ...values) as VNode;
}

/** A node of HTML that is safe already (our own renderer made it). */
export function trusted(safe: string): VNode {
  return jsxTemplate([safe]) as VNode;
}

/** Renders a whole document, doctype included. */
export function renderDocument(page: VNode): string {
  return `<!doctype html>${renderToString(page)}`;
}
