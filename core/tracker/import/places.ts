import { createHash } from 'node:crypto';
import { type CallContext, CustomFieldKind, type Model } from '@bugless/kit/service';
import type { SourceIssue } from './source.ts';

interface Place {
  readonly id: string;
  readonly fields: Set<string>;
}

/** Finds the components that issues of a source belong to, and makes those that are missing. */
export class Places {
  readonly #model: Model;
  readonly #source: string;
  readonly #context: CallContext;
  readonly #parent: string;
  readonly #places = new Map<string, Place>();
  #fallback = '0';
  /** Components made, or missing in a dry run. */
  made = 0;

  /** `parent` is the id of the component under which the source's components go; `0`: they are roots. */
  constructor(model: Model, source: string, context: CallContext, parent: string) {
    this.#model = model;
    this.#source = source;
    this.#context = context;
    this.#parent = parent;
  }

  /** Reads the components that are there. Needed before {@link prepare}. */
  async load(): Promise<void> {
    let isParentThere = this.#parent === '0';
    let pageToken = '';
    do {
      const page = await this.#model.listComponents({ includeArchived: true, pageSize: 500, pageToken }, this.#context);
      for (const component of page.components) {
        if (this.#fallback === '0') this.#fallback = component.id;
        if (component.id === this.#parent) isParentThere = true;
        const depth = component.ancestry.indexOf(this.#parent);
        if (this.#parent !== '0' && depth < 0) continue;
        const path = component.path.slice(depth + 1);
        const fields = new Set(component.customFields.map((field) => field.name));
        if (path.length > 0) this.#places.set(pathKey(path), { id: component.id, fields });
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    if (!isParentThere) throw new Error(`there is no component ${this.#parent} to import into`);
  }

  /** The component's id of an issue that {@link prepare} has seen. */
  getId(path: readonly string[]): string {
    return this.#places.get(pathKey(path))?.id ?? this.#fallback;
  }

  /** Makes sure that the components of these issues are there, with their custom fields. */
  async prepare(issues: readonly SourceIssue[], dryRun: boolean): Promise<void> {
    // First those that are there in the end: of two spellings theirs is the one to keep.
    for (const issue of issues) await this.#ensurePath(issue.fields.component, dryRun);
    for (const issue of issues) {
      for (const update of issue.updates) {
        if (update.state) await this.#ensurePath(update.state.component, dryRun);
      }
      const root = await this.#ensurePath(issue.fields.component, dryRun);
      await this.#ensureFields(root, issue, dryRun);
    }
  }

  /** The root of a path that is there in the end. */
  async #ensurePath(path: readonly string[], dryRun: boolean): Promise<Place> {
    const root = await this.#ensure(path.slice(0, 1), this.#parent, dryRun);
    let parent = root.id;
    for (let depth = 2; depth <= path.length; depth += 1) {
      parent = (await this.#ensure(path.slice(0, depth), parent, dryRun)).id;
    }
    return root;
  }

  async #ensure(path: readonly string[], parent: string, dryRun: boolean): Promise<Place> {
    const key = pathKey(path);
    const known = this.#places.get(key);
    if (known) return known;
    this.made += 1;
    const place = { id: dryRun ? this.#fallback : await this.#create(path, parent), fields: new Set<string>() };
    this.#places.set(key, place);
    return place;
  }

  async #create(path: readonly string[], parent: string): Promise<string> {
    const name = cleanName(path.at(-1)!);
    const { component } = await this.#model.createComponent(
      { component: { name, parent }, requestId: this.#requestId('component', ...path, parent) },
      this.#context,
    );
    return component!.id;
  }

  async #ensureFields(root: Place, issue: SourceIssue, dryRun: boolean): Promise<void> {
    const states = [issue.fields, ...issue.updates.flatMap((update) => update.state ?? [])];
    const names = states.flatMap((state) => Object.keys(state.customFields));
    const missing = [...new Set(names)].filter((name) => !root.fields.has(name));
    if (missing.length === 0) return;
    for (const name of missing) root.fields.add(name);
    if (dryRun) return;
    const { component } = await this.#model.getComponent({ id: root.id }, this.#context);
    const definitions = missing.map((name) => ({
      name,
      kind: CustomFieldKind.TEXT,
      description: `From ${this.#source}`,
    }));
    await this.#model.updateComponent(
      {
        id: root.id,
        expectedVersion: component!.version,
        component: { customFields: [...component!.customFields, ...definitions] },
        updateMask: ['custom_fields'],
      },
      this.#context,
    );
  }

  #requestId(...parts: readonly string[]): string {
    return `import-${createHash('sha256')
      .update(JSON.stringify([this.#source, ...parts]))
      .digest('hex')
      .slice(0, 40)}`;
  }
}

function pathKey(path: readonly string[]): string {
  return JSON.stringify(path.map((name) => cleanName(name).toLowerCase()));
}

/** A component's name may hold neither `>` nor `"` nor line breaks. */
function cleanName(name: string): string {
  return name
    .replace(/[>"\p{Cc}]+/gu, ' ')
    .slice(0, 100)
    .trim()
    .toWellFormed();
}
