import type { Authenticator, CallContext } from '@bugless/kit/service';
import type { SourceIssue, SourcePerson } from './source.ts';

/** Placeholders are made in batches of at most so many. */
const BATCH = 500;

/** Turns people of a source into opaque user ids, making placeholder users for those seen first. */
export class People {
  readonly #authenticator: Authenticator;
  readonly #source: string;
  readonly #context: CallContext;
  readonly #ids = new Map<string, string>();

  constructor(authenticator: Authenticator, source: string, context: CallContext) {
    this.#authenticator = authenticator;
    this.#source = source;
    this.#context = context;
  }

  /** How many people are known. */
  get size(): number {
    return this.#ids.size;
  }

  /** The user id of somebody whom {@link prepare} has seen. */
  getId(person: SourcePerson): string {
    const id = this.#ids.get(person.key);
    if (id === undefined) throw new Error(`${person.key}: not prepared`);
    return id;
  }

  /** Makes sure that everybody named in these issues has an id. */
  async prepare(issues: readonly SourceIssue[], dryRun: boolean): Promise<void> {
    const missing = new Map<string, SourcePerson>();
    for (const person of issues.flatMap(listPeople)) {
      if (!this.#ids.has(person.key)) missing.set(person.key, person);
    }
    const people = [...missing.values()];
    for (let start = 0; start < people.length; start += BATCH) {
      const batch = people.slice(start, start + BATCH);
      if (dryRun) {
        for (const person of batch) this.#ids.set(person.key, 'dry-run');
        continue;
      }
      const { users } = await this.#authenticator.createPlaceholders(
        {
          source: this.#source,
          placeholders: batch.map(({ key, username = key, displayName, email }) => ({
            key,
            username,
            displayName,
            email,
          })),
        },
        this.#context,
      );
      batch.forEach((person, index) => {
        this.#ids.set(person.key, users[index]!.id);
      });
    }
  }
}

function listPeople(issue: SourceIssue): SourcePerson[] {
  const people = [issue.reporter];
  for (const update of issue.updates) people.push(update.author);
  for (const state of [issue.fields, ...issue.updates.map((update) => update.state)]) {
    if (!state) continue;
    people.push(...state.cc, ...state.collaborators);
    if (state.assignee) people.push(state.assignee);
    if (state.verifier) people.push(state.verifier);
  }
  return people;
}
