import { SaxesParser } from 'saxes';
import {
  type BugzillaState,
  buildFields,
  CUSTOM_NAMES,
  readTime,
  splitList,
  splitTags,
  UNKNOWN,
} from './bugzilla-fields.ts';
import { Bundle } from './bundle.ts';
import { decodeText } from './encoding.ts';
import { NoteBook } from './note-book.ts';
import type { SourceIssue, SourceItem, SourcePerson, SourceReader, SourceUpdate } from './source.ts';

/** An element of a Bugzilla export: its text, attributes and children by name. */
interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
  readonly children: Element[];
}

/**
 * Reads Bugzilla's own XML (show_bug.cgi?ctype=xml): one file per bug, or many bugs in a
 * `<bugzilla>` root. The format has no change history, so each issue is created as it was filed as
 * far as the export tells, and takes its last state in one more update at its last change.
 */
export class BugzillaXmlReader implements SourceReader {
  readonly #bundle: Bundle;

  constructor(file: string) {
    this.#bundle = new Bundle(file);
  }

  progress(): number {
    return this.#bundle.progress();
  }

  async *read(): AsyncGenerator<SourceItem> {
    for await (const entry of this.#bundle.read((name) => name.endsWith('.xml'))) {
      let bugs: Element[];
      const book = new NoteBook();
      try {
        // Before parsing: XML allows no NUL.
        bugs = parseBugs(book.cleanText(decodeText(entry.bytes, book)));
      } catch (error) {
        yield { kind: 'refused', file: entry.name, reason: (error as Error).message };
        continue;
      }
      if (bugs.length === 0) yield { kind: 'refused', file: entry.name, reason: 'holds no <bug>' };
      for (const [index, bug] of bugs.entries()) yield readBug(bug, entry.name, index === 0 ? book : new NoteBook());
    }
  }
}

/** Characters that XML 1.0 forbids, and references to them; exports hold them all the same. */
const FORBIDDEN = new RegExp(
  '[\\u0001-\\u0008\\u000B\\u000C\\u000E-\\u001F\\uFFFE\\uFFFF]' +
    '|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));',
  'gi',
);

function parseBugs(xml: string): Element[] {
  const bugs: Element[] = [];
  const stack: Element[] = [];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw new Error(`is not well-formed XML: ${error.message}`);
  });
  parser.on('opentag', (tag) => {
    const element = { name: tag.name, attributes: tag.attributes, text: '', children: [] };
    stack.at(-1)?.children.push(element);
    stack.push(element);
  });
  const addText = (text: string) => {
    const top = stack.at(-1);
    if (top) top.text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => {
    const element = stack.pop();
    if (element?.name === 'bug') bugs.push(element);
  });
  parser.write(xml.replace(FORBIDDEN, '\uFFFD')).close();
  return bugs;
}

function readBug(bug: Element, file: string, book: NoteBook): SourceItem {
  const key = childText(bug, 'bug_id');
  const error = bug.attributes['error'];
  if (error !== undefined) return { kind: 'skipped', file, reason: `the export says ${error}` };
  if (!/^[1-9][0-9]*$/.test(key)) return { kind: 'refused', file, reason: 'has no bug_id' };
  try {
    return { kind: 'issue', issue: buildIssue(bug, key, book), notes: book.list() };
  } catch (cause) {
    return { kind: 'refused', file, reason: (cause as Error).message };
  }
}

