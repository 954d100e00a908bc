/** Reads the two pages that a Bugzilla site has of each bug, as static copies hold them. Pure. */
import { readTime } from './bugzilla-fields.ts';
import { findClass, findNext, type HtmlElement, HtmlPage, listTags, readRawText, readText } from './html-page.ts';

/** Somebody on a page: a display name, or the login of those who have none. */
export interface PageName {
  readonly text: string;
  readonly isLogin: boolean;
}

/** A comment; number 0 is the description. */
export interface PageComment {
  readonly number: number;
  readonly author: PageName;
  readonly created: string;
  readonly text: string;
  readonly restricted: boolean;
}

/** What show_bug.cgi shows of a bug. */
export interface BugPage {
  readonly id: string;
  readonly reporter: PageName;
  /** To the minute. */
  readonly created: string;
  readonly modified: string;
  readonly assignee: PageName | undefined;
  readonly qaContact: PageName | undefined;
  /** Values by Bugzilla's own field name; a list's elements apart. Absent: the page does not show it. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
  /** Field names by the label that the page, and so the history, gives them. */
  readonly labels: Readonly<Record<string, string>>;
  readonly duplicateOf: string;
  readonly comments: readonly PageComment[];
  readonly attachments: number;
}

/** One row of show_activity.cgi. */
export interface FieldChangeRow {
  readonly label: string;
  readonly removed: string;
  readonly added: string;
}

/** Rows of one person at one time. */
export interface ChangeSet {
  /** Login. */
  readonly who: string;
  readonly when: string;
  readonly rows: readonly FieldChangeRow[];
}

/** What a file held. */
export type BugzillaPage =
  | { readonly kind: 'bug'; readonly id: string; readonly bug: BugPage }
  | { readonly kind: 'activity'; readonly id: string; readonly changes: readonly ChangeSet[] };

/** Reads a page of either kind. Throws what is wrong with it; undefined: it is neither. */
export function readBugzillaPage(html: string): BugzillaPage | undefined {
  const page = new HtmlPage(html);
  const heading = readText(page.find('title'));
  const logged = /Activity log for bug ([0-9]+)/i.exec(heading)?.[1];
  const table = page.find('bug_activity');
  if (logged !== undefined) return { kind: 'activity', id: logged, changes: table ? readActivity(table) : [] };
  const form = page.find('changeform');
  const id = listTags(form ?? ({ children: [] } as unknown as HtmlElement), 'input').find(
    ({ attribs }) => attribs['name'] === 'id',
  )?.attribs['value'];
  if (form === undefined || id === undefined || !/^[1-9][0-9]*$/.test(id)) return undefined;
  return { kind: 'bug', id, bug: readBug(page, form, id) };
}

function readBug(page: HtmlPage, form: HtmlElement, id: string): BugPage {
  const cells = new Map<string, HtmlElement>();
  const labels: Record<string, string> = {};
  const byLabel = new Map<string, HtmlElement>();
  for (const head of listTags(form, 'th')) {
    const label = readText(head).replace(/\s*:$/, '');
    const cell = findNext(head);
    if (!cell) continue;
    byLabel.set(label, cell);
    const name = /^field_label_(\w+)$/.exec(head.attribs['id'] ?? '')?.[1];
    if (name === undefined) continue;
    cells.set(name, cell);
    labels[label] = name;
  }
  const reported = byLabel.get('Reported');
  const created = readTime(/^[0-9-]+ [0-9:]+(?: [A-Z+0-9-]+)?/.exec(readText(reported))?.[0].trim() ?? '');
  const reporter = readName(reported);
  if (created === undefined || reporter === undefined) throw new Error('says neither when nor by whom it was reported');
  const changed = listTags(form, 'input').find(({ attribs }) => attribs['name'] === 'delta_ts')?.attribs['value'];
  const { status, resolution, duplicateOf } = readStatusLine(page.find('static_bug_status'));
  const importance = readText(byLabel.get('Importance')).split(' ');
  const hardware = readRawText(cells.get('rep_platform'))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const fields: Record<string, readonly string[]> = {
    short_desc: [readText(page.find('short_desc_nonedit_display'))],
    bug_status: [status],
    resolution: [resolution],
    priority: [importance[0] ?? ''],
    bug_severity: [importance[1] ?? ''],
    rep_platform: [hardware[0] ?? ''],
    op_sys: [hardware.slice(1).join(' ')],
    cc: listTags(page.find('cc') ?? form, 'option').map((option) => option.attribs['value'] ?? readText(option)),
  };
  for (const [name, cell] of cells) {
    if (fields[name] !== undefined || PERSON_FIELDS.has(name)) continue;
    fields[name] = readCell(name, cell);
  }
  return {
    id,
    reporter,
    created,
    modified: readTime(changed ?? '') ?? created,
    assignee: readName(cells.get('assigned_to')),
    qaContact: readName(cells.get('qa_contact')),
    fields,
    labels,
    duplicateOf,
    comments: page.listClass('bz_comment').flatMap((element) => readComment(element) ?? []),
    attachments: page.listIds('a').filter((name) => /^a[1-9][0-9]*$/.test(name)).length,
  };
}

