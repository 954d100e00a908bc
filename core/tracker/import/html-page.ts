import { DomUtils, parseDocument } from 'htmlparser2';

type Document = ReturnType<typeof parseDocument>;
type Node = Document['children'][number];
/** An element of a page. */
export type HtmlElement = Extract<Node, { attribs: Record<string, string> }>;

/** A page with its elements by id and class, found in one walk. */
export class HtmlPage {
  readonly #ids = new Map<string, HtmlElement>();
  readonly #classes = new Map<string, HtmlElement[]>();

  constructor(html: string) {
    this.#index(parseDocument(html).children);
  }

  /** The first element with this id. */
  find(id: string): HtmlElement | undefined {
    return this.#ids.get(id);
  }

  /** Ids with this beginning, in the order of the page. */
  listIds(prefix: string): string[] {
    return [...this.#ids.keys()].filter((id) => id.startsWith(prefix));
  }

  /** All elements of a class, in the order of the page. */
  listClass(name: string): readonly HtmlElement[] {
    return this.#classes.get(name) ?? [];
  }

  #index(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (!isElement(node)) continue;
      const { id, class: classes } = node.attribs;
      if (id !== undefined && !this.#ids.has(id)) this.#ids.set(id, node);
      if (classes !== undefined) {
        for (const name of classes.split(/\s+/)) {
          const known = this.#classes.get(name);
          if (known) known.push(node);
          else this.#classes.set(name, [node]);
        }
      }
      this.#index(node.children);
    }
  }
}

function isElement(node: Node): node is HtmlElement {
  return 'attribs' in node;
}

/** Text of an element, with white space as it stands in the page; empty: there is no such element. */
export function readRawText(element: HtmlElement | undefined): string {
  return element ? DomUtils.textContent(element) : '';
}

/** Text of an element, white space as a browser shows it; empty: there is no such element. */
export function readText(element: HtmlElement | undefined): string {
  return readRawText(element).replace(/\s+/g, ' ').trim();
}

/** Elements below one that match, in the order of the page. */
export function listBelow(
  element: HtmlElement,
  matches: (candidate: HtmlElement) => boolean,
  found: HtmlElement[] = [],
): HtmlElement[] {
  for (const child of element.children) {
    if (!isElement(child)) continue;
    if (matches(child)) found.push(child);
    listBelow(child, matches, found);
  }
  return found;
}

/** Elements of a tag below one. */
export function listTags(element: HtmlElement, tag: string): HtmlElement[] {
  return listBelow(element, ({ name }) => name === tag);
}

/** The first element of a class below one. */
export function findClass(element: HtmlElement, name: string): HtmlElement | undefined {
  return listBelow(element, ({ attribs }) => attribs['class']?.split(/\s+/).includes(name) === true)[0];
}

/** The element that follows as a sibling. */
export function findNext(element: HtmlElement | undefined): HtmlElement | undefined {
  for (let node = element?.next ?? null; node !== null; node = node.next) {
    if (isElement(node as Node)) return node as HtmlElement;
  }
  return undefined;
}
