/** Most positions that Postgres keeps of one word, and the highest one. */
const MOST_POSITIONS = 255;
const LAST_POSITION = 16_383;
/** Longest word in UTF-16 units: Postgres takes 2,046 bytes. */
const LONGEST_WORD = 600;
/** Most bytes of words and positions in one vector: Postgres takes 1 MiB; the text behind that is not found. */
const LARGEST_VECTOR = 900_000;

/**
 * A tsvector literal of words in the order of their text, with positions for phrases. Built
 * here rather than by to_tsvector, so that both engines split text into the same words.
 */
export function formatWordVector(words: readonly string[], weight: '' | 'A'): string {
  const positions = new Map<string, number[]>();
  let size = 0;
  for (const [index, word] of words.entries()) {
    if (word.length > LONGEST_WORD) continue;
    const known = positions.get(word);
    if (known === undefined) {
      size += word.length * 3 + 8;
      if (size > LARGEST_VECTOR) break;
      positions.set(word, [Math.min(index + 1, LAST_POSITION)]);
    } else if (known.length < MOST_POSITIONS && index < LAST_POSITION) {
      size += 2;
      known.push(index + 1);
    }
  }
  let vector = '';
  for (const [word, places] of positions) {
    const quoted = /['\\]/.test(word) ? word.replace(/['\\]/g, '$&$&') : word;
    vector += `'${quoted}':${places.join(weight === '' ? ',' : `${weight},`)}${weight} `;
  }
  return vector;
}
