import { createReadStream, promises as fs } from 'node:fs';
import path from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import xz from 'xz-decompress';

/** One file of an export. */
export interface BundleEntry {
  /** Path within the export, with `/`. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** A file larger than this is no export of issues. */
const MAX_ENTRY_BYTES = 256 * 1024 * 1024;

/**
 * An export as people have it: a folder, one file, or a .tar, .tar.gz, .tgz, .tar.xz or
 * .xz of either. Folders are read in the order of their names, archives as they are.
 */
export class Bundle {
  readonly #path: string;
  #done = 0;
  #total = 1;

  constructor(file: string) {
    this.#path = file;
  }

  /** Share read so far, 0 to 1. */
  progress(): number {
    return Math.min(1, this.#done / this.#total);
  }

  /** Yields every file that `wanted` accepts by name. Rejects with one clear line when the path cannot be read. */
  async *read(wanted: (name: string) => boolean): AsyncGenerator<BundleEntry> {
    const stat = await fs.stat(this.#path).catch(() => {
      throw new Error(`${this.#path}: no such file or folder`);
    });
    if (stat.isDirectory()) {
      yield* this.#readFolder(wanted);
      return;
    }
    this.#total = Math.max(1, stat.size);
    const file = createReadStream(this.#path);
    file.on('data', (chunk) => {
      this.#done += chunk.length;
    });
    const name = path.basename(this.#path);
    const plain = unpack(file, name);
    if (/\.(tar|tgz|tar\.gz|tar\.xz|txz)$/.test(name)) yield* readTar(plain, wanted);
    else yield { name: name.replace(/\.(xz|gz)$/, ''), bytes: await collect(plain, name) };
  }

  async *#readFolder(wanted: (name: string) => boolean): AsyncGenerator<BundleEntry> {
    const names = await fs.readdir(this.#path, { recursive: true, withFileTypes: true });
    const files = names
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.#path, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
      .filter(wanted)
      .sort();
    this.#total = Math.max(1, files.length);
    for (const name of files) {
      yield { name, bytes: await fs.readFile(path.join(this.#path, name)) };
      this.#done += 1;
    }
  }
}

function unpack(file: Readable, name: string): Readable {
  if (/\.(xz|txz)$/.test(name))
    return Readable.fromWeb(new xz.XzReadableStream(Readable.toWeb(file) as ReadableStream<Uint8Array>) as never);
  if (/\.(gz|tgz)$/.test(name)) return pipeline(file, createGunzip(), () => {});
  return file;
}

async function* readTar(stream: Readable, wanted: (name: string) => boolean): AsyncGenerator<BundleEntry> {
  const tar = extract();
  pipeline(stream, tar, () => {});
  for await (const entry of tar) {
    const { name, type } = entry.header;
    if (type === 'file' && wanted(name)) yield { name, bytes: await collect(entry as unknown as Readable, name) };
    else entry.resume();
  }
}

async function collect(stream: Readable, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ENTRY_BYTES) throw new Error(`${name}: larger than ${MAX_ENTRY_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
