import type { CustomFieldDefinition } from '@bugless/kit/service';
import { CustomFieldKind, invalidField } from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';
import type { FormValues } from '../../web/pages/issue-form.ts';
import { COLLECTION_FIELDS, PEOPLE_FIELDS, splitList } from '../../web/pages/issue-form.ts';
import type { Services } from '../services.ts';
import { resolveUserReferences } from '../user-reference.ts';

const ENUMS = ['status', 'priority', 'severity', 'type', 'access_limit'] as const;
const PERSONS = ['assignee', 'verifier'] as const;
const REFERENCES = ['parent', 'duplicate_of', 'component'] as const;

/** An issue's fields by their names in TypeScript. */
type Values = Record<string, unknown>;

const camel = (field: string): string => field.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Values of single-valued fields, for those named that a form may set. @throws ServiceError INVALID_FIELD. */
export async function readSingles(
  fields: readonly string[],
  sent: FormValues,
  definitions: readonly CustomFieldDefinition[],
  request: FastifyRequest,
  services: Services,
): Promise<Values> {
  const values: Values = {};
  const named = new Set(fields);
  for (const field of ENUMS) if (named.has(field)) values[camel(field)] = readNumber(field, sent[field] ?? '');
  for (const field of REFERENCES) if (named.has(field)) values[camel(field)] = readReference(field, sent[field] ?? '');
  if (named.has('title')) values.title = (sent.title ?? '').replaceAll(/\s+/g, ' ').trim();
  if (named.has('archived')) values.archived = sent.archived === 'yes';
  const persons = PERSONS.filter((field) => named.has(field));
  const custom = definitions.filter(({ name }) => named.has(`custom_fields.${name}`));
  if (persons.length > 0) {
    const asked = Object.fromEntries(persons.map((field) => [field, [readPerson(sent[field] ?? '')]]));
    const resolved = await resolveUserReferences(asked, request, services);
    for (const field of persons) values[field] = resolved[field]?.[0] ?? '';
  }
  if (custom.length > 0)
    values.customFields = await Promise.all(
      custom.map((definition) => readCustom(definition, sent, request, services)),
    );
  return values;
}

/** Elements put into and taken out of collections, between what a form began with and what was sent. */
export async function readCollections(
  fields: readonly string[],
  base: FormValues,
  sent: FormValues,
  request: FastifyRequest,
  services: Services,
): Promise<{ add: Record<string, string[]>; remove: Record<string, string[]> }> {
  const add: Record<string, string[]> = {};
  const remove: Record<string, string[]> = {};
  const people: Record<string, string[]> = {};
  for (const field of COLLECTION_FIELDS) {
    if (!fields.includes(field)) continue;
    const was = splitList(base[field] ?? '');
    const now = splitList(sent[field] ?? '');
    const put = now.filter((element) => !was.includes(element));
    const taken = was.filter((element) => !now.includes(element));
    if (PEOPLE_FIELDS.has(field)) {
      people[`add.${field}`] = put;
      people[`remove.${field}`] = taken;
    } else if (field === 'blocked_by') {
      add.blockedBy = put.map((element) => readReference(field, element));
      remove.blockedBy = taken.map((element) => readReference(field, element));
    } else {
      add[camel(field)] = put;
      remove[camel(field)] = taken;
    }
  }
  if (Object.keys(people).length > 0) {
    for (const [path, ids] of Object.entries(await resolveUserReferences(people, request, services))) {
      const [side, field] = path.split('.') as ['add' | 'remove', string];
      (side === 'add' ? add : remove)[field] = ids;
    }
  }
  return { add, remove };
}

async function readCustom(
  definition: CustomFieldDefinition,
  sent: FormValues,
  request: FastifyRequest,
  services: Services,
): Promise<{ field: string; values: string[] }> {
  const { name, kind } = definition;
  const path = `custom_fields.${name}`;
  const text = (sent[path] ?? '').trim();
  if (text === '') return { field: name, values: [] };
  if (kind === CustomFieldKind.USER)
    return {
      field: name,
      values: (await resolveUserReferences({ [path]: [readPerson(text)] }, request, services))[path] ?? [],
    };
  if (kind === CustomFieldKind.MULTI_ENUM) return { field: name, values: splitList(text) };
  if (kind === CustomFieldKind.ISSUE) return { field: name, values: [readReference(path, text)] };
  return { field: name, values: [text] };
}

function readNumber(field: string, text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw invalidField(field, 'choose one of the values offered');
  return Number(text);
}

function readReference(field: string, text: string): string {
  const id = text.trim().replace(/^(#|b\/)/, '');
  if (id === '') return '0';
  if (!/^[1-9]\d{0,18}$/.test(id)) throw invalidField(field, `expected an issue’s number, not “${text.slice(0, 40)}”`);
  return id;
}

function readPerson(text: string): string {
  const name = text.trim().replace(/^@/, '');
  return name === 'none' ? '' : name;
}
