import { WORDS } from '@bugless/kit/domain';
import type { Component, CustomFieldKind, DeepPartial, Permission } from '@bugless/kit/service';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from '../../json-schema.ts';
import type { RouteOptions, Services } from '../services.ts';
import { resolveUserReferences } from '../user-reference.ts';
import { formatGrant, GrantSchema, readGrants } from './grant.ts';
import { readWord, toSnake } from './issue-input.ts';
import { formatETag, readIdempotencyKey, readIfMatch } from './precondition.ts';
import {
  Id,
  IdText,
  nextPageToken,
  OptionalId,
  OptionalText,
  OptionalUserReference,
  PageQuery,
  strict,
  Texts,
  Time,
  toId,
  UserReferences,
  Word,
} from './schema.ts';

const Grant = GrantSchema('AccessGrant', WORDS.permission);

const CustomField = Type.Object(
  {
    name: Type.String(),
    kind: Word(WORDS.customFieldKind),
    options: Type.Optional(Texts),
    description: Type.Optional(Type.String()),
    required: Type.Optional(Type.Boolean()),
  },
  { ...strict, title: 'CustomFieldDefinition' },
);

const fields = {
  description: Type.Optional(Type.String({ description: 'Markdown.' })),
  owners: Type.Optional(UserReferences),
  defaultAssignee: Type.Optional(OptionalUserReference),
  defaultCc: Type.Optional(UserReferences),
  archived: Type.Optional(Type.Boolean()),
  access: Type.Optional(Type.Array(Grant, { maxItems: 500 })),
  accessOverridden: Type.Optional(Type.Boolean()),
  customFields: Type.Optional(Type.Array(CustomField, { maxItems: 200 })),
};

const NewComponent = Type.Object(
  { name: Type.String(), parent: Type.Optional(OptionalId), ...fields },
  { ...strict, title: 'NewComponent' },
);
const ComponentChanges = Type.Object(
  { name: Type.Optional(Type.String()), ...fields },
  { ...strict, title: 'ComponentChanges' },
);

const ComponentJson = Type.Object(
  {
    id: IdText,
    version: Type.String(),
    parent: OptionalText,
    name: Type.String(),
    path: Texts,
    ancestry: Texts,
    description: Type.String(),
    owners: Texts,
    defaultAssignee: OptionalText,
    defaultCc: Texts,
    archived: Type.Boolean(),
    access: Type.Array(Grant),
    accessOverridden: Type.Boolean(),
    customFields: Type.Array(CustomField),
    templates: Type.Array(Type.Object({ name: Type.String() })),
    permissions: Type.Array(Word(WORDS.permission)),
    created: Time,
    modified: Time,
  },
  { title: 'Component' },
);

const ByIdParams = Type.Object({ id: IdText });

