import t from 'tap';
import { renderMarkdown } from './renderer.ts';

t.test('HTML and scripts in a text are shown, not obeyed', async (t) => {
  const cases = [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](data:text/html,<script>alert(1)</script>)',
    '[x](vbscript:x)',
    '[x](//evil.example)',
    '![x](https://evil.example/pixel.png)',
    '<a href="javascript:alert(1)">x</a>',
    '`<b>` "quoted" & <i>',
    '[a"onmouseover="x](https://example.org/"onmouseover="alert(1))',
  ];
  for (const source of cases) {
    const html = renderMarkdown(source);
    t.notMatch(html, /<(script|img|iframe|b|i|style)\b/i, source);
    t.notMatch(html, /href="(?!https?:|mailto:|\/[^/]|#)/i, source);
    t.notMatch(html, /<[^>]*\son\w+=/i, source);
  }
});

t.test('links say what they are', async (t) => {
  t.equal(
    renderMarkdown('https://example.org/a?b=1&c=2.'),
    '<p><a href="https://example.org/a?b=1&amp;c=2" rel="nofollow noopener ugc">https://example.org/a?b=1&amp;c=2</a>.</p>\n',
  );
});

t.test('issues and people mentioned become links', async (t) => {
  const refs = (source: string): string[] =>
    [...renderMarkdown(source).matchAll(/href="([^"]+)"/g)].map((match) => match[1] ?? '');
  t.strictSame(refs('#12, b/13, bug 14 and issue #15; (#16)'), [
    '/issues/12',
    '/issues/13',
    '/issues/14',
    '/issues/15',
    '/issues/16',
  ]);
  t.strictSame(refs('@ada and @mei.lin.'), ['/issues?q=assignee:ada', '/issues?q=assignee:mei.lin']);
  for (const source of [
    '`#12`',
    'a#12',
    'ann@example.org',
    'x/b/13',
    '[#12 there](https://example.org)',
    '    #12 in code',
    '#abc',
    '&#12;',
  ]) {
    t.strictSame(
      refs(source).filter((href) => href.startsWith('/issues')),
      [],
      source,
    );
  }
});

t.test('plain text keeps its lines, and a huge one is shown as it is', async (t) => {
  t.equal(renderMarkdown('one\ntwo'), '<p>one<br>\ntwo</p>\n');
  const huge = `${'*'.repeat(250_000)}<`;
  t.match(renderMarkdown(huge), /^<pre class="plain">\*.*&lt;<\/pre>$/s);
});

t.test('hostile nesting is rendered in bounded time', async (t) => {
  for (const source of [
    '['.repeat(20_000),
    '> '.repeat(5_000),
    '*a '.repeat(20_000),
    '`'.repeat(20_000),
    '@a'.repeat(20_000),
    '#1 '.repeat(20_000),
  ]) {
    const began = performance.now();
    renderMarkdown(source);
    t.ok(performance.now() - began < 2_000, JSON.stringify(source.slice(0, 4)));
  }
});
