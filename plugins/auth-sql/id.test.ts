import t from 'tap';
import { createIdSource, createPositionSource } from './id.ts';

t.test('ids are UUIDv7 with their time, ascending whatever the clock does', (t) => {
  let now = Date.parse('2026-11-24T12:00:00Z');
  const createId = createIdSource(() => now);
  const ids: string[] = [];
  // More within one millisecond than the counter holds, then a clock that goes back.
  for (let n = 0; n < 10_000; n += 1) ids.push(createId());
  now -= 60_000;
  for (let n = 0; n < 1_000; n += 1) ids.push(createId());
  now += 120_000;
  ids.push(createId());
  t.ok(ids.every((id) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)));
  t.same(ids, [...ids].sort());
  t.equal(new Set(ids).size, ids.length);
  t.equal(Number.parseInt(ids.at(-1)!.replace('-', '').slice(0, 12), 16), now);
  t.end();
});

t.test('positions ascend by time and fit an int64', (t) => {
  let now = Date.parse('2093-01-01T00:00:00Z');
  const createPosition = createPositionSource(() => now);
  const positions: bigint[] = [];
  for (let n = 0; n < 1_000; n += 1) positions.push(BigInt(createPosition()));
  now += 1;
  positions.push(BigInt(createPosition()));
  t.ok(positions.every((position, n) => n === 0 || position > positions[n - 1]!));
  t.ok(positions.at(-1)! < 2n ** 63n);
  t.end();
});
