import { Bundle } from './bundle.ts';
import { decodeText } from './encoding.ts';
import { NoteBook } from './note-book.ts';
import type {
  SourceFields,
  SourceIssue,
  SourceItem,
  SourceNote,
  SourcePerson,
  SourceReader,
  SourceUpdate,
} from './source.ts';

/** What an import from GitHub may choose. */
export interface GitHubOptions {
  /** Import pull requests as issues with the label `pull-request`; else they are skipped. */
  readonly pulls: boolean;
}

/** An issue or pull request, whichever of the two formats it came in. */
export interface GitHubItem {
  readonly number: number;
  readonly repository: string;
  readonly pull: boolean;
  readonly merged: boolean;
  readonly title: string;
  readonly body: string;
  readonly author: string;
  readonly assignees: readonly string[];
  readonly labels: readonly string[];
  readonly milestone: string;
  readonly state: 'open' | 'closed';
  /** `completed`, `not_planned`, `duplicate` or empty. */
  readonly reason: string;
  readonly created: string;
  readonly modified: string;
  readonly closed: string;
  readonly closer: string;
  readonly comments: readonly GitHubComment[];
}

/** A comment, review or review comment. */
export interface GitHubComment {
  readonly author: string;
  readonly created: string;
  readonly body: string;
}

/** GitHub's name for accounts that are gone. */
const GHOST = 'ghost';

/** Reads an export of GitHub: raw REST files, or the archive.json of the IETF's tools. */
export class GitHubReader implements SourceReader {
  readonly #bundle: Bundle;
  readonly #options: GitHubOptions;

  constructor(file: string, options: GitHubOptions) {
    this.#bundle = new Bundle(file);
    this.#options = options;
  }

  progress(): number {
    return this.#bundle.progress();
  }

  async *read(): AsyncGenerator<SourceItem> {
    const parts = new RestParts();
    for await (const entry of this.#bundle.read((name) => /\.(json|404)$/.test(name))) {
      if (entry.name.endsWith('.404')) {
        yield { kind: 'skipped', file: entry.name, reason: 'the export says that it is gone' };
        continue;
      }
      if (entry.name.endsWith('-xrefs.json')) continue;
      let json: unknown;
      const notes = new NoteBook();
      try {
        json = JSON.parse(decodeText(entry.bytes, notes));
      } catch {
        yield { kind: 'refused', file: entry.name, reason: 'is not JSON' };
        continue;
      }
      if (isArchive(json)) {
        for (const item of readArchive(json)) yield this.#convert(item, `${entry.name}#${item.number}`, new NoteBook());
        continue;
      }
      const whole = parts.add(entry.name, json, notes.list());
      if (whole) yield this.#convertRest(whole);
    }
    for (const rest of parts.takeIncomplete()) {
      if (rest.main !== undefined) yield this.#convertRest(rest);
      else yield { kind: 'refused', file: `${rest.name}-comments.json`, reason: 'has no -main.json beside it' };
    }
  }

  #convertRest(rest: RestFiles): SourceItem {
    const book = new NoteBook();
    for (const { what, count } of rest.notes) book.add(what, count);
    const file = `${rest.name}-main.json`;
    let item: GitHubItem;
    try {
      item = readRest(rest, book);
    } catch (error) {
      return { kind: 'refused', file, reason: (error as Error).message };
    }
    return this.#convert(item, file, book);
  }

  #convert(item: GitHubItem, file: string, book: NoteBook): SourceItem {
    if (item.pull && !this.#options.pulls) return { kind: 'skipped', file, reason: 'is a pull request' };
    try {
      return { kind: 'issue', issue: buildIssue(item, book), notes: book.list() };
    } catch (error) {
      return { kind: 'refused', file, reason: (error as Error).message };
    }
  }
}

interface RestFiles {
  readonly name: string;
  main: Json | undefined;
  comments: Json[] | undefined;
  /** What was mended in the files themselves. */
  readonly notes: SourceNote[];
}

/** Brings the files of one item together: in an archive they may come in any order. */
class RestParts {
  readonly #parts = new Map<string, RestFiles>();

