import { deepStrictEqual as deepEqual, strictEqual as equal } from 'node:assert/strict';
import {
  AccessLimit,
  Component,
  CreateIssueRequest,
  CustomFieldDefinition,
  CustomFieldKind,
  Issue,
  IssueType,
  Permission,
  Priority,
  Significance,
  Status,
  Update,
  UpdateIssueRequest,
} from '@bugless/proto';
import fc from 'fast-check';
import t from 'tap';
import { ServiceError } from '../service/error.ts';
import {
  applyChanges,
  closesLoop,
  compareIds,
  createEmptyIssue,
  diffIssues,
  EDITABLE_COLLECTIONS,
  FIELDS,
  findField,
  findNearest,
  foldUpdates,
  mergeDuplicate,
  planCreate,
  planUpdate,
  STATUS_RULES,
  WORDS,
} from './index.ts';

type PartialIssue = Parameters<typeof Issue.fromPartial>[0];
type PartialUpdate = Parameters<typeof UpdateIssueRequest.fromPartial>[0];

const NOW = '2026-05-01T10:00:00.000Z';
const LATER = '2026-05-02T10:00:00.000Z';
const DEFINITIONS = (
  [
    ['Browser', CustomFieldKind.ENUM, ['Firefox', 'Chromium']],
    ['Platforms', CustomFieldKind.MULTI_ENUM, ['linux', 'mac', 'windows']],
    ['Effort', CustomFieldKind.NUMBER, []],
    ['Due', CustomFieldKind.DATE, []],
    ['Contact', CustomFieldKind.USER, []],
    ['Related', CustomFieldKind.ISSUE, []],
    ['Notes', CustomFieldKind.TEXT, []],
  ] as const
).map(([name, kind, options]) => CustomFieldDefinition.fromPartial({ name, kind, options: [...options] }));
const COMPONENT = Component.fromPartial({ id: '7', defaultAssignee: 'dora', defaultCc: ['zoe', 'cleo'] });
const SITUATION = { author: 'ada', now: LATER, customFields: DEFINITIONS };

const create = (issue: PartialIssue, component: Component | undefined = COMPONENT, customFields = DEFINITIONS) =>
  planCreate(CreateIssueRequest.fromPartial({ issue: { title: 'It breaks', component: '7', ...issue } }), {
    author: 'ada',
    now: NOW,
    customFields,
    component,
  });
const stored = (values: PartialIssue = {}): Issue =>
  Issue.fromPartial({ ...create({}, Component.fromPartial({ id: '7' })).issue, id: '12', ...values });
const update = (issue: Issue, request: PartialUpdate) =>
  planUpdate(issue, UpdateIssueRequest.fromPartial({ id: issue.id, ...request }), SITUATION);
const set = (issue: Issue, updateMask: string[], values: PartialIssue) =>
  update(issue, { updateMask, issue: values, expectedVersion: issue.version });

