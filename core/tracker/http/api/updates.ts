import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../json-schema.ts';
import type { RouteOptions } from '../services.ts';
import { readChanges } from './issue-input.ts';
import { formatUpdate } from './issue-json.ts';
import { formatETag, readIdempotencyKey, readIfMatch } from './precondition.ts';
import { IdText, IssueChanges, nextPageToken, PageQuery, strict, Time, UpdateJson } from './schema.ts';

const ByIssue = Type.Object({ id: IdText });
const BySequence = Type.Object({ id: IdText, sequence: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) });
const Written = Type.Object({ update: UpdateJson });

/** /issues/{id}/updates: history and comments; /issues/{id}/star. */
export const updateRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const { model } = services;

  app.get(
    '/issues/:id/updates',
    {
      schema: {
        summary: 'List the history of an issue',
        params: ByIssue,
        querystring: Type.Object(
          { ...PageQuery, descending: Type.Optional(Type.Boolean({ default: false, description: 'Newest first.' })) },
          strict,
        ),
        response: { 200: Type.Object({ updates: Type.Array(UpdateJson), nextPageToken }) },
      },
    },
    async (request) => {
      const { pageSize, pageToken, descending } = request.query;
      const answer = await model.listUpdates(
        {
          issue: request.params.id,
          descending: descending ?? false,
          pageSize: pageSize ?? 0,
          pageToken: pageToken ?? '',
        },
        request.caller.context,
      );
      return { updates: answer.updates.map(formatUpdate), nextPageToken: answer.nextPageToken } as never;
    },
  );

  app.post(
    '/issues/:id/updates',
    {
      schema: {
        summary: 'Comment on an issue, and change it',
        description: 'The same body as PATCH of the issue. Answers the update; 200 without one when nothing changed.',
        params: ByIssue,
        body: IssueChanges,
        response: { 201: UpdateJson, 200: Type.Object({}) },
      },
    },
    async (request, reply) => {
      const { issue, update } = await model.updateIssue(
        {
          ...(await readChanges(request.body, request, services)),
          id: request.params.id,
          expectedVersion: readIfMatch(request),
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      reply.header('ETag', formatETag(issue!.version));
      if (update === undefined) return reply.code(200).send({});
      return reply.code(201).send(formatUpdate(update) as never);
    },
  );

  app.patch(
    '/issues/:id/updates/:sequence',
    {
      schema: {
        summary: 'Edit a comment',
        description: 'Sequence 1 is the description. The earlier text is kept.',
        params: BySequence,
        body: Type.Object(
          {
            comment: Type.String(),
            commentVersion: Type.Integer({ minimum: 1, description: 'The one that you saw.' }),
          },
          strict,
        ),
        response: { 200: Written },
      },
    },
    async (request) => {
      const { update } = await model.editComment(
        {
          issue: request.params.id,
          sequence: request.params.sequence,
          comment: request.body.comment,
          expectedCommentVersion: request.body.commentVersion,
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      return { update: formatUpdate(update!) } as never;
    },
  );

  app.post(
    '/issues/:id/updates/:sequence/redact',
    { schema: { summary: 'Withdraw a comment', params: BySequence, response: { 200: Written } } },
    async (request) => {
      const { update } = await model.redactComment(
        { issue: request.params.id, sequence: request.params.sequence },
        request.caller.context,
      );
      return { update: formatUpdate(update!) } as never;
    },
  );

  app.get(
    '/issues/:id/updates/:sequence/versions',
    {
      schema: {
        summary: 'List the texts that a comment had',
        params: BySequence,
        response: {
          200: Type.Object({
            versions: Type.Array(
              Type.Object({ version: Type.Integer(), author: Type.String(), created: Time, comment: Type.String() }),
            ),
          }),
        },
      },
    },
    async (request) => {
      const { versions } = await model.listCommentVersions(
        { issue: request.params.id, sequence: request.params.sequence },
        request.caller.context,
      );
      return { versions: versions.map((version) => ({ ...version, created: version.created ?? null })) };
    },
  );

  const Stars = { 200: Type.Object({ stars: Type.Integer() }) };
  app.put(
    '/issues/:id/star',
    { schema: { summary: 'Star an issue', params: ByIssue, response: Stars } },
    async (request) => model.setStar({ issue: request.params.id, starred: true }, request.caller.context),
  );
  app.delete(
    '/issues/:id/star',
    { schema: { summary: 'Take a star away', params: ByIssue, response: Stars } },
    async (request) => model.setStar({ issue: request.params.id, starred: false }, request.caller.context),
  );
};
