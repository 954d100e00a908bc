import type { SourceIssue, SourceNote } from './source.ts';

/** At most so many refusals and disagreements are named one by one on a terminal. */
const MAX_NAMED = 50;

/** What an import read, wrote and could not read. */
export class ImportReport {
  /** Issues read whole. */
  read = 0;
  /** Comments in them, descriptions included. */
  comments = 0;
  /** Issues written now. */
  created = 0;
  /** Issues that were there with the same content. */
  unchanged = 0;
  /** Issues that were there and have changed at the source since: left as they are here. */
  changed = 0;
  /** Users made or found for the people of the source. */
  people = 0;
  /** Components made. */
  components = 0;
  readonly refused: { readonly file: string; readonly reason: string }[] = [];
  /** Where the source contradicts itself on an issue that was read all the same. */
  readonly disagreements: { readonly key: string; readonly what: string }[] = [];
  readonly #skipped = new Map<string, number>();
  readonly #notes = new Map<string, number>();

  /** Nothing was met, good or bad. */
  isEmpty(): boolean {
    return this.read === 0 && this.refused.length === 0 && this.#skipped.size === 0;
  }

  /** Counts an entry that rightly holds nothing to import. */
  skip(reason: string): void {
    this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
  }

  /** Counts what was mended or left out. */
  note(notes: readonly SourceNote[]): void {
    for (const note of notes) this.#notes.set(note.what, (this.#notes.get(note.what) ?? 0) + note.count);
  }

  /** Notes where the source contradicts itself. */
  disagree({ key, disagreements = [] }: SourceIssue): void {
    for (const what of disagreements) this.disagreements.push({ key, what });
  }

  /** The report as lines for people. `seconds` is how long the run took; `whole` names every refusal and disagreement. */
  format(seconds: number, dryRun: boolean, whole = false): string {
    const rate = seconds > 0 ? Math.round(this.read / seconds) : 0;
    const lines = [
      dryRun ? 'Dry run: nothing was written.' : 'Import finished.',
      line(this.read, `issues read, with ${this.comments.toLocaleString('en')} comments and descriptions`),
      line(this.created, dryRun ? 'would be written' : 'written'),
      line(this.unchanged, 'were there already, unchanged'),
    ];
    if (this.changed > 0) lines.push(line(this.changed, 'were there already and differ from the source: left alone'));
    lines.push(line(this.refused.length, 'refused'));
    for (const [reason, count] of this.#skipped) lines.push(line(count, `skipped: ${reason}`));
    lines.push(line(this.people, 'people'), line(this.components, dryRun ? 'components missing' : 'components made'));
    for (const [what, count] of this.#notes) lines.push(line(count, what));
    if (this.disagreements.length > 0) {
      const issues = new Set(this.disagreements.map(({ key }) => key)).size;
      lines.push(line(issues, 'issues on which the source contradicts itself: the last state shown was taken'));
    }
    lines.push(
      ...limit(
        this.refused.map(({ file, reason }) => `  refused ${file}: ${reason}`),
        whole,
      ),
      ...limit(
        this.disagreements.map(({ key, what }) => `  issue ${key}: ${what}`),
        whole,
      ),
    );
    lines.push(`${seconds.toFixed(1)} s, ${rate.toLocaleString('en')} issues/s`);
    return lines.join('\n');
  }
}

function line(count: number, what: string): string {
  return `${count.toLocaleString('en').padStart(9)} ${what}`;
}

function limit(lines: readonly string[], whole: boolean): readonly string[] {
  if (whole || lines.length <= MAX_NAMED) return lines;
  return [...lines.slice(0, MAX_NAMED), `  … and ${lines.length - MAX_NAMED} more: --report FILE names all`];
}
