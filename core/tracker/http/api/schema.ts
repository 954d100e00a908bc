/** The pieces of which bodies, queries and answers are described. A schema with a title becomes a named part of openapi.json. */
import { WORDS, type WordTable } from '@bugless/kit/domain';
import { type TSchema, Type } from '../../json-schema.ts';

/** An object that takes no other fields. */
export const strict = { additionalProperties: false } as const;

/** An id. Written as a string; a number is taken too where it is exact. */
export const Id = Type.Unsafe<string | number>({
  type: ['string', 'integer'],
  pattern: '^[1-9][0-9]{0,18}$',
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'A decimal id, as a string.',
});

/** An id in a path. */
export const IdText = Type.String({ pattern: '^[1-9][0-9]{0,18}$', description: 'A decimal id.' });

/** The same, or null for none. */
export const OptionalId = Type.Unsafe<string | number | null>({ ...Id, type: ['string', 'integer', 'null'] });

/** A user in a request. */
export const UserReference = Type.String({ maxLength: 128, description: 'An id, a username, or `me`.' });

/** The same, or null for nobody. */
export const OptionalUserReference = Type.Unsafe<string | null>({ ...UserReference, type: ['string', 'null'] });

/** One word of an enum. */
export function Word(table: WordTable, description?: string) {
  return Type.Unsafe<string>({ type: 'string', enum: table.words, ...(description && { description }) });
}

/** Text that null clears. */
export const OptionalText = Type.Unsafe<string | null>({ type: ['string', 'null'] });

export const Texts = Type.Array(Type.String(), { maxItems: 1000 });
export const UserReferences = Type.Array(UserReference, { maxItems: 1000 });
export const Ids = Type.Array(Id, { maxItems: 500 });
export const Time = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' });

/** Where a list begins and how long it is. */
export const PageQuery = {
  pageSize: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1000, description: 'Rows; 0: 50. More than the server allows is lowered.' }),
  ),
  pageToken: Type.Optional(Type.String({ maxLength: 4096, description: '`nextPageToken` of the answer before.' })),
};

/** What a list answers beside its rows. */
export const nextPageToken = Type.String({ description: 'Empty: this was the last page.' });

/** Number or string id → string. */
export function toId(id: string | number | null | undefined): string {
  return id === null || id === undefined ? '0' : String(id);
}

const CustomFields = Type.Array(
  Type.Object({ field: Type.String({ maxLength: 64 }), values: Texts }, { ...strict, title: 'CustomFieldValue' }),
  { maxItems: 200 },
);

const collections = {
  collaborators: Type.Optional(UserReferences),
  cc: Type.Optional(UserReferences),
  labels: Type.Optional(Texts),
  foundIn: Type.Optional(Texts),
  targetedTo: Type.Optional(Texts),
  verifiedIn: Type.Optional(Texts),
  blockedBy: Type.Optional(Ids),
};

/** Elements of collections to put in or take out. */
export const IssueCollections = Type.Object(collections, { ...strict, title: 'IssueCollections' });

/** A new issue. */
export const NewIssue = Type.Object(
  {
    title: Type.String(),
    description: Type.Optional(Type.String({ description: 'Markdown.' })),
    component: Id,
    type: Type.Optional(Word(WORDS.type)),
    priority: Type.Optional(Word(WORDS.priority)),
    severity: Type.Optional(Word(WORDS.severity)),
    status: Type.Optional(Word(WORDS.status, 'Absent: assigned with an assignee, else new.')),
    assignee: Type.Optional(OptionalUserReference),
    verifier: Type.Optional(OptionalUserReference),
    ...collections,
    parent: Type.Optional(OptionalId),
    customFields: Type.Optional(CustomFields),
    accessLimit: Type.Optional(Word(WORDS.accessLimit)),
    restricted: Type.Optional(Type.Boolean({ description: 'Show the description only to those with edit.' })),
  },
  { ...strict, title: 'NewIssue' },
);

/** What an update may hold; null clears a field. */
export const issueChanges = {
  title: Type.Optional(Type.String()),
  type: Type.Optional(Word(WORDS.type)),
  priority: Type.Optional(Word(WORDS.priority)),
  severity: Type.Optional(Word(WORDS.severity)),
  status: Type.Optional(Word(WORDS.status)),
  component: Type.Optional(Id),
  assignee: Type.Optional(OptionalUserReference),
  verifier: Type.Optional(OptionalUserReference),
  ...collections,
  parent: Type.Optional(OptionalId),
  duplicateOf: Type.Optional(OptionalId),
  archived: Type.Optional(Type.Boolean()),
  accessLimit: Type.Optional(Word(WORDS.accessLimit)),
  customFields: Type.Optional(CustomFields),
  add: Type.Optional(IssueCollections),
  remove: Type.Optional(IssueCollections),
  comment: Type.Optional(Type.String({ description: 'Markdown.' })),
  restricted: Type.Optional(Type.Boolean({ description: 'Show the comment only to those with edit.' })),
  significance: Type.Optional(Word(WORDS.significance)),
};

/** A change to an issue, as PATCH and POST updates take it. */
export const IssueChanges = Type.Object(issueChanges, { ...strict, title: 'IssueChanges' });

const word = (table: WordTable): TSchema => Word(table);

/** An issue as it is answered. Lists leave out description, blockedBy, blocking, hotlists, customFields, permissions. */
export const IssueJson = Type.Object(
  {
    id: IdText,
    version: Type.String({ description: 'The ETag.' }),
    title: Type.String(),
    description: Type.Optional(Type.String()),
    type: word(WORDS.type),
    priority: word(WORDS.priority),
    severity: word(WORDS.severity),
    status: word(WORDS.status),
    component: IdText,
    assignee: OptionalText,
    verifier: OptionalText,
    reporter: OptionalText,
    collaborators: Texts,
    cc: Texts,
    labels: Texts,
    foundIn: Texts,
    targetedTo: Texts,
    verifiedIn: Texts,
    parent: OptionalText,
    duplicateOf: OptionalText,
    blockedBy: Type.Optional(Texts),
    blocking: Type.Optional(Texts),
    hotlists: Type.Optional(Texts),
    customFields: Type.Optional(CustomFields),
    archived: Type.Boolean(),
    accessLimit: word(WORDS.accessLimit),
    stars: Type.Integer(),
    starred: Type.Boolean(),
    commentCount: Type.Integer(),
    created: Time,
    modified: Time,
    resolved: Time,
    verified: Time,
    permissions: Type.Optional(Type.Array(word(WORDS.permission))),
  },
  { title: 'Issue' },
);

/** One committed change as it is answered. */
export const UpdateJson = Type.Object(
  {
    issue: IdText,
    sequence: Type.Integer(),
    author: OptionalText,
    created: Time,
    comment: Type.String(),
    changes: Type.Array(Type.Object({ field: Type.String(), oldValues: Texts, newValues: Texts })),
    significance: word(WORDS.significance),
    restricted: Type.Boolean(),
    commentVersion: Type.Integer(),
    edited: Time,
    editor: OptionalText,
    redacted: Type.Boolean(),
    attachments: Type.Array(Type.Object({}, { additionalProperties: true })),
  },
  { title: 'Update' },
);