function refusal(run: () => unknown): ServiceError {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

t.test('words of every enum', async (t) => {
  for (const table of Object.values(WORDS)) {
    for (const number of table.numbers) t.equal(table.parse(table.format(number)), number, `${table.name} ${number}`);
    t.equal(table.parse('nonsense'), undefined);
    t.equal(table.format(4711), '4711');
    t.equal(table.parse('4711'), 4711, 'an unknown number survives');
  }
  t.equal(WORDS.type.parse('Feature-Request'), IssueType.FEATURE_REQUEST);
  t.equal(WORDS.priority.format(Priority.P0), 'p0');
  t.equal(WORDS.priority.format(Priority.UNSPECIFIED), '');
  t.equal(WORDS.accessLimit.format(AccessLimit.UNSPECIFIED), 'default');
  t.equal(WORDS.permission.format(Permission.ADMIN), 'admin');
  t.equal(WORDS.status.parse('1'), undefined, 'a number that has a word is written by it');
});

t.test('the table of fields is sound', async (t) => {
  const words = FIELDS.flatMap((field) => [field.name, ...field.aliases].map((word) => word.replaceAll('_', '')));
  t.equal(new Set(words).size, words.length, 'no name stands for two fields');
  for (const field of FIELDS) {
    t.equal(findField(field.name.toUpperCase().replaceAll('_', '-')), field);
    if (field.settable) t.ok(field.recorded && field.property, `${field.name} is recorded and stands in Issue`);
    if (field.kind === 'enum') t.ok(field.words);
    if (field.property !== undefined) t.ok(field.property in createEmptyIssue(), field.name);
  }
  for (const [name] of EDITABLE_COLLECTIONS) t.ok(findField(name)?.collection && findField(name)?.settable);
  t.equal(findNearest('statsu', ['status', 'title']), 'status');
  t.equal(findNearest('qqq', ['status', 'title']), undefined);
});

t.test('creation fills in defaults and leaves update 1', async (t) => {
  const {
    issue,
    update: first,
    references,
  } = create({ description: 'Much', cc: ['bob', 'zoe'], labels: ['b', 'A', 'a'] });
  t.match(issue, {
    version: '1',
    type: IssueType.BUG,
    priority: Priority.P2,
    status: Status.ASSIGNED,
    assignee: 'dora',
    reporter: 'ada',
    created: NOW,
    modified: NOW,
    resolved: undefined,
    commentCount: 0,
    description: 'Much',
  });
  t.same(issue.cc, ['bob', 'cleo', 'zoe']);
  t.same(issue.labels, ['A', 'b'], 'sorted, without doubles by case');
  t.same(
    first.changes.map((change) => change.field),
    ['title', 'type', 'priority', 'severity', 'status', 'component', 'assignee', 'cc', 'labels'],
  );
  t.equal(first.comment, 'Much');
  t.equal(first.significance, Significance.MAJOR);
  t.same(references, [{ field: 'component', kind: 'component', id: '7', path: 'issue.component' }]);
  t.equal(create({ status: Status.ACCEPTED }).issue.status, Status.ACCEPTED);
  t.equal(create({}, Component.fromPartial({ id: '7' })).issue.status, Status.NEW);
});

t.test('what a creation refuses', async (t) => {
  const cases: [string, PartialIssue, RegExp][] = [
    ['issue.title', { title: '' }, /is required/],
    ['issue.title', { title: ' \t' }, /is blank/],
    ['issue.title', { title: 'a\nb' }, /line break/],
    ['issue.title', { title: 'a\0b' }, /NUL character at position 2/],
    ['issue.title', { title: 'a\ud800' }, /surrogate/],
    ['issue.title', { title: '😀'.repeat(501) }, /has 501 characters; at most 500/],
    ['issue.description', { description: 'ä'.repeat(524_289) }, /bytes of UTF-8; at most 1048576/],
    ['issue.type', { type: 99 as IssueType }, /99 is no type known here; one of bug, /],
    ['issue.status', { status: Status.FIXED }, /starts as one of new, assigned, accepted/],
    ['issue.component', { component: '0' }, /is required/],
    ['issue.component', { component: '-3' }, /is no id/],
    ['issue.assignee', { assignee: 'a b' }, /is no user id/],
    ['issue.labels[1]', { labels: ['a', 'b c'] }, /white space/],
    ['issue.labels[0]', { labels: ['b,c'] }, /comma/],
    ['issue.labels', { labels: Array.from({ length: 51 }, (_, i) => `l${i}`) }, /has 51 elements; at most 50/],
    ['issue.found_in[0]', { foundIn: [' 1.0'] }, /begins or ends with white space/],
    ['issue.blocked_by[0]', { blockedBy: ['9223372036854775808'] }, /is no id/],
    [
      'issue.custom_fields.Nope',
      { customFields: [{ field: 'Nope', values: ['1'] }] },
      /no custom field "Nope"; it has Browser/,
    ],
    [
      'issue.custom_fields.Browser',
      { customFields: [{ field: 'Browser', values: ['Lynx'] }] },
      /one of Firefox, Chromium/,
    ],
    [
      'issue.custom_fields.Browser',
      { customFields: [{ field: 'Browser', values: ['Firefox', 'Chromium'] }] },
      /takes one value/,
    ],
    ['issue.custom_fields.Effort', { customFields: [{ field: 'Effort', values: ['1e3'] }] }, /no decimal number/],
    ['issue.custom_fields.Due', { customFields: [{ field: 'Due', values: ['2026-02-30'] }] }, /no day/],
    ['issue.custom_fields.Contact', { customFields: [{ field: 'Contact', values: ['ä'] }] }, /no user id/],
    ['issue.custom_fields.Related', { customFields: [{ field: 'Related', values: ['x'] }] }, /no id/],
  ];
  for (const [field, issue, description] of cases) {
    const error = refusal(() => create(issue));
    t.equal(error.reason, 'INVALID_FIELD', field);
    t.match(error.violations, [{ field, description }], `${field} ${description}`);
  }
  t.equal(refusal(() => create({ title: '', type: 99 as IssueType })).violations.length, 2, 'all violations at once');
  const required = [CustomFieldDefinition.fromPartial({ name: 'Why', kind: CustomFieldKind.TEXT, required: true })];
  t.match(refusal(() => create({}, COMPONENT, required)).violations, [{ field: 'issue.custom_fields.Why' }]);
  t.equal(refusal(() => create({}, Component.fromPartial({ id: '7', archived: true }))).reason, 'COMPONENT_ARCHIVED');
  const lost = () =>
    planCreate(CreateIssueRequest.fromPartial({ issue: { title: 'x', component: '8' } }), {
      ...SITUATION,
      component: undefined,
    });
  t.equal(refusal(lost).reason, 'COMPONENT_NOT_FOUND');
});

t.test('statuses: what follows from an update', async (t) => {
  const open = stored();
  const fixed = set(open, ['status'], { status: Status.FIXED }).issue;
  t.equal(fixed.resolved, LATER);
  t.match(set(open, ['assignee'], { assignee: 'bob' }).issue, { status: Status.ASSIGNED, assignee: 'bob' });
  const accepted = stored({ status: Status.ACCEPTED, assignee: 'bob' });
  t.equal(set(accepted, ['assignee'], {}).issue.status, Status.NEW, 'clearing the assignee');
  t.equal(
    set(accepted, ['assignee', 'status'], { status: Status.ACCEPTED }).issue.status,
    Status.ACCEPTED,
    'unless a status is asked for',
  );
  const verified = set({ ...fixed, modified: NOW }, ['status'], { status: Status.VERIFIED }).issue;
  t.match(verified, { status: Status.VERIFIED, resolved: LATER, verified: LATER });
  t.match(set(verified, ['status'], { status: Status.NEW }).issue, { resolved: undefined, verified: undefined });
  const duplicate = set(open, ['duplicate_of'], { duplicateOf: '5' });
  t.match(duplicate.issue, { status: Status.DUPLICATE, duplicateOf: '5', resolved: LATER });
  t.match(duplicate.references, [{ field: 'duplicate_of', id: '5', path: 'issue.duplicate_of' }]);
  t.match(set(duplicate.issue, ['status'], { status: Status.FIXED }).issue, { duplicateOf: '0', resolved: LATER });
  t.equal(refusal(() => set(open, ['status'], { status: Status.DUPLICATE })).reason, 'DUPLICATE_NEEDS_CANONICAL');
  t.equal(refusal(() => set(duplicate.issue, ['duplicate_of'], {})).reason, 'DUPLICATE_NEEDS_CANONICAL');
  t.equal(refusal(() => set(open, ['status'], { status: Status.VERIFIED })).reason, 'BAD_TRANSITION');
  t.equal(refusal(() => set(open, ['duplicate_of'], { duplicateOf: '12' })).reason, 'CYCLE');
  t.match(refusal(() => set(open, ['duplicate_of', 'status'], { duplicateOf: '5', status: Status.FIXED })).violations, [
    { field: 'issue.duplicate_of' },
  ]);
  const imported = stored({ status: Status.DUPLICATE });
  t.equal(update(imported, { comment: 'x' }).issue.status, Status.DUPLICATE, 'imported without its canonical issue');
  for (const [status, rule] of STATUS_RULES) {
    t.ok(rule.next.includes(status), `${rule.label} may stay`);
    t.ok(rule.next.includes(Status.NEW), `${rule.label} may be reopened`);
  }
  t.same(mergeDuplicate(stored({ reporter: 'r', cc: ['c', 'x'] }), stored({ reporter: 'q', cc: ['x'] })), ['c', 'r']);
});

t.test('updates: mask, add, remove, comment', async (t) => {
  const issue = stored({ labels: ['Old', 'ui'], cc: ['bob'], customFields: [{ field: 'Gone', values: ['1'] }] });
  const changed = update(issue, {
    add: { labels: ['new', 'UI'], cc: ['ann'], blockedBy: ['100', '9'] },
    remove: { labels: ['old', 'absent'] },
    comment: 'See **this**',
    significance: Significance.SILENT,
  });
  t.same(changed.issue.labels, ['new', 'ui'], 'compared without case');
  t.same(changed.issue.blockedBy, ['9', '100'], 'by number');
  t.match(changed.issue, { version: '2', commentCount: 1, modified: LATER });
  t.same(changed.update?.changes, [
    { field: 'cc', oldValues: [], newValues: ['ann'] },
    { field: 'labels', oldValues: ['Old'], newValues: ['new'] },
    { field: 'blocked_by', oldValues: [], newValues: ['9', '100'] },
  ]);
  t.equal(changed.update?.significance, Significance.SILENT);
  t.same(
    changed.references.map((reference) => reference.path),
    ['add.blocked_by[1]', 'add.blocked_by[0]'],
  );
  t.equal(update(issue, { add: { labels: ['UI'] } }).update, undefined, 'nothing changes, nothing is written');
  t.equal(update(issue, { add: { labels: ['UI'] } }).issue, issue);
  t.same(set(issue, ['labels'], { labels: ['OLD'] }).update?.changes, [
    { field: 'labels', oldValues: ['Old', 'ui'], newValues: ['OLD'] },
  ]);
  const custom = set(issue, ['custom_fields.Platforms', 'custom_fields.Gone'], {
    customFields: [{ field: 'Platforms', values: ['mac', 'linux'] }],
  });
  t.same(custom.issue.customFields, [{ field: 'Platforms', values: ['linux', 'mac'] }]);
  t.same(custom.update?.changes, [
    { field: 'field.Gone', oldValues: ['1'], newValues: [] },
    { field: 'field.Platforms', oldValues: [], newValues: ['linux', 'mac'] },
  ]);
  const late = update(stored({ modified: '2027-01-01T00:00:00.000Z' }), { comment: 'x' });
  t.equal(late.update?.created, '2027-01-01T00:00:00.000Z', 'a clock that stepped back does not reorder history');
  const odd = stored({ type: 99 as IssueType, labels: ['x y', 'a', 'A'] });
  t.same(
    set(odd, ['priority'], { priority: Priority.P0 }).update?.changes,
    [{ field: 'priority', oldValues: ['p2'], newValues: ['p0'] }],
    'what an issue already holds is not judged again',
  );

  const cases: [string, PartialUpdate, RegExp][] = [
    ['update_mask.paths[0]', { updateMask: ['tilte'], issue: {} }, /is title meant\?/],
    ['update_mask.paths[0]', { updateMask: ['description'], issue: {} }, /EditComment/],
    ['update_mask.paths[1]', { updateMask: ['status', 'stars'], issue: { status: Status.FIXED } }, /can be set; /],
    ['issue', { updateMask: ['status'] }, /is required/],
    ['issue.priority', { updateMask: ['priority'], issue: {} }, /needs a priority; one of p0/],
    [
      'issue.custom_fields.X',
      { updateMask: ['custom_fields.X'], issue: { customFields: [{ field: 'X', values: ['1'] }] } },
      /no custom field/,
    ],
    ['labels', { updateMask: ['labels'], issue: {}, add: { labels: ['x'] } }, /use one of them/],
    ['remove.labels', { add: { labels: ['x'] }, remove: { labels: ['X'] } }, /in add too/],
    ['add.cc[0]', { add: { cc: ['a b'] } }, /no user id/],
    ['comment', { comment: '  ' }, /blank/],
    ['comment', { comment: 'a\0' }, /NUL/],
    ['significance', { comment: 'x', significance: 9 as Significance }, /significance/],
  ];
  for (const [field, request, description] of cases) {
    t.match(refusal(() => update(issue, request)).violations, [{ field, description }], `${field} ${description}`);
  }
  t.match(
    refusal(() => update(issue, { comment: 'x', expectedVersion: '9' })),
    { reason: 'VERSION_MISMATCH', metadata: { current: '1' } },
  );
  t.equal(refusal(() => update(issue, { updateMask: ['title'], issue: { title: 'y' } })).reason, 'VERSION_REQUIRED');
  t.equal(refusal(() => update(issue, { add: { blockedBy: ['12'] } })).reason, 'CYCLE');
  t.ok(closesLoop('1', ['2'], (id) => ({ 2: ['3'], 3: ['1'] })[id] ?? []));
  t.notOk(closesLoop('1', ['2'], (id) => ({ 2: ['3'], 3: ['2'] })[id] ?? []));
  t.same(['10', '9', '100'].sort(compareIds), ['9', '10', '100']);
});

const user = fc.constantFrom('', 'ada', 'bob', 'cleo');
const someone = fc.constantFrom('ada', 'bob', 'cleo', 'dora');
const label = fc.constantFrom('a', 'A', 'b', 'ß', 'SS', 'é', 'é', 'x-y');
const id = fc.constantFrom('0', '5', '9', '10', '900719925474099312');
const ids = fc.array(
  id.filter((each) => each !== '0'),
  { maxLength: 4 },
);
const statuses = fc.constantFrom(...STATUS_RULES.keys());
const customValue = fc.oneof(
  fc.record({ field: fc.constant('Browser'), values: fc.constantFrom([], ['Firefox'], ['Chromium']) }),
  fc.record({ field: fc.constant('Platforms'), values: fc.subarray(['linux', 'mac', 'windows']) }),
  fc.record({
    field: fc.constant('Notes'),
    values: fc
      .string({ minLength: 1, maxLength: 5 })
      .filter((text) => text.trim() !== '' && !text.includes('\0'))
      .map((text) => [text]),
  }),
);
const edit = fc.record({
  mask: fc.uniqueArray(
    fc.constantFrom(
      'title',
      'type',
      'priority',
      'severity',
      'status',
      'assignee',
      'verifier',
      'parent',
      'duplicate_of',
      'archived',
      'access_limit',
      'component',
      'labels',
      'found_in',
      'collaborators',
    ),
    { maxLength: 4 },
  ),
  title: fc.constantFrom('one', 'two', 'drei'),
  type: fc.constantFrom(IssueType.BUG, IssueType.PROCESS),
  priority: fc.constantFrom(Priority.P0, Priority.P3),
  severity: fc.constantFrom(1, 2, 3),
  status: statuses,
  assignee: user,
  verifier: user,
  parent: id,
  duplicateOf: id,
  archived: fc.boolean(),
  accessLimit: fc.constantFrom(0, 1, 2),
  component: fc.constantFrom('7', '8'),
  labels: fc.array(label),
  foundIn: fc.array(label),
  collaborators: fc.array(someone),
  addLabels: fc.array(label, { maxLength: 3 }),
  removeLabels: fc.array(label, { maxLength: 3 }),
  addCc: fc.array(someone, { maxLength: 2 }),
  removeCc: fc.array(someone, { maxLength: 2 }),
  addBlockers: ids,
  custom: customValue,
  setCustom: fc.boolean(),
  comment: fc.constantFrom('', 'why'),
});

t.test('property: the state is the fold of the history', async (t) => {
  let written = 0;
  fc.assert(
    fc.property(fc.array(label), user, fc.array(edit, { maxLength: 12 }), (labels, assignee, edits) => {
      const first = create({ labels, assignee, description: 'first' });
      let issue: Issue = { ...first.issue, id: '12' };
      const history: Update[] = [{ ...first.update, issue: '12', sequence: 1 }];
      for (const [
        step,
        { mask, addLabels, removeLabels, addCc, removeCc, addBlockers, custom, setCustom, comment, ...values },
      ] of edits.entries()) {
        const request = UpdateIssueRequest.fromPartial({
          id: '12',
          expectedVersion: issue.version,
          updateMask: setCustom ? [...mask, `custom_fields.${custom.field}`] : mask,
          issue: { ...values, customFields: [custom] } as PartialIssue,
          add: { labels: mask.includes('labels') ? [] : addLabels, cc: addCc, blockedBy: addBlockers },
          remove: { labels: mask.includes('labels') ? [] : removeLabels, cc: removeCc },
          comment,
        });
        const now = new Date(Date.parse(NOW) + step * 1000).toISOString();
        let planned: ReturnType<typeof planUpdate>;
        try {
          planned = planUpdate(issue, request, { ...SITUATION, now });
        } catch (error) {
          // Refused (a bad transition, a value both added and removed): nothing may have happened.
          if (error instanceof ServiceError) continue;
          throw error;
        }
        if (planned.update === undefined) continue;
        const restored = applyChanges(issue, planned.update.changes, planned.update.created);
        deepEqual(diffIssues(restored, planned.issue), []);
        history.push({ ...planned.update, sequence: history.length + 1 });
        issue = planned.issue;
        written++;
      }
      deepEqual(foldUpdates(history), issue);
      // The wire does not matter.
      deepEqual(foldUpdates(history.map((each) => Update.decode(Update.encode(each).finish()))), issue);
      equal(issue.status === Status.DUPLICATE, issue.duplicateOf !== '0');
    }),
    { numRuns: 150, seed: 7 },
  );
  t.ok(written > 300, `${written} updates were folded`);
});

t.test('a fold keeps and skips what it does not know', async (t) => {
  const changes = [
    { field: 'mood', oldValues: [], newValues: ['grim'] },
    { field: 'type', oldValues: [], newValues: ['99'] },
    { field: 'reporter', oldValues: [], newValues: ['eve'] },
  ];
  const folded = foldUpdates([Update.fromPartial({ issue: '3', sequence: 1, author: 'ada', created: NOW, changes })]);
  t.match(folded, { id: '3', type: 99, reporter: 'eve', created: NOW });
});
