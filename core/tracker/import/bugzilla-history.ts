/** Turns a bug's page and its log of changes into an issue with its whole history. Pure. */
import { type BugzillaState, buildFields, CUSTOM_NAMES, splitTags, UNKNOWN } from './bugzilla-fields.ts';
import type { BugzillaNames } from './bugzilla-names.ts';
import type { BugPage, ChangeSet, PageComment } from './bugzilla-page.ts';
import { formatValues, type RawChange, RawHistory, type RawSet, type RawState } from './bugzilla-raw.ts';
import { NoteBook } from './note-book.ts';
import type { SourceFields, SourceIssue, SourcePerson, SourceUpdate } from './source.ts';

/** Bugzilla's own names of fields by their label in English; those of custom fields stand on the page. */
const LABELS: Readonly<Record<string, string>> = {
  Summary: 'short_desc',
  Status: 'bug_status',
  Resolution: 'resolution',
  Assignee: 'assigned_to',
  AssignedTo: 'assigned_to',
  'QA Contact': 'qa_contact',
  QAContact: 'qa_contact',
  Priority: 'priority',
  Severity: 'bug_severity',
  Product: 'product',
  Component: 'component',
  Version: 'version',
  'Target Milestone': 'target_milestone',
  CC: 'cc',
  Keywords: 'keywords',
  'Depends on': 'dependson',
  'Depends On': 'dependson',
  Blocks: 'blocked',
  Hardware: 'rep_platform',
  Platform: 'rep_platform',
  OS: 'op_sys',
  'OS/Version': 'op_sys',
  URL: 'bug_file_loc',
  Whiteboard: 'status_whiteboard',
  'Status Whiteboard': 'status_whiteboard',
  Alias: 'alias',
  'See Also': 'see_also',
  Classification: 'classification',
  Group: 'bug_group',
  Tags: 'cf_tags',
};

