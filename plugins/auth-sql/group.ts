import { hash } from 'node:crypto';
import {
  type CallContext,
  type ChangeGroupMembersRequest,
  type CreateGroupRequest,
  type DeepPartial,
  type Group,
  type GroupMember,
  invalidField,
  type ListGroupMembersRequest,
  type ListGroupsRequest,
  ServiceError,
  type UpdateGroupRequest,
} from '@bugless/kit/service';
import { type Kysely, type Selectable, sql } from 'kysely';
import { nameTaken } from './account.ts';
import { readPageToken, takePage } from './page.ts';
import { replayRequest, saveRequest } from './request-log.ts';
import { type AuthStore, type Work, writeStore } from './store.ts';
import type { GroupTable, Tables } from './tables.ts';
import { userNotFound } from './user.ts';
import { checkUsername, isPlain, toUsernameKey } from './username.ts';

const MAX_DESCRIPTION_LENGTH = 1000;
const MAX_CHANGES = 500;

type GroupRow = Selectable<GroupTable>;

const groupNotFound = () => new ServiceError('GROUP_NOT_FOUND', 'there is no group with this id');

function checkDescription(description: string): string {
  const length = [...description].length;
  if (length > MAX_DESCRIPTION_LENGTH) {
    throw invalidField('group.description', `has ${length} characters; at most ${MAX_DESCRIPTION_LENGTH}`);
  }
  if (description.includes('\0')) throw invalidField('group.description', 'has a NUL character');
  return description;
}

async function countMembers(k: Kysely<Tables>, group: string): Promise<number> {
  const { size } = await k
    .selectFrom('auth_group_member')
    .select((expression) => expression.fn.countAll<string>().as('size'))
    .where('group_id', '=', group)
    .executeTakeFirstOrThrow();
  return Number(size);
}

function toGroup(row: GroupRow, size: number): DeepPartial<Group> {
  return { id: row.id, version: row.version, name: row.name, description: row.description, created: row.created, size };
}

async function readGroup(k: Kysely<Tables>, id: string): Promise<GroupRow> {
  const row = isPlain(id)
    ? await k.selectFrom('auth_group').selectAll().where('id', '=', id).executeTakeFirst()
    : undefined;
  if (!row) throw groupNotFound();
  return row;
}

