import {
  AuthenticatorServiceDefinition,
  ModelServiceDefinition,
  PluginServiceDefinition,
  SearchIssuesResponse,
} from '@bugless/proto';
import fc from 'fast-check';
import t from 'tap';
import { ServiceError } from '../service/error.ts';
import type { ServiceDefinition } from '../service/port.ts';
import { type FieldDescriptor, type MessageDescriptor, readDescriptors } from './descriptor.ts';
import { getMethodTypes, MAX_MESSAGE_SIZE, type MessageType } from './message.ts';
import { isRead, isRepeatable } from './repetition.ts';

const services: readonly ServiceDefinition[] = [
  ModelServiceDefinition,
  AuthenticatorServiceDefinition,
  PluginServiceDefinition,
];

const types = new Map<string, MessageType>();
for (const service of services) {
  for (const key of Object.keys(service.methods)) {
    const { request, response } = getMethodTypes(service, key);
    types.set(request.name, request).set(response.name, response);
  }
}

t.test('every message of the contracts has the properties that its generated code has', async (t) => {
  t.ok(types.size > 100);
  for (const { name, codec, copy } of types.values()) {
    t.same(copy({}), codec.fromPartial({}), name);
    t.same(Object.keys(copy({})).sort(), Object.keys(codec.fromPartial({})).sort(), `${name}: the same keys`);
  }
});

/** Values of a field, absent ones among them. */
function generateValue(field: FieldDescriptor, depth: number): fc.Arbitrary<unknown> {
  const scalars: Record<number, fc.Arbitrary<unknown>> = {
    1: fc.double({ noNaN: true }).map((value) => value || 0),
    3: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    5: fc.integer(),
    8: fc.boolean(),
    9: fc.string({ unit: 'binary', maxLength: 20 }),
    12: fc.uint8Array({ maxLength: 20 }),
    14: fc.integer({ min: 0, max: 12 }),
  };
  const scalar = scalars[field.type];
  if (scalar !== undefined) return scalar;
  if (field.message === 'google.protobuf.Timestamp') {
    return fc
      .date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
      .map((date) => date.toISOString());
  }
  if (field.message === 'google.protobuf.FieldMask') return fc.array(fc.string({ maxLength: 9 }), { maxLength: 3 });
  return generateMessage(readDescriptors().messages.get(field.message) as MessageDescriptor, depth - 1);
}

/** Partial messages of a type. */
function generateMessage(message: MessageDescriptor, depth: number): fc.Arbitrary<unknown> {
  const properties: Record<string, fc.Arbitrary<unknown>> = {};
  const oneofs = new Map<string, fc.Arbitrary<unknown>[]>();
  for (const field of message.fields) {
    if (depth <= 0 && field.type === 11) continue;
    const entry = readDescriptors().messages.get(field.message);
    if (entry?.isMapEntry) {
      properties[field.property] = fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), {
        maxKeys: 3,
      });
      continue;
    }
    const value = generateValue(field, depth);
    if (field.oneof !== undefined) {
      const member = value.map((inner) => ({ $case: field.property, value: inner }));
      oneofs.set(field.oneof, [...(oneofs.get(field.oneof) ?? []), member]);
    } else {
      properties[field.property] = field.repeated ? fc.array(value, { maxLength: 3 }) : value;
    }
  }
  for (const [name, members] of oneofs) properties[name] = fc.oneof(...members);
  return fc.record(properties, { requiredKeys: [] });
}

t.test('a copy is what the wire would have brought', async (t) => {
  for (const type of types.values()) {
    const descriptor = readDescriptors().messages.get(type.name) as MessageDescriptor;
    fc.assert(
      fc.property(generateMessage(descriptor, 3), (partial) => {
        const copy = type.copy(partial);
        t.strictSame(copy, type.codec.decode(type.encode(copy))) || t.bailout(type.name);
      }),
      { numRuns: 6, seed: 7 },
    );
  }
});

t.test('nesting is bounded', async (t) => {
  const { request } = getMethodTypes(ModelServiceDefinition, 'countIssues');
  const nest = (depth: number): object => (depth === 0 ? {} : { node: { $case: 'not', value: nest(depth - 1) } });
  request.codec.decode(request.encode(request.copy({ filter: nest(90) })));
  t.match(
    getError(() => request.copy({ filter: nest(200) })),
    { reason: 'INVALID_FIELD', message: /nested too deeply/ },
  );
  const endless: { node?: object } = {};
  endless.node = { $case: 'not', value: endless };
  t.match(
    getError(() => request.copy({ filter: endless })),
    { reason: 'INVALID_FIELD' },
  );
  t.same(request.copy({}), request.codec.fromPartial({}), 'a failure leaves nothing behind');
});

