/** Who may administer a webhook: administrators, and those with ADMIN on its component. */
import { ACTIONS, checkAction, checkScope, isId } from '@bugless/kit/domain';
import { type CallContext, invalidField, Permission, ServiceError, type Webhook } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import type { ComponentTree } from './component-tree.ts';
import type { ModelTables } from './schema/tables.ts';

export type WebhookRow = ModelTables['webhook'];

/** Throws unless the caller may have a webhook on a component; 0: on all of them. */
export function checkWebhookPlace(tree: ComponentTree, context: CallContext, component: string, field: string): void {
  if (component === '0') {
    if (context.user === '' && !context.system) throw new ServiceError('LOGIN_REQUIRED', 'log in, or send a token');
    if (!seesAll(context)) {
      throw new ServiceError('FORBIDDEN', `${field}: only an administrator may have a webhook for all components`);
    }
    checkScope(context, ACTIONS.govern.scope);
    return;
  }
  const permission = tree.look(context).getPermission(component);
  if (permission < Permission.VIEW) {
    throw new ServiceError('COMPONENT_NOT_FOUND', `${field}: there is no component ${component}`);
  }
  checkAction(context, permission, 'govern');
}

/** Whether the caller may administer this webhook. */
export function mayAdminister(tree: ComponentTree, context: CallContext, { component }: WebhookRow): boolean {
  if (component === 0) return seesAll(context);
  return tree.look(context).getPermission(String(component)) >= Permission.ADMIN;
}

const seesAll = (context: CallContext): boolean =>
  context.system || (context.admin && context.scopeComponents.length === 0);

/** A webhook that the caller may administer. `lock`: for a transaction that changes it. */
export async function findWebhook(
  db: Kysely<ModelTables>,
  tree: ComponentTree,
  id: string,
  context: CallContext,
  lock = false,
  field = 'id',
): Promise<WebhookRow> {
  checkWebhookId(field, id);
  const { rows } =
    await sql<WebhookRow>`select * from webhook where id = ${id}${lock ? sql` for update` : sql``}`.execute(db);
  const row = rows[0];
  if (!row || !mayAdminister(tree, context, row)) {
    throw new ServiceError('WEBHOOK_NOT_FOUND', `${field}: there is no webhook ${id}`);
  }
  checkScope(context, ACTIONS.govern.scope);
  return row;
}

/** Throws INVALID_FIELD for what is no id. */
export function checkWebhookId(field: string, id: string): void {
  if (!isId(id)) throw invalidField(field, `${JSON.stringify(id)} is no id: a positive number is expected`);
}

/** A webhook as its row tells it, without its secret. */
export function toWebhook(row: WebhookRow): Webhook {
  return {
    id: row.id,
    version: row.version,
    url: row.url,
    component: String(row.component),
    query: row.query,
    secret: '',
    enabled: row.enabled,
    owner: row.owner,
    created: row.created,
  };
}
