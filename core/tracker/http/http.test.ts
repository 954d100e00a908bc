import { TokenScope } from '@bugless/kit/service';
import cookie from '@fastify/cookie';
import Fastify, { type InjectOptions } from 'fastify';
import t from 'tap';
import type { Config } from '../config/index.ts';
import { PASSWORD, startTestTracker } from '../testing.ts';
import { guard } from './guard.ts';
import { ROUTES } from './route-table.ts';
import { createServer } from './server.ts';

const tracker = await startTestTracker(t, {
  model: process.env.BUGLESS_TEST_MODEL,
  // Sections of the configuration: plugins that run elsewhere.
  config: JSON.parse(process.env.BUGLESS_TEST_PLUGINS ?? '{}'),
});
const { app, services, token, component, admin } = tracker;
const ann = await tracker.addPerson('ann');

/** Another server on the same plugins, with another configuration. */
async function startServer(config: Config) {
  const server = await createServer({ ...services, config });
  t.teardown(() => server.close());
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | number | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely
  readonly body: any;
}

/** Sends as JSON, as the administrator unless another token (or '' for nobody) is given. */
async function send(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
  as = token,
): Promise<Answer> {
  const answer = await app.inject({
    method: method as NonNullable<InjectOptions['method']>,
    url,
    headers: { ...(as && { authorization: `Bearer ${as}` }), ...headers },
    ...(body !== undefined && { payload: body as object }),
  });
  const type = String(answer.headers['content-type'] ?? '');
  return {
    status: answer.statusCode,
    headers: answer.headers as Answer['headers'],
    body: type.includes('json') ? answer.json() : answer.body,
  };
}

/** The reason why the Model at hand cannot, as tap shows it; nothing when it can. */
function skipWithout(capability: string): { skip?: string } {
  const { available, reason } = services.modelCapabilities.get(capability) ?? { available: false, reason: 'unknown' };
  return available ? {} : { skip: `the Model has no ${capability}: ${reason}` };
}

const makeIssue = async (values: object = {}) =>
  (await send('POST', '/api/v1/issues', { title: 'An issue', component, ...values })).body;

t.test('probes', async (t) => {
  t.match(await send('GET', '/healthz', undefined, {}, ''), { status: 200, body: { status: 'ok' } });
  const ready = await send('GET', '/readyz', undefined, {}, '');
  t.equal(ready.status, 200);
  t.match(ready.body, {
    status: 'ready',
    plugins: [
      { section: 'model', ready: true },
      { section: 'authenticators[0]', ready: true },
    ],
  });
});

t.test('the route table: every row of the API is a route, every route has a row, and rows hold', async (t) => {
  const reader = (await send('POST', '/api/v1/tokens', { name: 'reader', scopes: ['read'] })).body.secret;
  for (const [row, rule] of Object.entries(ROUTES)) {
    const [method, path] = row.split(' ') as [string, string];
    if (rule.surface === 'page' && path !== '/api/docs') continue;
    if (path.startsWith('/assets') || path === '/favicon.ico') continue;
    t.ok(app.hasRoute({ method: method as 'GET', url: path.replace(/(\w):(\w)/g, '$1::$2') }), `${row} is there`);
    const url = path.replaceAll('/:id', '/1').replace('/:sequence', '/1').replace('/:issue', '/1');
    const body = method === 'GET' || method === 'DELETE' ? undefined : {};
    if (rule.who !== 'anyone') {
      t.match(
        await send(method, url, body, {}, ''),
        { status: 401, body: { reason: 'LOGIN_REQUIRED' } },
        `${row}: not for visitors`,
      );
    }
    if (rule.who === 'admin') {
      t.match(
        await send(method, url, body, {}, ann.token),
        { status: 403, body: { reason: 'FORBIDDEN' } },
        `${row}: not for everybody`,
      );
    }
    if (rule.scope > TokenScope.READ) {
      const refused = await send(method, url, body, {}, reader);
      t.match(refused, { status: 403, body: { reason: 'SCOPE_EXCEEDED' } }, `${row}: not with a token that only reads`);
    }
  }
  const other = Fastify();
  await other.register(cookie);
  await other.register(guard, { services });
  t.throws(() => other.get('/nowhere', () => ''), /GET \/nowhere: not in http\/route-table\.ts/);
});

