import { startTestDatabase } from '@bugless/sql/testing';
import { sql } from 'kysely';
import t from 'tap';
import { COCKROACH_ON_POSTGRES } from './fixture/cockroach-dialect.ts';
import { openModel } from './fixture/open-model.ts';
import { SNOWFLAKE_EPOCH, SnowflakeMaker } from './snowflake.ts';
import { formatWordVector } from './word-vector.ts';

t.test('ids rise and never come twice, whatever the clock does', (t) => {
  let now = SNOWFLAKE_EPOCH + 1_000_000;
  const maker = new SnowflakeMaker(() => now);
  maker.setLease({ node: 5, expires: now + 60_000 });
  const ids: bigint[] = [];
  for (let n = 0; n < 20_000; n++) {
    if (n === 5_000) now -= 30_000;
    if (n === 12_000) now += 30_010;
    ids.push(BigInt(maker.next()));
  }
  t.ok(ids.every((id, index) => index === 0 || id > ids[index - 1]!));
  t.ok(ids.every((id) => id > 0n && id < 2n ** 63n && ((id >> 12n) & 1023n) === 5n));
  t.end();
});

t.test('no id is made outside of a lease', (t) => {
  let now = SNOWFLAKE_EPOCH + 1_000;
  const maker = new SnowflakeMaker(() => now);
  t.throws(() => maker.next(), /No node number/);
  maker.setLease({ node: 1, expires: now + 100 });
  maker.next();
  now += 100;
  t.throws(() => maker.next(), /No node number/);
  t.end();
});

t.test('two processes hold two nodes', async (t) => {
  const test = await startTestDatabase(t);
  await sql`create extension btree_gin`.execute((await test.open()).kysely());
  const one = await openModel(t, { test, dialect: COCKROACH_ON_POSTGRES });
  await openModel(t, { test, dialect: COCKROACH_ON_POSTGRES });
  const { rows } = await sql<{ node: number }>`select node from snowflake_node`.execute(one.store.kysely);
  t.equal(new Set(rows.map(({ node }) => node)).size, 2);
});

t.test('words as a tsvector', async (t) => {
  const { store } = await openModel(t);
  const words = ["it's", 'a\\b', 'x', 'x', '漢字'];
  const { rows } = await sql<{ v: string }>`select ${formatWordVector(words, 'A')}::tsvector::text as v`.execute(
    store.kysely,
  );
  t.equal(rows[0]!.v, `'a\\\\b':2A 'it''s':1A 'x':3A,4A '漢字':5A`);
  const many = Array.from({ length: 300_000 }, (_, n) => `w${n % 120_000}`);
  const { rows: big } = await sql<{ n: number }>`select length(${formatWordVector(many, '')}::tsvector) as n`.execute(
    store.kysely,
  );
  t.ok(big[0]!.n > 10_000, 'a text with more words than fit is cut, not refused');
});
