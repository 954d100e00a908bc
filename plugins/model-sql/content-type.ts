/** What a file is, told from its first bytes alone: neither its name nor its sender is believed. */

/** So many first bytes are looked at. */
export const SNIFFED_BYTES = 4_096;
const UNKNOWN = 'application/octet-stream';

/** Bytes in hex at an offset; `..` stands for any byte. */
type Signature = readonly [type: string, bytes: string, offset?: number];

const SIGNATURES: readonly Signature[] = [
  ['image/png', '89504e470d0a1a0a'],
  ['image/jpeg', 'ffd8ff'],
  ['image/gif', '474946383761'],
  ['image/gif', '474946383961'],
  ['image/webp', '52494646........57454250'],
  ['image/avif', '6674797061766966', 4],
  ['image/heic', '6674797068656963', 4],
  ['image/tiff', '49492a00'],
  ['image/tiff', '4d4d002a'],
  ['image/vnd.microsoft.icon', '00000100'],
  ['image/bmp', '424d........00000000'],
  ['video/mp4', '6674797069736f', 4],
  ['video/mp4', '667479706d7034', 4],
  ['video/mp4', '6674797061766331', 4],
  ['video/quicktime', '6674797071742020', 4],
  ['video/x-matroska', '1a45dfa3'],
  ['video/x-msvideo', '52494646........41564920'],
  ['audio/wav', '52494646........57415645'],
  ['audio/flac', '664c6143'],
  ['audio/mpeg', '494433'],
  ['application/ogg', '4f676753'],
  ['application/pdf', '255044462d'],
  ['application/zip', '504b0304'],
  ['application/zip', '504b0506'],
  ['application/gzip', '1f8b08'],
  ['application/x-bzip2', '425a68'],
  ['application/x-xz', 'fd377a585a00'],
  ['application/zstd', '28b52ffd'],
  ['application/x-7z-compressed', '377abcaf271c'],
  ['application/vnd.rar', '526172211a07'],
  ['application/x-tar', '7573746172', 257],
  ['application/vnd.sqlite3', '53514c69746520666f726d6174203300'],
  ['application/x-elf', '7f454c46'],
  ['application/vnd.microsoft.portable-executable', '4d5a'],
  ['application/wasm', '0061736d'],
];

/** Texts that a browser would run. */
const HTML = /^(?:<!doctype html|<html|<head|<body|<script|<iframe|<!--)/i;
const SVG = /^(?:<\?xml[^>]*>\s*)?(?:<!--[\s\S]*?-->\s*)*(?:<!doctype svg[^>]*>\s*)?<svg[\s>]/i;

/** The content type of a file that begins with these bytes; `whole`: there are no more. */
export function sniffContentType(head: Uint8Array, whole: boolean): string {
  const bytes = head.subarray(0, SNIFFED_BYTES);
  for (const [type, signature, offset = 0] of SIGNATURES) if (matches(bytes, signature, offset)) return type;
  const text = readText(bytes, whole && head.length <= SNIFFED_BYTES);
  if (text === undefined) return UNKNOWN;
  const start = text.trimStart();
  if (SVG.test(start)) return 'image/svg+xml';
  return HTML.test(start) ? 'text/html' : 'text/plain';
}

function matches(bytes: Uint8Array, signature: string, offset: number): boolean {
  if (bytes.length < offset + signature.length / 2) return false;
  for (let index = 0; index < signature.length; index += 2) {
    const expected = signature.slice(index, index + 2);
    if (expected !== '..' && bytes[offset + index / 2] !== Number.parseInt(expected, 16)) return false;
  }
  return true;
}

/** The text that these bytes are in UTF-8; undefined: they are none, or hold what no text holds. */
function readText(bytes: Uint8Array, whole: boolean): string | undefined {
  if (bytes.length === 0) return undefined;
  try {
    // A character cut in two at the end is no fault.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !whole });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those that texts do not hold are what is looked for
    return /[\u0000-\u0006\u000e-\u001a]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