t.test('an issue: create, read, change, comment, history', async (t) => {
  const created = await send('POST', '/api/v1/issues', {
    title: 'Ünïcode "quoted" \\ 🐛',
    description: 'Text\nmore',
    component: Number(component),
    priority: 'p1',
    assignee: 'ann',
    cc: ['me', ann.user.id],
    labels: ['b', 'a'],
  });
  t.equal(created.status, 201);
  const { id } = created.body;
  t.equal(created.headers.location, `/api/v1/issues/${id}`);
  t.equal(created.headers.etag, '"1"');
  t.match(created.body, {
    id: /^\d+$/,
    version: '1',
    title: 'Ünïcode "quoted" \\ 🐛',
    description: 'Text\nmore',
    type: 'bug',
    priority: 'p1',
    severity: 's2',
    status: 'assigned',
    component,
    assignee: ann.user.id,
    verifier: null,
    reporter: admin.id,
    labels: ['a', 'b'],
    parent: null,
    accessLimit: 'default',
    created: /^\d{4}-\d\d-\d\dT.*Z$/,
    resolved: null,
  });
  t.same(created.body.cc, [admin.id, ann.user.id].sort());

  const changed = await send(
    'PATCH',
    `/api/v1/issues/${id}`,
    { status: 'fixed', assignee: null, add: { labels: ['c'] }, remove: { cc: ['ann'] }, comment: 'Done.' },
    { 'if-match': '"1"' },
  );
  t.match(changed, {
    status: 200,
    headers: { etag: '"2"' },
    body: { version: '2', status: 'fixed', assignee: null, labels: ['a', 'b', 'c'], commentCount: 1 },
  });
  t.match(changed.body.resolved, /Z$/);

  const stale = await send('PATCH', `/api/v1/issues/${id}`, { title: 'Late' }, { 'if-match': '"1"' });
  t.match(stale, { status: 412, body: { reason: 'VERSION_MISMATCH', metadata: { current: '2' } } });
  t.match(await send('PATCH', `/api/v1/issues/${id}`, { title: 'Blind' }), {
    status: 428,
    body: { reason: 'VERSION_REQUIRED' },
  });
  t.match(await send('PATCH', `/api/v1/issues/${id}`, {}, { 'if-match': 'soon' }), {
    status: 400,
    body: { violations: [{ field: 'If-Match' }] },
  });

  const comment = await send('POST', `/api/v1/issues/${id}/updates`, { comment: 'A *comment*' }, {}, ann.token);
  t.match(comment, {
    status: 201,
    body: { issue: id, sequence: 3, author: ann.user.id, comment: 'A *comment*', changes: [], significance: 'major' },
  });
  const edited = await send(
    'PATCH',
    `/api/v1/issues/${id}/updates/3`,
    { comment: 'Edited', commentVersion: 1 },
    {},
    ann.token,
  );
  t.match(edited, { status: 200, body: { update: { comment: 'Edited', commentVersion: 2 } } });
  t.match((await send('GET', `/api/v1/issues/${id}/updates/3/versions`)).body, {
    versions: [{ version: 1, comment: 'A *comment*' }, { version: 2 }],
  });

  const page = await send('GET', `/api/v1/issues/${id}/updates?pageSize=2`);
  t.match(page.body, {
    updates: [
      { sequence: 1, comment: 'Text\nmore' },
      { sequence: 2, comment: 'Done.' },
    ],
  });
  t.match(page.body.updates[1].changes, [
    { field: 'status', oldValues: ['assigned'], newValues: ['fixed'] },
    { field: 'assignee', newValues: [] },
  ]);
  const rest = await send(
    'GET',
    `/api/v1/issues/${id}/updates?pageToken=${encodeURIComponent(page.body.nextPageToken)}&pageSize=2`,
  );
  t.match(rest.body, { updates: [{ sequence: 3 }], nextPageToken: '' });
});

t.test('stars', skipWithout('stars'), async (t) => {
  const { id } = await makeIssue();
  t.match((await send('PUT', `/api/v1/issues/${id}/star`)).body, { stars: 1 });
  t.match((await send('GET', `/api/v1/issues/${id}`)).body, { starred: true, stars: 1 });
});

