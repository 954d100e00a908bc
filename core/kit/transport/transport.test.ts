import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Issue, ModelServiceDefinition, type Priority, type WatchEventsResponse } from '@bugless/proto';
import t from 'tap';
import { type CallContext, createContext } from '../service/context.ts';
import { ServiceError } from '../service/error.ts';
import type { Model, ModelImplementation } from '../service/port.ts';
import { connectInProcess, MAX_MESSAGE_SIZE, openChannel, type ServeOptions, serveGrpc } from './index.ts';
import { createTestCertificates } from './test-certificates.ts';

/** What the implementation under every transport saw, for the tests to look at. */
interface Witness {
  context: CallContext | undefined;
  request: unknown;
  aborted: string[];
  sent: number;
  logged: { facts: Record<string, unknown>; message: string }[];
}

const shared = { labels: ['one'], title: 'shared' };

/** A Model whose answers depend on the id asked for: one behaviour each. */
function createModel(seen: Witness): ModelImplementation {
  const untilAborted = (context: CallContext): Promise<never> =>
    new Promise((_, reject) => {
      context.signal?.addEventListener('abort', () => {
        seen.aborted.push(String((context.signal?.reason as ServiceError | undefined)?.reason));
        reject(context.signal?.reason);
      });
    });
  const failures: Record<string, () => unknown> = {
    404: () =>
      new ServiceError('ISSUE_NOT_FOUND', 'there is no issue 404 – für dich', { cause: new Error('secret SQL') }),
    400: () =>
      new ServiceError('INVALID_FIELD', 'title: too long', {
        violations: [
          { field: 'issue.title', description: 'at most 500 characters' },
          { field: 'issue.labels[3]', description: 'no "comma"' },
        ],
      }),
    409: () => new ServiceError('VERSION_MISMATCH', 'changed meanwhile', { metadata: { current: '7' } }),
    429: () => new ServiceError('OVERLOADED', 'too much', { retryAfterMillis: 1_500 }),
    500: () => new TypeError('secret of the driver'),
    501: () => Object.assign(new Error('of another copy of the kit'), { name: 'ServiceError', reason: 'CYCLE' }),
  };
  return {
    async getIssue(request, context) {
      seen.context = context;
      seen.request = request;
      const failure = failures[request.id]?.();
      if (failure !== undefined) throw failure;
      if (request.id === '1') return { issue: shared };
      if (request.id === '2') return untilAborted(context);
      if (request.id === '3') return { issue: { id: 3 } as unknown as Partial<Issue> };
      if (request.id === '4') return { issue: { description: 'x'.repeat(MAX_MESSAGE_SIZE) } };
      if (request.id === '5') await sleep(300);
      return { issue: { id: request.id, unknown: 'dropped' } as Partial<Issue> };
    },
    async createIssue(request) {
      seen.request = request;
      const issue = request.issue;
      issue?.labels.push('of the implementation');
      return issue === undefined ? {} : { issue };
    },
    async *watchEvents(request, context) {
      seen.sent = 0;
      try {
        for (;;) {
          if (request.cursor === 'silent') await untilAborted(context);
          if (request.cursor === 'fails' && seen.sent === 3) {
            throw new ServiceError('CURSOR_EXPIRED', 'older than what is kept');
          }
          if (request.cursor === 'five' && seen.sent === 5) return;
          seen.sent++;
          yield { cursor: String(seen.sent), ...(request.cursor === 'big' ? { padding: 'x' } : {}) };
          if (request.cursor === 'big') await sleep(0);
        }
      } finally {
        seen.aborted.push('stream over');
      }
    },
    async uploadAttachment(parts) {
      let size = 0;
      try {
        for await (const { part } of parts) {
          if (part?.$case === 'header' && part.value.name === 'refused') {
            throw new ServiceError('TOO_LARGE', 'not this file');
          }
          if (part?.$case === 'chunk') size += part.value.length;
        }
      } catch (error) {
        seen.aborted.push(`upload: ${(error as ServiceError).reason}`);
        throw error;
      }
      return { attachment: { size: String(size) } };
    },
    async *downloadAttachment() {
      const chunk = Buffer.alloc(256 * 1024, 7);
      for (seen.sent = 0; seen.sent < 200; seen.sent++) yield { part: { $case: 'chunk', value: chunk } };
    },
  };
}

