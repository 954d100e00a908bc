import { randomBytes } from 'node:crypto';
import {
  ACTIONS,
  checkScope,
  checkText,
  decodePageToken,
  encodePageToken,
  fingerprintRequest,
  refuse,
} from '@bugless/kit/domain';
import {
  type CallContext,
  CreateWebhookRequest,
  CreateWebhookResponse,
  type DeleteWebhookRequest,
  type DeleteWebhookResponse,
  type FieldViolation,
  invalidField,
  type ListWebhooksRequest,
  type ListWebhooksResponse,
  ServiceError,
  type UpdateWebhookRequest,
  type UpdateWebhookResponse,
  Webhook,
} from '@bugless/kit/service';
import { runTransaction } from '@bugless/sql';
import { sql } from 'kysely';
import { checkComponentId } from './component-check.ts';
import { runWrite } from './request-log.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';
import { readPageSize } from './update-reader.ts';
import {
  checkWebhookId,
  checkWebhookPlace,
  findWebhook,
  mayAdminister,
  toWebhook,
  type WebhookRow,
} from './webhook-access.ts';

const SETTABLE = ['url', 'component', 'query', 'enabled', 'secret'] as const;
/** Whoever changes one of these decides where events go: from then on what is told is what that user sees. */
const POINTING = ['url', 'component', 'secret'] as const;

/** CreateWebhook: events from now on. The answer holds the secret. */
export async function createWebhook(
  store: Store,
  request: CreateWebhookRequest,
  context: CallContext,
): Promise<CreateWebhookResponse> {
  const { url, component, query, enabled } = request.webhook ?? Webhook.fromPartial({});
  if (component !== '0') checkComponentId('webhook.component', component);
  checkWebhookPlace(await store.components.fresh(0), context, component, 'webhook.component');
  checkWebhook({ url, query });
  const write = {
    method: 'CreateWebhook',
    requestId: request.requestId,
    request,
    requestCodec: CreateWebhookRequest,
    responseCodec: CreateWebhookResponse,
    context,
    // The secret stands in one place only.
    shorten: ({ webhook }: CreateWebhookResponse) => ({ webhook: webhook && { ...webhook, secret: '' } }),
    complete: async ({ webhook }: CreateWebhookResponse, _at: string, db: Store['kysely']) => {
      if (!webhook) return;
      const { rows } = await sql<WebhookRow>`select * from webhook where id = ${webhook.id}`.execute(db);
      webhook.secret = rows[0]?.version === '1' ? rows[0].secret : '';
    },
  };
  return runWrite(store, write, async ({ db }) => {
    const secret = makeSecret();
    const given = store.ids.nextRowId();
    const { rows } = await sql<WebhookRow>`
      insert into webhook (${given === undefined ? sql`` : sql`id, `}version, url, component, query, secret, enabled,
        owner, owner_groups, owner_admin, owner_components, start_position, created)
      select ${given === undefined ? sql`` : sql`${given}::int8, `}1, ${url}, ${Number(component)}::int4, ${query}, ${secret}, ${enabled}::bool,
        ${context.user}, ${[...context.groups]}::text[], ${isAdministrator(context)}::bool, ${[...context.scopeComponents]}::text[],
        l.last_position, ${readClock(store)}::timestamptz from feed_lease l where l.id = ${1}
      returning *`.execute(db);
    return { webhook: { ...toWebhook(rows[0]!), secret } };
  });
}

/** ListWebhooks: those that the caller may administer, oldest first. */
export async function listWebhooks(
  store: Store,
  request: ListWebhooksRequest,
  context: CallContext,
): Promise<ListWebhooksResponse> {
  checkScope(context, ACTIONS.govern.scope);
  const size = readPageSize(request.pageSize);
  const fingerprint = fingerprintRequest('ListWebhooks');
  const token = decodePageToken(request.pageToken, fingerprint, 0);
  const tree = await store.components.fresh();
  const { rows } = await sql<WebhookRow>`
    select * from webhook where id > ${token?.id ?? '0'}::int8 order by id`.execute(store.kysely);
  const seen = rows.filter((row) => mayAdminister(tree, context, row));
  const page = seen.slice(0, size);
  return {
    webhooks: page.map(toWebhook),
    nextPageToken: seen.length > size ? encodePageToken({ keys: [], id: page.at(-1)!.id }, fingerprint) : '',
  };
}

