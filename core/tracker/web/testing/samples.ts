import type { Component, Issue, Update, User } from '@bugless/kit/service';
import {
  Component as ComponentMessage,
  Issue as IssueMessage,
  IssueType,
  Permission,
  Priority,
  Severity,
  Significance,
  Status,
  Update as UpdateMessage,
  UserKind,
  User as UserMessage,
  UserState,
} from '@bugless/kit/service';
import type { ComponentNames } from '../pages/issue-list.ts';
import type { Features, Shell } from '../shell.ts';

/** A small made-up tracker, for looking at pages and for measuring them. */

export const NOW: number = Date.parse('2026-03-18T15:20:00.000Z');

const time = (minutesAgo: number): string => new Date(NOW - minutesAgo * 60_000).toISOString();

const NAMES = [
  ['ada', 'Ada Okafor'],
  ['mlin', 'Mei Lin'],
  ['jonas', 'Jonas Weidenfeld'],
  ['priya', 'Priya Raman'],
  ['tomas', 'Tomás Herrera'],
  ['build-bot', 'Build bot'],
] as const;

export const USERS: readonly User[] = NAMES.map(([username, displayName], index) =>
  UserMessage.fromPartial({
    id: `u${index}`,
    version: '1',
    kind: username.endsWith('bot') ? UserKind.BOT : UserKind.PERSON,
    state: UserState.ACTIVE,
    username,
    displayName,
    created: time(400_000),
  }),
);

export const PEOPLE: ReadonlyMap<string, User> = new Map(USERS.map((user) => [user.id, user]));

const component = (id: string, path: string[], parent = '0', description = ''): Component =>
  ComponentMessage.fromPartial({
    id,
    version: '3',
    parent,
    name: path.at(-1),
    path,
    description,
    owners: ['u0'],
    permissions: [Permission.VIEW, Permission.COMMENT, Permission.CREATE, Permission.EDIT, Permission.ADMIN],
    accessOverridden: parent === '0',
    access: parent === '0' ? [{ principal: { $case: 'everyone', value: false }, permission: Permission.CREATE }] : [],
    created: time(500_000),
    modified: time(9_000),
  });

export const COMPONENTS: readonly Component[] = [
  component('1', ['Atlas'], '0', 'The map renderer and its services.'),
  component('2', ['Atlas', 'Renderer'], '1', 'Tiles, labels and **vector** layers.'),
  component('3', ['Atlas', 'Renderer', 'Labels'], '2'),
  component('4', ['Atlas', 'Search'], '1'),
  component('5', ['Atlas', 'Accounts'], '1'),
  component('6', ['Infrastructure'], '0', 'Builds, releases and the fleet.'),
  component('7', ['Infrastructure', 'Continuous integration'], '6'),
];

export const COMPONENT_NAMES: ComponentNames = new Map(
  COMPONENTS.map((each) => [each.id, { name: each.name, path: each.path.join(' > ') }]),
);

const TITLES = [
  'Tiles flicker at the date line when zooming out quickly',
  'Search ranks closed venues above open ones',
  'Crash in label placement with right-to-left names longer than the viewport is wide',
  'Offer imperial units in the scale bar',
  'Nightly build takes 40 minutes since the linker change',
  'Session ends after ten minutes although “stay signed in” is ticked',
  'Routes across ferries ignore the timetable',
  'Remove the old projection code',
  'Memory of a tab grows by 3 MB with each pan at zoom 18',
  'Exported PDF lacks attribution',
  'Vector tiles from the cache are served to other tenants',
  'Keyboard focus is lost after closing the layer panel',
];
const LABELS = [
  ['regression'],
  [],
  ['crash', 'rtl'],
  [],
  ['ci', 'performance'],
  [],
  ['needs-triage'],
  ['tech-debt'],
  ['leak', 'hotfix'],
  [],
  ['security'],
  ['a11y'],
];
const STATUSES = [
  Status.NEW,
  Status.ASSIGNED,
  Status.ACCEPTED,
  Status.FIXED,
  Status.ASSIGNED,
  Status.VERIFIED,
  Status.NEW,
  Status.OBSOLETE,
];
const PRIORITIES = [
  Priority.P1,
  Priority.P2,
  Priority.P0,
  Priority.P3,
  Priority.P2,
  Priority.P1,
  Priority.P2,
  Priority.P4,
];
const TYPES = [
  IssueType.BUG,
  IssueType.BUG,
  IssueType.BUG,
  IssueType.FEATURE_REQUEST,
  IssueType.PROCESS,
  IssueType.CUSTOMER_ISSUE,
  IssueType.BUG,
  IssueType.INTERNAL_CLEANUP,
  IssueType.BUG,
  IssueType.BUG,
  IssueType.VULNERABILITY,
];