const transports: Record<
  string,
  (
    implementation: ModelImplementation,
    seen: Witness,
    folder: string,
  ) => Promise<{ model: Model; close(): Promise<void> }>
> = {
  async 'in process'(implementation, seen) {
    return {
      model: connectInProcess(ModelServiceDefinition, implementation, { log: createLog(seen) }),
      async close() {},
    };
  },
  async 'unix socket'(implementation, seen, folder) {
    const listen = `unix://${join(folder, 'model.sock')}`;
    return serve(implementation, seen, { listen }, {});
  },
  async 'TCP with mutual TLS'(implementation, seen) {
    const { ca, server, client } = await createTestCertificates();
    return serve(implementation, seen, { listen: '127.0.0.1:0', tls: { ca, ...server } }, { tls: { ca, ...client } });
  },
};

function createLog(seen: Witness) {
  const add = (facts: object, message: string) =>
    void seen.logged.push({ facts: facts as Record<string, unknown>, message });
  return { warn: add, error: add };
}

async function serve(
  implementation: ModelImplementation,
  seen: Witness,
  options: Pick<ServeOptions, 'listen' | 'tls'>,
  security: Pick<ServeOptions, 'tls'>,
) {
  const services = [{ definition: ModelServiceDefinition, implementation }];
  const server = await serveGrpc({ ...options, services, log: createLog(seen) });
  const channel = openChannel({ address: server.address, ...security });
  return {
    model: channel.connect(ModelServiceDefinition),
    async close() {
      channel.close();
      await server.stop();
    },
  };
}

const failure = (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => {
      throw new Error('did not fail');
    },
    (error) => error as ServiceError,
  );

const collect = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
};

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 300 && !condition(); i++) await sleep(10);
};

