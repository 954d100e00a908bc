import { defineEntity, type InferEntity, p } from '@mikro-orm/core';
import type { StoredFieldDefinition, StoredGrant } from '../schema/tables.ts';
import { TextArrayType, TimeType } from './value-type.ts';

/** A component with its access. */
export const ComponentEntity = defineEntity({
  name: 'ComponentEntity',
  tableName: 'component',
  properties: {
    id: p.integer().columnType('int4').primary().autoincrement(false),
    version: p.bigint('string'),
    parent: p.integer().columnType('int4'),
    name: p.text(),
    nameKey: p.string().fieldName('name_key'),
    description: p.text(),
    owners: p.type(TextArrayType).$type<string[]>(),
    defaultAssignee: p.string().fieldName('default_assignee'),
    defaultCc: p.type(TextArrayType).$type<string[]>().fieldName('default_cc'),
    archived: p.boolean(),
    accessOverridden: p.boolean().fieldName('access_overridden'),
    access: p.json().$type<StoredGrant[]>(),
    customFields: p.json().$type<StoredFieldDefinition[]>().fieldName('custom_fields'),
    templates: p.json().$type<unknown[]>(),
    created: p.type(TimeType).$type<string>(),
    modified: p.type(TimeType).$type<string>(),
  },
});
export type ComponentEntity = InferEntity<typeof ComponentEntity>;
