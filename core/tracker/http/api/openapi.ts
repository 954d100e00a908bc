import { WORDS } from '@bugless/kit/domain';
import { ERRORS } from '@bugless/kit/service';
import type { FastifyInstance } from 'fastify';
import { findRule } from '../guard.ts';
import type { RouteRule } from '../route-table.ts';

/** One operation of the API, as its route was registered. */
export interface Operation {
  readonly method: string;
  /** OpenAPI's form: `/api/v1/issues/{id}`. */
  readonly path: string;
  readonly rule: RouteRule;
  readonly schema: OperationSchema;
}

/** What a route says of itself. */
export interface OperationSchema {
  readonly summary?: string;
  readonly description?: string;
  readonly params?: ObjectSchema;
  readonly querystring?: ObjectSchema;
  readonly body?: object;
  readonly response?: Readonly<Record<string, object>>;
  readonly produces?: readonly string[];
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly required?: readonly string[];
}

/** Notes every route of a scope as it is registered; the list is whole once the server is ready. */
export function collectRoutes(app: FastifyInstance): readonly Operation[] {
  const operations: Operation[] = [];
  app.addHook('onRoute', (route) => {
    for (const method of ([] as string[]).concat(route.method)) {
      if (method === 'HEAD' || route.schema?.summary === undefined) continue;
      operations.push({
        method,
        path: route.url
          .replaceAll('::', '\0')
          .replace(/:(\w+)/g, '{$1}')
          .replaceAll('\0', ':'),
        rule: findRule(method, route.url),
        schema: route.schema as OperationSchema,
      });
    }
  });
  return operations;
}

declare module 'fastify' {
  interface FastifySchema {
    readonly summary?: string;
    readonly description?: string;
  }
}

/** The API as an OpenAPI 3.1 document. Schemas with a title become named components. */
export function describeApi(operations: readonly Operation[], version: string): object {
  const schemas: Record<string, object> = { Problem: PROBLEM };
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, rule, schema } of operations) {
    paths[path] ??= {};
    paths[path][method.toLowerCase()] = {
      operationId: nameOperation(method, path),
      tags: [path.split('/')[3]?.replace(/:.*/, '') ?? 'api'],
      summary: schema.summary,
      description: [schema.description, describeRule(rule)].filter(Boolean).join('\n\n'),
      security: rule.who === 'anyone' ? [{}, { bearer: [] }] : [{ bearer: [] }],
      parameters: [
        ...listParameters('path', schema.params, schemas),
        ...listParameters('query', schema.querystring, schemas),
        ...listHeaders(method),
      ],
      ...(schema.body !== undefined && {
        requestBody: { required: true, content: { 'application/json': { schema: refer(schema.body, schemas) } } },
      }),
      responses: listResponses(schema, schemas),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Bugless',
      version,
      description:
        'Ids are decimal strings, times RFC 3339 in UTC, enums words. Every failure is application/problem+json with a `reason`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API token, or the token that POST sessions answers.',
        },
      },
      responses: {
        Problem: {
          description: 'Any failure.',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
  };
}

const PROBLEM = {
  type: 'object',
  description: 'RFC 9457.',
  required: ['type', 'title', 'status', 'detail', 'reason', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string', description: 'What to do.' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What is wrong, in one line.' },
    reason: { type: 'string', enum: Object.keys(ERRORS) },
    requestId: { type: 'string' },
    violations: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          field: { type: 'string', description: 'Path in the body: `labels[3]`.' },
          description: { type: 'string' },
        },
      },
    },
    metadata: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

/** A schema with its titled parts replaced by references, which are added to `schemas`. */
function refer(schema: unknown, schemas: Record<string, object>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => refer(item, schemas));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { title } = schema as { title?: unknown };
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, refer(value, schemas)]));
  if (typeof title !== 'string') return copy;
  schemas[title] ??= copy;
  return { $ref: `#/components/schemas/${title}` };
}

function listParameters(
  where: 'path' | 'query',
  schema: ObjectSchema | undefined,
  schemas: Record<string, object>,
): object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || (schema?.required?.includes(name) ?? false),
    ...(property.description && { description: property.description }),
    schema: refer(property, schemas),
  }));
}

function listHeaders(method: string): object[] {
  const headers: object[] = [];
  if (method === 'POST' || method === 'PATCH') {
    headers.push({
      name: 'Idempotency-Key',
      in: 'header',
      description: 'Your name for this write: repeated with the same body it gets the first answer.',
      schema: { type: 'string', minLength: 1, maxLength: 128 },
    });
  }
  if (method === 'PATCH') {
    headers.push({
      name: 'If-Match',
      in: 'header',
      description: 'The ETag that you saw; another one is answered with 412.',
      schema: { type: 'string' },
    });
  }
  return headers;
}

function listResponses(schema: OperationSchema, schemas: Record<string, object>): object {
  const responses: Record<string, object> = {};
  for (const [status, answer] of Object.entries(schema.response ?? { 200: {} })) {
    const empty = (answer as { type?: string }).type === 'null';
    const type = schema.produces?.[0] ?? 'application/json';
    responses[status] = empty
      ? { description: 'Done.' }
      : { description: 'The answer.', content: { [type]: { schema: refer(answer, schemas) } } };
  }
  responses.default = { $ref: '#/components/responses/Problem' };
  return responses;
}

/** `PATCH /api/v1/issues/{id}` → `patchIssuesById`: unique, as method and path are. */
function nameOperation(method: string, path: string): string {
  const parts = path
    .slice('/api/v1/'.length)
    .split(/[/:.]/)
    .map((part) => part.replace(/^\{(\w+)\}$/, (_, name: string) => `By${name[0]?.toUpperCase()}${name.slice(1)}`))
    .map((part) => `${part[0]?.toUpperCase()}${part.slice(1)}`);
  return method.toLowerCase() + parts.join('');
}

/** Who may call it, in one line. */
export function describeRule({ who, scope }: RouteRule): string {
  const words = {
    anyone: 'Anyone may call it; answers depend on who asks',
    user: 'Needs a login',
    admin: 'For administrators',
  };
  return `${words[who]}. Token scope: ${WORDS.tokenScope.format(scope)}.`;
}