/** /components: the tree. */
export const componentRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const { model } = services;

  app.get(
    '/components',
    {
      schema: {
        summary: 'List components',
        querystring: Type.Object(
          {
            below: Type.Optional(IdText),
            name: Type.Optional(Type.String({ maxLength: 100, description: 'Part of a name.' })),
            includeArchived: Type.Optional(Type.Boolean({ default: false })),
            ...PageQuery,
          },
          strict,
        ),
        response: { 200: Type.Object({ components: Type.Array(ComponentJson), nextPageToken }) },
      },
    },
    async (request) => {
      const { below, name, includeArchived, pageSize, pageToken } = request.query;
      const answer = await model.listComponents(
        {
          below: below ?? '0',
          name: name ?? '',
          includeArchived: includeArchived ?? false,
          pageSize: pageSize ?? 0,
          pageToken: pageToken ?? '',
        },
        request.caller.context,
      );
      return { components: answer.components.map(formatComponent), nextPageToken: answer.nextPageToken } as never;
    },
  );

  app.get(
    '/components/:id',
    { schema: { summary: 'Read a component', params: ByIdParams, response: { 200: ComponentJson } } },
    async (request, reply) => {
      const { component } = await model.getComponent({ id: request.params.id }, request.caller.context);
      return reply.header('ETag', formatETag(component!.version)).send(formatComponent(component!) as never);
    },
  );

  app.post(
    '/components',
    { schema: { summary: 'Create a component', body: NewComponent, response: { 201: ComponentJson } } },
    async (request, reply) => {
      const { component } = await model.createComponent(
        {
          component: { ...(await readComponent(request.body, request, services)), parent: toId(request.body.parent) },
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      return reply
        .code(201)
        .header('Location', `/api/v1/components/${component!.id}`)
        .header('ETag', formatETag(component!.version))
        .send(formatComponent(component!) as never);
    },
  );

  app.patch(
    '/components/:id',
    {
      schema: {
        summary: 'Change a component',
        params: ByIdParams,
        body: ComponentChanges,
        response: { 200: ComponentJson },
      },
    },
    async (request, reply) => {
      const { component } = await model.updateComponent(
        {
          id: request.params.id,
          expectedVersion: readIfMatch(request),
          requestId: readIdempotencyKey(request),
          component: await readComponent(request.body, request, services),
          updateMask: Object.keys(request.body).map(toSnake),
        },
        request.caller.context,
      );
      return reply.header('ETag', formatETag(component!.version)).send(formatComponent(component!) as never);
    },
  );

  app.post(
    '/components/:id/move',
    {
      schema: {
        summary: 'Move a component with all below it',
        params: ByIdParams,
        body: Type.Object(
          { parent: Type.Unsafe<string | number | null>({ ...Id, type: ['string', 'integer', 'null'] }) },
          strict,
        ),
        response: { 200: ComponentJson },
      },
    },
    async (request, reply) => {
      const { component } = await model.moveComponent(
        {
          id: request.params.id,
          newParent: toId(request.body.parent),
          expectedVersion: readIfMatch(request),
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      return reply.header('ETag', formatETag(component!.version)).send(formatComponent(component!) as never);
    },
  );
};

async function readComponent(
  body: Static<typeof ComponentChanges>,
  request: FastifyRequest,
  services: Services,
): Promise<DeepPartial<Component>> {
  const users = await resolveUserReferences(
    {
      owners: body.owners ?? [],
      defaultAssignee: body.defaultAssignee ? [body.defaultAssignee] : [],
      defaultCc: body.defaultCc ?? [],
    },
    request,
    services,
  );
  return {
    name: body.name ?? '',
    description: body.description ?? '',
    owners: users.owners,
    defaultAssignee: users.defaultAssignee[0] ?? '',
    defaultCc: users.defaultCc,
    archived: body.archived ?? false,
    access: await readGrants<Permission>(body.access ?? [], WORDS.permission, request, services),
    accessOverridden: body.accessOverridden ?? false,
    customFields: (body.customFields ?? []).map((field, index) => ({
      ...field,
      kind: readWord(WORDS.customFieldKind, field.kind, `customFields[${index}].kind`) as CustomFieldKind,
    })),
  };
}

/** A component as plain data. */
export function formatComponent(component: Component): object {
  return {
    id: component.id,
    version: component.version,
    parent: component.parent === '0' ? null : component.parent,
    name: component.name,
    path: component.path,
    ancestry: component.ancestry,
    description: component.description,
    owners: component.owners,
    defaultAssignee: component.defaultAssignee || null,
    defaultCc: component.defaultCc,
    archived: component.archived,
    access: component.access.map((grant) => formatGrant(grant, WORDS.permission)),
    accessOverridden: component.accessOverridden,
    customFields: component.customFields.map((field) => ({
      name: field.name,
      kind: WORDS.customFieldKind.format(field.kind),
      options: field.options,
      description: field.description,
      required: field.required,
    })),
    templates: component.templates.map(({ name, issue }) => ({
      name,
      title: issue?.title ?? '',
      description: issue?.description ?? '',
    })),
    permissions: component.permissions.map((permission) => WORDS.permission.format(permission)),
    created: component.created ?? null,
    modified: component.modified ?? null,
  };
}