t.test('a repeated request does its work once', async (t) => {
  const key = { 'idempotency-key': 'once' };
  const first = await send('POST', '/api/v1/issues', { title: 'Once', component }, key);
  const second = await send('POST', '/api/v1/issues', { title: 'Once', component }, key);
  t.equal(second.status, 201);
  t.equal(second.body.id, first.body.id);
  t.match(await send('POST', '/api/v1/issues', { title: 'Other', component }, key), {
    status: 409,
    body: { reason: 'REQUEST_ID_REUSED' },
  });
});

t.test('search: the parsed query is echoed, pages go on, counts', async (t) => {
  for (let i = 0; i < 5; i++)
    await makeIssue({ title: `Searchable ${i}`, priority: i % 2 ? 'p0' : 'p4', labels: ['findme'] });
  const first = await send('GET', '/api/v1/issues?q=label:findme%20%20p:p4%20orderby:-created&pageSize=2');
  t.match(first.body, {
    issues: [{ title: 'Searchable 4' }, { title: 'Searchable 2' }],
    query: /label.*priority|label.*p4/,
  });
  t.notOk('description' in first.body.issues[0], 'lists hold no description');
  const next = await send(
    'GET',
    `/api/v1/issues?q=label:findme%20%20p:p4%20orderby:-created&pageSize=2&pageToken=${encodeURIComponent(first.body.nextPageToken)}`,
  );
  t.match(next.body, { issues: [{ title: 'Searchable 0' }], nextPageToken: '' });
  t.match((await send('GET', '/api/v1/issues?q=label:findme&orderBy=-priority,id&view=full')).body.issues.length, 5);
  t.match((await send('GET', '/api/v1/issues:count?q=label:findme')).body, { count: 5, more: false });
  t.match((await send('GET', '/api/v1/query:parse?q=assignee:ann%20modified:7d')).body, {
    query: /assignee:ann/,
    filter: { node: { $case: 'and' } },
  });
  const relative = await send('GET', '/api/v1/issues?q=label:findme%20created:7d&pageSize=2');
  const again = await send(
    'GET',
    `/api/v1/issues?q=label:findme%20created:7d&pageSize=10&pageToken=${encodeURIComponent(relative.body.nextPageToken)}`,
  );
  t.equal(again.body.issues?.length, 3, 'a page of a query with a relative date goes on');
});

t.test('batches', async (t) => {
  const [one, two] = [await makeIssue(), await makeIssue()];
  const got = await send('POST', '/api/v1/issues:batchGet', { ids: [two.id, '999999', one.id] });
  t.same(
    got.body.issues.map((issue: { id: string }) => issue.id),
    [two.id, one.id],
  );
  t.same((await send('GET', `/api/v1/issues:batchGet?ids=${one.id}&ids=${two.id}`)).body.issues.length, 2);
  const some = await send('POST', '/api/v1/issues:batchUpdate', {
    updates: [
      { id: one.id, priority: 'p0' },
      { id: '999999', priority: 'p0' },
      { id: two.id, version: '7', title: 'x' },
    ],
  });
  t.match(some.body.results, [
    { issue: { priority: 'p0' } },
    { error: { reason: 'ISSUE_NOT_FOUND', code: 'NOT_FOUND' } },
    { error: { reason: 'VERSION_MISMATCH' } },
  ]);
  const none = await send('POST', '/api/v1/issues:batchUpdate', {
    allOrNothing: true,
    updates: [
      { id: one.id, priority: 'p4' },
      { id: '999999', priority: 'p0' },
    ],
  });
  t.equal(none.status, 404);
  t.match((await send('GET', `/api/v1/issues/${one.id}`)).body, { priority: 'p0' }, 'nothing was written');
  const nobody = await send('POST', '/api/v1/issues:batchUpdate', {
    updates: [{ id: one.id, assignee: 'nobody-at-all' }],
  });
  t.match(nobody.body.violations, [{ field: 'updates[0].assignee' }]);
});

