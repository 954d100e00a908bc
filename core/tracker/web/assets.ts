import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { PACKAGE_FOLDER } from '../package-folder.ts';

/** A file that pages load, held in memory with its compressed forms. */
export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzip: Buffer;
  readonly brotli: Buffer;
}

const STYLES = ['base', 'shell', 'list', 'issue', 'forms', 'prose', 'print'];

function readAssets(): Map<string, string> {
  const folder = new URL('web/', PACKAGE_FOLDER);
  const read = (path: string): string => readFileSync(new URL(path, folder), 'utf8');
  const files = new Map<string, string>();
  files.set('style.css', shrinkStyle(STYLES.map((name) => read(`styles/${name}.css`)).join('\n')));
  const icons = read('icons.svg').replaceAll('\n', '');
  files.set('icons.svg', icons);
  const logo = icons.match(/<symbol id="logo" viewBox="([^"]+)">(.*?)<\/symbol>/);
  const fill = 'fill="none" stroke-linecap="round"';
  files.set(
    'favicon.svg',
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${logo?.[1]}" ${fill}>${logo?.[2]?.replace(/var\([^,]+, (#\w+)\)/, '$1')}</svg>`,
  );
  for (const name of readdirSync(new URL('islands/', folder))) {
    if (name.endsWith('.js')) files.set(`islands/${name}`, shrinkScript(read(`islands/${name}`)));
  }
  return files;
}

/** Drops comments and the white space that CSS does not need. */
function shrinkStyle(style: string): string {
  return style
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};,]) ?/g, '$1')
    .replace(/: /g, ':')
    .replaceAll(';}', '}')
    .trim();
}

/** Drops whole-line comments, indentation and empty lines: enough once it is compressed. */
function shrinkScript(script: string): string {
  return script
    .replace(/^\s*\/\*\*?[\s\S]*?\*\/\s*$/gm, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/^\s+|[ \t]+$/gm, '')
    .replace(/\n{2,}/g, '\n');
}

const texts = readAssets();
const hash = createHash('sha256');
for (const [name, text] of texts) hash.update(name).update(text);

/** Changes whenever any asset does; part of every asset's address, so that they may be kept for ever. */
export const ASSET_HASH: string = hash.digest('base64url').slice(0, 10);

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Compressed when first asked for: all of them at once would be a tenth of every start. */
class MemoryAsset implements Asset {
  readonly type: string;
  readonly bytes: Buffer;
  #gzip: Buffer | undefined;
  #brotli: Buffer | undefined;

  constructor(name: string, text: string) {
    this.type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? '';
    this.bytes = Buffer.from(text);
  }

  get gzip(): Buffer {
    this.#gzip ??= gzipSync(this.bytes);
    return this.#gzip;
  }

  get brotli(): Buffer {
    this.#brotli ??= brotliCompressSync(this.bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
    return this.#brotli;
  }
}

/** All assets by name. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map(
  [...texts].map(([name, text]) => [name, new MemoryAsset(name, text)]),
);

/** Address of an asset. */
export function assetUrl(name: string): string {
  return `/assets/${ASSET_HASH}/${name}`;
}
