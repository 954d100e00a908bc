import type { NoteBook } from './note-book.ts';

/** What Windows-1252 has at 0x80 to 0x9F, where Latin 1 has controls; the five that it leaves free stay controls. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ';

/** Text of a file: UTF-8, or Windows-1252 where the bytes are not UTF-8. */
export function decodeText(bytes: Buffer, book: NoteBook): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    book.add('files in a broken encoding read as Windows-1252');
    // Not by TextDecoder: some releases of Node decode this label as Latin 1.
    return bytes.toString('latin1').replace(/[\u0080-\u009f]/g, (character) => {
      return WINDOWS_1252[character.charCodeAt(0) - 0x80]!;
    });
  }
}
