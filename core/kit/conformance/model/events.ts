import assert from 'node:assert/strict';
import { type CallContext, type Event, EventKind } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import type { ModelCase, ModelWorld } from './world.ts';

const capability = 'events';

/** All that was committed behind a cursor, and the cursor behind it. */
async function walkEvents(
  world: ModelWorld,
  request: object,
  context: CallContext,
): Promise<{ events: Event[]; cursor: string }> {
  const events: Event[] = [];
  let cursor = '';
  for await (const answer of world.model.watchEvents({ ...request, stopAtEnd: true }, context)) {
    events.push(...answer.events);
    cursor = answer.cursor || (answer.events.at(-1)?.cursor ?? cursor);
  }
  return { events, cursor };
}

/** Cursor of the present end of the feed. */
async function findEnd(world: ModelWorld): Promise<string> {
  return (await walkEvents(world, {}, world.root)).cursor;
}

/** Where a plugin assigns positions after commit, an event may come a moment later: reads on until there are enough. */
async function readEvents(
  world: ModelWorld,
  cursor: string,
  count: number,
  context: CallContext,
  request: object = {},
): Promise<Event[]> {
  const component = (await world.home()).id;
  const events: Event[] = [];
  let position = cursor;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const walk = await walkEvents(world, { component, ...request, cursor: position }, context);
    events.push(...walk.events);
    position = walk.cursor || position;
    if (events.length >= count) return events;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return events;
}

/** Cursor of the creation of an issue, made after `start`. */
async function findCursor(world: ModelWorld, start: string, issue: string): Promise<string> {
  const [event] = await readEvents(world, start, 1, world.root, { issue, component: '0' });
  return event!.cursor;
}

/** A cursor behind all that this case has written so far: behind an issue that is made for it. */
async function settle(world: ModelWorld): Promise<string> {
  const start = await findEnd(world);
  return findCursor(world, start, (await world.issue()).id);
}