/** UpdateWebhook. `secret` in the mask makes a new one, which this answer alone holds. */
export async function updateWebhook(
  store: Store,
  request: UpdateWebhookRequest,
  context: CallContext,
): Promise<UpdateWebhookResponse> {
  const mask = readMask(request.updateMask);
  const asked = request.webhook ?? Webhook.fromPartial({});
  if (mask.has('component') && asked.component !== '0') checkComponentId('webhook.component', asked.component);
  const tree = await store.components.fresh(0);
  return runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      const row = await findWebhook(db, tree, request.id, context, true);
      if (request.expectedVersion !== '0' && request.expectedVersion !== row.version) {
        throw new ServiceError(
          'VERSION_MISMATCH',
          `webhook ${row.id} is at version ${row.version}, not ${request.expectedVersion}: it was changed in between`,
          { metadata: { current: row.version } },
        );
      }
      const next = {
        url: mask.has('url') ? asked.url : row.url,
        component: mask.has('component') ? asked.component : String(row.component),
        query: mask.has('query') ? asked.query : row.query,
        enabled: mask.has('enabled') ? asked.enabled : row.enabled,
        secret: mask.has('secret') ? makeSecret() : row.secret,
      };
      checkWebhook(next);
      if (mask.has('component')) checkWebhookPlace(tree, context, next.component, 'webhook.component');
      const owner = POINTING.some((field) => mask.has(field))
        ? sql`owner = ${context.user}, owner_groups = ${[...context.groups]}::text[],
            owner_admin = ${isAdministrator(context)}::bool, owner_components = ${[...context.scopeComponents]}::text[], `
        : sql``;
      const { rows } = await sql<WebhookRow>`update webhook set ${owner}version = version + 1, url = ${next.url},
          component = ${Number(next.component)}::int4, query = ${next.query}, enabled = ${next.enabled}::bool, secret = ${next.secret}
        where id = ${row.id} returning *`.execute(db);
      return { webhook: { ...toWebhook(rows[0]!), secret: mask.has('secret') ? next.secret : '' } };
    },
    { signal: context.signal, deadline: context.deadline },
  );
}

/** DeleteWebhook, with its deliveries. */
export async function deleteWebhook(
  store: Store,
  request: DeleteWebhookRequest,
  context: CallContext,
): Promise<DeleteWebhookResponse> {
  checkWebhookId('id', request.id);
  checkScope(context, ACTIONS.govern.scope);
  const tree = await store.components.fresh(0);
  await runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      const { rows } = await sql<WebhookRow>`select * from webhook where id = ${request.id} for update`.execute(db);
      if (!rows[0] || !mayAdminister(tree, context, rows[0])) return;
      await sql`delete from delivery where webhook_id = ${request.id}`.execute(db);
      await sql`delete from webhook where id = ${request.id}`.execute(db);
    },
    { signal: context.signal, deadline: context.deadline },
  );
  return {};
}

const makeSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

const isAdministrator = (context: CallContext): boolean => context.admin || context.system;

function checkWebhook({ url, query }: { url: string; query: string }): void {
  const found: FieldViolation[] = [];
  checkText(found, 'webhook.url', url, { required: true, singleLine: true, maxCharacters: 2_000 });
  checkText(found, 'webhook.query', query, { maxCharacters: 4_000 });
  refuse(found);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'https:' && parsed?.protocol !== 'http:') {
    throw invalidField('webhook.url', 'is no address: https://host/path is expected');
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw invalidField('webhook.url', 'holds a name or a password; leave them out, deliveries are signed');
  }
}

function readMask(paths: readonly string[] | undefined): Set<string> {
  for (const [index, path] of (paths ?? []).entries()) {
    if (SETTABLE.some((field) => field === path)) continue;
    const expected = `${path} can not be set; one of ${SETTABLE.join(', ')} is expected`;
    throw invalidField(`update_mask.paths[${index}]`, expected);
  }
  if ((paths ?? []).length === 0) throw invalidField('update_mask', 'is required: the fields to set');
  return new Set(paths);
}
