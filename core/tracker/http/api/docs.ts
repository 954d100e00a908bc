import { ERRORS } from '@bugless/kit/service';
import type { FastifyInstance } from 'fastify';
import type { RouteOptions } from '../services.ts';
import { describeApi, describeRule, type Operation } from './openapi.ts';

/** /api/v1/openapi.json for programs, /api/docs for people. */
export async function docsRoutes(
  app: FastifyInstance,
  { services, routes }: RouteOptions & { readonly routes: readonly Operation[] },
): Promise<void> {
  let json: string | undefined;
  let page: string | undefined;

  app.get('/v1/openapi.json', async (_request, reply) => {
    json ??= JSON.stringify(describeApi(routes, services.version));
    return reply.type('application/json; charset=utf-8').header('Cache-Control', 'public, max-age=300').send(json);
  });

  app.get('/docs', async (_request, reply) => {
    page ??= renderReference(routes);
    return reply.type('text/html; charset=utf-8').header('Cache-Control', 'public, max-age=300').send(page);
  });
}

interface JsonSchema {
  readonly title?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly const?: string;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** The reference as one page: no script, and the server's own style sheet when it has one. */
function renderReference(operations: readonly Operation[]): string {
  const groups = Map.groupBy(operations, ({ path }) => path.split('/')[3]?.replace(/:.*/, '') ?? '');
  const sections = [...groups].map(
    ([group, members]) =>
      `<section><h2 id="${escapeHtml(group)}">${escapeHtml(group)}</h2>${members.map(renderOperation).join('')}</section>`,
  );
  const errors = Object.entries(ERRORS).map(
    ([reason, row]) =>
      `<tr id="${reason}"><td><code>${reason}</code></td><td>${row.http}</td><td><code>${row.code}</code></td><td>${escapeHtml(row.recovery)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>API reference · Bugless</title></head><body><main>
<h1>API reference</h1>
<p>The same for programs: <a href="/api/v1/openapi.json">openapi.json</a>. Ids are decimal strings, times RFC 3339 in UTC, enums words.
Send <code>Authorization: Bearer TOKEN</code>. Lists answer <code>nextPageToken</code>: send it as <code>pageToken</code> until it is empty.
Every answer tells <code>RateLimit-Limit</code>, <code>RateLimit-Remaining</code> and <code>RateLimit-Reset</code> (seconds), and an <code>X-Request-Id</code> that stands in the log.
Writes take <code>Idempotency-Key</code>; changes take <code>If-Match</code> with the <code>ETag</code> of the last answer.
Users may be given by id, by username, or as <code>me</code>.</p>
<nav><ul>${[...groups.keys()].map((group) => `<li><a href="#${escapeHtml(group)}">${escapeHtml(group)}</a></li>`).join('')}<li><a href="#errors">errors</a></li></ul></nav>
${sections.join('\n')}
<section><h2 id="errors">errors</h2>
<p>Failures are <code>application/problem+json</code> (RFC 9457) with <code>reason</code>, <code>detail</code>, <code>requestId</code> and, for wrong fields, <code>violations</code>.</p>
<table><thead><tr><th scope="col">reason</th><th scope="col">HTTP</th><th scope="col">gRPC</th><th scope="col">what to do</th></tr></thead><tbody>
${errors.join('\n')}
</tbody></table></section>
</main></body></html>
`;
}

function renderOperation({ method, path, schema, rule }: Operation): string {
  const answers = Object.entries(schema.response ?? {}).map(
    ([status, answer]) => `<li><code>${status}</code> ${renderShape(answer as JsonSchema)}</li>`,
  );
  return `<article><h3><code>${method} ${escapeHtml(path)}</code></h3>
<p>${escapeHtml(schema.summary ?? '')}. ${markCode(schema.description ?? '')}</p><p>${escapeHtml(describeRule(rule))}</p>
${renderFields('Query', schema.querystring as JsonSchema | undefined)}${renderFields('Body', schema.body as JsonSchema | undefined)}
${answers.length === 0 ? '' : `<p>Answers:</p><ul>${answers.join('')}</ul>`}</article>`;
}

function renderFields(label: string, schema: JsonSchema | undefined): string {
  const fields = Object.entries(schema?.properties ?? {});
  if (fields.length === 0) return '';
  const rows = fields.map(
    ([name, field]) =>
      `<tr><td><code>${escapeHtml(name)}</code>${schema?.required?.includes(name) ? ' (required)' : ''}</td><td>${renderShape(field)}</td><td>${markCode(field.description ?? '')}</td></tr>`,
  );
  return `<table><caption>${label}</caption><tbody>${rows.join('')}</tbody></table>`;
}

function renderShape(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `<code>${escapeHtml(word)}</code>`).join(' | ');
  if (schema.const !== undefined) return `<code>${escapeHtml(schema.const)}</code>`;
  if (schema.anyOf !== undefined) return schema.anyOf.map(renderShape).join(' | ');
  if (schema.items !== undefined) return `list of ${renderShape(schema.items)}`;
  if (schema.title !== undefined) return escapeHtml(schema.title);
  const names = Object.keys(schema.properties ?? {});
  if (names.length > 0) {
    return `{ ${names.map((name) => `<code>${escapeHtml(name)}</code>: ${renderShape(schema.properties?.[name] ?? {})}`).join(', ')} }`;
  }
  return ([] as string[]).concat((schema.type as string | string[] | undefined) ?? 'any').join(' | ');
}

function markCode(text: string): string {
  return escapeHtml(text).replace(/`([^`]*)`/g, '<code>$1</code>');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
