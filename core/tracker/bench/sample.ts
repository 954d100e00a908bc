import { createEmptyIssue, diffIssues, foldUpdates, WORDS } from '@bugless/kit/domain';
import type { DeepPartial, ImportedIssue, Issue } from '@bugless/kit/service';
import { Update } from '@bugless/kit/service';
import { Chance } from './chance.ts';

/** Shapes of a tracker's data; texts in characters, means and deviations of logarithms. */
export interface Distribution {
  readonly title: readonly [mean: number, deviation: number];
  readonly description: readonly [mean: number, deviation: number];
  readonly comment: readonly [mean: number, deviation: number];
  readonly comments: readonly [mean: number, deviation: number];
}

/** A middling tracker of some ten thousand issues. */
export const MIDDLING: Distribution = {
  title: [3.9, 0.4],
  description: [6, 1],
  comment: [4.6, 1.3],
  comments: [1.05, 0.75],
};

/** Reads a distribution from JSON with `titleChars`, `descriptionChars`, `commentChars`, `commentsPerIssue`, each `{lnMean, lnSd}`. */
export function readDistribution(json: Readonly<Record<string, { lnMean: number; lnSd: number }>>): Distribution {
  const read = (name: string): readonly [number, number] => {
    const shape = json[name];
    if (!shape) throw new Error(`the distribution has no ${name}`);
    return [shape.lnMean, shape.lnSd];
  };
  return {
    title: read('titleChars'),
    description: read('descriptionChars'),
    comment: read('commentChars'),
    comments: read('commentsPerIssue'),
  };
}

const VOCABULARY = 30_000;
const PEOPLE = 2_000;
const ASSIGNEES = 120;
const FIRST_DAY = Date.UTC(2016, 0, 1);
const SPAN = 10 * 365 * 86_400_000;

const STATUSES = [
  ['new', 8],
  ['assigned', 8],
  ['accepted', 4],
  ['fixed', 48],
  ['verified', 8],
  ['not_reproducible', 6],
  ['intended', 6],
  ['obsolete', 5],
  ['infeasible', 7],
] as const;
const PRIORITIES = [
  ['p0', 3],
  ['p1', 12],
  ['p2', 55],
  ['p3', 22],
  ['p4', 8],
] as const;
const SEVERITIES = [
  ['s0', 2],
  ['s1', 9],
  ['s2', 60],
  ['s3', 20],
  ['s4', 9],
] as const;
const TYPES = [
  ['bug', 62],
  ['feature_request', 25],
  ['customer_issue', 5],
  ['internal_cleanup', 5],
  ['process', 3],
] as const;

const SYLLABLES = [
  'ra',
  'to',
  'mi',
  'ne',
  'sol',
  'ka',
  'ver',
  'du',
  'lin',
  'pos',
  'ge',
  'bra',
  'fi',
  'com',
  'ex',
  'ter',
];

/** The word of a rank: rank 0 is the most frequent. */
export function makeWord(rank: number): string {
  let word = '';
  for (let rest = rank + SYLLABLES.length; rest > 0; rest = Math.floor(rest / SYLLABLES.length)) {
    word += SYLLABLES[rest % SYLLABLES.length];
  }
  return word;
}

/** A made-up user id. */
export function makeUser(rank: number): string {
  return `01940000-0000-7000-8000-${String(rank).padStart(12, '0')}`;
}

/** Makes issue number `index` of a sample, the same each time. */
export function makeIssue(
  index: number,
  components: readonly string[],
  shape: Distribution,
): DeepPartial<ImportedIssue> {
  const chance = new Chance(index * 2_654_435_761 + 17);
  const created = FIRST_DAY + Math.floor((SPAN * ((index * 0.618034) % 1)) / 1000) * 1000;
  const assignee = chance.next() < 0.75 ? makeUser(chance.rank(ASSIGNEES)) : '';
  const status = chance.pick(STATUSES);
  const word = (table: { parse(text: string): number | undefined }, text: string) => table.parse(text) as never;
  const final: Issue = {
    ...createEmptyIssue(),
    title: makeText(chance, chance.logNormal(...shape.title))
      .replaceAll('\n', ' ')
      .slice(0, 300),
    type: word(WORDS.type, chance.pick(TYPES)),
    priority: word(WORDS.priority, chance.pick(PRIORITIES)),
    severity: word(WORDS.severity, chance.pick(SEVERITIES)),
    status: word(WORDS.status, status === 'assigned' && assignee === '' ? 'new' : status),
    component: components[chance.rank(components.length)]!,
    assignee,
    reporter: makeUser(chance.rank(PEOPLE)),
    cc: makeSet(chance, 3, () => makeUser(chance.rank(PEOPLE))),
    labels: makeSet(chance, 2, () => `label-${chance.rank(60)}`),
  };
  const filed: Issue = {
    ...final,
    status: word(WORDS.status, 'new'),
    assignee: '',
    priority: word(WORDS.priority, 'p2'),
  };
  const updates: Update[] = [];
  const add = (author: string, after: number, comment: string, before: Issue, state: Issue) => {
    const last = updates.at(-1)?.created;
    updates.push(
      Update.fromPartial({
        sequence: updates.length + 1,
        author,
        created: new Date((last === undefined ? created : Date.parse(last)) + after).toISOString(),
        comment,
        changes: diffIssues(before, state),
      }),
    );
  };
  const pause = () => Math.floor(chance.logNormal(11, 2)) * 1000;
  add(
    final.reporter,
    0,
    makeText(chance, chance.logNormal(...shape.description)),
    { ...createEmptyIssue(), reporter: final.reporter },
    filed,
  );
  const comments = Math.min(200, Math.round(chance.logNormal(...shape.comments)) - 1);
  const assigned: Issue = {
    ...filed,
    assignee,
    status: assignee === '' ? filed.status : word(WORDS.status, 'assigned'),
  };
  if (assignee !== '') add(makeUser(chance.rank(ASSIGNEES)), pause(), '', filed, assigned);
  for (let count = 0; count < comments; count += 1) {
    add(
      makeUser(chance.rank(PEOPLE)),
      pause(),
      makeText(chance, chance.logNormal(...shape.comment)),
      assigned,
      assigned,
    );
  }
  const closer = assignee || makeUser(chance.rank(ASSIGNEES));
  if (diffIssues(assigned, final).length > 0) add(closer, pause(), '', assigned, final);
  return {
    key: String(index + 1),
    issue: { ...foldUpdates(updates), created: updates[0]!.created, modified: updates.at(-1)!.created },
    updates,
  };
}

function makeText(chance: Chance, length: number): string {
  const wanted = Math.min(60_000, Math.max(3, Math.round(length)));
  let text = makeWord(chance.rank(VOCABULARY, 4));
  while (text.length < wanted) text += `${chance.next() < 0.02 ? '\n' : ' '}${makeWord(chance.rank(VOCABULARY, 4))}`;
  return text;
}

function makeSet(chance: Chance, most: number, make: () => string): string[] {
  const values = new Set<string>();
  for (let count = chance.below(most + 1); count > 0; count -= 1) values.add(make());
  return [...values].sort();
}
