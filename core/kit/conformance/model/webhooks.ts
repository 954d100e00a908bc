import assert from 'node:assert/strict';
import { type LeasedDelivery, Permission, type Webhook } from '../../service/index.ts';
import { expectError, walkPages } from '../expectation.ts';
import { grantUser, type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

const capability = 'webhooks';
const LEASE_MILLIS = 60_000;

const path = (world: ModelWorld): string => `https://hooks.example.org/${world.tag}`;

async function makeWebhook(world: ModelWorld, fields: Partial<Webhook> = {}, who = world.root): Promise<Webhook> {
  const component = (await world.home()).id;
  const asked = { url: path(world), component, enabled: true, ...fields };
  return (await world.model.createWebhook({ webhook: asked }, who)).webhook!;
}

async function listDeliveries(world: ModelWorld, webhook: string) {
  return walkPages(2, async (pageToken) => {
    const answer = await world.model.listDeliveries({ webhook, pageSize: 2, pageToken }, world.root);
    return { rows: answer.deliveries, nextPageToken: answer.nextPageToken };
  });
}

/** Deliveries are made a moment after their event. */
async function waitDeliveries(world: ModelWorld, webhook: string, count: number) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const found = await listDeliveries(world, webhook);
    if (found.length >= count) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return listDeliveries(world, webhook);
}

/** Leases what is due, and gives this delivery. One case alone leases: it takes those of other cases too. */
async function lease(world: ModelWorld, id: string, leaseMillis = LEASE_MILLIS): Promise<LeasedDelivery | undefined> {
  const { deliveries } = await world.model.leaseDeliveries({ count: 100, leaseMillis }, world.system);
  return deliveries.find((each) => each.delivery!.id === id);
}