t.test('bad requests name the field and change nothing', async (t) => {
  const { id } = await makeIssue();
  const json = { 'content-type': 'application/json' };
  const cases: readonly [name: string, Parameters<typeof send>, object][] = [
    [
      'unknown field',
      ['POST', '/api/v1/issues', { titel: 'x', component }],
      {
        status: 400,
        body: {
          reason: 'INVALID_FIELD',
          violations: [
            { field: 'titel', description: 'unknown field; did you mean "title"?' },
            { field: 'title', description: 'is required' },
          ],
        },
      },
    ],
    [
      'unknown nested field',
      ['PATCH', `/api/v1/issues/${id}`, { add: { label: ['x'] } }],
      { status: 400, body: { violations: [{ field: 'add.label' }] } },
    ],
    [
      'unknown parameter',
      ['GET', '/api/v1/issues?query=x'],
      { status: 400, body: { violations: [{ field: 'query' }] } },
    ],
    [
      'wrong word',
      ['PATCH', `/api/v1/issues/${id}`, { status: 'done' }],
      { status: 400, body: { violations: [{ field: 'status', description: /expected one of: new, assigned/ }] } },
    ],
    [
      'wrong type',
      ['POST', '/api/v1/issues', { title: 7, component }],
      { status: 400, body: { violations: [{ field: 'title', description: 'expected string' }] } },
    ],
    [
      'element of a list',
      ['POST', '/api/v1/issues', { title: 'x', component, labels: ['a', 1] }],
      { status: 400, body: { violations: [{ field: 'labels[1]' }] } },
    ],
    [
      'empty title',
      ['POST', '/api/v1/issues', { title: '', component }],
      { status: 400, body: { violations: [{ field: 'title' }] } },
    ],
    [
      'label with a blank',
      ['POST', '/api/v1/issues', { title: 'x', component, labels: ['a b'] }],
      { status: 400, body: { violations: [{ field: /^labels/ }] } },
    ],
    [
      'nobody',
      ['POST', '/api/v1/issues', { title: 'x', component, cc: ['ann', 'nope'] }],
      { status: 400, body: { violations: [{ field: 'cc[1]', description: 'there is no user "nope"' }] } },
    ],
    ['not JSON', ['POST', '/api/v1/issues', '{"title":', json], { status: 400, body: { reason: 'INVALID_JSON' } }],
    [
      'JSON, but no object',
      ['POST', '/api/v1/issues', '[1]', json],
      { status: 400, body: { detail: 'send a JSON object as the body' } },
    ],
    ['no body', ['POST', '/api/v1/issues', undefined, json], { status: 400, body: { reason: 'INVALID_JSON' } }],
    ['prototype poisoning', ['POST', '/api/v1/issues', '{"__proto__":{},"title":"x"}', json], { status: 400 }],
    [
      'another content type',
      ['POST', '/api/v1/issues', 'title=x', { 'content-type': 'text/plain' }],
      { status: 415, body: { reason: 'UNSUPPORTED_MEDIA_TYPE' } },
    ],
    [
      'too large',
      ['POST', '/api/v1/issues', { title: 'x', component, description: 'x'.repeat(5_000_000) }],
      { status: 413, body: { reason: 'BODY_TOO_LARGE' } },
    ],
    ['id that is none', ['GET', '/api/v1/issues/abc'], { status: 400, body: { violations: [{ field: 'id' }] } }],
    ['no such issue', ['GET', '/api/v1/issues/999999'], { status: 404, body: { reason: 'ISSUE_NOT_FOUND' } }],
    [
      'no such component',
      ['POST', '/api/v1/issues', { title: 'x', component: '999999' }],
      { status: 404, body: { reason: 'COMPONENT_NOT_FOUND' } },
    ],
    [
      'query: unknown field',
      ['GET', '/api/v1/issues?q=p1%20colour:red'],
      { status: 400, body: { reason: 'BAD_FILTER', metadata: { column: '4' } } },
    ],
    ['query: unknown user', ['GET', '/api/v1/issues?q=assignee:nope'], { status: 400, body: { reason: 'BAD_FILTER' } }],
    ['order', ['GET', '/api/v1/issues?orderBy=colour'], { status: 400, body: { reason: 'BAD_ORDER' } }],
    ['page token', ['GET', '/api/v1/issues?pageToken=!!'], { status: 400, body: { reason: 'BAD_PAGE_TOKEN' } }],
    [
      'page size',
      ['GET', '/api/v1/issues?pageSize=-1'],
      { status: 400, body: { violations: [{ field: 'pageSize' }] } },
    ],
    [
      'idempotency key',
      ['POST', '/api/v1/issues', { title: 'x', component }, { 'idempotency-key': 'ü' }],
      { status: 400, body: { violations: [{ field: 'Idempotency-Key' }] } },
    ],
    ['no such route', ['GET', '/api/v1/isues'], { status: 404, body: { reason: 'ROUTE_NOT_FOUND' } }],
    [
      'no such token',
      ['GET', '/api/v1/issues', undefined, {}, 'bl_nope'],
      { status: 401, headers: { 'www-authenticate': /^Bearer/ }, body: { reason: 'BAD_CREDENTIALS' } },
    ],
    [
      'wrong password',
      ['POST', '/api/v1/sessions', { username: 'admin', password: 'wrong' }, {}, ''],
      { status: 401, body: { reason: 'BAD_CREDENTIALS' } },
    ],
  ];
  const { count } = (await send('GET', '/api/v1/issues:count')).body;
  for (const [name, request, expected] of cases) {
    const answer = await send(...request);
    t.match(answer, expected, name);
    t.match(answer.headers['content-type'], /^application\/problem\+json/, `${name}: problem+json`);
    t.equal(answer.body.requestId, answer.headers['x-request-id'], `${name}: names the request`);
    t.notMatch(JSON.stringify(answer.body), /node_modules|\.ts:\d|SELECT|ECONN/, `${name}: no internals`);
  }
  t.equal((await send('GET', '/api/v1/issues:count')).body.count, count);
});