/** The change feed. */
export const EVENT_CASES: readonly ModelCase[] = [
  {
    name: 'events: each change once, in order per issue',
    capability,
    rule: 'Each event once per walk, in order per issue.',
    async run(world) {
      await world.home();
      const cursor = await findEnd(world);
      const [a, b] = await world.issues([{ description: 'x' }, {}]);
      const write = (id: string) => world.model.updateIssue({ id, comment: 'c' }, world.bob);
      await Promise.all([1, 2, 3, 4].flatMap(() => [write(a!.id), write(b!.id)]));
      const events = await readEvents(world, cursor, 10, world.alice);
      assert.equal(events.length, 10);
      assert.equal(new Set(events.map((event) => event.cursor)).size, 10);
      for (const { id } of [a!, b!]) {
        const own = events.filter((event) => event.issue === id);
        assert.deepEqual(
          own.map((event) => event.update?.sequence),
          [1, 2, 3, 4, 5],
        );
        assert.deepEqual(
          own.map((event) => event.version),
          ['1', '2', '3', '4', '5'],
        );
        assert.deepEqual(
          own.map((event) => event.kind),
          [EventKind.ISSUE_CREATED, ...Array(4).fill(EventKind.ISSUE_UPDATED)],
        );
        assert.deepEqual(
          own.map((event) => event.update),
          await world.updates(id, world.alice),
        );
        assert.deepEqual([own[0]!.author, own[1]!.author], [world.alice.user, world.bob.user]);
      }
    },
  },
  {
    name: 'events: what changes nothing and what fails is not told',
    capability,
    rule: 'Streams committed changes. Each event once.',
    async run(world) {
      const start = await findEnd(world);
      const issue = await world.issue({ labels: ['a'] });
      const cursor = await findCursor(world, start, issue.id);
      const write = (request: object) => world.model.updateIssue({ id: issue.id, ...request }, world.alice);
      await write({ add: { labels: ['a'] } });
      await write({ comment: 'x', expectedVersion: '9' }).catch(() => undefined);
      const request = { comment: 'once', requestId: `event-${world.tag}` };
      for (let time = 0; time < 3; time += 1) await write(request);
      await write({ comment: 'last' });
      const events = await readEvents(world, cursor, 2, world.alice);
      assert.deepEqual(
        events.map((event) => event.update?.comment),
        ['once', 'last'],
      );
    },
  },
  {
    name: 'events: a walk goes on from any cursor',
    capability,
    rule: 'After a cut, go on from the last cursor seen.',
    async run(world) {
      await world.home();
      const start = await findEnd(world);
      const issue = await world.issue();
      for (let index = 0; index < 6; index += 1)
        await world.model.updateIssue({ id: issue.id, comment: `${index}` }, world.alice);
      const all = await readEvents(world, start, 7, world.alice);
      for (const [index, event] of all.entries()) {
        const rest = await readEvents(world, event.cursor, all.length - index - 1, world.alice);
        assert.deepEqual(
          rest.map(({ cursor }) => cursor),
          all.slice(index + 1).map(({ cursor }) => cursor),
        );
      }
    },
  },
  {
    name: 'events: the empty cursor means from now on, or from the oldest',
    capability,
    rule: 'cursor empty: only what comes from now on; from_oldest: start with the oldest event kept.',
    async run(world) {
      const start = await findEnd(world);
      const issue = await world.issue();
      await findCursor(world, start, issue.id);
      assert.deepEqual((await walkEvents(world, { issue: issue.id }, world.alice)).events, []);
      const abort = new AbortController();
      const context = { ...world.root, signal: abort.signal };
      for await (const { events } of world.model.watchEvents({ fromOldest: true }, context)) {
        assert.ok(events.length > 0, 'the oldest events come at once');
        break;
      }
      abort.abort();
    },
  },
  {
    name: 'events: only what the caller may see',
    capability,
    rule: 'Only what the caller may see. cursor: behind all events that the caller may not see either.',
    async run(world) {
      const home = await world.home();
      const secret = (await world.component({ parent: home.id, accessOverridden: true, access: [] })).id;
      const cursor = await settle(world);
      await world.issue({ component: secret, title: 'secret' }, world.root);
      const open = await world.issue();
      await world.model.updateIssue({ id: open.id, comment: 'between us', restricted: true }, world.alice);
      await world.issue({ component: secret, title: 'secret' }, world.root);
      assert.equal((await readEvents(world, cursor, 4, world.root)).length, 4);
      const seen = await readEvents(world, cursor, 2, world.carol);
      assert.deepEqual(
        seen.map((event) => event.issue),
        [open.id, open.id],
      );
      assert.ok(!JSON.stringify(seen).includes('between us'));
      const nothing = await walkEvents(world, { component: home.id, cursor }, world.eve);
      assert.deepEqual(nothing.events, []);
    },
  },
  {
    name: 'events: components and comments are told',
    capability,
    rule: 'EventKind: a component was created or changed; a comment was edited or redacted.',
    async run(world) {
      const home = await world.home();
      const issue = await world.issue({ description: 'x' });
      const cursor = await settle(world);
      await world.model.updateComponent(
        { id: home.id, component: { archived: true }, updateMask: ['archived'] },
        world.root,
      );
      if (world.has('comment_editing'))
        await world.model.editComment(
          { issue: issue.id, sequence: 1, comment: 'y', expectedCommentVersion: 1 },
          world.alice,
        );
      const events = await readEvents(world, cursor, world.has('comment_editing') ? 2 : 1, world.alice);
      const found = events.map(({ kind, component, issue }) => [
        kind,
        kind === EventKind.COMMENT_EDITED ? issue : component,
      ]);
      const expected = [
        [EventKind.COMPONENT_CHANGED, home.id],
        [EventKind.COMMENT_EDITED, issue.id],
      ];
      assert.deepEqual(found, expected.slice(0, found.length));
      assert.ok(found.length > 0);
    },
  },
  {
    name: 'events: filtered by issue and by component',
    capability,
    rule: 'issue: only of this issue. component: only of this component and those below it.',
    async run(world) {
      const home = await world.home();
      const below = (await world.component({ parent: home.id })).id;
      const other = (await world.component({})).id;
      const cursor = await settle(world);
      const issues = [];
      for (const component of [home.id, below, other]) issues.push(await world.issue({ component }));
      const inHome = await readEvents(world, cursor, 2, world.alice);
      assert.deepEqual(
        inHome.map((event) => event.issue),
        issues.slice(0, 2).map((issue) => issue.id),
      );
      const inBelow = await readEvents(world, cursor, 1, world.alice, { component: below });
      assert.deepEqual(
        inBelow.map((event) => event.issue),
        [issues[1]!.id],
      );
      const ofOne = await readEvents(world, cursor, 1, world.alice, { component: '0', issue: issues[2]!.id });
      assert.deepEqual(
        ofOne.map((event) => event.issue),
        [issues[2]!.id],
      );
    },
  },
  {
    name: 'events: a watcher hears of what is committed while it waits',
    capability,
    rule: 'Streams committed changes behind a cursor, then waits for new ones, until the caller cancels.',
    async run(world) {
      const start = await findEnd(world);
      const issue = await world.issue();
      const cursor = await findCursor(world, start, issue.id);
      const abort = new AbortController();
      const heard: string[] = [];
      const listen = async () => {
        for await (const { events } of world.model.watchEvents(
          { cursor, issue: issue.id },
          { ...world.alice, signal: abort.signal },
        )) {
          heard.push(...events.map((event) => event.update?.comment ?? ''));
          if (heard.length >= 3) abort.abort();
        }
      };
      const listening = listen().catch((error: Error) => {
        if (!abort.signal.aborted) throw error;
      });
      const timer = setTimeout(() => abort.abort(), 5_000);
      for (const comment of ['1', '2', '3']) await world.model.updateIssue({ id: issue.id, comment }, world.alice);
      await listening;
      clearTimeout(timer);
      assert.deepEqual(heard, ['1', '2', '3']);
    },
  },
  {
    name: 'events: a malformed cursor is refused',
    capability,
    rule: 'INVALID_ARGUMENT (BAD_CURSOR).',
    async run(world) {
      await expectError(walkEvents(world, { cursor: 'no cursor!' }, world.alice), 'BAD_CURSOR');
    },
  },
];
