import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import { TextArrayType, TimeType } from './value-type.ts';

const small = () => p.integer().columnType('int2');
const time = () => p.type(TimeType).$type<string>();
const texts = () => p.type(TextArrayType).$type<string[]>();

/** An issue as it stands, without its long texts. Rows are written through the unit of work. */
export const IssueEntity = defineEntity({
  name: 'IssueEntity',
  tableName: 'issue',
  properties: {
    id: p.bigint('string').primary(),
    version: p.bigint('string'),
    lastSequence: p.integer().columnType('int4').fieldName('last_sequence'),
    acl: p.integer().columnType('int4'),
    status: small(),
    priority: small(),
    severity: small(),
    type: small(),
    isOpen: p.boolean().fieldName('is_open'),
    archived: p.boolean(),
    stars: p.integer().columnType('int4'),
    commentCount: p.integer().columnType('int4').fieldName('comment_count'),
    created: time(),
    modified: time(),
    resolved: time().nullable(),
    verified: time().nullable(),
    parent: p.bigint('string').nullable(),
    duplicateOf: p.bigint('string').nullable().fieldName('duplicate_of'),
    reporter: p.string(),
    assignee: p.string(),
    verifier: p.string(),
    title: p.text(),
    collaborators: texts(),
    cc: texts(),
    labels: texts(),
    foundIn: texts().fieldName('found_in'),
    targetedTo: texts().fieldName('targeted_to'),
    verifiedIn: texts().fieldName('verified_in'),
    customFields: p.json().$type<Record<string, string[]>>().nullable().fieldName('custom_fields'),
  },
});
export type IssueEntity = InferEntity<typeof IssueEntity>;