/** Webhooks and what is to be sent to them. */
export const WEBHOOK_CASES: readonly ModelCase[] = [
  {
    name: 'webhooks: created, changed, deleted; the secret is shown once',
    capability,
    rule: 'secret: `whsec_…`; shown only when created. secret in the mask: a new one is made and returned once.',
    async run(world) {
      const made = await makeWebhook(world);
      const { id, secret } = made;
      assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
      assert.deepEqual([made.version, made.owner, made.url], ['1', world.root.user, path(world)]);
      const find = async () => {
        const all = await walkPages(50, async (pageToken) => {
          const answer = await world.model.listWebhooks({ pageSize: 50, pageToken }, world.root);
          return { rows: answer.webhooks, nextPageToken: answer.nextPageToken };
        });
        return all.find((webhook) => webhook.id === id);
      };
      assert.deepEqual(await find(), { ...made, secret: '' });
      const change = { id, webhook: { enabled: false }, updateMask: ['enabled'] };
      await expectError(world.model.updateWebhook({ ...change, expectedVersion: '9' }, world.root), 'VERSION_MISMATCH');
      const { webhook } = await world.model.updateWebhook({ ...change, expectedVersion: '1' }, world.root);
      assert.deepEqual([webhook!.enabled, webhook!.version, webhook!.secret], [false, '2', '']);
      const turned = await world.model.updateWebhook({ id, updateMask: ['secret'] }, world.root);
      assert.match(turned.webhook!.secret, /^whsec_/);
      assert.notEqual(turned.webhook!.secret, secret);
      for (let time = 0; time < 2; time += 1) await world.model.deleteWebhook({ id }, world.root);
      assert.equal(await find(), undefined);
      await expectError(world.model.listDeliveries({ webhook: id }, world.root), 'WEBHOOK_NOT_FOUND');
    },
  },
  {
    name: 'webhooks: created again with a request id',
    capability,
    rule: 'May be repeated with a request id.',
    async run(world) {
      const request = {
        webhook: { url: path(world), component: (await world.home()).id, enabled: false },
        requestId: `hook-${world.tag}`,
      };
      const first = await world.model.createWebhook(request, world.root);
      assert.deepEqual(await world.model.createWebhook(request, world.root), first);
    },
  },
  {
    name: 'webhooks: who may',
    capability,
    rule: 'For administrators, and ADMIN on its component.',
    async run(world) {
      const url = path(world);
      const owned = (
        await world.component({
          access: [grantUser(world.dave, Permission.ADMIN), grantUser(world.carol, Permission.VIEW)],
        })
      ).id;
      const own = await makeWebhook(world, { component: owned, enabled: false }, world.dave);
      assert.equal(own.owner, world.dave.user);
      const create = (component: string, who = world.dave) =>
        world.model.createWebhook({ webhook: { url, component } }, who);
      await expectError(create('0'), 'FORBIDDEN');
      await expectError(create(owned, world.carol), 'FORBIDDEN');
      await expectError(create(owned, world.eve), 'COMPONENT_NOT_FOUND');
      await expectError(create(owned, world.anonymous), ['LOGIN_REQUIRED', 'COMPONENT_NOT_FOUND']);
      const change = { id: own.id, webhook: { url }, updateMask: ['url'] };
      await expectError(world.model.updateWebhook(change, world.carol), 'WEBHOOK_NOT_FOUND');
      await expectError(world.model.listDeliveries({ webhook: own.id }, world.carol), 'WEBHOOK_NOT_FOUND');
      await world.model.deleteWebhook({ id: own.id }, world.carol);
      const { webhooks } = await world.model.listWebhooks({}, world.dave);
      assert.deepEqual(
        webhooks.map(({ id }) => id),
        [own.id],
      );
      assert.deepEqual((await world.model.listWebhooks({}, world.eve)).webhooks, []);
      await expectError(world.model.leaseDeliveries({ count: 1, leaseMillis: 1_000 }, world.root), 'FORBIDDEN');
    },
  },
  {
    name: 'webhooks: bad values',
    capability,
    rule: 'Bad input gets a clear error that names the field, and changes nothing.',
    async run(world) {
      for (const url of ['', 'nowhere', 'ftp://example.org/', 'https://a:b@example.org/'])
        await expectError(makeWebhook(world, { url }), 'INVALID_FIELD', { field: 'webhook.url' });
      await expectError(makeWebhook(world, { query: 'x'.repeat(4_001) }), 'INVALID_FIELD', { field: 'webhook.query' });
      await expectError(makeWebhook(world, { component: NOWHERE }), ['COMPONENT_NOT_FOUND', 'INVALID_FIELD']);
    },
  },
  {
    name: 'webhooks: one delivery for each event of its component that its owner sees',
    capability,
    rule: 'component: only events of this component and those below it. owner: whose access decides what is told.',
    async run(world) {
      const home = (await world.home()).id;
      const below = (await world.component({ parent: home, owners: [world.dave.user] })).id;
      const before = await world.issue({ component: below });
      const hook = await makeWebhook(world, { component: below }, world.dave);
      const silent = await makeWebhook(world, { component: below, enabled: false });
      await world.issue();
      const issue = await world.issue({ component: below });
      await world.model.updateIssue({ id: before.id, comment: 'hello' }, world.alice);
      const found = (await waitDeliveries(world, hook.id, 2)).toReversed();
      const bodies = found.map((delivery) => JSON.parse(delivery.body));
      // What was written just before the webhook may be told as well.
      const own = bodies.filter(({ data }) => !(data.issue === before.id && data.kind === 'issue_created'));
      assert.deepEqual(
        own.map(({ data }) => [data.kind, data.issue]).filter(([kind]) => kind !== 'component_changed'),
        [
          ['issue_created', issue.id],
          ['issue_updated', before.id],
        ],
      );
      assert.equal(own.at(-1).data.update.comment, 'hello');
      assert.equal(new Set(found.map(({ id }) => id)).size, found.length);
      for (const delivery of found)
        assert.deepEqual([delivery.state, delivery.attempts, delivery.webhook], ['pending', 0, hook.id]);
      assert.deepEqual(await listDeliveries(world, silent.id), []);
      await world.model.deleteWebhook({ id: hook.id }, world.root);
    },
  },
  {
    name: 'webhooks: leased, reported, tried again, delivered anew',
    capability,
    rule: 'Leases deliveries that are due. Records how a leased delivery went. Makes a delivery due again.',
    async run(world) {
      const home = (await world.home()).id;
      const hook = await makeWebhook(world);
      const issue = await world.issue({ component: home });
      // What was written just before the webhook may be told as well.
      const find = async () => {
        for (let count = 1; count <= 3; count += 1) {
          const found = await waitDeliveries(world, hook.id, count);
          const own = found.find(({ body }) => JSON.parse(body).data.issue === issue.id);
          if (own) return own;
        }
        throw new Error('the issue made no delivery');
      };
      const made = await find();
      const { id } = made;
      const brief = await lease(world, id, 1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      const first = await lease(world, id);
      assert.deepEqual(
        [first!.delivery!.id, first!.webhook!.secret, first!.delivery!.body],
        [id, hook.secret, made.body],
      );
      assert.equal(await lease(world, id), undefined, 'nobody else gets it');
      const report = (leased: string, fields: object) =>
        world.model.reportDelivery({ id, lease: leased, ...fields }, world.system);
      assert.equal(brief!.delivery!.id, id);
      await expectError(report(brief!.lease, { status: 200 }), 'LEASE_LOST');
      const soon = new Date(Date.now() + 3_600_000).toISOString();
      for (let time = 0; time < 2; time += 1)
        await report(first!.lease, { status: 503, error: 'later\nplease', nextAttempt: soon });
      const read = async () => (await listDeliveries(world, hook.id)).find((delivery) => delivery.id === id)!;
      const waiting = await read();
      assert.deepEqual(
        [waiting.state, waiting.attempts, waiting.lastStatus, waiting.lastError, waiting.nextAttempt],
        ['pending', 1, 503, 'later please', soon],
      );
      assert.equal(await lease(world, id), undefined, 'not due yet');
      await world.model.redeliver({ id }, world.root);
      const second = await lease(world, id);
      assert.equal(second!.delivery!.id, id);
      await report(second!.lease, { status: 200 });
      const done = await read();
      assert.deepEqual([done.state, done.attempts, done.nextAttempt], ['delivered', 2, undefined]);
      assert.equal(await lease(world, id), undefined);
      await world.model.redeliver({ id }, world.root);
      const third = await lease(world, id);
      await report(third!.lease, { status: 0, error: 'gone', failed: true });
      assert.equal((await read()).state, 'failed');
      await expectError(world.model.redeliver({ id }, world.eve), 'DELIVERY_NOT_FOUND');
      await expectError(world.model.redeliver({ id: 'nothing' }, world.root), 'DELIVERY_NOT_FOUND');
      await world.model.deleteWebhook({ id: hook.id }, world.root);
    },
  },
];
