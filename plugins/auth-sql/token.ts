import {
  type CallContext,
  type CreateTokenRequest,
  type DeepPartial,
  invalidField,
  ServiceError,
  type Token,
  TokenScope,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import type { Selectable } from 'kysely';
import { checkSubject, getWidestScope } from './permission.ts';
import { createTokenSecret, hashSecret, TOKEN_HINT_LENGTH } from './secret.ts';
import { type AuthStore, writeStore } from './store.ts';
import type { Tables, TokenTable } from './tables.ts';
import { lockUser, readUser, type UserRow } from './user.ts';
import { isPlain } from './username.ts';

const MAX_NAME_LENGTH = 100;
const MAX_TOKENS = 500;
const MAX_COMPONENTS = 100;
const SCOPES: ReadonlySet<number> = new Set([TokenScope.READ, TokenScope.COMMENT, TokenScope.EDIT, TokenScope.ADMIN]);

function toToken(row: Selectable<TokenTable>): DeepPartial<Token> {
  return {
    id: row.id,
    user: row.user_id,
    name: row.name,
    hint: row.hint,
    scopes: row.scopes as TokenScope[],
    components: row.components,
    created: row.created,
    expires: row.expires ?? undefined,
    used: row.used ?? undefined,
    creator: row.creator,
  };
}

function checkRequest(request: CreateTokenRequest, now: number): void {
  const length = [...request.name].length;
  if (length === 0 || length > MAX_NAME_LENGTH) {
    throw invalidField('name', `has ${length} characters; 1 to ${MAX_NAME_LENGTH}`);
  }
  if (/\p{Cc}/u.test(request.name)) throw invalidField('name', 'has a control character');
  if (request.scopes.length === 0) throw invalidField('scopes', 'is empty; name at least one');
  for (const [index, scope] of request.scopes.entries()) {
    if (!SCOPES.has(scope)) throw invalidField(`scopes[${index}]`, 'is none of read, comment, edit, admin');
  }
  if (request.components.length > MAX_COMPONENTS) {
    throw invalidField('components', `has ${request.components.length} entries; at most ${MAX_COMPONENTS}`);
  }
  for (const [index, component] of request.components.entries()) {
    if (!/^[1-9][0-9]{0,18}$/.test(component) || BigInt(component) > 0x7fff_ffff_ffff_ffffn) {
      throw invalidField(`components[${index}]`, 'is not the id of a component');
    }
  }
  if (request.expires !== undefined && Date.parse(request.expires) <= now) {
    throw invalidField('expires', 'lies in the past');
  }
}

/**
 * Nobody makes a token that can do more than the credential it is made with, nor one that acts
 * as a bot with more power than the caller has. Core knows the tree of components, this store
 * does not: a confined caller confines its token to some of the very same ones.
 */
function checkWidth(request: CreateTokenRequest, context: CallContext, user: UserRow): void {
  if (context.system) return;
  if (user.id !== context.user && user.kind !== UserKind.BOT) {
    throw new ServiceError('FORBIDDEN', 'user: nobody makes tokens that act as another person');
  }
  if (user.admin && !context.admin) {
    throw new ServiceError('SCOPE_EXCEEDED', 'user: this bot administers, which you do not', {
      metadata: { scope: 'admin' },
    });
  }
  if (Math.max(...request.scopes) > getWidestScope(context)) {
    throw new ServiceError('SCOPE_EXCEEDED', 'scopes: wider than those of your own credential');
  }
  const { scopeComponents } = context;
  if (scopeComponents.length === 0) return;
  if (request.components.length === 0 || request.components.some((id) => !scopeComponents.includes(id))) {
    throw new ServiceError('SCOPE_EXCEEDED', 'components: beyond those of your own credential');
  }
}

/** Answers CreateToken. */
export async function createToken(
  store: AuthStore,
  request: CreateTokenRequest,
  context: CallContext,
): Promise<{ token: DeepPartial<Token>; secret: string }> {
  checkRequest(request, store.now());
  const secret = createTokenSecret();
  const row = await writeStore(
    store,
    context,
    async (work) => {
      const user = await lockUser(work.k, request.user || context.user);
      checkSubject('createToken', context, user);
      checkWidth(request, context, user);
      if (user.state !== UserState.ACTIVE) throw new ServiceError('USER_INACTIVE', 'user: this user is not active');
      const { count } = await work.k
        .selectFrom('auth_token')
        .select((expression) => expression.fn.countAll<string>().as('count'))
        .where('user_id', '=', user.id)
        .executeTakeFirstOrThrow();
      if (Number(count) >= MAX_TOKENS) {
        throw new ServiceError('TOO_MANY', `this user has ${MAX_TOKENS} tokens; revoke some first`);
      }
      const created: TokenTable = {
        hash: hashSecret(secret),
        id: store.createId(),
        user_id: user.id,
        name: request.name,
        hint: secret.slice(0, TOKEN_HINT_LENGTH),
        scopes: [...new Set(request.scopes)].sort(),
        components: [...new Set(request.components)],
        created: work.now,
        expires: request.expires ?? null,
        used: null,
        creator: context.user,
      };
      await work.k.insertInto('auth_token').values(created).execute();
      const details = { token: created.id, name: created.name, scopes: created.scopes.join(',') };
      await work.audit({ kind: 'token_created', user: user.id, details });
      return created;
    },
    { keepPrincipals: true },
  );
  return { token: toToken(row), secret };
}

/** Answers ListTokens; those that have expired are shown too, until they are swept. */
export async function listTokens(
  store: AuthStore,
  request: { user: string },
  context: CallContext,
): Promise<{ tokens: DeepPartial<Token>[] }> {
  const k = store.database.kysely<Tables>();
  const query = k
    .selectFrom('auth_token')
    .selectAll('auth_token')
    .orderBy('auth_token.created', 'desc')
    .orderBy('auth_token.id', 'desc')
    .limit(MAX_TOKENS);
  if (request.user !== '') {
    const user = await readUser(k, request.user);
    checkSubject('listTokens', context, user);
    return { tokens: (await query.where('user_id', '=', user.id).execute()).map(toToken) };
  }
  checkSubject('listTokens', context, { id: context.user, owner: '' });
  const rows = await query
    .where((expression) =>
      expression.or([
        expression('user_id', '=', context.user),
        expression(
          'user_id',
          'in',
          // The second condition lets the partial index answer.
          expression.selectFrom('auth_user').select('id').where('owner', '=', context.user).where('owner', '<>', ''),
        ),
      ]),
    )
    .execute();
  return { tokens: rows.map(toToken) };
}

/** Answers RevokeToken. */
export async function revokeToken(store: AuthStore, request: { id: string }, context: CallContext): Promise<object> {
  if (request.id === '' || !isPlain(request.id)) return {};
  await writeStore(store, context, async (work) => {
    const row = await work.k
      .selectFrom('auth_token as t')
      .innerJoin('auth_user as u', 'u.id', 't.user_id')
      .select(['t.hash', 't.name', 'u.id', 'u.owner'])
      .where('t.id', '=', request.id)
      .executeTakeFirst();
    if (!row) return;
    checkSubject('revokeToken', context, row);
    await work.k.deleteFrom('auth_token').where('hash', '=', row.hash).execute();
    await work.audit({ kind: 'token_revoked', user: row.id, details: { token: request.id, name: row.name } });
  });
  return {};
}
