/** That nothing acknowledged was lost or doubled. */
import pg from 'pg';
import type { Client } from './client.ts';
import type { Installation } from './installation.ts';
import { waitUntil } from './process.ts';
import type { WriteStream } from './stream.ts';

/** The part of a tap test that is used. */
interface Test {
  equal(found: unknown, wanted: unknown, message: string): unknown;
  same(found: unknown, wanted: unknown, message: string): unknown;
  ok(found: unknown, message: string): unknown;
}

interface StoredUpdate {
  readonly sequence: number;
  readonly comment: string;
  readonly created: string;
  readonly changes: readonly { field: string; oldValues: string[]; newValues: string[] }[];
}

/** Reads everything back through the API and compares it with what the clients were told. */
export async function checkNothingLost(
  t: Test,
  client: Client,
  component: string,
  { issues, comments }: Pick<WriteStream, 'issues' | 'comments'>,
): Promise<{ issues: number; comments: number }> {
  const stored = await client.listAll(`/api/v1/issues?q=component:${component}`, 'issues');
  t.same(
    sort(stored.map(({ id }) => id)),
    sort(issues.map(({ id }) => id)),
    'acknowledged issues are there, and no others',
  );
  t.equal(new Set(stored.map(({ id }) => id)).size, issues.length, 'no id twice');
  t.equal(new Set(stored.map(({ title }) => title)).size, issues.length, 'no issue twice');

  const places: string[] = [];
  const faults: string[] = [];
  let found = 0;
  for (const { id } of stored) {
    const { body: issue } = await client.insist('GET', `/api/v1/issues/${id}`);
    const updates: StoredUpdate[] = await client.listAll(`/api/v1/issues/${id}/updates`, 'updates');
    faults.push(...listFaults(issue, updates));
    const spoken = updates.filter(({ sequence, comment }) => sequence > 1 && comment !== '');
    found += spoken.length;
    places.push(...spoken.map(({ sequence, comment }) => `${id}/${sequence} ${comment}`));
  }
  t.same(faults, [], 'issues are the fold of their updates');
  t.same(
    sort(places),
    sort(comments.map(({ id, sequence, body }) => `${id}/${sequence} ${(body as { comment: string }).comment}`)),
    'acknowledged comments are there, once and where they were said to be, and no others',
  );
  return { issues: stored.length, comments: found };
}

/** What of an issue is not as its updates have it. */
// biome-ignore lint/suspicious/noExplicitAny: an issue as JSON
function listFaults(issue: any, updates: readonly StoredUpdate[]): string[] {
  const faults: string[] = [];
  const state = new Map<string, string[]>();
  let last = '';
  for (const [index, { sequence, changes, created }] of updates.entries()) {
    if (sequence !== index + 1) faults.push(`${issue.id}: update ${sequence} at place ${index + 1}`);
    if (created < last) faults.push(`${issue.id}: update ${sequence} is older than the one before it`);
    last = created;
    for (const { field, oldValues, newValues } of changes) {
      const before = state.get(field) ?? [];
      // Of collections a change holds what went and what came; of others, all there was and is.
      const missed = oldValues.filter((value) => !before.includes(value));
      if (sequence > 1 && missed.length > 0) {
        faults.push(`${issue.id}/${sequence}: ${field} was ${before}, which has no ${missed}`);
      }
      state.set(field, [...before.filter((value) => !oldValues.includes(value)), ...newValues]);
    }
  }
  for (const field of ['title', 'status', 'priority', 'component', 'reporter', 'labels', 'type', 'severity']) {
    const present: string[] = [issue[field] ?? []].flat();
    const folded = state.get(field);
    if (folded !== undefined && !isSame(folded, present))
      faults.push(`${issue.id}: ${field} ${present}, not ${folded}`);
    if (folded === undefined && field === 'labels' && present.length > 0)
      faults.push(`${issue.id}: labels from nowhere`);
  }
  if (issue.version !== String(updates.length))
    faults.push(`${issue.id}: version ${issue.version} of ${updates.length}`);
  if (issue.modified !== last) faults.push(`${issue.id}: modified ${issue.modified}, last update ${last}`);
  const spoken = updates.filter(({ sequence, comment }) => sequence > 1 && comment !== '').length;
  if (issue.commentCount !== spoken) faults.push(`${issue.id}: ${issue.commentCount} comments counted of ${spoken}`);
  return faults;
}

/** Sends writes that were acknowledged once more: each answers what it answered, and does nothing. */
export async function checkRepetition(
  t: Test,
  client: Client,
  stream: Pick<WriteStream, 'issues' | 'comments'>,
  count = 10,
): Promise<void> {
  const wrong: string[] = [];
  for (const list of [stream.issues, stream.comments]) {
    const step = Math.max(1, Math.floor(list.length / count));
    for (let i = 0; i < list.length; i += step) {
      const { key, path, body, id, sequence } = list[i]!;
      const answer = await client.insist('POST', path, body, key);
      const same = sequence === 1 ? answer.body.id === id : answer.body.sequence === sequence;
      if (!same) wrong.push(`${key}: ${JSON.stringify(answer.body)}`);
    }
  }
  t.same(wrong, [], 'a key used again gets the first answer');
}

/** Connections of one plugin's pool, as its defaults have it. */
const POOL_SIZE = 10;

/**
 * Looks into the database whether the Model's pool is whole: with a table locked, as many readers as it may have come
 * to wait there; a connection that was never given back would be one too few. Afterwards all are idle.
 */
export async function checkPoolWhole(
  t: Test,
  installation: Installation,
  client: Client,
  issue: string,
): Promise<void> {
  const connectionString = installation.getDatabaseUrl('bugless_model');
  const database = new pg.Client({ connectionString });
  // In a transaction the list of sessions stays as it was first seen.
  const holder = new pg.Client({ connectionString });
  await database.connect();
  await holder.connect();
  const count = async (condition: string): Promise<number> => {
    const { rows } = await database.query(`select count(*)::int as n from pg_stat_activity
      where application_name = 'bugless-model' and ${condition}`);
    return rows[0].n;
  };
  try {
    await holder.query('begin');
    await holder.query('lock table issue in access exclusive mode');
    const readers = Array.from({ length: POOL_SIZE + 2 }, () => client.send('GET', `/api/v1/issues/${issue}`));
    await waitUntil(
      `${POOL_SIZE} readers wait for the lock`,
      async () => (await count(`wait_event_type = 'Lock'`)) === POOL_SIZE,
      4_000,
    ).catch(() => undefined);
    t.equal(await count(`wait_event_type = 'Lock'`), POOL_SIZE, 'every connection of the pool can be had');
    await holder.query('commit');
    const statuses = (await Promise.all(readers)).map(({ status }) => status);
    t.same(new Set(statuses), new Set([200]), 'all readers are answered');
    await waitUntil('connections are idle', async () => (await count(`state <> 'idle'`)) === 0, 4_000).catch(
      () => undefined,
    );
    t.equal(await count(`state <> 'idle'`), 0, 'no connection is left in the middle of something');
  } finally {
    await holder.end();
    await database.end();
  }
}

const sort = (texts: string[]): string[] => texts.toSorted();

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted());
