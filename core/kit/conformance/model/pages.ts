import assert from 'node:assert/strict';
import { compareIssues, FIELDS } from '../../domain/index.ts';
import { type Issue, type OrderKey, Priority } from '../../service/index.ts';
import { Chance, expectError, walkPages } from '../expectation.ts';
import { filterComponent } from './request.ts';
import { readReference } from './search.ts';
import { readSearchData } from './search-data.ts';
import type { ModelCase, ModelWorld } from './world.ts';

const ORDERABLE = FIELDS.filter(({ orderable }) => orderable).map(({ name }) => name);

async function walkIssues(
  world: ModelWorld,
  request: object,
  pageSize: number,
  between?: () => Promise<unknown>,
  context = world.alice,
): Promise<Issue[]> {
  return walkPages(pageSize, async (pageToken) => {
    const answer = await world.model.searchIssues({ ...request, pageSize, pageToken }, context);
    await between?.();
    return { rows: answer.issues, nextPageToken: answer.nextPageToken };
  });
}

/** Orders, and pages that neither drop nor repeat. */
export const PAGE_CASES: readonly ModelCase[] = [
  ...ORDERABLE.map((field): ModelCase => {
    return {
      name: `order: ${field}, in both directions, page by page`,
      rule: 'In the order asked for; ties are broken by id, newest first. Rows are never repeated or dropped for ties.',
      async run(world) {
        const data = await readSearchData(world);
        const reference = await readReference(data, data.world.alice);
        for (const descending of [false, true]) {
          const order = [{ field, descending }];
          const request = { filter: filterComponent(data.root, true), includeArchived: true, order };
          const found = await walkIssues(data.world, request, 7);
          const expected = reference.issues.toSorted(compareIssues(order));
          assert.deepEqual(
            found.map(({ id }) => id),
            expected.map(({ id }) => id),
            `order by ${descending ? '-' : ''}${field}`,
          );
        }
      },
    };
  }),
  {
    name: 'order: several keys',
    rule: 'order: at most 4 keys; empty: `-modified`.',
    async run(world) {
      const data = await readSearchData(world);
      const reference = await readReference(data, data.world.alice);
      const chance = new Chance(99);
      const orders: OrderKey[][] = [[]];
      for (let index = 0; index < 12; index += 1) {
        const fields = [...new Set(Array.from({ length: 1 + chance.below(4) }, () => chance.pick(ORDERABLE)))];
        orders.push(fields.map((field) => ({ field, descending: chance.below(2) === 0 })));
      }
      for (const order of orders) {
        const found = await walkIssues(
          data.world,
          { filter: filterComponent(data.root, true), includeArchived: true, order },
          9,
        );
        const expected = reference.issues.toSorted(compareIssues(order));
        assert.deepEqual(
          found.map(({ id }) => id),
          expected.map(({ id }) => id),
          JSON.stringify(order),
        );
      }
    },
  },
  {
    name: 'order: what cannot be ordered by is refused',
    rule: 'Errors: INVALID_ARGUMENT (BAD_ORDER).',
    async run(world) {
      const search = (fields: string[]) =>
        world.model.searchIssues({ order: fields.map((field) => ({ field })) }, world.alice);
      for (const fields of [['nonsense'], ['labels'], ['relevance'], ['id', 'created', 'modified', 'title', 'status']])
        await expectError(search(fields), 'BAD_ORDER');
    },
  },
  {
    name: 'pages: ties are neither dropped nor repeated',
    rule: 'Rows are never repeated or dropped for ties.',
    async run(world) {
      const made = await world.issues(
        Array.from({ length: 12 }, (_, index) => ({
          priority: index % 2 === 0 ? Priority.P0 : Priority.P1,
          title: 'same',
        })),
      );
      const filter = filterComponent((await world.home()).id);
      for (const pageSize of [1, 2, 5, 12])
        for (const field of ['priority', 'title', 'type']) {
          const found = await walkIssues(world, { filter, order: [{ field }] }, pageSize);
          assert.deepEqual(
            found.map(({ id }) => id).toSorted(),
            made.map(({ id }) => id).toSorted(),
            `${field}, ${pageSize} a page`,
          );
        }
    },
  },
  {
    name: 'pages: what is written in between neither drops nor repeats',
    rule: 'Rows written between two pages may or may not show.',
    async run(world) {
      const made = await world.issues(
        Array.from({ length: 10 }, (_, index) => ({ priority: index % 3 === 0 ? Priority.P0 : Priority.P2 })),
      );
      const filter = filterComponent((await world.home()).id);
      for (const order of [[{ field: 'priority' }], [{ field: 'created', descending: true }], [{ field: 'id' }]]) {
        let left = 4;
        const insert = async () => {
          if (left-- > 0) await world.issue({ priority: left % 2 === 0 ? Priority.P0 : Priority.P4 });
        };
        const found = (await walkIssues(world, { filter, order }, 3, insert)).map(({ id }) => id);
        assert.equal(new Set(found).size, found.length, 'a row was repeated');
        for (const { id } of made)
          assert.ok(found.includes(id), `issue ${id} was dropped in order of ${order[0]!.field}`);
      }
    },
  },
  {
    name: 'pages: a token is good for its request alone',
    rule: 'page_token: valid only with the same other fields; INVALID_ARGUMENT (BAD_PAGE_TOKEN) when malformed or used with another request.',
    async run(world) {
      await world.issues([{}, {}, {}]);
      const filter = filterComponent((await world.home()).id);
      const { nextPageToken: pageToken } = await world.model.searchIssues({ filter, pageSize: 1 }, world.alice);
      assert.notEqual(pageToken, '');
      const search = (request: object) =>
        world.model.searchIssues({ filter, pageSize: 1, pageToken, ...request }, world.alice);
      const other = (await world.component({})).id;
      for (const request of [
        { filter: undefined },
        { filter: filterComponent(other) },
        { order: [{ field: 'created' }] },
        { includeArchived: true },
      ])
        await expectError(search(request), 'BAD_PAGE_TOKEN');
      for (const malformed of ['nonsense', pageToken.slice(1), '💥'])
        await expectError(search({ pageToken: malformed }), 'BAD_PAGE_TOKEN');
      assert.equal((await search({ pageSize: 2 })).issues.length, 2, 'the size of a page may change');
    },
  },
  {
    name: 'pages: sizes',
    rule: 'page_size 0 means 50, more than the limit is lowered.',
    async run(world) {
      const ids = await Promise.all(Array.from({ length: 52 }, () => world.issue()));
      const filter = filterComponent((await world.home()).id);
      const search = (pageSize: number) => world.model.searchIssues({ filter, pageSize }, world.alice);
      assert.equal((await search(0)).issues.length, 50);
      const most = world.info.limits?.maxPageSize ?? 0;
      const large = await search(2_000_000_000);
      assert.equal(large.issues.length, Math.min(ids.length, most === 0 ? ids.length : most));
      assert.equal(large.issues[0]!.description, '', 'lists are basic');
    },
  },
];
