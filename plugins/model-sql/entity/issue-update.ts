import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { StoredChange } from '../schema/tables.ts';
import { TimeType } from './value-type.ts';

/** One committed change of an issue. Written once; only its comment may be edited or redacted. */
export const IssueUpdateEntity = defineEntity({
  name: 'IssueUpdateEntity',
  tableName: 'issue_update',
  properties: {
    issueId: p.bigint('string').primary().fieldName('issue_id'),
    sequence: p.integer().columnType('int4').primary(),
    author: p.string(),
    created: p.type(TimeType).$type<string>(),
    significance: p.integer().columnType('int2'),
    restricted: p.boolean(),
    redacted: p.boolean(),
    commentVersion: p.integer().columnType('int4').fieldName('comment_version'),
    edited: p.type(TimeType).$type<string>().nullable(),
    editor: p.string(),
    comment: p.text(),
    changes: p.json().$type<StoredChange[]>().nullable(),
  },
});
export type IssueUpdateEntity = InferEntity<typeof IssueUpdateEntity>;