t.test('components', async (t) => {
  const made = await send('POST', '/api/v1/components', {
    name: 'Web',
    parent: component,
    owners: ['ann'],
    access: [
      { user: 'ann', permission: 'admin' },
      { everyone: true, permission: 'view' },
    ],
    accessOverridden: true,
  });
  t.match(made, {
    status: 201,
    headers: { etag: '"1"' },
    body: {
      name: 'Web',
      parent: component,
      path: ['Tests', 'Web'],
      owners: [ann.user.id],
      access: [
        { user: ann.user.id, permission: 'admin' },
        { everyone: true, permission: 'view' },
      ],
    },
  });
  const { id } = made.body;
  t.match(
    await send('PATCH', `/api/v1/components/${id}`, { name: 'Site', defaultAssignee: 'ann' }, { 'if-match': '"1"' }),
    { status: 200, body: { name: 'Site', version: '2', defaultAssignee: ann.user.id, owners: [ann.user.id] } },
  );
  t.match(await send('POST', `/api/v1/components/${id}/move`, { parent: null }), {
    status: 200,
    body: { parent: null, path: ['Site'] },
  });
  t.match(await send('POST', `/api/v1/components/${id}/move`, { parent: id }), {
    status: 409,
    body: { reason: 'CYCLE' },
  });
  t.match((await send('GET', '/api/v1/components?name=sit')).body.components, [{ id, name: 'Site' }]);
  await send('POST', '/api/v1/issues', { title: 'Public', component: id });
  t.match(
    (await send('GET', '/api/v1/issues?q=component:Site', undefined, {}, '')).body.issues,
    [{ title: 'Public', permissions: undefined }],
    'visitors see what is open to all',
  );
  t.match(await send('GET', `/api/v1/components/${component}`, undefined, {}, ''), { status: 404 });
});

