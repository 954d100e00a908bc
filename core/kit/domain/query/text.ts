/**
 * Words of a text: the one definition for all engines and for the reference
 * evaluator. An engine indexes what `tokenize` gives and never parses text itself.
 *
 * A word is a run of letters, digits and marks (Unicode), everything else divides
 * words: `foo_bar`, `foo-bar` and `foo.bar` are two. In scripts written without
 * blanks (Han, Kana, Thai, Lao, Khmer, Myanmar) each character is a word. Case,
 * width and the accents of Latin, Greek and Cyrillic do not matter (`Café` is
 * `cafe`, `Straße` is `strasse`). Of a longer word only its first 64 code units count.
 */
import type { FilterText } from '@bugless/proto';

/** Code units of a word that count. */
export const MAX_WORD = 64;

const ALONE = '\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}';
const WORD = new RegExp(`[${ALONE}]|(?:(?![${ALONE}])[\\p{L}\\p{N}\\p{M}])+`, 'gu');
const ASCII_WORD = /[a-z0-9]+/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;
const ACCENTS = /[\u0300-\u036f]/g;

/** The words of a text, folded, in their order. */
export function tokenize(text: string): string[] {
  const words = ASCII.test(text) ? text.toLowerCase().match(ASCII_WORD) : foldText(text).match(WORD);
  return (words ?? []).map(cutWord);
}

function foldText(text: string): string {
  const plain = text.normalize('NFKD').replace(ACCENTS, '').toLowerCase();
  // What lower case leaves apart: final sigma, sharp s, dotless i.
  return plain.replaceAll('ς', 'σ').replaceAll('ß', 'ss').replaceAll('ı', 'i').normalize('NFC');
}

function cutWord(word: string): string {
  if (word.length <= MAX_WORD) return word;
  const cut = word.slice(0, MAX_WORD);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

/** A text to find, in words. */
export interface WordPattern {
  /** At least one. */
  readonly words: readonly string[];
  /** They stand next to each other in this order. */
  readonly phrase: boolean;
  /** The last one is the beginning of a word. */
  readonly prefix: boolean;
}

/** The words of a text to find; undefined when it has none. */
export function readWordPattern(text: FilterText): WordPattern | undefined {
  const words = tokenize(text.text);
  return words.length === 0 ? undefined : { words, phrase: text.phrase, prefix: text.prefix };
}

/** Whether the words of one text hold the pattern. */
export function matchWords(tokens: readonly string[], pattern: WordPattern): boolean {
  const { words, phrase, prefix } = pattern;
  const last = words.length - 1;
  const fits = (token: string, index: number) =>
    prefix && index === last ? token.startsWith(words[index]!) : token === words[index];
  if (phrase)
    return tokens.some((_, start) => words.every((_, i) => start + i < tokens.length && fits(tokens[start + i]!, i)));
  return words.every((_, index) => tokens.some((token) => fits(token, index)));
}
