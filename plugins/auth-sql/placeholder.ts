import {
  type CallContext,
  type ClaimPlaceholderRequest,
  type CreatePlaceholdersRequest,
  type DeepPartial,
  invalidField,
  ServiceError,
  type User,
  UserKind,
  UserState,
} from '@bugless/kit/service';
import { type Kysely, sql } from 'kysely';
import { chooseUsernames, insertUsers, replaceWords } from './account.ts';
import { type AuthStore, writeStore } from './store.ts';
import type { Tables } from './tables.ts';
import { lockUser, readUsersById, toUser } from './user.ts';
import { checkDisplayName, checkEmail, cutText } from './username.ts';

const MAX_PLACEHOLDERS = 500;
const MAX_SOURCE_LENGTH = 200;
const MAX_KEY_LENGTH = 500;

function checkRequest(request: CreatePlaceholdersRequest): void {
  const { source, placeholders } = request;
  if (source === '' || source.length > MAX_SOURCE_LENGTH || /\p{Cc}/u.test(source)) {
    throw invalidField('source', `is not 1 to ${MAX_SOURCE_LENGTH} characters without control characters`);
  }
  if (placeholders.length === 0 || placeholders.length > MAX_PLACEHOLDERS) {
    throw invalidField('placeholders', `has ${placeholders.length} entries; 1 to ${MAX_PLACEHOLDERS}`);
  }
  for (const [index, { key }] of placeholders.entries()) {
    if (key === '' || key.length > MAX_KEY_LENGTH || key.includes('\0')) {
      throw invalidField(`placeholders[${index}].key`, `is not 1 to ${MAX_KEY_LENGTH} characters without NUL`);
    }
  }
}

/** What another tracker says of a person need not be valid here: what is not is left out. */
function keepValid(check: () => string, instead: string): string {
  try {
    return check();
  } catch {
    return instead;
  }
}

async function readKnown(k: Kysely<Tables>, source: string, keys: readonly string[]): Promise<Map<string, string>> {
  const rows = await k
    .selectFrom('auth_placeholder')
    .select(['key', 'user_id'])
    .where('source', '=', source)
    .where(sql<boolean>`key = any(${keys})`)
    .execute();
  return new Map(rows.map((row) => [row.key, row.user_id]));
}

/**
 * Answers CreatePlaceholders: one user per (source, key), made once. A race over a name or
 * a key ends at the unique index and runs again, then finding what the other made.
 */
export async function createPlaceholders(
  store: AuthStore,
  request: CreatePlaceholdersRequest,
  context: CallContext,
): Promise<{ users: DeepPartial<User>[] }> {
  checkRequest(request);
  const { source } = request;
  const byKey = new Map(request.placeholders.map((placeholder) => [placeholder.key, placeholder]));
  const keys = [...byKey.keys()];
  const k = store.database.kysely<Tables>();
  let known = await readKnown(k, source, keys);
  if (known.size < keys.length) {
    known = await writeStore(
      store,
      context,
      async (work) => {
        const found = await readKnown(work.k, source, keys);
        const missing = [...byKey.values()].filter(({ key }) => !found.has(key));
        if (missing.length === 0) return found;
        const names = await chooseUsernames(
          work.k,
          missing.map(({ username, key }) => username || key),
        );
        const rows = await insertUsers(
          store,
          work,
          missing.map((placeholder, index) => {
            const username = names[index]!;
            const displayName = cutText([...placeholder.displayName].slice(0, 200).join(''), 400);
            return {
              kind: UserKind.PERSON,
              state: UserState.PLACEHOLDER,
              username,
              displayName: keepValid(() => checkDisplayName(displayName, username, ''), username),
              email: keepValid(() => checkEmail(placeholder.email, ''), ''),
              emailVerified: false,
              avatar: '',
              admin: false,
              owner: '',
            };
          }),
        );
        const entries = rows.map((row, index) => ({ source, key: missing[index]!.key, user_id: row.id }));
        await work.k.insertInto('auth_placeholder').values(entries).execute();
        await work.audit({ kind: 'user_created', details: { placeholders: String(rows.length), source } });
        for (const entry of entries) found.set(entry.key, entry.user_id);
        return found;
      },
      { keepPrincipals: true },
    );
  }
  const users = await readUsersById(k, [...known.values()]);
  return { users: request.placeholders.map(({ key }) => toUser(users.get(known.get(key)!)!, context)) };
}

/** Answers ClaimPlaceholder. The placeholder's username becomes free. Claiming anew corrects a mistake. */
export async function claimPlaceholder(
  store: AuthStore,
  request: ClaimPlaceholderRequest,
  context: CallContext,
): Promise<{ user: DeepPartial<User> }> {
  await writeStore(store, context, async (work) => {
    const placeholder = await lockUser(work.k, request.placeholder);
    const user = await lockUser(work.k, request.user);
    if (placeholder.state !== UserState.PLACEHOLDER) {
      throw new ServiceError('NOT_A_PLACEHOLDER', 'placeholder: this user is none');
    }
    if (user.state === UserState.PLACEHOLDER) throw invalidField('user', 'is a placeholder itself');
    if (placeholder.claimed_by === user.id) return;
    const values = {
      claimed_by: user.id,
      username: '',
      username_key: null,
      version: String(BigInt(placeholder.version) + 1n),
      modified: work.now,
    };
    await work.k.updateTable('auth_user').set(values).where('id', '=', placeholder.id).execute();
    await work.k
      .updateTable('auth_user_name')
      .set({ ended: work.now })
      .where('user_id', '=', placeholder.id)
      .where('ended', 'is', null)
      .execute();
    await replaceWords(work, { ...placeholder, ...values });
    await work.audit({
      kind: 'placeholder_claimed',
      user: user.id,
      details: { placeholder: placeholder.id, username: placeholder.username },
    });
  });
  const k = store.database.kysely<Tables>();
  const users = await readUsersById(k, [request.placeholder]);
  return { user: toUser(users.get(request.placeholder)!, context) };
}