  add(file: string, json: unknown, notes: readonly SourceNote[]): RestFiles | undefined {
    const match = /^(.*?)(?:-(main|comments))?\.json$/.exec(file);
    const name = match?.[1] ?? file;
    const part = this.#parts.get(name) ?? { name, main: undefined, comments: undefined, notes: [] };
    part.notes.push(...notes);
    if (match?.[2] === 'comments') part.comments = Array.isArray(json) ? (json as Json[]) : [];
    else part.main = json as Json;
    if (part.main !== undefined && part.comments !== undefined) {
      this.#parts.delete(name);
      return part;
    }
    this.#parts.set(name, part);
    return undefined;
  }

  takeIncomplete(): RestFiles[] {
    const rest = [...this.#parts.values()];
    this.#parts.clear();
    return rest;
  }
}

type Json = { readonly [key: string]: unknown };

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function login(value: unknown): string {
  return text((value as Json | null)?.['login']) || GHOST;
}

function readRest(rest: RestFiles, book: NoteBook): GitHubItem {
  const main = rest.main!;
  const number = main['number'];
  if (!Number.isSafeInteger(number) || (number as number) < 1) throw new Error('has no issue number');
  const url = text(main['html_url']);
  const match = /^https?:\/\/[^/]+\/([^/]+\/[^/]+)\/(?:issues|pull)\/(\d+)/.exec(url);
  const fileNumber = /(\d+)$/.exec(rest.name)?.[1];
  if (fileNumber !== undefined && Number(fileNumber) !== number) {
    throw new Error(
      `was moved to ${match?.[1] ?? 'another repository'}#${String(number)}: the file holds another issue`,
    );
  }
  const comments = rest.comments ?? [];
  if (typeof main['comments'] === 'number' && main['comments'] !== comments.length) {
    book.add('issues whose number of comments differs from the count that the export states');
  }
  const milestone = main['milestone'] as Json | null | undefined;
  const assignees = Array.isArray(main['assignees']) ? (main['assignees'] as unknown[]) : [];
  const single = main['assignee'] ? [main['assignee']] : [];
  const pull = main['pull_request'] as Json | undefined;
  return {
    number: number as number,
    repository: match?.[1] ?? 'github',
    pull: pull !== undefined,
    merged: text(pull?.['merged_at']) !== '',
    title: text(main['title']),
    body: text(main['body']),
    author: login(main['user']),
    assignees: (assignees.length > 0 ? assignees : single).map(login),
    labels: ((main['labels'] as unknown[] | undefined) ?? []).map((label) =>
      typeof label === 'string' ? label : text((label as Json)['name']),
    ),
    milestone: text(milestone?.['title']),
    state: main['state'] === 'open' ? 'open' : 'closed',
    reason: text(main['state_reason']),
    created: text(main['created_at']),
    modified: text(main['updated_at']),
    closed: text(main['closed_at']),
    closer: main['closed_by'] ? login(main['closed_by']) : '',
    comments: comments.map((comment) => ({
      author: login(comment['user']),
      created: text(comment['created_at']),
      body: text(comment['body']),
    })),
  };
}

interface Archive extends Json {
  readonly repo: string;
  readonly issues: Json[];
  readonly pulls: Json[];
}

/** The mark that the archive's tool writes into each file. */
const ARCHIVE_MAGIC = 'E!vIA5L86J2I';

function isArchive(json: unknown): json is Archive {
  return (json as Json | null)?.['magic'] === ARCHIVE_MAGIC;
}

function* readArchive(archive: Archive): Generator<GitHubItem> {
  for (const issue of archive.issues ?? []) yield readArchiveItem(archive.repo, issue, false);
  for (const pull of archive.pulls ?? []) yield readArchiveItem(archive.repo, pull, true);
}

function readArchiveItem(repository: string, item: Json, pull: boolean): GitHubItem {
  const comment = (value: Json): GitHubComment => ({
    author: text(value['author']) || GHOST,
    created: text(value['createdAt']),
    body: text(value['body']),
  });
  const comments = ((item['comments'] as Json[] | undefined) ?? []).map(comment);
  for (const review of (item['reviews'] as Json[] | undefined) ?? []) {
    comments.push(comment(review), ...((review['comments'] as Json[] | undefined) ?? []).map(comment));
  }
  comments.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
  return {
    number: Number(item['number']),
    repository,
    pull,
    merged: text(item['mergedAt']) !== '',
    title: text(item['title']),
    body: text(item['body']),
    author: text(item['author']) || GHOST,
    assignees: ((item['assignees'] as unknown[] | undefined) ?? []).map(text).filter((name) => name !== ''),
    labels: ((item['labels'] as unknown[] | undefined) ?? []).map(text),
    milestone: '',
    state: item['state'] === 'OPEN' ? 'open' : 'closed',
    reason: '',
    created: text(item['createdAt']),
    modified: text(item['updatedAt']),
    closed: text(item['mergedAt']) || text(item['closedAt']),
    closer: text(item['mergedBy']),
    comments,
  };
}

function buildIssue(item: GitHubItem, book: NoteBook): SourceIssue {
  if (!Number.isSafeInteger(item.number) || item.number < 1) throw new Error('has no issue number');
  const created = readTime(item.created, 'created_at');
  const labels = item.labels.map((label) => book.cleanLabel(label)).filter((label) => label !== '');
  const isFeature = item.labels.some((label) => /enhancement|feature/i.test(label));
  const assignees = item.assignees.map(person);
  const filed: SourceFields = {
    title: book.cleanTitle(item.title),
    component: [item.repository],
    type: isFeature ? 'feature_request' : 'bug',
    priority: readPriority(item.labels),
    severity: 's2',
    status: assignees.length > 0 ? 'assigned' : 'new',
    assignee: assignees[0],
    verifier: undefined,
    collaborators: assignees.slice(1),
    cc: [],
    labels: book.limitList('labels', item.pull ? ['pull-request', ...labels] : labels, 50),
    foundIn: [],
    targetedTo: item.milestone === '' ? [] : [book.cleanVersion(item.milestone)],
    accessLimit: 'default',
    customFields: {},
  };
  const final = item.state === 'open' ? filed : { ...filed, status: closedStatus(item) };
  const updates = orderUpdates(item, created, filed, final, book);
  return {
    key: String(item.number),
    reporter: person(item.author),
    created,
    modified: [item.modified, updates.at(-1)!.created].map((time) => readTime(time, 'updated_at')).sort()[1]!,
    fields: final,
    updates,
    links: [],
  };
}

function orderUpdates(
  item: GitHubItem,
  created: string,
  filed: SourceFields,
  final: SourceFields,
  book: NoteBook,
): SourceUpdate[] {
  const rest: SourceUpdate[] = [];
  if (item.body === '') book.add('missing descriptions left empty');
  const [description, ...continued] = book.splitComment(item.body);
  const say = (author: string, time: string, comment: string): SourceUpdate => ({
    author: person(author),
    created: time,
    comment,
    restricted: false,
    state: undefined,
  });
  for (const piece of continued) rest.push(say(item.author, created, piece));
  for (const comment of item.comments) {
    if (comment.body === '') {
      book.add('empty comments left out');
      continue;
    }
    const time = readTime(comment.created, 'created_at of a comment');
    for (const piece of book.splitComment(comment.body)) rest.push(say(comment.author, time, piece));
  }
  if (final !== filed) {
    const closed = readTime(item.closed || item.modified, 'closed_at');
    // After what was said in the same second: people comment, then close.
    rest.push({ ...say(item.closer || GHOST, closed, ''), state: final });
  }
  rest.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
  // No update is older than the creation, whatever the clocks said.
  return [
    { ...say(item.author, created, description ?? ''), state: filed },
    ...rest.map((update) => (update.created < created ? { ...update, created } : update)),
  ];
}

function closedStatus(item: GitHubItem): string {
  if (item.pull) return item.merged ? 'fixed' : 'obsolete';
  // A duplicate whose canonical issue the export does not name cannot be one here.
  if (item.reason === 'not_planned' || item.reason === 'duplicate') return 'obsolete';
  return 'fixed';
}

/** Labels such as `P-high`, `P1`, `priority: 0`. */
function readPriority(labels: readonly string[]): string {
  for (const label of labels) {
    const digit = /^(?:p|priority)[-: ]*([0-4])$/i.exec(label)?.[1];
    if (digit !== undefined) return `p${digit}`;
    if (/^(?:p|priority)[-: ]+(?:critical|urgent)$/i.test(label)) return 'p0';
    if (/^(?:p|priority)[-: ]+high$/i.test(label)) return 'p1';
    if (/^(?:p|priority)[-: ]+low$/i.test(label)) return 'p3';
  }
  return 'p2';
}

function person(name: string): SourcePerson {
  return { key: name, displayName: name, email: '' };
}

function readTime(value: string, name: string): string {
  const time = new Date(value);
  if (value === '' || Number.isNaN(time.getTime())) throw new Error(`${name}: ${JSON.stringify(value)} is no time`);
  return time.toISOString();
}
