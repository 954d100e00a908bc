import { createEmptyIssue, WORDS } from '@bugless/kit/domain';
import { AccessLimit, type Issue, IssueType, Permission, Priority, Severity, Status } from '@bugless/kit/service';
import fc from 'fast-check';
import t from 'tap';
import { writeIssue, writeIssueList } from './issue-json.ts';
import { quote, quoteAll } from './json-text.ts';

/** The plain way, which the quick one has to agree with. */
function format(issue: Issue, full: boolean): object {
  const orNull = (id: string) => (id === '' || id === '0' ? null : id);
  return {
    id: issue.id,
    version: issue.version,
    title: issue.title,
    ...(full && { description: issue.description }),
    type: WORDS.type.format(issue.type) || null,
    priority: WORDS.priority.format(issue.priority) || null,
    severity: WORDS.severity.format(issue.severity) || null,
    status: WORDS.status.format(issue.status) || null,
    component: issue.component,
    assignee: orNull(issue.assignee),
    verifier: orNull(issue.verifier),
    reporter: orNull(issue.reporter),
    collaborators: issue.collaborators,
    cc: issue.cc,
    labels: issue.labels,
    foundIn: issue.foundIn,
    targetedTo: issue.targetedTo,
    verifiedIn: issue.verifiedIn,
    parent: orNull(issue.parent),
    duplicateOf: orNull(issue.duplicateOf),
    ...(full && {
      blockedBy: issue.blockedBy,
      blocking: issue.blocking,
      hotlists: issue.hotlists,
      customFields: issue.customFields,
    }),
    archived: issue.archived,
    accessLimit: WORDS.accessLimit.format(issue.accessLimit),
    stars: issue.stars,
    starred: issue.starred,
    commentCount: issue.commentCount,
    created: issue.created ?? null,
    modified: issue.modified ?? null,
    resolved: issue.resolved ?? null,
    verified: issue.verified ?? null,
    ...(full && { permissions: issue.permissions.map((permission) => WORDS.permission.format(permission)) }),
  };
}

const text = fc.string({ unit: 'binary', maxLength: 120 });
const texts = fc.array(text, { maxLength: 4 });
const id = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String);
const time = fc.option(
  fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => date.toISOString()),
  { nil: undefined },
);
const issues = fc.record({
  id,
  version: id,
  title: text,
  description: text,
  type: fc.constantFrom(...Object.values(IssueType)),
  priority: fc.constantFrom(...Object.values(Priority)),
  severity: fc.constantFrom(...Object.values(Severity)),
  // A number of a later version.
  status: fc.constantFrom(...Object.values(Status), 77 as Status),
  component: id,
  assignee: fc.constantFrom('', '01a20dc7-0662-7035-90df-b0c186691bf6', 'we"ird'),
  labels: texts,
  cc: texts,
  foundIn: texts,
  parent: fc.oneof(fc.constant('0'), id),
  blockedBy: fc.array(id, { maxLength: 3 }),
  customFields: fc.array(fc.record({ field: text, values: texts }), { maxLength: 2 }),
  accessLimit: fc.constantFrom(...Object.values(AccessLimit)),
  created: time,
  resolved: time,
  permissions: fc.constantFrom([], [Permission.VIEW, Permission.EDIT]),
});

t.test('an issue is what JSON.stringify makes of it, byte for byte', async (t) => {
  fc.assert(
    fc.property(issues, fc.boolean(), (values, full) => {
      const issue = { ...createEmptyIssue(), ...values } as unknown as Issue;
      const expected = JSON.stringify(format(issue, full));
      if (writeIssue(issue, full) !== expected) t.equal(writeIssue(issue, full), expected);
      return writeIssue(issue, full) === expected;
    }),
  );
  t.pass('for all of them');
});

t.test('a list', async (t) => {
  const issue: Issue = { ...createEmptyIssue(), id: '1' };
  t.same(JSON.parse(writeIssueList([], false, {})), { issues: [] });
  t.same(JSON.parse(writeIssueList([issue, issue], true, { nextPageToken: 'a"b' })), {
    issues: [format(issue, true), format(issue, true)],
    nextPageToken: 'a"b',
  });
});

t.test('strings', async (t) => {
  for (const sample of ['', 'plain', 'a"b', 'a\\b', '\n\t\u0000', 'é', '🐛', '\ud800', 'x'.repeat(100)]) {
    t.equal(quote(sample), JSON.stringify(sample));
  }
  t.equal(quoteAll([]), '[]');
  t.equal(quoteAll(['a', 'b"']), JSON.stringify(['a', 'b"']));
});