t.test('hotlists', skipWithout('hotlists'), async (t) => {
  const [one, two] = [await makeIssue(), await makeIssue()];
  const list = (await send('POST', '/api/v1/hotlists', { name: 'Soon', access: [{ user: 'ann', permission: 'view' }] }))
    .body;
  t.match(list, { name: 'Soon', owner: admin.id, access: [{ user: ann.user.id, permission: 'view' }] });
  t.equal(
    (await send('POST', `/api/v1/hotlists/${list.id}/entries`, { issues: [one.id, two.id], note: 'n' })).status,
    204,
  );
  t.equal(
    (await send('PATCH', `/api/v1/hotlists/${list.id}/entries/${two.id}`, { after: null, note: 'first' })).status,
    204,
  );
  t.match((await send('GET', `/api/v1/hotlists/${list.id}/entries`)).body.entries, [
    { issue: two.id, note: 'first', summary: { title: 'An issue' } },
    { issue: one.id, note: 'n' },
  ]);
  t.equal((await send('DELETE', `/api/v1/hotlists/${list.id}/entries/${two.id}`)).status, 204);
  t.match((await send('PATCH', `/api/v1/hotlists/${list.id}`, { name: 'Later' }, { 'if-match': '"1"' })).body, {
    name: 'Later',
  });
  t.match((await send('GET', '/api/v1/hotlists?owner=me')).body.hotlists, [{ name: 'Later' }]);
  t.equal((await send('DELETE', `/api/v1/hotlists/${list.id}`)).status, 204);
});

t.test('people, bots, tokens and sessions', async (t) => {
  t.match((await send('GET', '/api/v1/users/me', undefined, {}, ann.token)).body, {
    username: 'ann',
    kind: 'person',
    admin: false,
    scopes: [],
  });
  t.match((await send('GET', '/api/v1/users?prefix=an', undefined, {}, ann.token)).body.users, [{ username: 'ann' }]);
  t.match(await send('GET', '/api/v1/users/ann'), { status: 200, body: { id: ann.user.id } });
  t.match(await send('GET', '/api/v1/users/nobody'), { status: 404, body: { reason: 'USER_NOT_FOUND' } });
  t.match(await send('PATCH', '/api/v1/users/me', { displayName: 'Ann B.' }, {}, ann.token), {
    status: 200,
    body: { displayName: 'Ann B.' },
  });

  const bot = (await send('POST', '/api/v1/bots', { username: 'robot' }, {}, ann.token)).body;
  t.match(bot, { kind: 'bot', owner: ann.user.id });
  t.match((await send('GET', '/api/v1/bots', undefined, {}, ann.token)).body.bots, [{ username: 'robot' }]);
  const made = await send('POST', '/api/v1/tokens', { name: 'ci', user: 'robot', scopes: ['comment'] }, {}, ann.token);
  t.match(made, { status: 201, body: { user: bot.id, scopes: ['comment'], secret: /^bl_/ } });
  const secret: string = made.body.secret;
  const filed = await send('POST', '/api/v1/issues', { title: 'By a bot', component }, {}, secret);
  t.match(filed, { status: 201, body: { reporter: bot.id } });
  t.match(await send('PATCH', `/api/v1/issues/${filed.body.id}`, { priority: 'p0' }, {}, secret), {
    status: 403,
    body: { reason: 'SCOPE_EXCEEDED' },
  });
  t.notMatch(JSON.stringify((await send('GET', '/api/v1/tokens', undefined, {}, ann.token)).body), secret.slice(4));
  t.equal((await send('DELETE', `/api/v1/tokens/${made.body.id}`, undefined, {}, ann.token)).status, 204);
  t.equal((await send('GET', '/api/v1/users/me', undefined, {}, secret)).status, 401, 'at once, here');

  const login = await send('POST', '/api/v1/sessions', { username: 'ANN', password: PASSWORD }, {}, '');
  t.match(login, { status: 201, body: { token: /.{20,}/, user: { username: 'ann' } } });
  t.match((await send('GET', '/api/v1/sessions', undefined, {}, login.body.token)).body.sessions.length, 2);
  t.equal((await send('DELETE', '/api/v1/sessions/current', undefined, {}, login.body.token)).status, 204);
  t.equal((await send('GET', '/api/v1/users/me', undefined, {}, login.body.token)).status, 401);
});

