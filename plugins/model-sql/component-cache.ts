import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { type ComponentTree, readComponentTree } from './component-tree.ts';
import type { ModelTables } from './schema/tables.ts';

/** How old a check of the tree may be for lists, in milliseconds: so late may a change made by another process count. */
const LIST_STALENESS = 250;

/**
 * Keeps the component tree in memory. Its version is read beside the rows that it
 * decides about (`component_tree.version`), so a change by another process is seen at once.
 */
export class ComponentCache {
  readonly #db: Kysely<ModelTables>;
  readonly #clock: () => number;
  #tree: ComponentTree | undefined;
  #checked = 0;
  #check: Promise<ComponentTree> | undefined;

  constructor(db: Kysely<ModelTables>, clock: () => number = () => performance.now()) {
    this.#db = db;
    this.#clock = clock;
  }

  /** The tree at this version or a later one; read anew when the one at hand is older. */
  async at(version: string, db: Kysely<ModelTables> = this.#db): Promise<ComponentTree> {
    if (this.#tree !== undefined && isAtLeast(this.#tree.version, version)) return this.#tree;
    const tree = await readComponentTree(db, this.#tree);
    // Inside of a transaction the tree may hold what is never committed: not kept.
    if (db === this.#db) this.keep(tree);
    return tree;
  }

  /** The tree as it is now, or was at most `staleness` ms ago. Waiting callers share one check. */
  async fresh(staleness = LIST_STALENESS): Promise<ComponentTree> {
    if (this.#tree !== undefined && this.#clock() - this.#checked <= staleness) return this.#tree;
    if (staleness > 0 && this.#check) return this.#check;
    const check = this.#refresh().finally(() => {
      if (this.#check === check) this.#check = undefined;
    });
    this.#check = check;
    return check;
  }

  /** The tree of a change that was committed here; nobody has to read it anew. */
  keep(tree: ComponentTree): void {
    if (this.#tree === undefined || isAtLeast(tree.version, this.#tree.version)) this.#tree = tree;
  }

  async #refresh(): Promise<ComponentTree> {
    const started = this.#clock();
    const { rows } = await sql<{ version: string }>`select version from component_tree where id = ${1}`.execute(
      this.#db,
    );
    const tree = await this.at(rows[0]!.version);
    this.#checked = Math.max(this.#checked, started);
    return tree;
  }
}

/** Versions are decimal strings. */
function isAtLeast(version: string, least: string): boolean {
  return version.length > least.length || (version.length === least.length && version >= least);
}
