/** Values of a bug's fields by Bugzilla's own name of each; one that is unset has none. */
export type RawState = Map<string, readonly string[]>;

/** One change of one field. */
export interface RawChange {
  readonly field: string;
  /** What the log calls it. */
  readonly label: string;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** What one person changed at one time. */
export interface RawSet {
  /** Login. */
  readonly who: string;
  readonly when: string;
  readonly changes: readonly RawChange[];
}

/** Fields that hold several values, whose changes name only what went and what came. */
const LIST_FIELDS: ReadonlySet<string> = new Set(['cc', 'dependson', 'blocked', 'see_also', 'keywords', 'bug_group']);

/**
 * A log of changes and the state that it should end in. The state at the beginning follows from
 * the end by going back through the changes. Where the log contradicts itself or the end, that is
 * said, and what the log says last holds until the end.
 */
export class RawHistory {
  /** Before the first change. */
  readonly start: RawState;
  /** As shown; fields that are not shown as the log leaves them. */
  readonly end: RawState;
  /** One line for each contradiction. */
  readonly disagreements: string[] = [];
  readonly #sets: readonly RawSet[];

  constructor(shown: RawState, sets: readonly RawSet[]) {
    this.#sets = sets;
    this.start = new Map(shown);
    this.end = new Map(shown);
    const byField = new Map<string, (RawChange & { when: string })[]>();
    for (const { when, changes } of sets) {
      for (const change of changes) {
        const known = byField.get(change.field) ?? [];
        known.push({ ...change, when });
        byField.set(change.field, known);
      }
    }
    for (const [field, changes] of byField) {
      if (RawHistory.isList(field)) this.#rewindList(field, changes, shown.get(field));
      else this.#rewindValue(field, changes, shown.get(field));
    }
  }

  /** Whether a field holds several values. */
  static isList(field: string): boolean {
    return LIST_FIELDS.has(field);
  }

  /** The change sets in their order, with the state after each. */
  *walk(): Generator<{ set: RawSet; state: RawState }> {
    let state = this.start;
    for (const set of this.#sets) {
      state = new Map(state);
      for (const { field, removed, added } of set.changes) {
        const kept = RawHistory.isList(field) ? without(state.get(field) ?? [], [...removed, ...added]) : [];
        state.set(field, [...kept, ...added]);
      }
      yield { set, state };
    }
  }

  #rewindValue(
    field: string,
    changes: readonly (RawChange & { when: string })[],
    shown: readonly string[] | undefined,
  ): void {
    let before: RawChange | undefined;
    for (const change of changes) {
      if (before && !isSame(before.added, change.removed)) {
        this.#disagree(change, `was ${quote(before.added)} before, the log says ${quote(change.removed)}`);
      }
      before = change;
    }
    this.start.set(field, changes[0]!.removed);
    const last = changes.at(-1)!;
    if (shown === undefined) this.end.set(field, last.added);
    else if (!isSame(last.added, shown)) {
      this.#disagree(last, `became ${quote(last.added)}, the page shows ${quote(shown)}`);
    }
  }

  #rewindList(
    field: string,
    changes: readonly (RawChange & { when: string })[],
    shown: readonly string[] | undefined,
  ): void {
    let state = shown ?? endOfList(changes);
    this.end.set(field, state);
    for (const change of changes.toReversed()) {
      const lost = without(change.added, state);
      const stayed = change.removed.filter((value) => state.includes(value));
      if (lost.length > 0) this.#disagree(change, `got ${quote(lost)}, which is not there afterwards`);
      if (stayed.length > 0) this.#disagree(change, `lost ${quote(stayed)}, which is still there afterwards`);
      state = [...without(state, change.added), ...without(change.removed, state)];
    }
    this.start.set(field, state);
  }

  #disagree({ label, when }: RawChange & { when: string }, what: string): void {
    this.disagreements.push(`${label}, ${when.slice(0, 19).replace('T', ' ')} UTC: ${what}`);
  }
}

/** A value for people, and as one text where ours is one. */
export function formatValues(values: readonly string[]): string {
  return values.join(' ');
}

/** What a log leaves in a list that is not shown. */
function endOfList(changes: readonly RawChange[]): string[] {
  return changes.reduce<string[]>(
    (state, { removed, added }) => [...without(state, [...removed, ...added]), ...added],
    [],
  );
}

function without(values: readonly string[], gone: readonly string[]): string[] {
  return values.filter((value) => !gone.includes(value));
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return formatValues(a) === formatValues(b);
}

function quote(values: readonly string[]): string {
  return values.length === 0 ? 'unset' : values.map((value) => JSON.stringify(value)).join(', ');
}
