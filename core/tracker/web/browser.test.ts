import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { BrowserContext, Page } from 'playwright-core';
import t from 'tap';
import { loadConfig } from '../config/index.ts';
import { startTracker } from '../tracker.ts';
import { launchBrowser } from './testing/browser.ts';

const PASSWORD = 'correct horse battery staple';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'bugless-browser-'));
const defaults = loadConfig({ environment: {}, directory: folder });
const tracker = await startTracker(
  {
    ...defaults,
    http: { ...defaults.http, port: 0 },
    authenticators: [{ ...defaults.authenticators[0]!, config: { bcryptCost: 4 } }],
  },
  pino({ level: 'silent' }),
);
const browser = await launchBrowser();
t.teardown(async () => {
  await browser.close();
  await tracker.stop();
  rmSync(folder, { recursive: true, force: true });
});

const site = `http://localhost:${tracker.port}`;
const complaints: string[] = [];

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on('console', (message) => {
    // Refused forms answer 4xx, which the browser also notes here.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
  return page;
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

const EVERY_RULE = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Serious violations of WCAG 2.2 AA on the page as it stands. */
async function findViolations(page: Page, rules: readonly string[] = EVERY_RULE): Promise<string[]> {
  await page.evaluate(AXE);
  const results = (await page.evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(rules)}, resultTypes: ['violations'] })`,
  )) as AxeResults;
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${page.url()} ${id}: ${nodes[0]?.html.slice(0, 160)}`);
}

const withScript = await browser.newContext({ viewport: { width: 1280, height: 850 } });
const withoutScript = await browser.newContext({ viewport: { width: 390, height: 800 }, javaScriptEnabled: false });

t.test('the first administrator is made from the one-time link', async (t) => {
  const page = await openPage(withScript);
  t.ok(tracker.setupLink, 'there is a link');
  await page.goto(tracker.setupLink ?? '');
  t.strictSame(await findViolations(page), []);
  await page.fill('#username', 'ada');
  await page.fill('#display_name', 'Ada Okafor');
  await page.fill('#password', 'short');
  await page.click('button:has-text("Create administrator")');
  t.match(await page.textContent('.notice'), /password/i, 'a weak password is refused');
  t.equal(await page.inputValue('#username'), 'ada', 'what was typed stays');
  await page.fill('#password', PASSWORD);
  await page.click('button:has-text("Create administrator")');
  t.equal(await page.title(), 'Open issues · Bugless');
  await page.goto(tracker.setupLink ?? '');
  t.equal(new URL(page.url()).pathname, '/issues', 'the link works once, and leads on');
  await page.close();
});

t.test('with script: file, comment, close, find', async (t) => {
  const page = await openPage(withScript);
  await page.goto(site);
  await page.keyboard.press('c');
  await page.waitForURL('**/issues/new');
  await page.fill('#title', 'Tiles flicker at the date line');
  await page.fill(
    '#description',
    'Zoom out **quickly**, <b>then</b> see [this](javascript:alert(1)) and https://example.org/x',
  );
  await page.fill('#labels', 'crash, rtl');
  await page.fill('#assignee', 'ad');
  await page.click('.suggest li:has-text("Ada")');
  t.equal(await page.inputValue('#assignee'), 'ada', 'users are offered');
  await page.click('button:has-text("File issue")');
  await page.waitForURL('**/issues/1');
  t.equal(await page.textContent('h1'), 'Tiles flicker at the date line');
  t.equal(await page.locator('.prose strong').textContent(), 'quickly');
  t.equal(
    await page.locator('.prose b, .prose a[href^=javascript]').count(),
    0,
    'HTML and scripts in text are only shown',
  );
  t.match(await page.locator('.prose a').getAttribute('rel'), /nofollow/);
  t.match(await page.textContent('.fields'), /Ada Okafor/);
  t.strictSame(await findViolations(page), []);

  await page.fill('#comment', 'I see it too.');
  await page.click('.reply button[value=comment]');
  await page.waitForURL('**/issues/1#c2');
  await page.fill('#comment', 'Fixed in 24.4');
  await page.click('.reply button[value=close]');
  await page.waitForURL('**/issues/1#c3');
  t.match(await page.textContent('.sum'), /Fixed/);
  t.match(await page.textContent('#c3 .changes'), /Status.*Assigned.*Fixed/);

  await page.keyboard.press('/');
  await page.keyboard.type('flicker status:fixed');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/issues?q=*');
  t.match(await page.textContent('.count'), /1–1 of 1/);
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  t.equal(await page.textContent('.picked'), '1 selected');
  await page.keyboard.press('o');
  await page.waitForURL('**/issues/1');
  await page.keyboard.press('u');
  await page.waitForURL('**/issues?q=*');
  await page.keyboard.press('?');
  t.match(await page.textContent('dialog'), /Next, previous/);
  t.strictSame(await findViolations(page), []);
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.keyboard.press('Control+k');
  await page.keyboard.type('compon');
  await page.waitForSelector('dialog li:has-text("Components")');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/components');
  t.strictSame(await findViolations(page), []);
  await page.close();
});

