import { WORDS, type WordTable } from '@bugless/kit/domain';
import {
  type CustomFieldValue,
  type DeepPartial,
  type Issue,
  type IssueCollections,
  invalidField,
  type UpdateIssueRequest,
} from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';
import type { Static } from '../../json-schema.ts';
import type { Services } from '../services.ts';
import { resolveUserReferences } from '../user-reference.ts';
import { type IssueChanges, type IssueCollections as IssueCollectionsSchema, type NewIssue, toId } from './schema.ts';

type Changes = Static<typeof IssueChanges>;
type CollectionsInput = Static<typeof IssueCollectionsSchema>;

/** Enum fields and their words. */
const ENUMS = {
  type: WORDS.type,
  priority: WORDS.priority,
  severity: WORDS.severity,
  status: WORDS.status,
  accessLimit: WORDS.accessLimit,
} as const satisfies Record<string, WordTable>;

const USER_LISTS = ['collaborators', 'cc'] as const;
const TEXT_LISTS = ['labels', 'foundIn', 'targetedTo', 'verifiedIn'] as const;

/**
 * A new issue as the Model takes it.
 *
 * @throws ServiceError INVALID_FIELD for users who do not exist.
 */
export async function readNewIssue(
  body: Static<typeof NewIssue>,
  request: FastifyRequest,
  services: Services,
): Promise<DeepPartial<Issue>> {
  const users = await resolveUserReferences(
    {
      assignee: listOf(body.assignee),
      verifier: listOf(body.verifier),
      collaborators: body.collaborators ?? [],
      cc: body.cc ?? [],
    },
    request,
    services,
  );
  return {
    title: body.title,
    description: body.description ?? '',
    component: toId(body.component),
    ...readEnums(body),
    assignee: users.assignee[0] ?? '',
    verifier: users.verifier[0] ?? '',
    collaborators: users.collaborators,
    cc: users.cc,
    labels: body.labels ?? [],
    foundIn: body.foundIn ?? [],
    targetedTo: body.targetedTo ?? [],
    verifiedIn: body.verifiedIn ?? [],
    parent: toId(body.parent),
    blockedBy: (body.blockedBy ?? []).map(toId),
    customFields: body.customFields ?? [],
  };
}

/**
 * An update as the Model takes it: the fields given form the mask, null clears one.
 *
 * @throws ServiceError INVALID_FIELD.
 */
export async function readChanges(
  body: Changes,
  request: FastifyRequest,
  services: Services,
): Promise<DeepPartial<UpdateIssueRequest>> {
  const users = await resolveUserReferences(
    {
      assignee: listOf(body.assignee),
      verifier: listOf(body.verifier),
      collaborators: body.collaborators ?? [],
      cc: body.cc ?? [],
      'add.collaborators': body.add?.collaborators ?? [],
      'add.cc': body.add?.cc ?? [],
      'remove.collaborators': body.remove?.collaborators ?? [],
      'remove.cc': body.remove?.cc ?? [],
    },
    request,
    services,
  );
  const issue: { -readonly [K in keyof DeepPartial<Issue>]: DeepPartial<Issue>[K] } = readEnums(body);
  const updateMask: string[] = [];
  const set = <Field extends keyof Issue>(field: Field, value: DeepPartial<Issue>[Field]) => {
    issue[field] = value;
    updateMask.push(toSnake(field));
  };
  for (const field of Object.keys(ENUMS)) if (field in body) updateMask.push(toSnake(field));
  if (body.title !== undefined) set('title', body.title);
  if (body.component !== undefined) set('component', toId(body.component));
  if (body.assignee !== undefined) set('assignee', users.assignee[0] ?? '');
  if (body.verifier !== undefined) set('verifier', users.verifier[0] ?? '');
  if (body.parent !== undefined) set('parent', toId(body.parent));
  if (body.duplicateOf !== undefined) set('duplicateOf', toId(body.duplicateOf));
  if (body.archived !== undefined) set('archived', body.archived);
  for (const field of USER_LISTS) if (body[field] !== undefined) set(field, users[field]);
  for (const field of TEXT_LISTS) if (body[field] !== undefined) set(field, body[field]);
  if (body.blockedBy !== undefined) set('blockedBy', body.blockedBy.map(toId));
  if (body.customFields !== undefined) {
    issue.customFields = body.customFields;
    for (const { field } of body.customFields as CustomFieldValue[]) updateMask.push(`custom_fields.${field}`);
  }
  return {
    issue,
    updateMask,
    add: readCollections(body.add, users['add.collaborators'], users['add.cc']),
    remove: readCollections(body.remove, users['remove.collaborators'], users['remove.cc']),
    comment: body.comment ?? '',
    restricted: body.restricted ?? false,
    significance: readWord(WORDS.significance, body.significance, 'significance') as UpdateIssueRequest['significance'],
  };
}

function readCollections(
  input: CollectionsInput | undefined,
  collaborators: string[],
  cc: string[],
): DeepPartial<IssueCollections> | undefined {
  if (input === undefined) return undefined;
  const { labels, foundIn, targetedTo, verifiedIn, blockedBy } = input;
  return {
    collaborators,
    cc,
    labels: labels ?? [],
    foundIn: foundIn ?? [],
    targetedTo: targetedTo ?? [],
    verifiedIn: verifiedIn ?? [],
    blockedBy: (blockedBy ?? []).map(toId),
  };
}

function readEnums(body: Partial<Record<keyof typeof ENUMS, string>>): DeepPartial<Issue> {
  const issue: Record<string, number> = {};
  for (const [field, table] of Object.entries(ENUMS)) {
    const word = body[field as keyof typeof ENUMS];
    if (word !== undefined) issue[field] = readWord(table, word, field);
  }
  return issue as DeepPartial<Issue>;
}

/** The number of an enum's word; 0 for an absent one. @throws ServiceError INVALID_FIELD. */
export function readWord(table: WordTable, word: string | undefined, field: string): number {
  if (word === undefined) return 0;
  const number = table.parse(word);
  if (number === undefined) throw invalidField(field, `expected one of: ${table.words.join(', ')}`);
  return number;
}

/** `foundIn` → `found_in`. */
export function toSnake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function listOf(text: string | null | undefined): string[] {
  return text === null || text === undefined ? [] : [text];
}