/** Labels of changes that no field of an issue can hold, and what the report says of them. */
const LEFT_OUT: readonly (readonly [RegExp, string])[] = [
  [/^Comment #?\d+ is private$/i, 'changes of who sees a comment left out'],
  [/^Comment #?\d+ Tag$/i, 'changes of tags of comments left out'],
  [/^Attachment #?\d+ /i, 'changes of attachments left out'],
  [/^Flags?$/i, 'changes of flags left out'],
];

const PERSON_FIELDS: ReadonlySet<string> = new Set(['assigned_to', 'qa_contact', 'cc']);

/** Fields that are one of ours; all others are custom fields. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  ...PERSON_FIELDS,
  ...['short_desc', 'bug_status', 'resolution', 'priority', 'bug_severity', 'product', 'component'],
  ...['version', 'target_milestone', 'keywords', 'cf_tags'],
]);

/** Custom fields that keep what references and groups were called there. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  ...CUSTOM_NAMES,
  dependson: 'depends_on',
  blocked: 'blocks',
  bug_group: 'group',
};

/** Builds the issue. `changes` is undefined where the export has no history of the bug. */
export function buildHistory(
  bug: BugPage,
  changes: readonly ChangeSet[] | undefined,
  names: BugzillaNames,
  book: NoteBook,
): SourceIssue {
  return new HistoryBuilder(bug, names, book).build(changes);
}

class HistoryBuilder {
  readonly #bug: BugPage;
  readonly #names: BugzillaNames;
  readonly #book: NoteBook;
  /** By their key, which stands for them in raw states. */
  readonly #people = new Map<string, SourcePerson>();

  constructor(bug: BugPage, names: BugzillaNames, book: NoteBook) {
    this.#bug = bug;
    this.#names = names;
    this.#book = book;
  }

  build(changes: readonly ChangeSet[] | undefined): SourceIssue {
    const bug = this.#bug;
    if (changes === undefined) this.#book.add('bugs without a history in the export');
    const history = new RawHistory(this.#readShown(), this.#readSets(changes ?? []));
    const final = this.#buildFields(history.end, this.#book);
    const reporter = this.#names.getByName(bug.reporter);
    const updates = this.#startUpdates(reporter, this.#buildFields(history.start, new NoteBook()));
    for (const comment of this.#book.takeLongValues(final.customFields)) {
      updates.push({ author: reporter, created: updates[0]!.created, comment, restricted: false, state: undefined });
    }
    this.#addEvents(updates, history);
    if (history.disagreements.length > 0) {
      const created = laterTime(updates.at(-1)!.created, bug.modified);
      updates.push({ author: UNKNOWN, created, comment: '', restricted: false, state: final, silent: true });
    }
    this.#book.add('attachments left out', bug.attachments);
    const duplicates = bug.duplicateOf === '' ? [] : [bug.duplicateOf];
    return {
      key: bug.id,
      reporter,
      created: updates[0]!.created,
      modified: laterTime(bug.modified, updates.at(-1)!.created),
      fields: final,
      updates,
      links: [
        ...(bug.fields['dependson'] ?? []).map((key) => ({ field: 'blocked_by' as const, key })),
        ...duplicates.map((key) => ({ field: 'duplicate_of' as const, key })),
      ],
      disagreements: history.disagreements,
    };
  }

  /** What the page shows, in the form of the log: unset values are no values, people their keys. */
  #readShown(): RawState {
    const { fields, assignee, qaContact } = this.#bug;
    const shown: RawState = new Map();
    for (const [field, values] of Object.entries(fields)) {
      const known = values.filter((value) => !isUnset(value));
      shown.set(field, field === 'cc' ? known.map((login) => this.#meet(this.#names.getByLogin(login))) : known);
    }
    if (assignee) shown.set('assigned_to', [this.#meet(this.#names.getByName(assignee))]);
    if (qaContact) shown.set('qa_contact', [this.#meet(this.#names.getByName(qaContact))]);
    return shown;
  }

  #readSets(changes: readonly ChangeSet[]): RawSet[] {
    const lastAssignee = changes
      .flatMap(({ rows }) => rows.filter((row) => this.#getField(row.label) === 'assigned_to'))
      .at(-1);
    return changes.map(({ who, when, rows }) => ({
      who,
      when,
      changes: rows.flatMap((row): RawChange[] => {
        const reason = LEFT_OUT.find(([pattern]) => pattern.test(row.label))?.[1];
        if (reason !== undefined) {
          this.#book.add(reason);
          return [];
        }
        const field = this.#getField(row.label);
        const added = this.#readValues(field, row.added);
        // The log has the login of then, the page the name of now: the same person, if nothing speaks against it.
        const { assignee } = this.#bug;
        if (row === lastAssignee && assignee && this.#names.mayBeAssignee(assignee, row.added)) {
          added.splice(0, 1, this.#meet(this.#names.getByName(assignee)));
        }
        return [{ field, label: row.label, removed: this.#readValues(field, row.removed), added }];
      }),
    }));
  }

  #getField(label: string): string {
    const known = this.#bug.labels[label] ?? LABELS[label];
    return (
      known ??
      label
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '_')
        .replace(/^_|_$/g, '')
        .slice(0, 64)
    );
  }

  #readValues(field: string, text: string): string[] {
    const values = RawHistory.isList(field) ? text.split(/, */) : [text];
    const known = values.map((value) => value.trim()).filter((value) => !isUnset(value));
    return PERSON_FIELDS.has(field) ? known.map((login) => this.#meet(this.#names.getByLogin(login))) : known;
  }

  #meet(person: SourcePerson): string {
    this.#people.set(person.key, person);
    return person.key;
  }

  #buildFields(raw: RawState, book: NoteBook): SourceFields {
    const text = (field: string): string => formatValues(raw.get(field) ?? []);
    const person = (field: string): SourcePerson | undefined => this.#people.get(raw.get(field)?.[0] ?? '');
    const others: Record<string, string> = {};
    for (const [field, values] of raw) {
      if (!OWN_FIELDS.has(field)) others[OTHER_NAMES[field] ?? field.replace(/^cf_/, '')] = formatValues(values);
    }
    const state: BugzillaState = {
      summary: text('short_desc'),
      product: text('product'),
      component: text('component'),
      status: text('bug_status'),
      resolution: text('resolution'),
      priority: text('priority'),
      severity: text('bug_severity'),
      assignee: person('assigned_to'),
      qaContact: person('qa_contact'),
      cc: (raw.get('cc') ?? []).flatMap((key) => this.#people.get(key) ?? []),
      keywords: [...(raw.get('keywords') ?? []), ...splitTags(text('cf_tags'))],
      version: text('version'),
      milestone: text('target_milestone'),
      restricted: (raw.get('bug_group') ?? []).length > 0,
      others,
    };
    return buildFields(state, book);
  }

  /** The creation, and what of the description does not fit into it. */
  #startUpdates(author: SourcePerson, state: SourceFields): SourceUpdate[] {
    const { comments } = this.#bug;
    const description = comments.find(({ number }) => number === 0);
    if (!description) this.#book.add('descriptions withheld by the export left empty');
    const withheld = (comments.at(-1)?.number ?? 0) + 1 - comments.length;
    this.#book.add('comments withheld by the export', withheld - (description ? 0 : 1));
    const created = description?.created ?? this.#bug.created;
    const restricted = description?.restricted ?? false;
    return this.#book
      .splitComment(description?.text ?? '')
      .map((comment, index) => ({ author, created, comment, restricted, state: index === 0 ? state : undefined }));
  }

  /** Comments and changes by time. What one person sent at one time is one update. */
  #addEvents(updates: SourceUpdate[], history: RawHistory): void {
    const created = updates[0]!.created;
    const comments = this.#bug.comments.filter(({ number }) => number !== 0);
    const steps = [...history.walk()];
    const merged = new Set<RawSet>();
    const events: SourceUpdate[] = [];
    for (const comment of comments) {
      const step = steps.find(({ set }) => set.when === comment.created && !merged.has(set));
      const mine = step && this.#names.isSame(comment.author, step.set.who) ? step : undefined;
      if (mine) merged.add(mine.set);
      events.push(...this.#buildComment(comment, mine?.state));
    }
    for (const { set, state } of steps) {
      if (merged.has(set) || set.changes.length === 0) continue;
      const author = this.#names.getByLogin(set.who);
      const fields = this.#buildFields(state, new NoteBook());
      events.push({ author, created: set.when, comment: '', restricted: false, state: fields });
    }
    // The sort keeps what was said before what was changed in the same second.
    events.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
    for (const event of events) updates.push(event.created < created ? { ...event, created } : event);
  }

  #buildComment(comment: PageComment, state: RawState | undefined): SourceUpdate[] {
    const pieces = this.#book.splitComment(comment.text);
    if (pieces[0] === '' && !state) {
      this.#book.add('empty comments left out');
      return [];
    }
    const fields = state && this.#buildFields(state, new NoteBook());
    return pieces.map((piece, index) => ({
      author: this.#names.getByName(comment.author),
      created: comment.created,
      comment: piece,
      restricted: comment.restricted,
      state: index === 0 ? fields : undefined,
    }));
  }
}

function isUnset(value: string): boolean {
  return value === '' || value === '---';
}

function laterTime(a: string, b: string): string {
  return a > b ? a : b;
}
