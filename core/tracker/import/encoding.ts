import type { NoteBook } from './note-book.ts';

/** Text of a file: UTF-8, or Windows-1252 where the bytes are not UTF-8. */
export function decodeText(bytes: Buffer, book: NoteBook): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    book.add('files in a broken encoding read as Windows-1252');
    return new TextDecoder('windows-1252').decode(bytes);
  }
}