t.test('without script, on a narrow screen: the same by forms alone', async (t) => {
  const page = await openPage(withoutScript);
  await page.goto(`${site}/issues/new`);
  t.match(page.url(), /\/login\?return_to=/, 'first log in');
  await page.fill('#username', 'ada');
  await page.fill('#password', 'wrong password');
  await page.click('button:has-text("Log in")');
  t.match(await page.textContent('.notice'), /wrong/);
  await page.fill('#password', PASSWORD);
  await page.click('button:has-text("Log in")');
  t.equal(new URL(page.url()).pathname, '/issues/new', 'and go on');

  await page.fill('#title', 'Crash in label placement');
  await page.fill('#description', 'Seen with #1');
  await page.fill('#assignee', 'nobodyhere');
  await page.click('button:has-text("File issue")');
  t.match(await page.textContent('#assignee-error'), /nobodyhere/, 'an error stands at its field');
  t.equal(await page.inputValue('#description'), 'Seen with #1', 'and nothing typed is lost');
  await page.fill('#assignee', 'me');
  await page.click('button:has-text("File issue")');
  t.equal(new URL(page.url()).pathname, '/issues/2');
  t.equal(await page.locator('.prose a.ref').getAttribute('href'), '/issues/1');

  // The same form sent twice is done once.
  await page.fill('#comment', 'Sent twice');
  const fields = (await page.evaluate("Object.fromEntries(new FormData(document.getElementById('edit')))")) as Record<
    string,
    string
  >;
  const form = { ...fields, action: 'comment' };
  const headers = { origin: site, 'sec-fetch-site': 'same-origin' };
  for (const _ of [1, 2]) {
    const answer = await page.request.post(`${site}/issues/2`, { form, headers, maxRedirects: 0 });
    t.equal(answer.status(), 303, answer.status() === 303 ? 'done' : await answer.text());
  }
  await page.goto(`${site}/issues/2`);
  t.equal(await page.locator('.entry:has-text("Sent twice")').count(), 1);

  // Two people change one issue: the second one sees both, and keeps its words.
  const other = await openPage(withoutScript);
  await other.goto(`${site}/issues/2`);
  await page.click('.retitle summary');
  await page.fill('#title', 'Crash in label placement, retitled');
  await page.click('.retitle button');
  await other.click('summary:has-text("Priority")');
  await other.selectOption('#priority', { label: 'P0' });
  await other.fill('#comment', 'Precious words');
  await other.click('.reply button[value=close]');
  t.match(await other.textContent('h1'), /changed this issue meanwhile/);
  t.equal(await other.inputValue('#comment'), 'Precious words');
  t.match(await other.textContent('main'), /retitled/, 'what happened meanwhile is told');
  await other.click('button:has-text("Save mine")');
  t.match(await other.textContent('.sum'), /Fixed.*P0/s);
  t.match(await other.textContent('h1'), /retitled/);
  t.match(await other.textContent('.timeline'), /Precious words/);

  await other.goto(`${site}/issues?q=priorty:p1`);
  t.match(await other.textContent('.caret'), /priorty:p1\n▲/);
  await other.goto(`${site}/issues?q=label+status:fixed`);
  t.match(await other.textContent('.count'), /1–1 of 1/);
  await other.check('[name=id]');
  await other.fill('[name=addLabels]', 'triaged');
  await other.click('.bulk button');
  t.match(await other.textContent('table'), /triaged/);
  t.equal(
    await other.evaluate('document.documentElement.scrollWidth <= innerWidth'),
    true,
    'nothing is wider than the screen',
  );
  await other.close();
  await page.close();
});

t.test('settings, administration, failures; light and dark; no serious violation', async (t) => {
  const page = await openPage(withScript);
  await page.goto(`${site}/settings/tokens`);
  await page.fill('#name', 'curl');
  await page.click('button:has-text("Make token")');
  const secret = await page.textContent('.secret');
  const answer = await fetch(`${site}/api/v1/issues/2`, { headers: { authorization: `Bearer ${secret}` } });
  t.match(await answer.json(), { title: 'Crash in label placement, retitled' }, 'the token works');

  await page.goto(`${site}/components/new`);
  await page.fill('#name', 'Renderer');
  await page.click('button:has-text("Create component")');
  t.equal(await page.textContent('h1'), 'Renderer');

  for (const path of [
    '/issues',
    '/issues/2',
    '/issues/new',
    '/components/1',
    '/settings',
    '/settings/tokens',
    '/admin/users',
    '/issues/999',
  ]) {
    await page.goto(site + path);
    t.strictSame(await findViolations(page), [], path);
  }
  // What another scheme changes is colour alone.
  await page.emulateMedia({ colorScheme: 'dark' });
  for (const path of ['/issues', '/issues/2', '/issues/new', '/issues/999']) {
    await page.goto(site + path);
    t.strictSame(await findViolations(page, ['color-contrast']), [], `${path} in dark`);
  }
  t.match(await page.textContent('main'), /Request/, 'a failure names its request');
  await page.goto(`${site}/issues`);
  await page.click('.theme button');
  t.equal(await page.getAttribute('html', 'data-theme'), 'dark');
  await page.click('.menu summary');
  await page.click('button:has-text("Log out")');
  await page.waitForURL('**/login');
  t.strictSame(await findViolations(page), []);
  t.strictSame(complaints, [], 'no script failed and no policy was broken');
  await page.close();
});