async function lockGroups(k: Kysely<Tables>, ids: readonly string[]): Promise<Map<string, GroupRow>> {
  // In one order for all, so that two changes cannot wait for each other.
  const rows = await k
    .selectFrom('auth_group')
    .selectAll()
    .where(sql<boolean>`id = any(${ids.filter(isPlain)})`)
    .orderBy('id')
    .forUpdate()
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

async function checkNameFree(k: Kysely<Tables>, name: string, except = ''): Promise<void> {
  const other = await k
    .selectFrom('auth_group')
    .select('id')
    .where('name_key', '=', toUsernameKey(name))
    .executeTakeFirst();
  if (other && other.id !== except) throw nameTaken(name, 'group.name');
}

/** Answers CreateGroup. */
export async function createGroup(
  store: AuthStore,
  request: CreateGroupRequest,
  context: CallContext,
): Promise<{ group: DeepPartial<Group> }> {
  const { group } = request;
  if (!group) throw invalidField('group', 'is missing');
  const name = checkUsername(group.name, 'group.name');
  const description = checkDescription(group.description);
  const fingerprint = hash('sha256', JSON.stringify(['createGroup', name, description]), 'buffer');
  const find = async (k: Kysely<Tables>) => {
    const id = await replayRequest(k, context, request.requestId, fingerprint);
    return id === undefined ? undefined : { row: await readGroup(k, id), size: await countMembers(k, id) };
  };
  const made = await writeStore(
    store,
    context,
    async (work) => {
      const earlier = await find(work.k);
      if (earlier) return earlier;
      await checkNameFree(work.k, name);
      const row: GroupRow = {
        id: store.createId(),
        version: '1',
        name,
        name_key: toUsernameKey(name),
        description,
        created: work.now,
      };
      await work.k.insertInto('auth_group').values(row).execute();
      await saveRequest(work, context, request.requestId, fingerprint, row.id);
      await work.audit({ kind: 'group_changed', details: { group: row.id, name, change: 'created' } });
      return { row, size: 0 };
    },
    // Without a request id nobody can tell whether a lost commit took place: it must not be repeated.
    { settle: request.requestId === '' ? undefined : find },
  );
  return { group: toGroup(made.row, made.size) };
}

/** Answers UpdateGroup. */
export async function updateGroup(
  store: AuthStore,
  request: UpdateGroupRequest,
  context: CallContext,
): Promise<{ group: DeepPartial<Group> }> {
  const { group } = request;
  if (!group) throw invalidField('group', 'is missing');
  const mask = request.updateMask ?? [];
  if (mask.length === 0) throw invalidField('update_mask', 'is empty; name the fields to change');
  for (const [index, path] of mask.entries()) {
    if (path !== 'name' && path !== 'description') {
      throw invalidField(`update_mask[${index}]`, 'is none of name, description');
    }
  }
  const { row, size } = await writeStore(store, context, async (work) => {
    const before = (await lockGroups(work.k, [request.id])).get(request.id);
    if (!before) throw groupNotFound();
    if (request.expectedVersion !== '0' && request.expectedVersion !== before.version) {
      throw new ServiceError('VERSION_MISMATCH', `the group has version ${before.version} by now`, {
        metadata: { current: before.version },
      });
    }
    const after = { ...before };
    if (mask.includes('name')) {
      after.name = checkUsername(group.name, 'group.name');
      after.name_key = toUsernameKey(after.name);
      await checkNameFree(work.k, after.name, before.id);
    }
    if (mask.includes('description')) after.description = checkDescription(group.description);
    const size = await countMembers(work.k, before.id);
    if (after.name === before.name && after.description === before.description) return { row: before, size };
    after.version = String(BigInt(before.version) + 1n);
    const { id, ...values } = after;
    await work.k.updateTable('auth_group').set(values).where('id', '=', id).execute();
    await work.audit({ kind: 'group_changed', details: { group: id, from: before.name, to: after.name } });
    return { row: after, size };
  });
  return { group: toGroup(row, size) };
}

/** Answers DeleteGroup. */
export async function deleteGroup(store: AuthStore, request: { id: string }, context: CallContext): Promise<object> {
  await writeStore(store, context, async (work) => {
    const row = (await lockGroups(work.k, [request.id])).get(request.id);
    if (!row) return;
    await work.k
      .deleteFrom('auth_group_member')
      .where((expression) => expression.or([expression('group_id', '=', row.id), expression('member', '=', row.id)]))
      .execute();
    await work.k.deleteFrom('auth_group').where('id', '=', row.id).execute();
    await work.audit({ kind: 'group_changed', details: { group: row.id, name: row.name, change: 'deleted' } });
  });
  return {};
}

/** Answers ListGroups; of one user: also those that its groups are in. */
export async function listGroups(
  store: AuthStore,
  request: ListGroupsRequest,
  _context: CallContext,
): Promise<{ groups: DeepPartial<Group>[]; nextPageToken: string }> {
  const page = readPageToken(request, ['groups', request.user]);
  if (!isPlain(request.user)) return { groups: [], nextPageToken: '' };
  let query = store.database
    .kysely<Tables>()
    .selectFrom('auth_group as g')
    .selectAll('g')
    .select((expression) =>
      expression
        .selectFrom('auth_group_member as m')
        .select((inner) => inner.fn.countAll<string>().as('size'))
        .whereRef('m.group_id', '=', 'g.id')
        .as('size'),
    );
  if (request.user !== '') {
    const { user } = request;
    query = query.where(
      sql<boolean>`g.id in (
        select m.group_id from auth_group_member m where m.member = ${user}
        union
        select p.group_id from auth_group_member m join auth_group_member p on p.member = m.group_id
        where m.member = ${user})`,
    );
  }
  if (page.after !== undefined) query = query.where('g.name_key', '>', page.after);
  const rows = await query
    .orderBy('g.name_key')
    .limit(page.size + 1)
    .execute();
  const { shown, nextPageToken } = takePage(page, rows, (row) => row.name_key);
  return { groups: shown.map((row) => toGroup(row, Number(row.size))), nextPageToken };
}

/** Answers ListGroupMembers: the direct ones, by id. */
export async function listGroupMembers(
  store: AuthStore,
  request: ListGroupMembersRequest,
  _context: CallContext,
): Promise<{ members: DeepPartial<GroupMember>[]; nextPageToken: string }> {
  const page = readPageToken(request, ['members', request.group]);
  const k = store.database.kysely<Tables>();
  const group = await readGroup(k, request.group);
  let query = k.selectFrom('auth_group_member').select(['member', 'is_group']).where('group_id', '=', group.id);
  if (page.after !== undefined) query = query.where('member', '>', page.after);
  const rows = await query
    .orderBy('member')
    .limit(page.size + 1)
    .execute();
  const { shown, nextPageToken } = takePage(page, rows, (row) => row.member);
  return {
    members: shown.map((row) => ({ member: { $case: row.is_group ? 'group' : 'user', value: row.member } })),
    nextPageToken,
  };
}

function splitMembers(members: readonly GroupMember[], field: string): { users: string[]; groups: string[] } {
  if (members.length > MAX_CHANGES) throw invalidField(field, `has ${members.length} entries; at most ${MAX_CHANGES}`);
  const users = new Set<string>();
  const groups = new Set<string>();
  for (const [index, { member }] of members.entries()) {
    if (!member) throw invalidField(`${field}[${index}]`, 'names neither a user nor a group');
    (member.$case === 'user' ? users : groups).add(member.value);
  }
  return { users: [...users], groups: [...groups] };
}

async function checkUsersExist(k: Kysely<Tables>, users: readonly string[]): Promise<void> {
  if (users.length === 0) return;
  if (!users.every(isPlain)) throw userNotFound();
  const rows = await k
    .selectFrom('auth_user')
    .select('id')
    .where(sql<boolean>`id = any(${users})`)
    // Tombstones and claimed placeholders stand for nobody who could log in.
    .where('username_key', 'is not', null)
    .execute();
  if (rows.length < users.length) throw userNotFound();
}

/** Groups nest once: a group that has groups is in none, and one that is in a group has none. */
async function checkNesting(work: Work, group: string, added: readonly string[]): Promise<void> {
  if (added.length === 0) return;
  const tooDeep = () => new ServiceError('TREE_TOO_DEEP', 'groups nest once: a group in a group has only users');
  if (added.includes(group)) throw tooDeep();
  const deep = await work.k
    .selectFrom('auth_group_member')
    .select('group_id')
    .where('is_group', '=', true)
    .where((expression) =>
      expression.or([expression('member', '=', group), sql<boolean>`group_id = any(${[...added]})`]),
    )
    .limit(1)
    .executeTakeFirst();
  if (deep) throw tooDeep();
}

/** Answers ChangeGroupMembers. Removing comes first; who is there already, or is not, is no error. */
export async function changeGroupMembers(
  store: AuthStore,
  request: ChangeGroupMembersRequest,
  context: CallContext,
): Promise<object> {
  const added = splitMembers(request.add, 'add');
  const removed = splitMembers(request.remove, 'remove');
  const gone = [...removed.users, ...removed.groups].filter(isPlain);
  await writeStore(store, context, async (work) => {
    const groups = await lockGroups(work.k, [request.group, ...added.groups]);
    const group = groups.get(request.group);
    if (!group || added.groups.some((id) => !groups.has(id))) throw groupNotFound();
    await checkUsersExist(work.k, added.users);
    if (gone.length > 0) {
      await work.k
        .deleteFrom('auth_group_member')
        .where('group_id', '=', group.id)
        .where(sql<boolean>`member = any(${gone})`)
        .execute();
    }
    await checkNesting(work, group.id, added.groups);
    const members = [
      ...added.users.map((member) => ({ group_id: group.id, member, is_group: false })),
      ...added.groups.map((member) => ({ group_id: group.id, member, is_group: true })),
    ];
    if (members.length > 0) {
      await work.k
        .insertInto('auth_group_member')
        .values(members)
        .onConflict((conflict) => conflict.columns(['group_id', 'member']).doNothing())
        .execute();
    }
    await work.audit({
      kind: 'group_changed',
      details: { group: group.id, name: group.name, added: String(members.length), removed: String(gone.length) },
    });
  });
  return {};
}
