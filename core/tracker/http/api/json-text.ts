/**
 * JSON written by hand for the one resource that is read all day. Everything else goes through
 * JSON.stringify; the two agree byte for byte (issue-json.test.ts).
 */

/** A JSON string. Short plain ASCII, which is nearly everything here, is only wrapped in quotes. */
export function quote(text: string): string {
  const { length } = text;
  if (length > 80) return JSON.stringify(text);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/** A JSON list of strings. */
export function quoteAll(texts: readonly string[]): string {
  const { length } = texts;
  if (length === 0) return '[]';
  let json = `[${quote(texts[0]!)}`;
  for (let i = 1; i < length; i++) json += `,${quote(texts[i]!)}`;
  return `${json}]`;
}
