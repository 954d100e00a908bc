import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedError } from './error.ts';
import { identifyProcess, isSameProcess, type ProcessIdentity } from './process.ts';

interface LockContent {
  /** Who may use the folder. */
  owner: ProcessIdentity;
  /** Who stops PostgreSQL when the owner dies; the folder is free only after that. */
  supervisor?: ProcessIdentity;
}

/** The claim of one process on a data folder. */
export interface FolderLock {
  /** Names the supervisor, whose end a successor waits for. */
  setSupervisor(pid: number): void;
  release(): void;
}

/** Longer than a supervisor takes to stop PostgreSQL by force. */
const STOPPING_MILLIS = 30_000;
/** A lock file without content is being written, for at most so long. */
const WRITING_MILLIS = 2_000;

/**
 * Claims the folder by a lock file. A file whose owner is dead is cleaned away;
 * while the dead owner's supervisor still stops PostgreSQL, waits for it.
 *
 * @throws EmbeddedError FOLDER_IN_USE naming folder and owner, FOLDER_UNUSABLE when the file cannot be written.
 */
export async function lockFolder(folder: string, file: string): Promise<FolderLock> {
  const content: LockContent = { owner: identifyProcess(process.pid) };
  const until = Date.now() + STOPPING_MILLIS;
  while (!tryCreate(folder, file, content)) {
    const text = readText(file);
    if (text === undefined) continue;
    const other = parseContent(text);
    if (!other) {
      if (ageOf(file) > WRITING_MILLIS) discard(file, text);
      else await sleep(20);
    } else if (isSameProcess(other.owner)) {
      throw inUse(folder, other.owner.pid);
    } else if (other.supervisor && isSameProcess(other.supervisor)) {
      if (Date.now() > until) throw inUse(folder, other.supervisor.pid);
      await sleep(20);
    } else {
      discard(file, text);
    }
  }
  return {
    setSupervisor(pid) {
      content.supervisor = identifyProcess(pid);
      const next = `${file}.${randomUUID()}`;
      writeFileSync(next, JSON.stringify(content), { mode: 0o644 });
      renameSync(next, file);
    },
    release() {
      rmSync(file, { force: true });
    },
  };
}

function inUse(folder: string, pid: number): EmbeddedError {
  return new EmbeddedError(
    'FOLDER_IN_USE',
    `the data folder ${folder} is already in use by process ${pid}: stop that process, choose another data folder, ` +
      'or let both use one external PostgreSQL by its URL (plugins in processes of their own cannot share an embedded one)',
  );
}

function tryCreate(folder: string, file: string, content: LockContent): boolean {
  try {
    writeFileSync(file, JSON.stringify(content), { flag: 'wx', mode: 0o644 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new EmbeddedError(
      'FOLDER_UNUSABLE',
      `the data folder ${folder} cannot be written: let the user that runs Bugless write there, or choose another data folder`,
      { cause: error },
    );
  }
}

/** Two successors may find the same dead lock: only the one whose rename catches what it read has cleaned it. */
function discard(file: string, expected: string): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readText(aside) === expected) rmSync(aside, { force: true });
  else renameSync(aside, file);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function parseContent(text: string): LockContent | undefined {
  try {
    const content = JSON.parse(text) as LockContent;
    return typeof content.owner.pid === 'number' ? content : undefined;
  } catch {
    return undefined;
  }
}

function ageOf(file: string): number {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
