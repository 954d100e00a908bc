import type { CallContext, Component, CustomFieldDefinition } from '@bugless/kit/service';
import { createSystemContext, Permission } from '@bugless/kit/service';
import type { ComponentChoice } from '../../web/pages/issue.ts';
import type { ComponentNames } from '../../web/pages/issue-list.ts';
import type { Services } from '../services.ts';

const LIFETIME = 5_000;

/** The tree as pages need it: names, paths and custom fields by id. */
interface Snapshot {
  readonly names: ComponentNames;
  readonly components: ReadonlyMap<string, Component>;
  readonly until: number;
}

/**
 * Names of components for pages, read as a whole and kept for 5 s. It is read by core itself, so show from it only
 * what belongs to an issue or component that the viewer has been given.
 */
export class ComponentDirectory {
  readonly #services: Services;
  #snapshot: Snapshot | undefined;
  #reading: Promise<Snapshot> | undefined;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Names and paths by id. */
  async getNames(): Promise<ComponentNames> {
    return (await this.#get()).names;
  }

  /** Custom fields that issues of a component can have: its own and those of the components above. */
  async listCustomFields(id: string): Promise<CustomFieldDefinition[]> {
    const { components } = await this.#get();
    const ancestry = components.get(id)?.ancestry ?? [];
    return ancestry.flatMap((ancestor) => components.get(ancestor)?.customFields ?? []);
  }

  /** Forgets all, after a change here. */
  forget(): void {
    this.#snapshot = undefined;
    this.#reading = undefined;
  }

  async #get(): Promise<Snapshot> {
    const snapshot = this.#snapshot;
    if (snapshot !== undefined && snapshot.until > this.#services.now()) return snapshot;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<Snapshot> {
    const all = await listAllComponents(this.#services, createSystemContext(), true);
    const snapshot = {
      names: new Map(all.map(({ id, name, path }) => [id, { name, path: path.join(' > ') }])),
      components: new Map(all.map((component) => [component.id, component])),
      until: this.#services.now() + LIFETIME,
    };
    this.#snapshot = snapshot;
    return snapshot;
  }
}

/** Every component that a caller may see, by path. */
export async function listAllComponents(
  services: Services,
  context: CallContext,
  includeArchived: boolean,
): Promise<Component[]> {
  const all: Component[] = [];
  for (let pageToken = ''; ; ) {
    const page = await services.model.listComponents({ includeArchived, pageSize: 500, pageToken }, context);
    all.push(...page.components);
    if (page.nextPageToken === '') return all;
    pageToken = page.nextPageToken;
  }
}

/** Components in which a caller may file issues. */
export async function listChoices(services: Services, context: CallContext): Promise<ComponentChoice[]> {
  const components = await listAllComponents(services, context, false);
  return components
    .filter(({ permissions }) => permissions.includes(Permission.CREATE))
    .map(({ id, path }) => ({ id, path: path.join(' > ') }));
}
