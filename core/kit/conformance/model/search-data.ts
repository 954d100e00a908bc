import {
  CustomFieldKind,
  type Issue,
  IssueType,
  type Model,
  Permission,
  Priority,
  Severity,
  Status,
} from '../../service/index.ts';
import { Chance } from '../expectation.ts';
import { grantEveryone, ModelWorld } from './world.ts';

/** Words that titles and comments are made of. */
export const VOCABULARY = [
  'crash',
  'login',
  'Straße',
  'café',
  'null',
  'pointer',
  'the',
  'Dialog',
  'save-as',
  'v2.1',
  '漢字',
  'Ünïcode',
  'crashes',
  'foo_bar',
  'שלום',
];
/** Labels and versions. */
export const LABELS = ['ui', 'Regression', 'p-1', 'éclair', 'needs:info'];
export const VERSIONS = ['1.0', '1.0 beta', '2.0', 'Next Release'];
export const CUSTOM_NAMES = ['Browser', 'Cost', 'Seen', 'Note', 'Tester'];

/** Issues to search in, never changed after they are made; everybody's access differs. */
export interface SearchData {
  readonly world: ModelWorld;
  /** Root of the components that hold them. */
  readonly root: string;
  readonly components: readonly string[];
  /** Ids of all of them, also of those that only administrators see. */
  readonly ids: readonly string[];
  readonly people: readonly string[];
  readonly hotlists: readonly string[];
}

const made = new WeakMap<Model, Promise<SearchData>>();

/** The issues of this run, made when the first case asks for them. */
export function readSearchData(world: ModelWorld): Promise<SearchData> {
  const there = made.get(world.model);
  if (there) return there;
  const data = makeSearchData(new ModelWorld(world.model, world.info));
  made.set(world.model, data);
  return data;
}

async function makeSearchData(world: ModelWorld): Promise<SearchData> {
  const chance = new Chance(4_711);
  const customFields = world.has('custom_fields')
    ? [
        { name: 'Browser', kind: CustomFieldKind.MULTI_ENUM, options: ['Firefox', 'Chromium'] },
        { name: 'Cost', kind: CustomFieldKind.NUMBER },
        { name: 'Seen', kind: CustomFieldKind.DATE },
        { name: 'Note', kind: CustomFieldKind.TEXT },
        { name: 'Tester', kind: CustomFieldKind.USER },
      ]
    : [];
  const root = (await world.component({ customFields, access: [...world.access(), grantEveryone(Permission.VIEW)] }))
    .id;
  const web = (await world.component({ parent: root })).id;
  const login = (await world.component({ parent: web })).id;
  const secret = (await world.component({ parent: root, accessOverridden: true, access: [] })).id;
  const components = [root, web, login, secret];
  const people = [world.alice, world.bob, world.carol, world.dave].map(({ user }) => user);
  const issues: Issue[] = [];
  for (let index = 0; index < 40; index += 1) issues.push(await makeIssue(world, chance, components, people, issues));
  const hotlists = world.has('hotlists') ? await makeHotlists(world, chance, issues) : [];
  if (world.has('stars'))
    for (const issue of issues.filter(() => chance.below(4) === 0)) {
      await world.model.setStar({ issue: issue.id, starred: true }, world.root);
      await world.model.setStar({ issue: issue.id, starred: true }, world.alice).catch(() => undefined);
    }
  return { world, root, components, ids: issues.map(({ id }) => id), people, hotlists };
}

async function makeIssue(
  world: ModelWorld,
  chance: Chance,
  components: readonly string[],
  people: readonly string[],
  before: readonly Issue[],
): Promise<Issue> {
  const sentence = (most: number) =>
    Array.from({ length: 1 + chance.below(most) }, () => chance.pick(VOCABULARY)).join(' ');
  const component = chance.pick(components);
  const references = before.map(({ id }) => id);
  const custom = [
    { field: 'Browser', values: chance.some(['Chromium', 'Firefox'], 2) },
    { field: 'Cost', values: chance.below(2) === 0 ? [] : [String(chance.below(4) * 2.5)] },
    { field: 'Seen', values: chance.below(2) === 0 ? [] : [`2026-0${1 + chance.below(3)}-15`] },
    { field: 'Note', values: chance.below(2) === 0 ? [] : [sentence(2)] },
    { field: 'Tester', values: chance.below(2) === 0 ? [] : [chance.pick(people)] },
  ];
  const issue = await world.issue(
    {
      component,
      title: sentence(4),
      description: chance.below(4) === 0 ? '' : sentence(8),
      type: chance.pick(Object.values(IssueType).slice(1)),
      priority: chance.pick(Object.values(Priority).slice(1)),
      severity: chance.pick(Object.values(Severity).slice(1)),
      assignee: chance.pick(['', ...people]),
      verifier: chance.pick(['', ...people]),
      cc: chance.some(people, 2),
      collaborators: chance.some(people, 2),
      labels: chance.some(LABELS, 3),
      foundIn: chance.some(VERSIONS, 2),
      targetedTo: chance.some(VERSIONS, 1),
      parent: chance.below(3) === 0 && references.length > 0 ? chance.pick(references) : '0',
      blockedBy: chance.some(references, 2),
      accessLimit: chance.below(6) === 0 ? 2 : 0,
      ...(world.has('custom_fields') ? { customFields: custom.filter(({ values }) => values.length > 0) } : {}),
    },
    world.root,
  );
  let last = issue;
  const writers = [world.root, component === components[3] ? world.root : world.bob];
  for (let step = chance.below(4); step > 0; step -= 1) {
    const [duplicateOf] = references;
    const requests: readonly object[] = [
      { comment: sentence(6) },
      { comment: sentence(6), restricted: true },
      { issue: { status: Status.ACCEPTED }, updateMask: ['status'] },
      { issue: { status: Status.FIXED }, updateMask: ['status'], add: { verifiedIn: [chance.pick(VERSIONS)] } },
      { issue: { status: Status.OBSOLETE }, updateMask: ['status'] },
      { issue: { assignee: chance.pick(people) }, updateMask: ['assignee'] },
      { issue: { priority: Priority.P0, archived: chance.below(2) === 0 }, updateMask: ['priority', 'archived'] },
      duplicateOf === undefined
        ? { comment: 'alone' }
        : { issue: { status: Status.DUPLICATE, duplicateOf }, updateMask: ['status', 'duplicate_of'] },
    ];
    const request = { ...chance.pick(requests), id: issue.id };
    const writer = chance.pick(writers);
    // Where bob does not see an issue limited in view, the administrator writes.
    const written = await world.model
      .updateIssue(request, writer)
      .catch(() => world.model.updateIssue(request, world.root));
    last = written.issue ?? last;
  }
  return last;
}

async function makeHotlists(world: ModelWorld, chance: Chance, issues: readonly Issue[]): Promise<string[]> {
  const ids: string[] = [];
  for (const open of [true, false]) {
    const access = open ? [{ principal: { $case: 'everyone' as const, value: true }, permission: 1 as const }] : [];
    const { hotlist } = await world.model.createHotlist(
      { hotlist: { name: `search ${open} ${world.tag}`, access } },
      world.root,
    );
    const some = issues.filter(() => chance.below(3) === 0).map(({ id }) => id);
    await world.model.addHotlistEntries({ hotlist: hotlist!.id, issues: some }, world.root);
    ids.push(hotlist!.id);
  }
  return ids;
}
