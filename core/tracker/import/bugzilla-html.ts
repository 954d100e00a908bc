import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { buildHistory } from './bugzilla-history.ts';
import { BugzillaNames } from './bugzilla-names.ts';
import { type BugPage, type BugzillaPage, type ChangeSet, readBugzillaPage } from './bugzilla-page.ts';
import { Bundle } from './bundle.ts';
import { decodeText } from './encoding.ts';
import { NoteBook } from './note-book.ts';
import type { SourceItem, SourceNote, SourceReader } from './source.ts';

/** A bug with its history, as it waits in the spool. */
interface SpooledBug {
  readonly file: string;
  readonly bug: BugPage;
  readonly changes: readonly ChangeSet[] | undefined;
  readonly notes: readonly SourceNote[];
}

/** Share of the whole time that parsing takes, about. */
const PARSING = 0.25;

/**
 * Reads a static copy of a Bugzilla site: show_bug.cgi and show_activity.cgi of each bug, under
 * any file names. Two passes, as who is who follows from all bugs together; between them the
 * bugs wait in a temporary file.
 */
export class BugzillaHtmlReader implements SourceReader {
  readonly #bundle: Bundle;
  readonly #names = new BugzillaNames();
  #spool: Spool | undefined;

  constructor(file: string) {
    this.#bundle = new Bundle(file);
  }

  progress(): number {
    return PARSING * this.#bundle.progress() + (1 - PARSING) * (this.#spool?.progress() ?? 0);
  }

  async *read(): AsyncGenerator<SourceItem> {
    const spool = new Spool();
    this.#spool = spool;
    try {
      yield* this.#readPages(spool);
      this.#names.settle();
      for await (const spooled of spool.read()) yield this.#build(spooled);
    } finally {
      spool.remove();
    }
  }

  async *#readPages(spool: Spool): AsyncGenerator<SourceItem> {
    const pairs = new PagePairs();
    for await (const { name: file, bytes } of this.#bundle.read(
      (name) => !/\.(js|css|png|gif|ico|jpe?g)$/i.test(name),
    )) {
      const book = new NoteBook();
      let page: BugzillaPage | undefined;
      try {
        page = readBugzillaPage(decodeText(bytes, book));
      } catch (error) {
        yield { kind: 'refused', file, reason: (error as Error).message };
        continue;
      }
      if (page === undefined) yield { kind: 'skipped', file, reason: 'is no page of a bug or of its activity' };
      else if (!pairs.add(page, file, book.list())) {
        yield { kind: 'refused', file, reason: `shows bug ${page.id}, which was read already` };
      }
      const whole = page && pairs.take(page.id);
      if (whole) this.#keep(spool, whole);
    }
    for (const rest of pairs.takeRest()) {
      if (rest.bug) this.#keep(spool, { ...rest, bug: rest.bug });
      else
        yield { kind: 'skipped', file: rest.file, reason: 'is the activity of a bug whose page is not in the export' };
    }
  }

  #keep(spool: Spool, spooled: SpooledBug): void {
    this.#names.learn(spooled.bug, spooled.changes ?? []);
    spool.add(spooled);
  }

  #build({ file, bug, changes, notes }: SpooledBug): SourceItem {
    const book = new NoteBook();
    for (const { what, count } of notes) book.add(what, count);
    try {
      return { kind: 'issue', issue: buildHistory(bug, changes, this.#names, book), notes: book.list() };
    } catch (error) {
      return { kind: 'refused', file, reason: (error as Error).message };
    }
  }
}

interface HalfBug {
  readonly file: string;
  readonly bug: BugPage | undefined;
  readonly changes: readonly ChangeSet[] | undefined;
  readonly notes: readonly SourceNote[];
}

/** Brings the two pages of each bug together, in whatever order they come. */
class PagePairs {
  readonly #waiting = new Map<string, HalfBug>();
  readonly #done = new Set<string>();

  /** False: such a page of this bug was there before. */
  add(page: BugzillaPage, file: string, notes: readonly SourceNote[]): boolean {
    const known = this.#waiting.get(page.id);
    const isDouble = page.kind === 'bug' ? known?.bug !== undefined : known?.changes !== undefined;
    if (isDouble || this.#done.has(page.id)) return false;
    this.#waiting.set(page.id, {
      file: page.kind === 'bug' ? file : (known?.file ?? file),
      bug: page.kind === 'bug' ? page.bug : known?.bug,
      changes: page.kind === 'activity' ? page.changes : known?.changes,
      notes: [...(known?.notes ?? []), ...notes],
    });
    return true;
  }

  /** A bug whose pages are both there. */
  take(id: string): SpooledBug | undefined {
    const half = this.#waiting.get(id);
    if (!half?.bug || !half.changes) return undefined;
    this.#waiting.delete(id);
    this.#done.add(id);
    return { ...half, bug: half.bug };
  }

  takeRest(): HalfBug[] {
    const rest = [...this.#waiting.values()];
    this.#waiting.clear();
    return rest;
  }
}

/** A temporary file of bugs, so that an export of any size takes little memory. */
class Spool {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'bugless-import-'));
  readonly #file = path.join(this.#folder, 'bugs.jsonl');
  readonly #descriptor = openSync(this.#file, 'w', 0o600);
  #total = 0;
  #done = 0;

  progress(): number {
    return this.#total === 0 ? 0 : this.#done / this.#total;
  }

  add(bug: SpooledBug): void {
    // The reader of lines takes these two characters for line ends; JSON leaves them as they are.
    const json = JSON.stringify(bug).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
    const line = Buffer.from(`${json}\n`);
    for (let start = 0; start < line.length; ) start += writeSync(this.#descriptor, line, start);
    this.#total += 1;
  }

  async *read(): AsyncGenerator<SpooledBug> {
    for await (const line of createInterface({ input: createReadStream(this.#file), crlfDelay: Infinity })) {
      yield JSON.parse(line) as SpooledBug;
      this.#done += 1;
    }
  }

  remove(): void {
    closeSync(this.#descriptor);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
