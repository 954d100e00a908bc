import type { StateCore, Token } from 'markdown-it';

/** `#12`, `b/12`, `bug 12`, `issue 12`, `@name`, not within a word or a path. */
const REFERENCE =
  /(?<![\w/&#@.])(?:#(\d{1,19})|b\/(\d{1,19})|(?:bug|issue) #?(\d{1,19})|@([a-z\d][\w.+-]{0,62}[\w]|[a-z\d]))(?![\w/@])/gi;

/** A rule of markdown-it: turns issue references and mentions in plain text into links. */
export function linkReferences(state: StateCore): void {
  for (const block of state.tokens) {
    if (block.type !== 'inline' || block.children === null || !/[#@]|\bb\/|bug |issue /i.test(block.content)) continue;
    let depth = 0;
    let changed = false;
    const children: Token[] = [];
    for (const token of block.children) {
      if (token.type === 'link_open') depth++;
      else if (token.type === 'link_close') depth--;
      if (token.type !== 'text' || depth > 0) {
        children.push(token);
        continue;
      }
      const parts = split(token, state);
      changed ||= parts.length > 1;
      children.push(...parts);
    }
    if (changed) block.children = children;
  }
}

function split(token: Token, state: StateCore): Token[] {
  const text = token.content;
  const parts: Token[] = [];
  let end = 0;
  const push = (content: string): void => {
    if (content === '') return;
    const part = new state.Token('text', '', 0);
    part.content = content;
    parts.push(part);
  };
  for (const match of text.matchAll(REFERENCE)) {
    const [whole, hashed, slashed, spelled, name] = match;
    const id = hashed ?? slashed ?? spelled;
    push(text.slice(end, match.index));
    const open = new state.Token('link_open', 'a', 1);
    open.attrSet('href', id === undefined ? `/issues?q=assignee:${encodeURIComponent(name ?? '')}` : `/issues/${id}`);
    open.attrSet('class', id === undefined ? 'mention' : 'ref');
    parts.push(open);
    push(whole);
    parts.push(new state.Token('link_close', 'a', -1));
    end = match.index + whole.length;
  }
  if (end === 0) return [token];
  push(text.slice(end));
  return parts;
}
