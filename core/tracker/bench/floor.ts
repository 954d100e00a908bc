/**
 * The floor: what any tracker on this stack has to pay. A bare Fastify handler with one
 * prepared statement that gives the same bytes as core: no login, no access, no query, no plugin.
 */
import { createEmptyIssue } from '@bugless/kit/domain';
import type { Issue } from '@bugless/kit/service';
import Fastify from 'fastify';
import pg from 'pg';
import { writeIssue, writeIssueList } from '../http/api/issue-json.ts';

interface FloorSettings {
  readonly database: pg.PoolConfig;
  /** What core's answers say behind their issues. */
  readonly listRest: Readonly<Record<string, unknown>>;
  readonly searchRest: Readonly<Record<string, unknown>>;
  readonly permissions: Issue['permissions'];
}

const settings = JSON.parse(process.env['FLOOR_SETTINGS']!) as FloorSettings;
const types = {
  getTypeParser: (oid: number) => {
    // timestamptz as ISO text, int8 as text, arrays of text as pg reads them.
    if (oid === 1184) return (text: string) => new Date(text).toISOString();
    if (oid === 20) return (text: string) => text;
    return pg.types.getTypeParser(oid);
  },
};
const pool = new pg.Pool({ ...settings.database, max: 10, types: types as never });

const COLUMNS = `i.id, i.version, i.acl, i.status, i.priority, i.severity, i.type, i.archived, i.stars, i.comment_count, i.created, i.modified,
  i.resolved, i.verified, i.parent, i.duplicate_of, i.reporter, i.assignee, i.verifier, i.title, i.collaborators, i.cc, i.labels, i.found_in,
  i.targeted_to, i.verified_in`;
const ONE = `select ${COLUMNS}, d.comment as description from issue i join issue_update d on d.issue_id = i.id and d.sequence = 1 where i.id = $1`;
const LIST = `select ${COLUMNS} from issue i where not i.archived order by i.modified desc, i.id desc limit 51`;
const SEARCH = `select ${COLUMNS} from issue i where i.is_open and i.priority = any($1::int4[]) and not i.archived order by i.modified desc, i.id desc limit 51`;

// biome-ignore lint/suspicious/noExplicitAny: rows as pg gives them
function toIssue(row: any): Issue {
  const issue = createEmptyIssue();
  Object.assign(issue, {
    id: row.id,
    version: row.version,
    title: row.title,
    description: row.description ?? '',
    type: row.type,
    priority: row.priority,
    severity: row.severity,
    status: row.status,
    component: String(row.acl >> 2),
    assignee: row.assignee,
    verifier: row.verifier,
    reporter: row.reporter,
    collaborators: row.collaborators,
    cc: row.cc,
    labels: row.labels,
    foundIn: row.found_in,
    targetedTo: row.targeted_to,
    verifiedIn: row.verified_in,
    parent: row.parent ?? '0',
    duplicateOf: row.duplicate_of ?? '0',
    archived: row.archived,
    stars: row.stars,
    commentCount: row.comment_count,
    created: row.created,
    modified: row.modified,
    resolved: row.resolved ?? undefined,
    verified: row.verified ?? undefined,
    permissions: settings.permissions,
  });
  return issue;
}

const app = Fastify();
const JSON_TYPE = 'application/json; charset=utf-8';
app.get<{ Params: { id: string } }>('/issues/:id', async (request, reply) => {
  const { rows } = await pool.query({ name: 'one', text: ONE, values: [request.params.id] });
  return reply.type(JSON_TYPE).send(writeIssue(toIssue(rows[0]), true));
});
app.get('/list', async (_request, reply) => {
  const { rows } = await pool.query({ name: 'list', text: LIST });
  return reply.type(JSON_TYPE).send(writeIssueList(rows.slice(0, 50).map(toIssue), false, settings.listRest));
});
app.get('/search', async (_request, reply) => {
  const { rows } = await pool.query({ name: 'search', text: SEARCH, values: [[1, 2]] });
  return reply.type(JSON_TYPE).send(writeIssueList(rows.slice(0, 50).map(toIssue), false, settings.searchRest));
});

await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
process.stdout.write(`floor at http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`);
process.on('SIGTERM', () => {
  app.close().then(() => pool.end());
});
