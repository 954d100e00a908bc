import { performance } from 'node:perf_hooks';
import { createContext, createSystemContext, TokenScope } from '@bugless/kit/service';
import { sql } from 'kysely';
import t from 'tap';
import { createAuthInstance } from './instance.ts';
import { PrincipalCache } from './principal-cache.ts';
import type { Tables } from './tables.ts';
import { addPerson, startTestAuthenticator } from './testing.ts';
import { PRINCIPAL_SQL, SESSION_SQL, TOKEN_SQL } from './verification.ts';

const SYSTEM = createSystemContext();
const NOBODY = createContext();

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

t.test('the cache is bounded in time and size, and believes nothing from before a revocation', (t) => {
  let now = 1_000_000;
  const cache = new PrincipalCache({ maxAgeMillis: 2_000, maxSize: 3, now: () => now });
  const principal = (expires?: number) => ({
    user: undefined,
    groups: [],
    methods: [],
    authenticated: undefined,
    expires: expires === undefined ? undefined : new Date(expires).toISOString(),
    scopes: [],
    scopeComponents: [],
    credential: '',
  });
  const begun = cache.begin();
  now += 1_000;
  cache.put('a', principal(), begun);
  now += 999;
  t.ok(cache.get('a'));
  now += 1;
  t.notOk(cache.get('a'), 'its age counts from when the store was asked');
  cache.put('b', principal(now + 500), cache.begin());
  now += 499;
  t.ok(cache.get('b'));
  now += 1;
  t.notOk(cache.get('b'), 'an end of its own comes first');
  const before = cache.begin();
  cache.clear();
  cache.put('c', principal(), before);
  t.notOk(cache.get('c'), 'read before a revocation');
  for (const key of ['1', '2', '3', '4']) cache.put(key, principal(), cache.begin());
  t.equal(cache.size, 3);
  t.notOk(cache.get('1'));
  now -= 10;
  t.notOk(cache.get('4'), 'a clock that went back');
  t.end();
});

t.test('verifying is one statement over indexes, and next to nothing when cached', async (t) => {
  const { authenticator, instance, database, clock } = await startTestAuthenticator(t, (environment, database) =>
    createAuthInstance({}, environment, () => ({ methods: {}, capabilities: {} }), database),
  );
  const ann = await addPerson(authenticator, 'ann');
  const { secret } = await authenticator.createSession({ user: ann.user }, SYSTEM);
  const token = await authenticator.createToken({ name: 'x', scopes: [TokenScope.READ] }, ann);
  const k = database.kysely<Tables>();
  await sql`insert into auth_user select 'u' || n, 1, 1, 1, 'name' || n, 'name' || n, 'x', '', false, '', false, '',
    now(), now(), null, '' from generate_series(1, 5000) n`.execute(k);
  await sql`insert into auth_group select 'g' || n, 1, 'g' || n, 'g' || n, '', now() from generate_series(1, 100) n`.execute(
    k,
  );
  await sql`insert into auth_group_member select 'g' || (n % 100 + 1), 'u' || n, false from generate_series(1, 5000) n`.execute(
    k,
  );
  await sql`insert into auth_session select sha256(('s' || n)::bytea), 's' || n, 'u' || n, now(), now(), now(), '', '',
    array['password'] from generate_series(1, 5000) n`.execute(k);
  await sql`insert into auth_token select sha256(('t' || n)::bytea), 't' || n, 'u' || n, '', '', array[1], array[]::int8[],
    now(), null, null, '' from generate_series(1, 5000) n`.execute(k);
  await sql`analyze`.execute(k);
  for (const statement of [SESSION_SQL, TOKEN_SQL, PRINCIPAL_SQL]) {
    const value = statement === PRINCIPAL_SQL ? `'u7'` : `sha256('s7')`;
    const plan = await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(statement.replace('$1', value))}`.execute(k);
    t.notMatch(plan.rows.map((row) => row['QUERY PLAN']).join('\n'), /Seq Scan/, statement.slice(-40));
  }

  const port = instance.authenticator!;
  const verifySession = () => port.verifySession!({ secret, client: undefined }, NOBODY);
  const verifyToken = () => port.authenticateToken!({ token: token.secret, client: undefined }, NOBODY);
  for (const [name, verify] of Object.entries({ verifySession, verifyToken })) {
    const uncached: number[] = [];
    for (let n = 0; n < 300; n += 1) {
      clock.advance(5_000);
      const began = performance.now();
      await verify();
      uncached.push(performance.now() - began);
    }
    const cached: number[] = [];
    for (let n = 0; n < 5_000; n += 1) {
      const began = performance.now();
      await verify();
      cached.push(performance.now() - began);
    }
    const [slow, quick] = [median(uncached) * 1000, median(cached) * 1000];
    t.comment(`${name}: ${quick.toFixed(1)} µs cached, ${slow.toFixed(0)} µs from the store (medians)`);
    t.ok(quick < 50, `${name} takes under 50 µs when cached`);
  }
});
