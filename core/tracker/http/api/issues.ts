import { type DeepPartial, IssueView, ServiceError, STATUS_CODES, type UpdateIssueRequest } from '@bugless/kit/service';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../json-schema.ts';
import { toCamelPath } from '../problem.ts';
import { parseQueryText, searchByText } from '../query.ts';
import type { RouteOptions } from '../services.ts';
import { readChanges, readNewIssue } from './issue-input.ts';
import { writeIssue, writeIssueList } from './issue-json.ts';
import { formatETag, readIdempotencyKey, readIfMatch } from './precondition.ts';
import {
  Id,
  IdText,
  IssueChanges,
  IssueJson,
  issueChanges,
  NewIssue,
  nextPageToken,
  PageQuery,
  strict,
  toId,
} from './schema.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

const ByIdParams = Type.Object({ id: IdText });
const View = Type.Optional(Type.Union([Type.Literal('basic'), Type.Literal('full')], { default: 'basic' }));

const BatchUpdate = Type.Object(
  {
    updates: Type.Array(
      Type.Object(
        { id: Id, version: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,18}$' })), ...issueChanges },
        { ...strict, title: 'IssueUpdate' },
      ),
      { minItems: 1, maxItems: 500 },
    ),
    allOrNothing: Type.Optional(Type.Boolean({ default: false })),
  },
  { ...strict, title: 'BatchUpdate' },
);

