import { WORDS } from '@bugless/kit/domain';
import type { DeepPartial, Hotlist, HotlistEntry, HotlistPermission } from '@bugless/kit/service';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from '../../json-schema.ts';
import type { RouteOptions, Services } from '../services.ts';
import { resolveUserReference } from '../user-reference.ts';
import { formatGrant, GrantSchema, readGrants } from './grant.ts';
import { toSnake } from './issue-input.ts';
import { writeIssue } from './issue-json.ts';
import { formatETag, readIdempotencyKey, readIfMatch } from './precondition.ts';
import {
  Id,
  IdText,
  IssueJson,
  nextPageToken,
  OptionalId,
  OptionalText,
  PageQuery,
  strict,
  Time,
  toId,
  UserReference,
  Word,
} from './schema.ts';

const Grant = GrantSchema('HotlistGrant', WORDS.hotlistPermission);
const fields = {
  description: Type.Optional(Type.String({ description: 'Markdown.' })),
  access: Type.Optional(Type.Array(Grant, { maxItems: 500 })),
};
const NewHotlist = Type.Object({ name: Type.String(), ...fields }, { ...strict, title: 'NewHotlist' });
const HotlistChanges = Type.Object(
  {
    name: Type.Optional(Type.String()),
    owner: Type.Optional(UserReference),
    archived: Type.Optional(Type.Boolean()),
    ...fields,
  },
  { ...strict, title: 'HotlistChanges' },
);
const HotlistJson = Type.Object(
  {
    id: IdText,
    version: Type.String(),
    name: Type.String(),
    description: Type.String(),
    owner: OptionalText,
    access: Type.Array(Grant),
    archived: Type.Boolean(),
    permissions: Type.Array(Word(WORDS.hotlistPermission)),
    created: Time,
    modified: Time,
  },
  { title: 'Hotlist' },
);
const EntryJson = Type.Object(
  {
    hotlist: IdText,
    issue: IdText,
    note: Type.String(),
    author: OptionalText,
    added: Time,
    summary: Type.Optional(IssueJson),
  },
  { title: 'HotlistEntry' },
);

const ByIdParams = Type.Object({ id: IdText });
const ByEntry = Type.Object({ id: IdText, issue: IdText });
const Nothing = { 204: Type.Null() };