const PERSON_FIELDS = new Set(['assigned_to', 'qa_contact']);

function readCell(name: string, cell: HtmlElement): string[] {
  const links = listTags(cell, 'a');
  const address = (link: HtmlElement): string => link.attribs['href'] ?? '';
  switch (name) {
    case 'dependson':
    case 'blocked':
      return links.map(readText).filter((text) => /^[0-9]+$/.test(text));
    case 'see_also':
      // A bug of the same site may stand there by its number, while its address is one of the copy.
      return links.map((link) => (/^https?:/.test(address(link)) ? address(link) : readText(link)));
    case 'bug_file_loc':
      // The text is cut when it is long.
      return [links[0] ? address(links[0]) : readText(cell)];
    case 'component':
      return [readText(cell).replace(/ ?\([^()]*\)$/, '')];
    case 'alias':
      return [readText(cell).replace(/^None$/, '')];
    case 'keywords':
      return readText(cell).split(/[,\s]+/);
    default:
      return [readText(cell)];
  }
}

/** `RESOLVED DUPLICATE of bug 12`, `NEW`, `Tracked in Related Links`. */
function readStatusLine(element: HtmlElement | undefined): { status: string; resolution: string; duplicateOf: string } {
  const text = readText(element);
  const match = /^([A-Z_]+)(?: ([A-Z_]+))?(?: of bug ([0-9]+))?$/.exec(text);
  if (!match) return { status: text, resolution: '', duplicateOf: '' };
  return { status: match[1]!, resolution: match[2] ?? '', duplicateOf: match[3] ?? '' };
}

function readName(element: HtmlElement | undefined): PageName | undefined {
  const card = element && (findClass(element, 'vcard') ?? (listTags(element, 'a').length === 0 ? element : undefined));
  if (!card) return undefined;
  const name = findClass(card, 'fn');
  const text = readText(name ?? card);
  return text === '' || text === '---' ? undefined : { text, isLogin: name === undefined };
}

function readComment(element: HtmlElement): PageComment[] | undefined {
  const number = /^c([0-9]+)$/.exec(element.attribs['id'] ?? '')?.[1];
  const text = findClass(element, 'bz_comment_text');
  const author = readName(findClass(element, 'bz_comment_user'));
  const created = readTime(readText(findClass(element, 'bz_comment_time')));
  if (number === undefined || !text || !author || created === undefined) return undefined;
  return [
    {
      number: Number(number),
      author,
      created,
      // A line break right after <pre> is none of the text (HTML, 13.2.6.4.7).
      text: readRawText(text).replace(/^\n/, ''),
      restricted: / bz_private(?: |$)/.test(` ${element.attribs['class'] ?? ''}`),
    },
  ];
}

/** The table of changes: the cells Who and When span the rows of one change set. */
function readActivity(table: HtmlElement): ChangeSet[] {
  const sets: { who: string; when: string; rows: FieldChangeRow[] }[] = [];
  let left = 0;
  for (const row of listTags(table, 'tr')) {
    const cells = row.children.filter((child): child is HtmlElement => 'attribs' in child && child.name === 'td');
    if (cells.length === 0) continue;
    if (left === 0) {
      const [who, when] = cells.splice(0, 2);
      const time = readTime(readText(when));
      if (!who || time === undefined) throw new Error(`holds a change whose time is ${JSON.stringify(readText(when))}`);
      left = Number(who.attribs['rowspan'] ?? 1) || 1;
      sets.push({ who: readText(who), when: time, rows: [] });
    }
    left -= 1;
    const [what, removed, added] = cells;
    if (!what || !removed || !added) throw new Error('holds a change without its old and new value');
    sets.at(-1)!.rows.push({ label: readText(what), removed: readValue(removed), added: readValue(added) });
  }
  return sets;
}

function readValue(cell: HtmlElement): string {
  const text = readText(cell);
  const [link] = text.endsWith('...') ? listTags(cell, 'a') : [];
  return link?.attribs['href'] ?? text;
}