/** /issues: search, create, read, change, in ones and in batches. */
export const issueRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const { model } = services;

  app.get(
    '/issues',
    {
      schema: {
        summary: 'Search issues',
        description: 'Issues that match `q`, in the order of `orderBy` (or of `orderby:` in the query).',
        querystring: Type.Object(
          {
            q: Type.Optional(Type.String({ maxLength: 4000, description: 'A query, as in the search box.' })),
            orderBy: Type.Optional(
              Type.String({
                maxLength: 200,
                description: 'Fields, `-` before those that descend: `priority,-modified`.',
              }),
            ),
            includeArchived: Type.Optional(Type.Boolean({ default: false })),
            view: View,
            ...PageQuery,
          },
          strict,
        ),
        response: {
          200: Type.Object(
            {
              issues: Type.Array(IssueJson),
              nextPageToken,
              query: Type.String({ description: 'The query as it was understood.' }),
            },
            { title: 'IssueList' },
          ),
        },
      },
    },
    async (request, reply) => {
      const { q, orderBy, pageSize, pageToken, view, includeArchived } = request.query;
      const full = view === 'full';
      const found = await searchByText(
        {
          text: q ?? '',
          orderBy: orderBy ?? '',
          pageSize: pageSize ?? 0,
          pageToken: pageToken ?? '',
          view: full ? IssueView.FULL : IssueView.BASIC,
          includeArchived: includeArchived ?? false,
        },
        request,
        services,
      );
      const rest = { nextPageToken: found.nextPageToken, query: found.canonical };
      return reply.type(JSON_TYPE).send(writeIssueList(found.issues, full, rest) as never);
    },
  );

  app.get(
    '/issues::count',
    {
      schema: {
        summary: 'Count issues',
        querystring: Type.Object(
          {
            q: Type.Optional(Type.String({ maxLength: 4000 })),
            includeArchived: Type.Optional(Type.Boolean({ default: false })),
          },
          strict,
        ),
        response: {
          200: Type.Object({
            count: Type.Integer(),
            more: Type.Boolean({ description: 'There are more than `count`.' }),
            query: Type.String(),
          }),
        },
      },
    },
    async (request) => {
      const { filter, canonical } = await parseQueryText(request.query.q ?? '', request, services);
      const { count, more } = await model.countIssues(
        { filter, includeArchived: request.query.includeArchived ?? false },
        request.caller.context,
      );
      return { count, more, query: canonical };
    },
  );

  app.post(
    '/issues',
    {
      schema: {
        summary: 'Create an issue',
        body: NewIssue,
        response: { 201: IssueJson },
      },
    },
    async (request, reply) => {
      const { issue } = await model.createIssue(
        {
          issue: await readNewIssue(request.body, request, services),
          requestId: readIdempotencyKey(request),
          restricted: request.body.restricted ?? false,
        },
        request.caller.context,
      );
      return reply
        .code(201)
        .header('Location', `/api/v1/issues/${issue!.id}`)
        .header('ETag', formatETag(issue!.version))
        .type(JSON_TYPE)
        .send(writeIssue(issue!, true) as never);
    },
  );

  app.get(
    '/issues/:id',
    { schema: { summary: 'Read an issue', params: ByIdParams, response: { 200: IssueJson } } },
    async (request, reply) => {
      const { issue } = await model.getIssue({ id: request.params.id }, request.caller.context);
      return reply
        .header('ETag', formatETag(issue!.version))
        .type(JSON_TYPE)
        .send(writeIssue(issue!, true) as never);
    },
  );

  app.patch(
    '/issues/:id',
    {
      schema: {
        summary: 'Change an issue',
        description:
          'Fields given are set, null clears one; `add` and `remove` change collections; `comment` goes with it. All or nothing, ' +
          'as one update. With `If-Match` the issue must still have that ETag, else 412.',
        params: ByIdParams,
        body: IssueChanges,
        response: { 200: IssueJson },
      },
    },
    async (request, reply) => {
      const { issue } = await model.updateIssue(
        {
          ...(await readChanges(request.body, request, services)),
          id: request.params.id,
          expectedVersion: readIfMatch(request),
          requestId: readIdempotencyKey(request),
        },
        request.caller.context,
      );
      return reply
        .header('ETag', formatETag(issue!.version))
        .type(JSON_TYPE)
        .send(writeIssue(issue!, true) as never);
    },
  );

  const batchGet = async (
    ids: readonly (string | number)[],
    view: string | undefined,
    context: Parameters<typeof model.batchGetIssues>[1],
  ): Promise<string> => {
    const full = view !== 'basic';
    const { issues } = await model.batchGetIssues(
      { ids: ids.map(toId), view: full ? IssueView.FULL : IssueView.BASIC },
      context,
    );
    return writeIssueList(issues, full, {});
  };
  const batchAnswer = { 200: Type.Object({ issues: Type.Array(IssueJson) }) };

  app.get(
    '/issues::batchGet',
    {
      schema: {
        summary: 'Read many issues',
        description: 'Up to 500, in the order of the request; those that are not there are left out.',
        querystring: Type.Object(
          { ids: Type.Array(IdText, { minItems: 1, maxItems: 500 }), view: Type.Optional(Type.String()) },
          strict,
        ),
        response: batchAnswer,
      },
    },
    async (request, reply) =>
      reply
        .type(JSON_TYPE)
        .send((await batchGet(request.query.ids, request.query.view, request.caller.context)) as never),
  );

  app.post(
    '/issues::batchGet',
    {
      schema: {
        summary: 'Read many issues',
        description: 'Up to 500, in the order of the request; those that are not there are left out.',
        body: Type.Object(
          { ids: Type.Array(Id, { minItems: 1, maxItems: 500 }), view: Type.Optional(Type.String()) },
          strict,
        ),
        response: batchAnswer,
      },
    },
    async (request, reply) =>
      reply
        .type(JSON_TYPE)
        .send((await batchGet(request.body.ids, request.body.view, request.caller.context)) as never),
  );

  app.post(
    '/issues::batchUpdate',
    {
      schema: {
        summary: 'Change many issues',
        description:
          'Up to 500 updates of different issues, each as PATCH does it; `version` stands for If-Match. With `allOrNothing` one failure ' +
          'fails all; without it each result has its `issue` or its `error`.',
        body: BatchUpdate,
        response: {
          200: Type.Object({
            results: Type.Array(
              Type.Object({
                id: IdText,
                issue: Type.Optional(IssueJson),
                error: Type.Optional(
                  Type.Object({
                    reason: Type.String(),
                    detail: Type.String(),
                    field: Type.Optional(Type.String()),
                    code: Type.String(),
                  }),
                ),
              }),
            ),
          }),
        },
      },
    },
    async (request, reply) => {
      const { allOrNothing, updates } = request.body;
      const requests: DeepPartial<UpdateIssueRequest>[] = [];
      for (const [index, { id, version, ...changes }] of updates.entries()) {
        try {
          requests.push({
            ...(await readChanges(changes, request, services)),
            id: toId(id),
            expectedVersion: version ?? '0',
          });
        } catch (error) {
          throw prefixViolations(error, `updates[${index}].`);
        }
      }
      const { results } = await model.batchUpdateIssues(
        { updates: requests, requestId: readIdempotencyKey(request), allOrNothing: allOrNothing ?? false },
        request.caller.context,
      );
      const texts = results.map(({ id, issue, error }) => {
        if (error === undefined) return `{"id":"${id}","issue":${writeIssue(issue!, true)}}`;
        const code = Object.entries(STATUS_CODES).find(([, number]) => number === error.code)?.[0] ?? 'INTERNAL';
        const { reason, message, field } = error;
        return JSON.stringify({
          id,
          error: { code, reason, detail: message, ...(field !== '' && { field: toCamelPath(field) }) },
        });
      });
      return reply.type(JSON_TYPE).send(`{"results":[${texts.join(',')}]}` as never);
    },
  );
};

/** The same failure, its fields named from the whole request. */
function prefixViolations(error: unknown, prefix: string): unknown {
  if (!(error instanceof ServiceError) || error.violations.length === 0) return error;
  const violations = error.violations.map((violation) => ({ ...violation, field: prefix + violation.field }));
  return new ServiceError(error.reason, prefix + error.message, { violations });
}