/** /hotlists and their entries. */
export const hotlistRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const { model } = services;

  app.get(
    '/hotlists',
    {
      schema: {
        summary: 'List hotlists',
        querystring: Type.Object(
          {
            owner: Type.Optional(UserReference),
            name: Type.Optional(Type.String({ maxLength: 100, description: 'Part of a name.' })),
            issue: Type.Optional(IdText),
            includeArchived: Type.Optional(Type.Boolean({ default: false })),
            ...PageQuery,
          },
          strict,
        ),
        response: { 200: Type.Object({ hotlists: Type.Array(HotlistJson), nextPageToken }) },
      },
    },
    async (request) => {
      const { owner, name, issue, includeArchived, pageSize, pageToken } = request.query;
      const answer = await model.listHotlists(
        {
          owner: await resolveUserReference(owner ?? '', request, services, 'owner'),
          name: name ?? '',
          issue: issue ?? '0',
          includeArchived: includeArchived ?? false,
          pageSize: pageSize ?? 0,
          pageToken: pageToken ?? '',
        },
        request.caller.context,
      );
      return { hotlists: answer.hotlists.map(formatHotlist), nextPageToken: answer.nextPageToken } as never;
    },
  );

  app.post(
    '/hotlists',
    { schema: { summary: 'Create a hotlist', body: NewHotlist, response: { 201: HotlistJson } } },
    async (request, reply) => {
      const { hotlist } = await model.createHotlist(
        { hotlist: await readHotlist(request.body, request, services), requestId: readIdempotencyKey(request) },
        request.caller.context,
      );
      return reply
        .code(201)
        .header('Location', `/api/v1/hotlists/${hotlist!.id}`)
        .header('ETag', formatETag(hotlist!.version))
        .send(formatHotlist(hotlist!) as never);
    },
  );

  app.get(
    '/hotlists/:id',
    { schema: { summary: 'Read a hotlist', params: ByIdParams, response: { 200: HotlistJson } } },
    async (request, reply) => {
      const { hotlist } = await model.getHotlist({ id: request.params.id }, request.caller.context);
      return reply.header('ETag', formatETag(hotlist!.version)).send(formatHotlist(hotlist!) as never);
    },
  );

  app.patch(
    '/hotlists/:id',
    {
      schema: {
        summary: 'Change a hotlist',
        params: ByIdParams,
        body: HotlistChanges,
        response: { 200: HotlistJson },
      },
    },
    async (request, reply) => {
      const { hotlist } = await model.updateHotlist(
        {
          id: request.params.id,
          expectedVersion: readIfMatch(request),
          requestId: readIdempotencyKey(request),
          hotlist: await readHotlist(request.body, request, services),
          updateMask: Object.keys(request.body).map(toSnake),
        },
        request.caller.context,
      );
      return reply.header('ETag', formatETag(hotlist!.version)).send(formatHotlist(hotlist!) as never);
    },
  );

  app.delete(
    '/hotlists/:id',
    { schema: { summary: 'Delete a hotlist', params: ByIdParams, response: Nothing } },
    async (request, reply) => {
      await model.deleteHotlist({ id: request.params.id }, request.caller.context);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/hotlists/:id/entries',
    {
      schema: {
        summary: 'List the entries of a hotlist in their order',
        params: ByIdParams,
        querystring: Type.Object(PageQuery, strict),
        response: { 200: Type.Object({ entries: Type.Array(EntryJson), nextPageToken }) },
      },
    },
    async (request) => {
      const answer = await model.listHotlistEntries(
        {
          hotlist: request.params.id,
          pageSize: request.query.pageSize ?? 0,
          pageToken: request.query.pageToken ?? '',
        },
        request.caller.context,
      );
      return { entries: answer.entries.map(formatEntry), nextPageToken: answer.nextPageToken } as never;
    },
  );

  app.post(
    '/hotlists/:id/entries',
    {
      schema: {
        summary: 'Put issues on top',
        description: 'In the order given; an issue already there moves up and keeps its note.',
        params: ByIdParams,
        body: Type.Object(
          { issues: Type.Array(Id, { minItems: 1, maxItems: 500 }), note: Type.Optional(Type.String()) },
          strict,
        ),
        response: Nothing,
      },
    },
    async (request, reply) => {
      await model.addHotlistEntries(
        {
          hotlist: request.params.id,
          issues: request.body.issues.map(toId),
          note: request.body.note ?? '',
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      return reply.code(204).send(null);
    },
  );

  app.patch(
    '/hotlists/:id/entries/:issue',
    {
      schema: {
        summary: 'Move an entry, or change its note',
        params: ByEntry,
        body: Type.Object(
          {
            after: Type.Optional(
              Type.Unsafe<string | number | null>({
                ...OptionalId,
                description: 'The issue behind which it goes; null: to the top.',
              }),
            ),
            note: Type.Optional(Type.String()),
          },
          strict,
        ),
        response: Nothing,
      },
    },
    async (request, reply) => {
      const { after, note } = request.body;
      const entry = { hotlist: request.params.id, issue: request.params.issue };
      if (after !== undefined) {
        await model.moveHotlistEntry({ ...entry, after: toId(after) }, request.caller.context);
      }
      if (note !== undefined) await model.annotateHotlistEntry({ ...entry, note }, request.caller.context);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/hotlists/:id/entries/:issue',
    { schema: { summary: 'Take an issue out', params: ByEntry, response: Nothing } },
    async (request, reply) => {
      const { id, issue } = request.params;
      await model.removeHotlistEntries({ hotlist: id, issues: [issue] }, request.caller.context);
      return reply.code(204).send(null);
    },
  );
};

async function readHotlist(
  body: Static<typeof HotlistChanges>,
  request: FastifyRequest,
  services: Services,
): Promise<DeepPartial<Hotlist>> {
  return {
    name: body.name ?? '',
    description: body.description ?? '',
    owner: await resolveUserReference(body.owner ?? '', request, services, 'owner'),
    archived: body.archived ?? false,
    access: await readGrants<HotlistPermission>(body.access ?? [], WORDS.hotlistPermission, request, services),
  };
}

function formatHotlist(hotlist: Hotlist): object {
  return {
    id: hotlist.id,
    version: hotlist.version,
    name: hotlist.name,
    description: hotlist.description,
    owner: hotlist.owner || null,
    access: hotlist.access.map((grant) => formatGrant(grant, WORDS.hotlistPermission)),
    archived: hotlist.archived,
    permissions: hotlist.permissions.map((permission) => WORDS.hotlistPermission.format(permission)),
    created: hotlist.created ?? null,
    modified: hotlist.modified ?? null,
  };
}

function formatEntry(entry: HotlistEntry): object {
  return {
    hotlist: entry.hotlist,
    issue: entry.issue,
    note: entry.note,
    author: entry.author || null,
    added: entry.added ?? null,
    ...(entry.summary !== undefined && { summary: JSON.parse(writeIssue(entry.summary, false)) }),
  };
}
