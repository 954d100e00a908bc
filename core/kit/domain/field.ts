/**
 * The one table of an issue's fields: what each is called, what it holds, how it
 * can be searched, ordered and changed. Query language, history, update masks,
 * forms and columns all read it.
 */
import { CustomFieldKind, FilterOperator, type Issue } from '@bugless/proto';
import { WORDS, type WordTable } from './word.ts';

/** What a field holds, and so which values a search of it takes. */
export type FieldKind =
  /** Free text, searched by words. */
  | 'text'
  /** A number of an enum of the contract. */
  | 'enum'
  /** One opaque user id. */
  | 'user'
  | 'users'
  /** A component's id. */
  | 'component'
  | 'issue'
  | 'issues'
  | 'hotlists'
  /** Exact strings, compared without case. */
  | 'labels'
  /** A point in time. */
  | 'time'
  | 'number'
  | 'flag';

/** One row of the table. */
export interface IssueField {
  /** Canonical name: the contract's, in snake_case. In queries `_` may be left out (`foundin`). */
  readonly name: string;
  /** For people. */
  readonly label: string;
  readonly kind: FieldKind;
  /** Other names in queries. */
  readonly aliases: readonly string[];
  /** The property of Issue that holds it; undefined: it stands elsewhere (comments, attachments) or follows from others. */
  readonly property: keyof Issue | undefined;
  /** The words of an enum. */
  readonly words: WordTable | undefined;
  /** Comparisons that a Filter may make; empty: not searchable. */
  readonly operators: readonly FilterOperator[];
  /** May stand in an order. */
  readonly orderable: boolean;
  /** Changes of it are recorded, so `was` and `changed` can ask for it. */
  readonly recorded: boolean;
  /** May stand in the update mask. */
  readonly settable: boolean;
  /** Holds several values; changed by add and remove, or replaced. */
  readonly collection: boolean;
}

const { HAS, EQUALS, GREATER, GREATER_OR_EQUAL, LESS, LESS_OR_EQUAL, PRESENT } = FilterOperator;
const COMPARE = [GREATER, GREATER_OR_EQUAL, LESS, LESS_OR_EQUAL];

interface Row extends Partial<Omit<IssueField, 'name' | 'label' | 'kind'>> {}

function row(name: string, label: string, kind: FieldKind, rest: Row): IssueField {
  return {
    name,
    label,
    kind,
    aliases: rest.aliases ?? [],
    property: rest.property,
    words: rest.words,
    operators: rest.operators ?? [HAS],
    orderable: rest.orderable ?? false,
    recorded: rest.recorded ?? false,
    settable: rest.settable ?? false,
    collection: kind === 'users' || kind === 'issues' || kind === 'hotlists' || kind === 'labels',
  };
}

const changeable = { recorded: true, settable: true } as const;

/** The table, in the order in which history lists changes and forms show fields. */
export const FIELDS: readonly IssueField[] = [
  // A bare word: title, description and comments.
  row('text', 'Text', 'text', {}),
  row('id', 'ID', 'issue', { property: 'id', aliases: ['issue'], operators: [HAS, EQUALS], orderable: true }),
  row('title', 'Title', 'text', { property: 'title', operators: [HAS, EQUALS], orderable: true, ...changeable }),
  row('description', 'Description', 'text', { property: 'description', operators: [HAS, PRESENT] }),
  row('comment', 'Comment', 'text', { operators: [HAS, PRESENT] }),
  row('type', 'Type', 'enum', {
    property: 'type',
    words: WORDS.type,
    aliases: ['t'],
    operators: [HAS, EQUALS],
    orderable: true,
    ...changeable,
  }),
  row('priority', 'Priority', 'enum', {
    property: 'priority',
    words: WORDS.priority,
    aliases: ['p'],
    operators: [HAS, EQUALS, ...COMPARE],
    orderable: true,
    ...changeable,
  }),
  row('severity', 'Severity', 'enum', {
    property: 'severity',
    words: WORDS.severity,
    operators: [HAS, EQUALS, ...COMPARE],
    orderable: true,
    ...changeable,
  }),
  row('status', 'Status', 'enum', {
    property: 'status',
    words: WORDS.status,
    aliases: ['s', 'state'],
    operators: [HAS, EQUALS],
    orderable: true,
    ...changeable,
  }),
  row('duplicate_of', 'Duplicate of', 'issue', {
    property: 'duplicateOf',
    aliases: ['duplicate'],
    operators: [HAS, EQUALS, PRESENT],
    ...changeable,
  }),
  row('component', 'Component', 'component', {
    property: 'component',
    aliases: ['c'],
    operators: [HAS, EQUALS],
    orderable: true,
    ...changeable,
  }),
  row('reporter', 'Reporter', 'user', { property: 'reporter', aliases: ['r'], operators: [HAS, EQUALS, PRESENT] }),
  row('assignee', 'Assignee', 'user', {
    property: 'assignee',
    aliases: ['a', 'owner'],
    operators: [HAS, EQUALS, PRESENT],
    orderable: true,
    ...changeable,
  }),
  row('verifier', 'Verifier', 'user', { property: 'verifier', operators: [HAS, EQUALS, PRESENT], ...changeable }),
  row('collaborators', 'Collaborators', 'users', {
    property: 'collaborators',
    aliases: ['collaborator'],
    operators: [HAS, EQUALS, PRESENT],
    ...changeable,
  }),
  row('cc', 'CC', 'users', { property: 'cc', operators: [HAS, EQUALS, PRESENT], ...changeable }),
  // Who wrote a comment; the description counts.
  row('commenter', 'Commenter', 'users', {}),
  row('labels', 'Labels', 'labels', {
    property: 'labels',
    aliases: ['label', 'l'],
    operators: [HAS, EQUALS, PRESENT],
    ...changeable,
  }),
  row('found_in', 'Found in', 'labels', { property: 'foundIn', operators: [HAS, EQUALS, PRESENT], ...changeable }),
  row('targeted_to', 'Targeted to', 'labels', {
    property: 'targetedTo',
    operators: [HAS, EQUALS, PRESENT],
    ...changeable,
  }),
  row('verified_in', 'Verified in', 'labels', {
    property: 'verifiedIn',
    operators: [HAS, EQUALS, PRESENT],
    ...changeable,
  }),
  row('parent', 'Parent', 'issue', { property: 'parent', operators: [HAS, EQUALS, PRESENT], ...changeable }),
  // As the caller sees them: ends that it may not see are not there for a filter either.
  row('blocked_by', 'Blocked by', 'issues', { property: 'blockedBy', operators: [HAS, PRESENT], ...changeable }),
  row('blocking', 'Blocking', 'issues', { property: 'blocking', operators: [HAS, PRESENT] }),
  row('hotlists', 'Hotlists', 'hotlists', {
    property: 'hotlists',
    aliases: ['hotlist', 'h'],
    operators: [HAS, PRESENT],
  }),
  row('archived', 'Archived', 'flag', { property: 'archived', ...changeable }),
  row('access_limit', 'Access', 'enum', {
    property: 'accessLimit',
    words: WORDS.accessLimit,
    aliases: ['access'],
    operators: [HAS, EQUALS],
    ...changeable,
  }),
  // Follows from the status.
  row('open', 'Open', 'flag', {}),
  // At least one of blocked_by is open.
  row('blocked', 'Blocked', 'flag', {}),
  // By the caller.
  row('starred', 'Starred', 'flag', { property: 'starred', aliases: ['star'] }),
  row('stars', 'Stars', 'number', {
    property: 'stars',
    aliases: ['votes'],
    operators: [HAS, EQUALS, ...COMPARE, PRESENT],
    orderable: true,
  }),
  row('comment_count', 'Comments', 'number', {
    property: 'commentCount',
    operators: [HAS, EQUALS, ...COMPARE, PRESENT],
  }),
  // How many there are, withdrawn ones not counted.
  row('attachments', 'Attachments', 'number', {
    aliases: ['attachment'],
    operators: [HAS, EQUALS, ...COMPARE, PRESENT],
  }),
  row('created', 'Created', 'time', { property: 'created', orderable: true }),
  row('modified', 'Modified', 'time', { property: 'modified', aliases: ['updated'], orderable: true }),
  row('resolved', 'Resolved', 'time', {
    property: 'resolved',
    aliases: ['closed'],
    operators: [HAS, PRESENT],
    orderable: true,
  }),
  row('verified', 'Verified', 'time', { property: 'verified', operators: [HAS, PRESENT] }),
];

