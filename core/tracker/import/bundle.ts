import { createReadStream, promises as fs, readFileSync, type Stats } from 'node:fs';
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

/** Looks whether an export is there. Rejects with one clear line when it is not. */
export async function statBundle(file: string): Promise<Stats> {
  try {
    return await fs.stat(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${file}: ${code === 'ENOENT' ? 'no such file or folder' : describe(error as Error)}`);
  }
}

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
    const stat = await statBundle(this.#path);
    if (stat.isDirectory()) yield* this.#readFolder(wanted);
    else yield* this.#readFile(stat.size, wanted);
  }

  async *#readFile(size: number, wanted: (name: string) => boolean): AsyncGenerator<BundleEntry> {
    this.#total = Math.max(1, size);
    const file = createReadStream(this.#path);
    file.on('data', (chunk) => {
      this.#done += chunk.length;
    });
    const name = path.basename(this.#path);
    const plain = unpack(file, name);
    const entries = /\.(tar|tgz|tar\.gz|tar\.xz|txz)$/.test(name) ? readTar(plain, wanted) : readPlain(plain, name);
    for (;;) {
      let next: IteratorResult<BundleEntry>;
      try {
        next = await entries.next();
      } catch (error) {
        throw new Error(`${this.#path}: cannot be read to its end: ${describe(error as Error)}`);
      }
      if (next.done) return;
      yield next.value;
    }
  }

  async *#readFolder(wanted: (name: string) => boolean): AsyncGenerator<BundleEntry> {
    const names = await fs.readdir(this.#path, { recursive: true, withFileTypes: true });
    const files = names
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => path.relative(this.#path, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
      .filter(wanted)
      .sort();
    this.#total = Math.max(1, files.length);
    for (const name of files) {
      let bytes: Buffer;
      try {
        // Many small files, one after another: waiting for each costs more than reading it.
        bytes = readFileSync(path.join(this.#path, name));
      } catch (error) {
        throw new Error(`${path.join(this.#path, name)}: ${describe(error as Error)}`);
      }
      yield { name, bytes };
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

async function* readPlain(stream: Readable, name: string): AsyncGenerator<BundleEntry> {
  yield { name: name.replace(/\.(xz|gz)$/, ''), bytes: await collect(stream, name) };
}

/** An error of the system or of an unpacker in a few words. */
function describe(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'ENOENT') return 'is a link to nowhere';
  return code === undefined ? error.message : `${code}: ${error.message}`;
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
