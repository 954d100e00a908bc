import { hash } from 'node:crypto';
import MarkdownIt from 'markdown-it';
import { escapeText } from '../markup.ts';
import { linkReferences } from './references.ts';

/**
 * Comments as HTML. HTML in the source is shown, not obeyed; links may lead to http, https and mailto alone and
 * say `nofollow`; images become links, so that no reader's browser tells a third party who reads. A line break
 * stays one, so plain text from other trackers reads as it was written.
 */
const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true, typographer: false });
markdown.validateLink = (url: string) => /^(https?:|mailto:|\/(?!\/)|#)/i.test(url.trim());
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
markdown.disable('image');
markdown.core.ruler.push('references', linkReferences);
const renderLink = markdown.renderer.renderToken.bind(markdown.renderer);
markdown.renderer.rules.link_open = (tokens, index, options) => {
  tokens[index]?.attrSet('rel', 'nofollow noopener ugc');
  return renderLink(tokens, index, options);
};
markdown.renderer.rules.table_open = () => '<div class="scroll" tabindex="0"><table>';
markdown.renderer.rules.table_close = () => '</table></div>';

/** Texts beyond it are shown as they are: parsing them would hold up everyone else. In UTF-16 units. */
const LONGEST = 200_000;
/** How much rendered text is kept, in UTF-16 units. */
const CACHE_SIZE = 6_000_000;

const cache = new Map<string, string>();
let cached = 0;

/** Renders Markdown to safe HTML; the newest results are kept by the hash of their source. */
export function renderMarkdown(source: string): string {
  if (source === '') return '';
  const key = source.length < 64 ? source : hash('sha1', source, 'base64');
  const known = cache.get(key);
  if (known !== undefined) {
    cache.delete(key);
    cache.set(key, known);
    return known;
  }
  const html = source.length > LONGEST ? `<pre class="plain">${escapeText(source)}</pre>` : markdown.render(source);
  if (html.length <= CACHE_SIZE / 16) {
    cache.set(key, html);
    cached += html.length;
    for (const [oldest, text] of cache) {
      if (cached <= CACHE_SIZE) break;
      cache.delete(oldest);
      cached -= text.length;
    }
  }
  return html;
}