/** An order by how well the text matches; no field of an issue. */
export const RELEVANCE = 'relevance';

/** What a custom field's canonical name begins with: `field.NAME`. */
export const CUSTOM_PREFIX = 'field.';

const BY_NAME = new Map(FIELDS.map((field) => [field.name, field]));
const foldName = (name: string): string => name.toLowerCase().replace(/[_-]/g, '');
const BY_WORD = new Map(
  FIELDS.flatMap((field) => [field.name, ...field.aliases].map((word) => [foldName(word), field])),
);

/** The field of a canonical name; undefined: there is none. Custom fields: see parseCustomName. */
export function getField(name: string): IssueField | undefined {
  return BY_NAME.get(name);
}

/** The field that a person names in a query: name or alias, compared without case, `_` and `-`. */
export function findField(word: string): IssueField | undefined {
  return BY_WORD.get(foldName(word));
}

/** How a field is written in a query: its name without `_`; `field.NAME` as it is. */
export function formatFieldWord(name: string): string {
  return name.startsWith(CUSTOM_PREFIX) ? name : name.replaceAll('_', '');
}

/** NAME of `field.NAME`; undefined: not of that form. */
export function parseCustomName(name: string): string | undefined {
  const found = /^field\.([A-Za-z0-9_-]{1,64})$/i.exec(name);
  return found?.[1];
}

const CUSTOM_KINDS: Readonly<Partial<Record<CustomFieldKind, FieldKind>>> = {
  [CustomFieldKind.NUMBER]: 'number',
  [CustomFieldKind.DATE]: 'time',
  [CustomFieldKind.USER]: 'user',
  [CustomFieldKind.ISSUE]: 'issue',
};

/** The row that a custom field would have in the table. Texts and options are searched as labels are: whole. */
export function createCustomField(name: string, kind: CustomFieldKind): IssueField {
  const own = CUSTOM_KINDS[kind] ?? 'labels';
  const operators = own === 'number' ? [HAS, ...COMPARE, PRESENT] : [HAS, PRESENT];
  return {
    ...row(`${CUSTOM_PREFIX}${name}`, name, own, { ...changeable, operators }),
    collection: kind === CustomFieldKind.MULTI_ENUM,
  };
}

/** Comparisons that a Filter may make on a custom field of any kind. */
export const CUSTOM_OPERATORS: readonly FilterOperator[] = [HAS, ...COMPARE, PRESENT];

/** Collections that UpdateIssue changes element by element (`add`, `remove`), with their property. */
export const EDITABLE_COLLECTIONS = [
  ['collaborators', 'collaborators'],
  ['cc', 'cc'],
  ['labels', 'labels'],
  ['found_in', 'foundIn'],
  ['targeted_to', 'targetedTo'],
  ['verified_in', 'verifiedIn'],
  ['blocked_by', 'blockedBy'],
] as const;
