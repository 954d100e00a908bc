/** Deliveries: listed and made due again by those who administer the webhook, leased and reported by core. */
import { randomUUID } from 'node:crypto';
import { decodePageToken, encodePageToken, fingerprintRequest } from '@bugless/kit/domain';
import {
  type CallContext,
  type Delivery,
  invalidField,
  type LeaseDeliveriesRequest,
  type LeaseDeliveriesResponse,
  type ListDeliveriesRequest,
  type ListDeliveriesResponse,
  type RedeliverRequest,
  type RedeliverResponse,
  type ReportDeliveryRequest,
  type ReportDeliveryResponse,
  ServiceError,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import { cutText } from './issue-row.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';
import { readPageSize } from './update-reader.ts';
import { findWebhook, toWebhook, type WebhookRow } from './webhook-access.ts';

type DeliveryRow = ModelTables['delivery'];

/** Characters of bodies in one answer, about: a message has its bounds. */
const MOST_CHARACTERS = 2 * 1024 * 1024;
const ERROR_CHARACTERS = 500;
const MOST_LEASED = 100;
const LONGEST_LEASE = 3_600_000;
/** How long a delivery that is over is kept, in milliseconds. */
const KEPT_MILLIS = 30 * 86_400_000;
const SWEEP_ROWS = 5_000;

/** ListDeliveries. A page may be shorter than asked for where bodies are long. */
export async function listDeliveries(
  store: Store,
  request: ListDeliveriesRequest,
  context: CallContext,
): Promise<ListDeliveriesResponse> {
  const size = readPageSize(request.pageSize);
  const fingerprint = fingerprintRequest('ListDeliveries', request.webhook);
  const token = decodePageToken(request.pageToken, fingerprint, 0);
  await findWebhook(store.kysely, await store.components.fresh(), request.webhook, context, false, 'webhook');
  const before = token ? sql`position < ${token.id}::int8` : sql`true`;
  const { rows } = await sql<DeliveryRow & { size: string }>`
    select x.* from (
      select d.*, sum(length(d.body)) over (order by d.position desc rows between unbounded preceding and current row) as size
      from (select * from delivery where webhook_id = ${request.webhook} and ${before}
        order by position desc limit ${size + 1}) d
    ) x order by x.position desc`.execute(store.kysely);
  const page = rows.slice(0, size).filter((row, index) => index === 0 || Number(row.size) <= MOST_CHARACTERS);
  const last = page.at(-1);
  return {
    deliveries: page.map(toDelivery),
    nextPageToken:
      last && rows.length > page.length ? encodePageToken({ keys: [], id: last.position }, fingerprint) : '',
  };
}

/** Redeliver: due at once, whatever became of it; one that is being sent right now is left alone. */
export async function redeliver(
  store: Store,
  request: RedeliverRequest,
  context: CallContext,
): Promise<RedeliverResponse> {
  const { webhook, position } = parseDeliveryId(request.id);
  const tree = await store.components.fresh();
  await findWebhook(store.kysely, tree, webhook, context).catch((error: unknown) => {
    throw error instanceof ServiceError && error.reason === 'WEBHOOK_NOT_FOUND' ? deliveryNotFound(request.id) : error;
  });
  const now = readClock(store);
  const { rows } = await sql`update delivery set state = 'pending', next_attempt = ${now}::timestamptz,
      lease = case when lease_until > ${now}::timestamptz then lease else '' end,
      lease_until = case when lease_until > ${now}::timestamptz then lease_until else null end
    where webhook_id = ${webhook} and position = ${position} returning 1`.execute(store.kysely);
  if (rows.length === 0) throw deliveryNotFound(request.id);
  return {};
}

/** LeaseDeliveries: those that have waited longest, of webhooks that are enabled. */
export async function leaseDeliveries(
  store: Store,
  request: LeaseDeliveriesRequest,
  context: CallContext,
): Promise<LeaseDeliveriesResponse> {
  requireSystem(context);
  const { count, leaseMillis } = request;
  if (count < 1 || count > MOST_LEASED) throw invalidField('count', `${count} is not in 1 to ${MOST_LEASED}`);
  if (leaseMillis < 1 || leaseMillis > LONGEST_LEASE) {
    throw invalidField('lease_millis', `${leaseMillis} is not in 1 to ${LONGEST_LEASE}`);
  }
  const now = readClock(store);
  const until = new Date(store.now() + leaseMillis).toISOString();
  const lease = randomUUID();
  const skip = sql.raw(store.dialect.skipLocked ? ' skip locked' : '');
  const { rows } = await sql<DeliveryRow>`
    with due as (
      select d.webhook_id, d.position, d.next_attempt, length(d.body) as size
      from delivery d join webhook w on w.id = d.webhook_id and w.enabled
      where d.state = 'pending' and d.next_attempt <= ${now}::timestamptz
        and (d.lease_until is null or d.lease_until <= ${now}::timestamptz)
      order by d.next_attempt, d.position limit ${count} for update of d${skip}
    ), chosen as (
      select x.webhook_id, x.position from (
        select due.*, sum(size) over (order by next_attempt, position, webhook_id rows between unbounded preceding and current row) as total
        from due
      ) x where x.total <= ${sql.lit(MOST_CHARACTERS)} or x.total = x.size
    )
    update delivery d set lease = ${lease}, lease_until = ${until}::timestamptz from chosen c
    where d.webhook_id = c.webhook_id and d.position = c.position returning d.*`.execute(store.kysely);
  if (rows.length === 0) return { deliveries: [] };
  const ids = [...new Set(rows.map((row) => row.webhook_id))];
  const hooks = await sql<WebhookRow>`select * from webhook where id = any(${ids}::int8[])`.execute(store.kysely);
  const byId = new Map(hooks.rows.map((hook) => [hook.id, hook]));
  rows.sort((a, b) => (a.next_attempt < b.next_attempt ? -1 : a.next_attempt > b.next_attempt ? 1 : 0));
  return {
    deliveries: rows.flatMap((row) => {
      const hook = byId.get(row.webhook_id);
      // Core signs with the secret.
      return hook ? [{ delivery: toDelivery(row), webhook: { ...toWebhook(hook), secret: hook.secret }, lease }] : [];
    }),
  };
}

/** ReportDelivery. A report that comes again is answered as the first one was. */
export async function reportDelivery(
  store: Store,
  request: ReportDeliveryRequest,
  context: CallContext,
): Promise<ReportDeliveryResponse> {
  requireSystem(context);
  const { webhook, position } = parseDeliveryId(request.id);
  const state = request.failed ? 'failed' : request.nextAttempt === undefined ? 'delivered' : 'pending';
  const error = cutText(request.error.replace(/\s+/g, ' '), ERROR_CHARACTERS);
  const next = state === 'pending' ? sql`${request.nextAttempt}::timestamptz` : sql`next_attempt`;
  const { rows } = await sql`update delivery set state = ${state}, attempts = attempts + 1, next_attempt = ${next},
      last_status = ${request.status}::int4, last_error = ${error}, lease_until = null
    where webhook_id = ${webhook} and position = ${position} and lease = ${request.lease} and lease_until is not null
    returning 1`.execute(store.kysely);
  if (rows.length > 0) return {};
  const found = await sql<DeliveryRow>`
    select * from delivery where webhook_id = ${webhook} and position = ${position}`.execute(store.kysely);
  const row = found.rows[0];
  if (!row) throw deliveryNotFound(request.id);
  if (row.lease === request.lease && request.lease !== '') return {};
  throw new ServiceError('LEASE_LOST', `lease: somebody else has delivery ${request.id} by now`);
}

/** Deletes deliveries that are long over; call now and then. */
export async function sweepDeliveries(store: Store): Promise<void> {
  const before = new Date(store.now() - KEPT_MILLIS).toISOString();
  await sql`delete from delivery where (webhook_id, position) in (
    select webhook_id, position from delivery where state <> 'pending' and created < ${before}::timestamptz
    limit ${sql.lit(SWEEP_ROWS)})`.execute(store.kysely);
}

function toDelivery(row: DeliveryRow): Delivery {
  return {
    id: `msg_${row.webhook_id}_${row.position}`,
    webhook: row.webhook_id,
    eventCursor: row.position,
    state: row.state,
    attempts: row.attempts,
    nextAttempt: row.state === 'pending' ? row.next_attempt : undefined,
    lastStatus: row.last_status,
    lastError: row.last_error,
    body: row.body,
    created: row.created,
  };
}

function parseDeliveryId(id: string): { webhook: string; position: string } {
  const match = /^msg_([1-9][0-9]{0,17})_([1-9][0-9]{0,17})$/.exec(id);
  if (!match) throw deliveryNotFound(id);
  return { webhook: match[1]!, position: match[2]! };
}

function deliveryNotFound(id: string): ServiceError {
  return new ServiceError('DELIVERY_NOT_FOUND', `id: there is no delivery ${id}`);
}

function requireSystem(context: CallContext): void {
  if (!context.system) throw new ServiceError('FORBIDDEN', 'deliveries are sent by core alone');
}