/** Issue number n of the sample, counting from 0. */
export function sampleIssue(n: number): Issue {
  const status = STATUSES[n % STATUSES.length] ?? Status.NEW;
  return IssueMessage.fromPartial({
    id: String(4_821 - n * 7),
    version: String(3 + (n % 5)),
    title: TITLES[n % TITLES.length] ?? '',
    type: TYPES[n % TYPES.length] ?? IssueType.BUG,
    priority: PRIORITIES[n % PRIORITIES.length] ?? Priority.P2,
    severity: Severity.S2,
    status,
    component: String((n % 7) + 1),
    assignee: n % 8 === 0 || n % 8 === 6 ? '' : `u${n % 5}`,
    reporter: `u${(n + 2) % 6}`,
    cc: ['u1', 'u3'],
    labels: LABELS[n % LABELS.length] ?? [],
    stars: (n * 5) % 13,
    starred: n % 4 === 1,
    commentCount: (n * 3) % 17,
    created: time(60 * 24 * (n + 2)),
    modified: time(n < 4 ? n * 13 + 1 : n * n * 34),
    permissions: [Permission.VIEW, Permission.COMMENT, Permission.EDIT, Permission.ADMIN],
  });
}

export const ISSUES: readonly Issue[] = Array.from({ length: 50 }, (_, n) => sampleIssue(n));

/** A whole issue. */
export const ISSUE: Issue = IssueMessage.fromPartial({
  ...sampleIssue(2),
  assignee: 'u1',
  verifier: 'u3',
  foundIn: ['24.2', '24.3'],
  targetedTo: ['24.4'],
  blockedBy: ['4814', '4786'],
  blocking: ['4800'],
  parent: '4779',
  hotlists: ['1'],
  commentCount: 4,
  description: '',
});

const update = (sequence: number, values: Partial<Update>): Update =>
  UpdateMessage.fromPartial({
    issue: ISSUE.id,
    sequence,
    author: 'u0',
    created: time(60 * 24 * 4 - sequence * 310),
    significance: Significance.MAJOR,
    commentVersion: 1,
    ...values,
  });

export const UPDATES: readonly Update[] = [
  update(1, {
    author: 'u4',
    comment: `Opening the map at a place with a **long Hebrew or Arabic name** brings the tab down.

Steps:

1. Open \`/map?q=…\` at zoom 17 on a phone (360 px wide)
2. Turn on *transit labels*
3. Pan until the label touches the right edge

\`\`\`
RangeError: Invalid array length
    at LabelPlacer.fit (labels/placer.ts:212:18)
    at Layer.draw (renderer/layer.ts:98:7)
\`\`\`

Expected: the label is cut with an ellipsis. Seen since 24.2, probably #4800. cc @priya`,
    changes: [{ field: 'title', oldValues: [], newValues: ['Crash'] }],
  }),
  update(2, {
    author: 'u0',
    changes: [
      { field: 'priority', oldValues: ['p2'], newValues: ['p0'] },
      { field: 'assignee', oldValues: [], newValues: ['u1'] },
      { field: 'labels', oldValues: [], newValues: ['crash', 'rtl'] },
    ],
    significance: Significance.MINOR,
  }),
  update(3, {
    author: 'u1',
    comment:
      'Reproduced. `fit()` measures the run *after* reordering, so the width is negative and we allocate `new Array(-3)`.\n\n> Expected: the label is cut with an ellipsis\n\nAgreed; see https://unicode.org/reports/tr9/ for where to cut.',
    changes: [{ field: 'status', oldValues: ['assigned'], newValues: ['accepted'] }],
  }),
  update(4, {
    author: 'u5',
    comment: 'Built `24.4-rc1` with the candidate fix: 3 of 3 shards pass.',
    edited: time(200),
    editor: 'u5',
    commentVersion: 2,
  }),
  update(5, {
    author: 'u3',
    changes: [{ field: 'blocked_by', oldValues: [], newValues: ['4814', '4786'] }],
    significance: Significance.MINOR,
  }),
  update(6, { author: 'u2', comment: '', redacted: true }),
  update(7, { author: 'u4', comment: 'Works on my phone now, thank you! I will check the tablet layout tomorrow.' }),
];

export const FEATURES: Features = {
  hotlists: true,
  stars: true,
  savedSearches: true,
  events: true,
  commentEditing: true,
  access: true,
  customFields: true,
  tokens: true,
  passwords: true,
  groups: true,
  audit: true,
};

/** What pages are drawn with, for somebody signed in. */
export const SHELL: Shell = {
  viewer: { id: 'u1', name: 'Mei Lin', username: 'mlin', admin: true },
  csrf: 'sample',
  theme: 'auto',
  here: '/issues?q=is:open',
  now: NOW,
  features: FEATURES,
  savedSearches: [
    { name: 'Crashes in Labels', query: 'label:crash component:3+' },
    { name: 'P0 and P1', query: 'is:open priority:p0,p1' },
  ],
};