function buildIssue(bug: Element, key: string, book: NoteBook): SourceIssue {
  const createdText = childText(bug, 'creation_ts');
  const created = readTime(createdText);
  if (created === undefined) {
    throw new Error(`creation_ts: ${JSON.stringify(createdText)} is no time like 2009-09-23 16:51:00 +0200`);
  }
  const reporter = readPerson(bug.children.find((child) => child.name === 'reporter'));
  const state: BugzillaState = {
    summary: childText(bug, 'short_desc'),
    product: childText(bug, 'product'),
    component: childText(bug, 'component'),
    status: childText(bug, 'bug_status'),
    resolution: childText(bug, 'resolution'),
    priority: childText(bug, 'priority'),
    severity: childText(bug, 'bug_severity'),
    assignee: readOptionalPerson(bug.children.find((child) => child.name === 'assigned_to')),
    qaContact: readOptionalPerson(bug.children.find((child) => child.name === 'qa_contact')),
    cc: bug.children.filter((child) => child.name === 'cc' && child.text.trim() !== '').map(readPerson),
    keywords: [...childTexts(bug, 'keywords').flatMap(splitList), ...childTexts(bug, 'cf_tags').flatMap(splitTags)],
    version: childText(bug, 'version'),
    milestone: childText(bug, 'target_milestone'),
    restricted: bug.children.some((child) => child.name === 'group'),
    others: readOthers(bug),
  };
  const final = buildFields(state, book);
  const tooLong = book.takeLongValues(final.customFields);
  const updates = readComments(bug, reporter, created, book);
  // Before all others: it stood there when the bug was filed, as far as the export tells.
  updates.splice(
    1,
    0,
    ...tooLong.map((comment) => ({ author: reporter, created, comment, restricted: false, state: undefined })),
  );
  const modified = laterTime(readTime(childText(bug, 'delta_ts')) ?? created, updates.at(-1)!.created);
  const filed = buildFields({ ...state, status: 'NEW', resolution: '' }, new NoteBook());
  new NoteBook().takeLongValues(filed.customFields);
  updates[0] = { ...updates[0]!, state: filed };
  if (final.status !== filed.status) {
    updates.push({ author: UNKNOWN, created: modified, comment: '', restricted: false, state: final });
  } else {
    updates[0] = { ...updates[0]!, state: final };
  }
  book.add('attachments left out', bug.children.filter((child) => child.name === 'attachment').length);
  book.add('flags left out', bug.children.filter((child) => child.name === 'flag').length);
  return {
    key,
    reporter,
    created,
    modified,
    fields: final,
    updates,
    links: [
      ...childTexts(bug, 'dependson')
        .flatMap(splitList)
        .map((other) => ({ field: 'blocked_by' as const, key: other })),
      ...childTexts(bug, 'dup_id')
        .flatMap(splitList)
        .map((other) => ({ field: 'duplicate_of' as const, key: other })),
    ],
  };
}

function readComments(bug: Element, reporter: SourcePerson, created: string, book: NoteBook): SourceUpdate[] {
  const updates: SourceUpdate[] = [];
  for (const description of bug.children.filter((child) => child.name === 'long_desc')) {
    const who = description.children.find((child) => child.name === 'who');
    const first = updates.length === 0;
    const time = readTime(childText(description, 'bug_when'));
    if (!first && time === undefined) book.add('comments without a time dated as the one before');
    if (!first && !who) book.add('comments without an author');
    const pieces = book.splitComment(childText(description, 'thetext', false));
    if (!first && pieces[0] === '') {
      book.add('empty comments left out');
      continue;
    }
    if (pieces[0] === '') book.add('descriptions that are empty');
    for (const comment of pieces) {
      updates.push({
        author: updates.length === 0 ? reporter : readPerson(who),
        created: updates.length === 0 ? created : laterTime(time ?? created, updates.at(-1)!.created),
        comment,
        restricted: description.attributes['isprivate'] === '1',
        state: undefined,
      });
    }
  }
  if (updates.length > 0) return updates;
  book.add('missing descriptions left empty');
  return [{ author: reporter, created, comment: '', restricted: false, state: undefined }];
}

function readOthers(bug: Element): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const child of bug.children) {
    const name = CUSTOM_NAMES[child.name] ?? (/^cf_(?!tags$)/.test(child.name) ? child.name.slice(3) : undefined);
    const value = child.text.trim();
    if (name === undefined || value === '') continue;
    fields[name] = fields[name] === undefined ? value : `${fields[name]} ${value}`;
  }
  return fields;
}

function readPerson(element: Element | undefined): SourcePerson {
  return readOptionalPerson(element) ?? UNKNOWN;
}

function readOptionalPerson(element: Element | undefined): SourcePerson | undefined {
  const key = element?.text.trim() ?? '';
  if (!element || key === '') return undefined;
  const displayName = element.attributes['name']?.trim() || key;
  return { key, displayName, email: key.includes('@') ? key : '' };
}

function laterTime(a: string, b: string): string {
  return a > b ? a : b;
}

function childTexts(element: Element, name: string): string[] {
  return element.children.filter((child) => child.name === name).map((child) => child.text.trim());
}

function childText(element: Element, name: string, trim = true): string {
  const text = element.children.find((child) => child.name === name)?.text ?? '';
  return trim ? text.trim() : text;
}
