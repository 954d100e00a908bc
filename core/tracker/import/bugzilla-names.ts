import { UNKNOWN } from './bugzilla-fields.ts';
import type { BugPage, ChangeSet, PageName } from './bugzilla-page.ts';
import type { SourcePerson } from './source.ts';

/** So often somebody else, on both sides, that one meeting in the same second is chance. */
const CHANCE = 10;

/** How often an old login has to be seen as somebody's before it counts. */
const ENOUGH = 2;

/**
 * Brings the two names of a person together. Pages show a display name in comments and a login
 * in the history, and none maps one to the other; but Bugzilla stores a comment and the changes
 * sent with it in the same second, so each such pair on one bug tells that they are one person's.
 *
 * Names are merged only when nothing speaks against it: the display name has met just this login,
 * and the login just this display name. A login may be shared (its domain is cut off), and so
 * may a display name: these stay apart, each person under the name that the page gave.
 */
export class BugzillaNames {
  /** Pairs of display name and login that acted in the same second. */
  readonly #met = new PairCount();
  /** Display name of the last assignee, and the login that the history gives it: maybe an older one. */
  readonly #assigned = new PairCount();
  /** Logins that acted. */
  readonly #actors = new Set<string>();
  /** Settled by {@link settle}. */
  readonly #loginOf = new Map<string, string>();
  readonly #nameOf = new Map<string, string>();

  /** Takes what one bug tells. */
  learn(bug: BugPage, changes: readonly ChangeSet[]): void {
    for (const { who } of changes) this.#actors.add(who);
    const actors = new Map(changes.map(({ when, who }) => [when, who]));
    for (const { author, created } of bug.comments) {
      const who = actors.get(created);
      if (who !== undefined && !author.isLogin) this.#met.add(author.text, who);
    }
    const last = changes.flatMap(({ rows }) => rows.filter(({ label }) => label === 'Assignee')).at(-1)?.added;
    if (last && bug.assignee && !bug.assignee.isLogin) this.#assigned.add(bug.assignee.text, last);
  }

  /** Decides, after all bugs have been learnt. */
  settle(): void {
    for (const name of this.#met.listNames()) {
      const logins = this.#met.listLogins(name).filter((login) => !this.#met.isChance(name, login));
      const [login] = logins;
      if (logins.length !== 1 || login === undefined) continue;
      const names = this.#met.listNamesOf(login).filter((other) => !this.#met.isChance(other, login));
      if (names.length !== 1) continue;
      this.#loginOf.set(name, login);
      this.#nameOf.set(login, name);
    }
    // Changes name people by the login of then. One that never acts is an old one of who it stood for.
    for (const name of this.#assigned.listNames()) {
      if (!this.#loginOf.has(name)) continue;
      for (const login of this.#assigned.listLogins(name)) {
        const names = this.#assigned.listNamesOf(login);
        const isOld = names.length === 1 && !this.#actors.has(login) && this.#assigned.get(name, login) >= ENOUGH;
        if (isOld && !this.#nameOf.has(login)) this.#nameOf.set(login, name);
      }
    }
  }

  /** Display names that were brought together with a login. */
  get merged(): number {
    return this.#loginOf.size;
  }

  /** Whether a comment and changes of the same second on one bug are one person's. */
  isSame(name: PageName, login: string): boolean {
    if (name.isLogin) return name.text === login;
    return !this.#met.isChance(name.text, login) && (this.#loginOf.get(name.text) ?? login) === login;
  }

  /** Whether this login may stand for the assignee whom the page shows under this name. */
  mayBeAssignee(name: PageName, login: string): boolean {
    if (name.isLogin) return name.text === login;
    const known = this.#nameOf.get(login);
    return known === name.text || (known === undefined && !this.#assigned.isChance(name.text, login));
  }

  /** Somebody whom a page names. */
  getByName(name: PageName | undefined): SourcePerson {
    if (!name) return UNKNOWN;
    if (name.isLogin) return this.getByLogin(name.text);
    const login = this.#loginOf.get(name.text);
    if (login !== undefined) return person(login, name.text);
    return { key: `${name.text} (name)`, username: name.text, displayName: name.text, email: '' };
  }

  /** Somebody whom a history or a list names. */
  getByLogin(login: string): SourcePerson {
    const name = this.#nameOf.get(login);
    return name === undefined ? person(login, login) : person(this.#loginOf.get(name)!, name);
  }
}

function person(login: string, displayName: string): SourcePerson {
  return { key: login, displayName, email: /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(login) ? login : '' };
}

/** How often a display name and a login were seen together. */
class PairCount {
  readonly #byName = new Map<string, Map<string, number>>();
  readonly #byLogin = new Map<string, Map<string, number>>();

  add(name: string, login: string): void {
    increase(this.#byName, name, login);
    increase(this.#byLogin, login, name);
  }

  get(name: string, login: string): number {
    return this.#byName.get(name)?.get(login) ?? 0;
  }

  listNames(): string[] {
    return [...this.#byName.keys()];
  }

  listLogins(name: string): string[] {
    return [...(this.#byName.get(name)?.keys() ?? [])];
  }

  listNamesOf(login: string): string[] {
    return [...(this.#byLogin.get(login)?.keys() ?? [])];
  }

  /** Both are so often somebody else's that this pair says nothing. */
  isChance(name: string, login: string): boolean {
    const pair = this.get(name, login);
    return pair * CHANCE < Math.min(sum(this.#byName.get(name)), sum(this.#byLogin.get(login)));
  }
}

function increase(counts: Map<string, Map<string, number>>, a: string, b: string): void {
  const inner = counts.get(a) ?? new Map<string, number>();
  counts.set(a, inner);
  inner.set(b, (inner.get(b) ?? 0) + 1);
}

function sum(counts: ReadonlyMap<string, number> | undefined): number {
  let total = 0;
  for (const count of counts?.values() ?? []) total += count;
  return total;
}
