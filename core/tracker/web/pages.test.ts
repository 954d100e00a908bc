import { Issue } from '@bugless/kit/service';
import type { VNode } from 'preact';
import t from 'tap';
import { ASSETS } from './assets.ts';
import { renderDocument } from './markup.ts';
import { IssuePage } from './pages/issue.ts';
import { fillForm, listChanged } from './pages/issue-form.ts';
import { IssueListPage, reorderQuery } from './pages/issue-list.ts';
import { tellAge } from './parts/time.ts';
import * as samples from './testing/samples.ts';

const HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\'';

const list = (issues = samples.ISSUES, query = 'is:open'): VNode =>
  IssueListPage({
    shell: samples.SHELL,
    query,
    echo: query,
    issues,
    people: samples.PEOPLE,
    components: samples.COMPONENT_NAMES,
    order: [{ field: 'modified', descending: true }],
    count: { count: 1234, more: false },
    from: 1,
    nextPageToken: 'next',
  });

const issuePage = (issue: Issue, updates = samples.UPDATES): VNode =>
  IssuePage({
    shell: samples.SHELL,
    issue,
    updates,
    later: '',
    hotlists: [],
    customFields: [],
    choices: [],
    values: fillForm(issue, samples.PEOPLE, []),
    people: samples.PEOPLE,
    components: samples.COMPONENT_NAMES,
    related: new Map(samples.ISSUES.map((other) => [other.id, other])),
  });

t.test('text from outside stays text, wherever it stands', async (t) => {
  const issue = Issue.fromPartial({ ...samples.ISSUE, title: HOSTILE, labels: [HOSTILE], foundIn: [HOSTILE] });
  const people = new Map(samples.USERS.map((user) => [user.id, { ...user, displayName: HOSTILE, username: HOSTILE }]));
  const pages = [
    list([issue], HOSTILE),
    issuePage(
      issue,
      samples.UPDATES.map((update) => ({ ...update, comment: HOSTILE })),
    ),
  ];
  for (const page of pages) {
    const html = renderDocument(page);
    t.notMatch(html, /<script>|<img/);
    t.notMatch(html, /\sstyle="/, 'nothing inline: the policy forbids it');
  }
  const html = renderDocument(
    IssueListPage({
      shell: samples.SHELL,
      query: '',
      issues: samples.ISSUES,
      people,
      components: samples.COMPONENT_NAMES,
      order: [],
      from: 1,
      nextPageToken: '',
    }),
  );
  t.notMatch(html, /<script>|<img/);
});

t.test('the same page renders the same twice: nothing is kept or changed between renders', async (t) => {
  // A form's request id is made anew with each page, as it has to be.
  const strip = (page: VNode): string => renderDocument(page).replaceAll(/name="request" value="[^"]+"/g, '');
  t.equal(strip(list()), strip(list()));
  t.equal(strip(issuePage(samples.ISSUE)), strip(issuePage(samples.ISSUE)));
});

t.test('styles and islands stay small', async (t) => {
  let scripts = 0;
  for (const [name, asset] of ASSETS) if (name.endsWith('.js')) scripts += asset.gzip.length;
  t.ok(
    (ASSETS.get('style.css')?.bytes.length ?? Infinity) < 25_000,
    `${ASSETS.get('style.css')?.bytes.length} bytes of CSS`,
  );
  t.ok(scripts < 20_000, `${scripts} bytes of compressed script`);
});

t.test('what a form changed', async (t) => {
  const base = fillForm(samples.ISSUE, samples.PEOPLE, []);
  t.strictSame(listChanged(base, base), []);
  t.strictSame(listChanged(base, { ...base, labels: 'rtl,crash' }), [], 'order and spaces of a list mean nothing');
  t.strictSame(listChanged(base, { ...base, labels: 'crash', title: 'Other' }).sort(), ['labels', 'title']);
  t.strictSame(listChanged(base, { comment: 'only' }), [], 'a field that was not sent did not change');
});

t.test('orders and ages', async (t) => {
  t.equal(reorderQuery('is:open orderby:priority,-modified', 'id', true), 'is:open orderby:-id');
  t.equal(reorderQuery('', 'title', false), 'orderby:title');
  const ages = [
    [30_000, 'now'],
    [61_000, '1 min'],
    [3_700_000, '1 h'],
    [90_000_000, '1 d'],
    [86_400_000 * 20, '26 Feb'],
    [86_400_000 * 400, '11 Feb 2025'],
  ] as const;
  for (const [age, text] of ages) t.equal(tellAge(new Date(samples.NOW - age).toISOString(), samples.NOW), text);
});
