import { createHash } from 'node:crypto';
import { type CallContext, invalidField, type MessageCodec, ServiceError } from '@bugless/kit/service';
import { runTransaction, toServiceError } from '@bugless/sql';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ModelTables } from './schema/tables.ts';
import { StatementBatch } from './statement-batch.ts';
import { readClock, type Store } from './store.ts';

/** How long an answer is kept at least, in milliseconds: the contract's 24 hours. */
const KEPT_MILLIS = 24 * 3_600_000;
/** Rows that one sweep deletes at most, so that it never holds up others. */
const SWEEP_ROWS = 5_000;

/** A write that may carry a request id. */
export interface LoggedWrite<Request, Response> {
  /** Name of the RPC. */
  readonly method: string;
  /** Empty: the write is not repeated. */
  readonly requestId: string;
  readonly request: Request;
  readonly requestCodec: MessageCodec<Request>;
  readonly responseCodec: MessageCodec<Response>;
  readonly context: CallContext;
  /** What of the answer is kept: copies it without the long texts, which stand in the history anyway. */
  readonly shorten?: (response: Response) => Response;
  /** Puts the texts back as they stood at a time (ISO). */
  readonly complete?: (response: Response, at: string, db: Kysely<ModelTables>) => Promise<void>;
}

/** What a write works with inside of its transaction. */
export interface WriteScope {
  readonly em: SqlEntityManager;
  readonly db: Kysely<ModelTables>;
  /** Sent at the end of the transaction, with the entry in the log. */
  readonly batch: StatementBatch;
}

/**
 * Runs a write in one transaction, retried as a whole. With a request id its answer is
 * stored in the same transaction; a repetition, however it fails, gets that first answer: doing
 * the work again breaks on the key of the log, and then the log is read.
 */
export async function runWrite<Request, Response>(
  store: Store,
  write: LoggedWrite<Request, Response>,
  work: (scope: WriteScope) => Promise<Response>,
): Promise<Response> {
  const { context, requestId } = write;
  const options = { signal: context.signal, deadline: context.deadline, attempts: countAttempts(store) };
  if (requestId === '') {
    return runTransaction(
      store.db,
      async (em) => {
        const scope = createScope(store, em);
        const response = await work(scope);
        await scope.batch.flush();
        return response;
      },
      options,
    );
  }
  if (!/^[\x21-\x7e]{1,128}$/.test(requestId)) {
    throw invalidField('request_id', '1 to 128 visible ASCII characters are expected');
  }
  const hash = createHash('sha256').update(write.requestCodec.encode(write.request).finish()).digest();
  try {
    return await runTransaction(
      store.db,
      async (em) => {
        const scope = createScope(store, em);
        const response = await work(scope);
        const kept = write.responseCodec.encode(write.shorten ? write.shorten(response) : response).finish();
        await scope.batch.add({
          table: 'request_log',
          statement: sql`insert into request_log (user_id, request_id, method, body_hash, answer, created)
          values (${context.user}, ${requestId}, ${write.method}, ${hash}, ${Buffer.from(kept)}, ${readClock(store)}) returning 1`,
        });
        await scope.batch.flush();
        return response;
      },
      {
        ...options,
        settle: async (em) => {
          const answer = await findAnswer(em.getKysely<ModelTables>(), write, hash);
          return answer === undefined ? undefined : { value: answer };
        },
      },
    );
  } catch (error) {
    // Whatever went wrong: with its effect already there a repetition may fail in any way.
    const failure = toServiceError(error);
    if (failure.code === 'UNAVAILABLE' || failure.code === 'CANCELLED' || failure.code === 'DEADLINE_EXCEEDED')
      throw error;
    const answer = await findAnswer(store.kysely, write, hash);
    if (answer !== undefined) return answer;
    throw error;
  }
}

/** How often a transaction is tried: at SERIALIZABLE rivals that are no rivals of a row conflict too. */
function countAttempts(store: Pick<Store, 'dialect'>): number {
  return store.dialect.defaultIsolation === 'serializable' ? 20 : 12;
}

/** What a transaction of this entity manager works with. */
export function createScope(store: Store, em: SqlEntityManager): WriteScope {
  const db = em.getKysely<ModelTables>();
  return { em, db, batch: new StatementBatch(store, db) };
}

async function findAnswer<Request, Response>(
  db: Kysely<ModelTables>,
  write: LoggedWrite<Request, Response>,
  hash: Buffer,
): Promise<Response | undefined> {
  const { rows } = await sql<ModelTables['request_log']>`select * from request_log
    where user_id = ${write.context.user} and request_id = ${write.requestId}`.execute(db);
  const row = rows[0];
  if (!row) return undefined;
  if (row.method !== write.method || !row.body_hash.equals(hash)) {
    throw new ServiceError(
      'REQUEST_ID_REUSED',
      `request_id: ${write.requestId} was used for another request; send a new one`,
    );
  }
  const answer = write.responseCodec.decode(row.answer);
  await write.complete?.(answer, row.created, db);
  return answer;
}

/** The text that a comment had at a time; empty when it was withdrawn since. */
export async function readTextAt(
  db: Kysely<ModelTables>,
  issue: string,
  sequence: number,
  at: string,
): Promise<string> {
  const { rows } = await sql<{ comment: string }>`
    select comment from (
      select u.comment, coalesce(u.edited, u.created) as since, 1000000000 as version from issue_update u
        where u.issue_id = ${issue} and u.sequence = ${sequence}
      union all
      select v.comment, v.created, v.version from comment_version v join issue_update u using (issue_id, sequence)
        where v.issue_id = ${issue} and v.sequence = ${sequence} and not u.redacted
    ) texts order by (since <= ${at}) desc, version desc limit 1`.execute(db);
  return rows[0]?.comment ?? '';
}

/** One of the texts that a comment had, by its version; empty when it was withdrawn since. */
export async function readTextVersion(
  db: Kysely<ModelTables>,
  issue: string,
  sequence: number,
  version: number,
): Promise<string> {
  const { rows } = await sql<{ comment: string }>`
    select u.comment from issue_update u
      where u.issue_id = ${issue} and u.sequence = ${sequence} and u.comment_version = ${version}
    union all
    select v.comment from comment_version v join issue_update u using (issue_id, sequence)
      where v.issue_id = ${issue} and v.sequence = ${sequence} and v.version = ${version} and not u.redacted`.execute(
    db,
  );
  return rows[0]?.comment ?? '';
}

/** Deletes answers past their time; call now and then. */
export async function sweepRequestLog(store: Store): Promise<number> {
  const before = new Date(store.now() - KEPT_MILLIS).toISOString();
  const { rows } = await sql<{ n: string }>`with gone as (
      delete from request_log where (user_id, request_id) in (
        select user_id, request_id from request_log where created < ${before} order by created limit ${sql.lit(SWEEP_ROWS)})
      returning 1)
    select count(*) as n from gone`.execute(store.kysely);
  return Number(rows[0]!.n);
}
