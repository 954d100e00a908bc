import { type ComponentAccess, collectAccess, foldCase } from '@bugless/kit/domain';
import type { CallContext } from '@bugless/kit/service';
import { type AccessGrant, type Component, type CustomFieldDefinition, Issue } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ModelTables, StoredGrant } from './schema/tables.ts';
import { Sight } from './viewer.ts';

/** A component with what follows from its place in the tree. */
export interface ComponentNode {
  /** As in the contract, without what depends on the caller. Shared: never changed, copied before it leaves. */
  readonly component: Component;
  readonly access: ComponentAccess;
  /** Definitions that hold here: those of the root first. */
  readonly customFields: readonly CustomFieldDefinition[];
  readonly children: readonly ComponentNode[];
}

/** Deepest place of a component; a root is at depth 1. */
export const MAX_DEPTH = 20;

type ComponentRow = ModelTables['component'];

/** What a component is by its own row and those above it: made once for each version of these. */
interface Facts {
  readonly row: ComponentRow;
  readonly above: Facts | undefined;
  readonly path: readonly Component[];
  readonly access: ComponentAccess;
  readonly customFields: readonly CustomFieldDefinition[];
}

/** The whole tree at one version. Immutable. */
export class ComponentTree {
  /** `component_tree.version` that it was read at. */
  readonly version: string;
  readonly #facts = new Map<number, Facts>();
  readonly #nodes = new Map<string, ComponentNode>();
  readonly #sights = new Map<string, Sight>();
  readonly roots: readonly ComponentNode[];

  /** `before`: an earlier tree of the same database; what did not change since is taken from there. */
  constructor(version: string, rows: Iterable<ComponentRow>, before?: ComponentTree) {
    this.version = version;
    const below = new Map<number, ComponentRow[]>();
    for (const row of rows) {
      const siblings = below.get(row.parent);
      if (siblings) siblings.push(row);
      else below.set(row.parent, [row]);
    }
    for (const list of below.values()) list.sort((a, b) => (a.name_key < b.name_key ? -1 : 1));
    const build = (row: ComponentRow, above: Facts | undefined): ComponentNode => {
      const known = before === undefined ? undefined : before.#facts.get(row.id);
      const isKnown = known !== undefined && known.row.version === row.version && known.above === above;
      const facts = isKnown ? known : describeFacts(row, above);
      this.#facts.set(row.id, facts);
      const { access, customFields } = facts;
      const children = (below.get(row.id) ?? []).map((child) => build(child, facts));
      const component = facts.path.at(-1)!;
      const node: ComponentNode = { component, access, customFields, children };
      this.#nodes.set(component.id, node);
      return node;
    };
    this.roots = (below.get(0) ?? []).map((row) => build(row, undefined));
  }

  /** The tree at the next version, in which one component is new or another. */
  with(version: string, changed: ComponentRow): ComponentTree {
    const rows = new Map([...this.#facts].map(([id, { row }]) => [id, row]));
    return new ComponentTree(version, rows.set(changed.id, changed).values(), this);
  }

  /** A component by id. */
  find(id: string): ComponentNode | undefined {
    return this.#nodes.get(id);
  }

  /** All components, each before those below it, siblings by name. */
  *walk(from: readonly ComponentNode[] = this.roots): Generator<ComponentNode> {
    for (const node of from) {
      yield node;
      yield* this.walk(node.children);
    }
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** What a caller sees of this tree. Kept for callers that come again. */
  look(context: CallContext): Sight {
    const key = JSON.stringify([context.user, context.admin, context.system, context.groups, context.scopeComponents]);
    let sight = this.#sights.get(key);
    if (sight) {
      // Newest last, so that the one dropped is the longest unused.
      this.#sights.delete(key);
    } else {
      sight = new Sight(this, context);
      if (this.#sights.size >= MOST_SIGHTS) this.#sights.delete(this.#sights.keys().next().value!);
    }
    this.#sights.set(key, sight);
    return sight;
  }
}

const MOST_SIGHTS = 1_000;

/** Reads the tree and the version that it has, in one statement. `before`: an earlier tree. */
export async function readComponentTree(db: Kysely<ModelTables>, before?: ComponentTree): Promise<ComponentTree> {
  // The join keeps both from one snapshot; a forest without components still gives a row.
  const { rows } = await sql<ComponentRow & { tree_version: string }>`
    select t.version as tree_version, c.* from component_tree t left join component c on true where t.id = 1`.execute(
    db,
  );
  const version = rows[0]!.tree_version;
  return new ComponentTree(
    version,
    rows.filter((row) => row.id !== null),
    before,
  );
}

function describeFacts(row: ComponentRow, above: Facts | undefined): Facts {
  const component = toComponent(row, above?.path ?? []);
  const path = [...(above?.path ?? []), component];
  const customFields = [...(above?.customFields ?? []), ...component.customFields];
  return { row, above, path, access: collectAccess(path), customFields };
}

function toComponent(row: ComponentRow, path: readonly Component[]): Component {
  return {
    id: String(row.id),
    version: row.version,
    parent: String(row.parent),
    name: row.name,
    path: [...path.map((component) => component.name), row.name],
    description: row.description,
    owners: row.owners,
    defaultAssignee: row.default_assignee,
    defaultCc: row.default_cc,
    archived: row.archived,
    access: row.access.map(toGrant),
    accessOverridden: row.access_overridden,
    customFields: row.custom_fields as CustomFieldDefinition[],
    templates: (row.templates as { name: string; issue: object }[]).map(({ name, issue }) => ({
      name,
      issue: Issue.fromPartial(issue),
    })),
    created: row.created,
    modified: row.modified,
    permissions: [],
    ancestry: [...path.map((component) => component.id), String(row.id)],
  };
}

function toGrant(stored: StoredGrant): AccessGrant {
  const permission = stored.permission as AccessGrant['permission'];
  if (stored.user !== undefined) return { principal: { $case: 'user', value: stored.user }, permission };
  if (stored.group !== undefined) return { principal: { $case: 'group', value: stored.group }, permission };
  return { principal: { $case: 'everyone', value: stored.everyone ?? false }, permission };
}

/** A grant as its column holds it. */
export function toStoredGrant({ principal, permission }: AccessGrant): StoredGrant {
  return principal === undefined ? { permission } : { [principal.$case]: principal.value, permission };
}

/** By what names below one parent are told apart. */
export const foldName = (name: string): string => foldCase(name.trim());