t.test('a cookie needs the CSRF token for writes, and another site gets nowhere', async (t) => {
  const cookie = { cookie: `bugless_session=${ann.token}` };
  const me = await send('GET', '/api/v1/users/me', undefined, cookie, '');
  t.equal(me.body.username, 'ann');
  const csrf = { 'x-csrf-token': me.body.csrfToken };
  const write = (headers: Record<string, string>) =>
    send('POST', '/api/v1/issues', { title: 'x', component }, { ...cookie, ...headers }, '');
  t.match(await write({}), { status: 403, body: { reason: 'BAD_CSRF_TOKEN' } });
  t.match(await write({ 'x-csrf-token': 'wrong' }), { status: 403 });
  t.match(await write(csrf), { status: 201 });
  t.match(await write({ ...csrf, 'sec-fetch-site': 'same-origin' }), { status: 201 });
  t.match(await write({ ...csrf, 'sec-fetch-site': 'cross-site' }), { status: 403 });
  t.match(await write({ ...csrf, origin: 'https://evil.example' }), { status: 403 });
  t.match(await write({ ...csrf, origin: 'http://localhost:8080' }), { status: 201 });
  const gone = await send('GET', '/api/v1/users/me', undefined, { cookie: 'bugless_session=gone' }, '');
  t.match(gone, { status: 401, body: { reason: 'SESSION_EXPIRED' }, headers: { 'set-cookie': /bugless_session=;/ } });
});

t.test('headers: security, rate limit, request ids', async (t) => {
  const api = await send('GET', '/api/v1/issues');
  t.match(api.headers, {
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'ratelimit-limit': 300000,
    'ratelimit-reset': /^\d+$/,
  });
  t.equal(
    Number(api.headers['ratelimit-remaining']) -
      Number((await send('GET', '/api/v1/issues')).headers['ratelimit-remaining']),
    1,
  );
  const limited = await startServer({ ...tracker.config, rateLimit: { window: 60, user: 3, address: 2 } });
  const ask = (headers: Record<string, string>) => limited.inject({ url: '/api/v1/issues', headers });
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await ask({ authorization: `Bearer ${token}` })).statusCode);
  t.same(statuses, [200, 200, 200, 429], 'by token');
  const strange = () => limited.inject({ url: '/api/v1/issues', remoteAddress: '192.0.2.7' });
  t.match([(await strange()).statusCode, (await strange()).statusCode], [200, 200]);
  const late = await strange();
  t.equal(late.statusCode, 429, 'by address');
  t.match(late.headers, { 'retry-after': /^\d+$/, 'ratelimit-remaining': 0, 'content-type': /^application\/problem/ });
  t.match(late.json(), { reason: 'RATE_LIMITED' });
  t.match((await send('GET', '/api/v1/nope')).headers, { 'ratelimit-limit': 300000 });
  t.not(
    (await send('GET', '/healthz', undefined, { 'x-request-id': 'mine' })).headers['x-request-id'],
    'mine',
    'strangers name no request',
  );
  const behindProxy = await startServer({
    ...tracker.config,
    http: { ...tracker.config.http, trustProxy: true, publicUrl: 'https://b.example' },
  });
  const proxied = await behindProxy.inject({ url: '/api/v1/issues', headers: { 'x-request-id': 'mine' } });
  t.equal(proxied.headers['x-request-id'], 'mine', 'a trusted proxy does');
  const docs = await send('GET', '/api/docs', undefined, {}, '');
  t.match(docs.headers['content-security-policy'], /script-src 'self'/);
  t.notMatch(docs.headers['content-security-policy'], /unsafe/);
});

t.test('openapi.json describes every operation; the reference can be read', async (t) => {
  const { body } = await send('GET', '/api/v1/openapi.json', undefined, {}, '');
  const described = Object.entries(body.paths as Record<string, object>).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const expected = Object.keys(ROUTES)
    .filter((row) => row.includes(' /api/v1/') && !row.includes('openapi'))
    .map((row) => row.replace(/\/:(\w+)/g, '/{$1}'));
  t.same(described.sort(), expected.sort());
  const ids = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap(
    (operations) => Object.values(operations).map(({ operationId }) => operationId),
  );
  t.equal(new Set(ids).size, ids.length, 'operation ids are unique');
  for (const [, reference] of JSON.stringify(body).matchAll(/"\$ref":"#\/components\/(?:schemas|responses)\/(\w+)"/g)) {
    t.ok(body.components.schemas[reference!] ?? body.components.responses[reference!], `${reference} is defined`);
  }
  const docs = await send('GET', '/api/docs', undefined, {}, '');
  t.match(docs.body, /PATCH \/api\/v1\/issues\/\{id\}/);
  t.notMatch(docs.body, /<script|style=|https?:\/\/(?!localhost)/);
});