t.test('paths are those of the proto', async (t) => {
  const { request } = getMethodTypes(ModelServiceDefinition, 'searchIssues');
  const term = { node: { $case: 'term', value: { field: 'title', operator: 'x' } } };
  const filter = { node: { $case: 'and', value: { operands: [{}, term] } } };
  t.match(
    getError(() => request.copy({ filter })),
    { violations: [{ field: 'filter.and.operands[1].term.operator' }] },
  );
  t.match(
    getError(() => request.copy('text')),
    { reason: 'INVALID_FIELD', message: 'expected a message' },
  );
  t.match(
    getError(() => request.copy({ pageSize: 1.5 })),
    { message: 'page_size: expected a 32-bit integer, not a fraction' },
  );
  t.notMatch(getError(() => request.copy({ pageSize: 'hunter2' })).message, /hunter2/, 'values are never told');
});

t.test('the size is measured exactly', async (t) => {
  const { response } = getMethodTypes(ModelServiceDefinition, 'getIssue');
  const frame = response.encode(response.copy({ issue: { title: 'x'.repeat(2 ** 21) } })).length - 2 ** 21;
  const largest = MAX_MESSAGE_SIZE - frame;
  t.equal(response.encode(response.copy({ issue: { title: 'x'.repeat(largest) } })).length, MAX_MESSAGE_SIZE);
  t.match(
    getError(() => response.copy({ issue: { title: 'x'.repeat(largest + 1) } })),
    { reason: 'TOO_LARGE' },
  );
});

t.test('copying is cheap', async (t) => {
  const issue = {
    id: '123456',
    version: '3',
    title: 'The list loses its place when it is sorted again',
    component: '44',
    labels: ['ui', 'list'],
    cc: ['0190aaaa-1111-7222-8333-444455556666'],
    created: '2026-01-02T03:04:05.678Z',
    modified: '2026-01-02T03:04:05.678Z',
  };
  const { response } = getMethodTypes(ModelServiceDefinition, 'searchIssues');
  const page = SearchIssuesResponse.fromPartial({ issues: Array.from({ length: 50 }, () => issue) });
  for (let i = 0; i < 2_000; i++) response.copy(page);
  const times = Array.from({ length: 200 }, () => {
    const started = process.hrtime.bigint();
    response.copy(page);
    return Number(process.hrtime.bigint() - started) / 1_000;
  }).sort((a, b) => a - b);
  const median = times[100] as number;
  t.comment(`a page of 50 issues: ${median.toFixed(1)} µs`);
  t.ok(median < 400, 'far from what a wire costs, even on a busy machine');
});

t.test('which calls are repeated', async (t) => {
  const reads = services.map((service) =>
    Object.values(service.methods).flatMap(({ name }) => (isRead(name) ? [name] : [])),
  );
  t.matchOnlyStrict(reads, [
    [
      'GetIssue',
      'BatchGetIssues',
      'ListUpdates',
      'ListCommentVersions',
      'SearchIssues',
      'CountIssues',
      'SummarizeIssues',
      'GetComponent',
      'ListComponents',
      'GetHotlist',
      'ListHotlists',
      'ListHotlistEntries',
      'ListSavedSearches',
      'DownloadAttachment',
      'ListAttachments',
      'WatchEvents',
      'ListWebhooks',
      'ListDeliveries',
    ],
    [
      'ListLoginMethods',
      'AuthenticateToken',
      'AuthenticateCertificate',
      'VerifySession',
      'ListSessions',
      'ListTokens',
      'GetSetup',
      'BatchGetUsers',
      'ResolveUsernames',
      'FindUsers',
      'ListUsers',
      'ListGroups',
      'ListGroupMembers',
      'ListAuditEvents',
    ],
    ['GetInfo'],
  ]);
  t.ok(isRepeatable('CreateIssue', { requestId: 'r1' }));
  t.notOk(isRepeatable('CreateIssue', { requestId: '' }));
  t.notOk(isRepeatable('SetStar', {}));
});

function getError(run: () => unknown): ServiceError {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return error;
  }
  throw new Error('did not fail');
}