for (const [name, open] of Object.entries(transports)) {
  t.test(name, async (t) => {
    const seen: Witness = { context: undefined, request: undefined, aborted: [], sent: 0, logged: [] };
    // Short, unlike tap's own: the path of a socket has to fit into 107 bytes.
    const folder = mkdtempSync(join(tmpdir(), 'bugless-'));
    const { model, close } = await open(createModel(seen), seen, folder);
    t.teardown(async () => {
      await close();
      rmSync(folder, { recursive: true });
    });
    const context = createContext({ user: 'u1' });

    t.test('requests and answers are whole', async (t) => {
      const { issue } = await model.getIssue({ id: '9007199254740993' }, context);
      t.same(seen.request, { id: '9007199254740993' }, 'an id above 2^53');
      t.equal(issue?.id, '9007199254740993');
      t.equal(issue?.title, '');
      t.same(issue?.labels, []);
      t.equal(issue?.created, undefined);
      t.notOk(issue !== undefined && 'unknown' in issue, 'unknown fields are dropped');
      const extremes = ['9223372036854775807', '-9223372036854775808', '0'];
      for (const id of extremes) t.equal((await model.getIssue({ id }, context)).issue?.id, id);
      await model.getIssue({}, context);
      t.same(seen.request, { id: '0' }, 'defaults are filled in');
      await model.getIssue({ id: '1', other: 1 } as object, context);
      t.same(seen.request, { id: '1' });
    });

    t.test('values arrive as any transport carries them', async (t) => {
      const issue = {
        title: 'Grüße 🐞\u0000\uFEFF',
        priority: 99 as Priority,
        created: '2026-01-31T12:00:00.1234+02:00',
        customFields: [{ field: 'f', values: ['a'] }],
        labels: ['x'],
      };
      const { issue: stored } = await model.createIssue({ issue }, context);
      t.equal(stored?.title, issue.title);
      t.equal(stored?.priority, 99, 'an unknown enum value is kept');
      t.equal(stored?.created, '2026-01-31T10:00:00.123Z');
      t.same(stored?.customFields, [{ field: 'f', values: ['a'] }]);
      t.same(issue.labels, ['x'], 'what the implementation does to its request stays there');
      t.same(stored?.labels, ['x', 'of the implementation']);
    });

    t.test('no state is shared', async (t) => {
      const first = await model.getIssue({ id: '1' }, context);
      first.issue?.labels.push('mine');
      if (first.issue) first.issue.title = 'mine';
      const second = await model.getIssue({ id: '1' }, context);
      t.same(second.issue?.labels, ['one']);
      t.equal(second.issue?.title, 'shared');
      t.same(shared.labels, ['one']);
    });

    t.test('values that the wire cannot carry are refused before they are sent', async (t) => {
      const cases: [string, object, string][] = [
        ['a number for an id', { id: 5 }, 'id'],
        ['no decimal', { id: '5x' }, 'id'],
        ['empty', { id: '' }, 'id'],
        ['beyond 64 bits', { id: '9223372036854775808' }, 'id'],
        ['half a surrogate pair', { issue: { title: 'a\ud800' } }, 'issue.title'],
        ['a fraction for an enum', { issue: { priority: 1.5 } }, 'issue.priority'],
        ['beyond 32 bits', { issue: { stars: 2 ** 31 } }, 'issue.stars'],
        ['a time that is none', { issue: { created: '2026-02-30T00:00:00Z' } }, 'issue.created'],
        ['a Date', { issue: { created: new Date() } }, 'issue.created'],
        ['a wrong element', { issue: { labels: ['a', 3] } }, 'issue.labels[1]'],
        ['an absent element', { issue: { blockedBy: ['1', null] } }, 'issue.blocked_by[1]'],
        ['no list', { issue: { cc: 'a' } }, 'issue.cc'],
        ['deep inside', { issue: { customFields: [{}, { values: [''], field: 7 }] } }, 'issue.custom_fields[1].field'],
      ];
      for (const [what, request, field] of cases) {
        seen.request = undefined;
        const call =
          'id' in request ? model.getIssue(request as { id: string }, context) : model.createIssue(request, context);
        const error = await failure(call);
        t.equal(error.reason, 'INVALID_FIELD', what);
        t.equal(error.violations[0]?.field, field);
        t.match(error.message, `${field}: `);
        t.equal(seen.request, undefined, 'nothing arrived');
      }
    });

    t.test('errors arrive with all that was said, and no more', async (t) => {
      seen.logged = [];
      const missing = await failure(model.getIssue({ id: '404' }, context));
      t.ok(missing instanceof ServiceError);
      t.equal(missing.reason, 'ISSUE_NOT_FOUND');
      t.equal(missing.code, 'NOT_FOUND');
      t.equal(missing.message, 'there is no issue 404 – für dich');
      t.equal(missing.cause, undefined);
      t.match(seen.logged, [{ facts: { method: 'ModelService.GetIssue', reason: 'ISSUE_NOT_FOUND', err: Error } }]);
      t.same((await failure(model.getIssue({ id: '400' }, context))).violations, [
        { field: 'issue.title', description: 'at most 500 characters' },
        { field: 'issue.labels[3]', description: 'no "comma"' },
      ]);
      t.same((await failure(model.getIssue({ id: '409' }, context))).metadata, { current: '7' });
      t.equal((await failure(model.getIssue({ id: '429' }, context))).retryAfterMillis, 1_500);
      t.equal((await failure(model.getIssue({ id: '501' }, context))).reason, 'CYCLE');
    });

    t.test('an unexpected failure is logged and leaves as INTERNAL', async (t) => {
      seen.logged = [];
      const unexpected = await failure(model.getIssue({ id: '500' }, createContext({ requestId: 'r-1' })));
      t.equal(unexpected.reason, 'INTERNAL');
      t.notMatch(unexpected.message, /secret/);
      const [entry] = seen.logged;
      t.equal(entry?.facts.requestId, 'r-1');
      t.match(entry?.facts.err, { message: 'secret of the driver' });
      t.equal(unexpected.metadata.correlation_id, entry?.facts.correlationId);
      t.match(unexpected.message, String(entry?.facts.correlationId));
      const wrong = await failure(model.getIssue({ id: '3' }, context));
      t.equal(wrong.reason, 'INTERNAL', "a wrong answer is the plugin's mistake");
      t.match(seen.logged.at(-1)?.facts.err, { message: /GetIssue answered .*issue\.id: expected/ });
    });

    t.test('a method left out is an absent capability', async (t) => {
      const absent = await failure(model.listHotlists({}, context));
      t.equal(absent.reason, 'CAPABILITY_ABSENT');
      t.match(absent.message, /ModelService\.ListHotlists/);
      t.equal((await failure(collect(model.downloadAttachment({ id: 'x' }, context)))).reason, 'INVALID_FIELD');
    });

    t.test('who acts arrives whole', async (t) => {
      const acting = createContext({
        user: 'ü1',
        groups: Array.from({ length: 1_000 }, (_, i) => `0190aaaa-1111-7222-8333-44445555${i}`),
        admin: true,
        system: true,
        scopes: [2, 3],
        scopeComponents: ['9007199254740993'],
        requestId: 'r-2',
        trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      });
      await model.getIssue({ id: '1' }, acting);
      const { signal: _, deadline: __, ...arrived } = seen.context as CallContext;
      const { signal: ___, deadline: ____, ...sent } = acting;
      t.same(arrived, sent);
    });

    t.test('a deadline ends the call and tells the implementation', async (t) => {
      seen.aborted = [];
      const started = Date.now();
      const late = await failure(model.getIssue({ id: '2' }, createContext({ deadline: started + 80 })));
      t.equal(late.reason, 'DEADLINE_EXCEEDED');
      t.equal(late.message, 'ModelService.GetIssue took longer than its deadline allows');
      t.ok(Date.now() - started >= 75 && Date.now() - started < 1_000);
      await until(() => seen.aborted.length > 0);
      t.equal(seen.aborted.length, 1);
      seen.request = undefined;
      const past = await failure(model.getIssue({ id: '6' }, createContext({ deadline: Date.now() - 1 })));
      t.equal(past.reason, 'DEADLINE_EXCEEDED');
      t.equal(seen.request, undefined, 'not even begun');
      await model.getIssue({ id: '6' }, createContext({ deadline: started + 60_000 }));
      t.ok(Math.abs((seen.context?.deadline ?? 0) - started - 60_000) < 1_000, 'the implementation knows it');
    });

    t.test('a cancelled call ends and tells the implementation', async (t) => {
      seen.aborted = [];
      const controller = new AbortController();
      const call = failure(model.getIssue({ id: '2' }, createContext({ signal: controller.signal })));
      await sleep(50);
      controller.abort();
      const cancelled = await call;
      t.equal(cancelled.reason, 'CANCELLED');
      t.equal(cancelled.message, 'ModelService.GetIssue was cancelled by its caller');
      await until(() => seen.aborted.length > 0);
      t.same(seen.aborted, ['CANCELLED']);
      t.equal(
        (await failure(model.getIssue({ id: '6' }, createContext({ signal: controller.signal })))).reason,
        'CANCELLED',
      );
      const ignoring = new AbortController();
      const started = Date.now();
      setTimeout(() => ignoring.abort(), 20);
      t.equal(
        (await failure(model.getIssue({ id: '5' }, createContext({ signal: ignoring.signal })))).reason,
        'CANCELLED',
      );
      t.ok(Date.now() - started < 250, 'also when the implementation does not listen');
    });

    t.test('a stream can be read to its end, and stopped early', async (t) => {
      t.same(
        (await collect(model.watchEvents({ cursor: 'five' }, context))).map(({ cursor }) => cursor),
        ['1', '2', '3', '4', '5'],
      );
      seen.aborted = [];
      const some: WatchEventsResponse[] = [];
      for await (const event of model.watchEvents({ cursor: 'endless' }, context)) if (some.push(event) === 3) break;
      t.equal(some.length, 3);
      t.same(some[0], { events: [], cursor: '1' });
      await until(() => seen.aborted.length > 0);
      t.same(seen.aborted, ['stream over'], 'the implementation is told');
    });

    t.test('a stream fails after what it sent before, and is cancelled', async (t) => {
      const got: string[] = [];
      const error = await failure(
        (async () => {
          for await (const { cursor } of model.watchEvents({ cursor: 'fails' }, context)) got.push(cursor);
        })(),
      );
      t.equal(error.reason, 'CURSOR_EXPIRED');
      t.same(got, ['1', '2', '3']);
      seen.aborted = [];
      const controller = new AbortController();
      const waiting = failure(
        collect(model.watchEvents({ cursor: 'silent' }, createContext({ signal: controller.signal }))),
      );
      await sleep(50);
      controller.abort();
      t.equal((await waiting).reason, 'CANCELLED');
      await until(() => seen.aborted.includes('stream over'));
      t.ok(seen.aborted.includes('stream over'));
      const late = collect(model.watchEvents({ cursor: 'silent' }, createContext({ deadline: Date.now() + 60 })));
      t.equal((await failure(late)).reason, 'DEADLINE_EXCEEDED');
    });

    t.test('a slow reader holds the writer back', async (t) => {
      let read = 0;
      for await (const { part } of model.downloadAttachment({ id: '1' }, context)) {
        t.ok(part?.$case === 'chunk' && part.value.length === 256 * 1024 && part.value[9] === 7) || t.bailout();
        if (++read === 3) break;
        await sleep(30);
      }
      t.ok(seen.sent < 60, `${seen.sent} of 200 chunks made while 3 were read`);
    });

    t.test('uploads', async (t) => {
      const chunk = Buffer.alloc(256 * 1024);
      const upload = async function* (count: number, name = 'file') {
        yield { part: { $case: 'header' as const, value: { name } } };
        for (let i = 0; i < count; i++) yield { part: { $case: 'chunk' as const, value: chunk } };
      };
      const { attachment } = await model.uploadAttachment(upload(40), context);
      t.equal(attachment?.size, String(40 * chunk.length));
      let stopped = false;
      const endless = async function* () {
        try {
          yield* upload(1_000_000, 'refused');
        } finally {
          stopped = true;
        }
      };
      t.equal(
        (await failure(model.uploadAttachment(endless(), context))).reason,
        'TOO_LARGE',
        'the answer ends the upload',
      );
      await until(() => stopped);
      t.ok(stopped, 'and its source');
      seen.aborted = [];
      const broken = async function* () {
        yield* upload(2);
        throw new RangeError('the disk broke');
      };
      t.match(await failure(model.uploadAttachment(broken(), context)), {
        message: 'the disk broke',
        name: 'RangeError',
      });
      await until(() => seen.aborted.length > 0);
      t.same(seen.aborted, ['upload: CANCELLED'], 'a broken source is a caller that went away');
      const wrong = async function* () {
        yield* upload(1);
        yield { part: { $case: 'chunk' as const, value: 'text' as unknown as Buffer } };
      };
      t.match(await failure(model.uploadAttachment(wrong(), context)), {
        reason: 'INVALID_FIELD',
        violations: [{ field: 'chunk' }],
      });
    });

    t.test('messages have one size limit', async (t) => {
      const near = { issue: { title: 'ü'.repeat(MAX_MESSAGE_SIZE / 2 - 100) } };
      t.equal((await model.createIssue(near, context)).issue?.title.length, MAX_MESSAGE_SIZE / 2 - 100);
      const request = await failure(model.createIssue({ issue: { title: 'x'.repeat(MAX_MESSAGE_SIZE) } }, context));
      t.equal(request.reason, 'TOO_LARGE');
      t.match(request.message, /^a CreateIssueRequest of 167\d+ bytes is larger than 16777216 bytes$/);
      const response = await failure(model.getIssue({ id: '4' }, context));
      t.equal(response.reason, 'TOO_LARGE');
      t.match(response.message, /^a GetIssueResponse of/);
    });
  });
}
