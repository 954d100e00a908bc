import { checkHotlistAction, checkText, checkUserId, foldCase, refuse, WORDS } from '@bugless/kit/domain';
import {
  type CallContext,
  CreateHotlistRequest,
  CreateHotlistResponse,
  type DeleteHotlistRequest,
  type DeleteHotlistResponse,
  EventKind,
  type FieldViolation,
  Hotlist,
  HotlistPermission,
  invalidField,
  ServiceError,
  UpdateHotlistRequest,
  UpdateHotlistResponse,
} from '@bugless/kit/service';
import { isUniqueViolation, runTransaction } from '@bugless/sql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { listViewers, toHotlistGrant, toStoredHotlistGrant } from './hotlist-access.ts';
import { checkHotlistId, findHotlist, type HotlistRow, presentHotlist, seeHotlist } from './hotlist-reader.ts';
import { insertEvents } from './issue-derived.ts';
import { runWrite } from './request-log.ts';
import type { ModelTables } from './schema/tables.ts';
import { requireUser } from './star-writer.ts';
import { readClock, type Store } from './store.ts';

const SETTABLE = ['name', 'description', 'owner', 'access', 'archived'] as const;
const MOST_GRANTS = 500;

/** CreateHotlist. */
export async function createHotlist(
  store: Store,
  request: CreateHotlistRequest,
  context: CallContext,
): Promise<CreateHotlistResponse> {
  requireUser(context);
  checkHotlistAction(context, HotlistPermission.ADMIN, HotlistPermission.ADMIN);
  const { name, description, access } = request.hotlist ?? Hotlist.fromPartial({});
  const asked = { name, description, access, owner: context.user, archived: false };
  checkHotlist(asked);
  const write = {
    method: 'CreateHotlist',
    requestId: request.requestId,
    request,
    requestCodec: CreateHotlistRequest,
    responseCodec: CreateHotlistResponse,
    context,
  };
  return explainTaken(asked, () =>
    runWrite(store, write, async ({ db }) => {
      await checkNameFree(db, asked, undefined);
      const at = readClock(store);
      const given = store.ids.nextRowId();
      const { rows } = await sql<HotlistRow>`
        insert into hotlist (${given === undefined ? sql`` : sql`id, `}version, name, name_key, description, owner,
          access, viewers, archived, numbering, created, modified)
        values (${given === undefined ? sql`` : sql`${given}, `}1, ${name}, ${foldCase(name)}, ${description}, ${context.user},
          ${JSON.stringify(access.map(toStoredHotlistGrant))}::jsonb, ${listViewers(asked)}::text[], false, 0, ${at}, ${at})
        returning *`.execute(db);
      await tellHotlist(store, db, rows[0]!.id, context);
      return { hotlist: presentHotlist(rows[0]!, context) };
    }),
  );
}

/** UpdateHotlist. A request that changes nothing writes nothing. */
export async function updateHotlist(
  store: Store,
  request: UpdateHotlistRequest,
  context: CallContext,
): Promise<UpdateHotlistResponse> {
  checkHotlistId('id', request.id);
  const mask = readMask(request.updateMask);
  const asked = request.hotlist ?? Hotlist.fromPartial({});
  const write = {
    method: 'UpdateHotlist',
    requestId: request.requestId,
    request,
    requestCodec: UpdateHotlistRequest,
    responseCodec: UpdateHotlistResponse,
    context,
  };
  return explainTaken(asked, () =>
    runWrite(store, write, async ({ db }) => {
      const found = await findHotlist(db, request.id, true);
      const row = seeHotlist(found, request.id, context, HotlistPermission.ADMIN);
      checkVersion(row, request.expectedVersion, mask.has('name') || mask.has('description'));
      const before = { ...row, access: row.access.map(toHotlistGrant) };
      const next = {
        name: mask.has('name') ? asked.name : row.name,
        description: mask.has('description') ? asked.description : row.description,
        owner: mask.has('owner') ? asked.owner : row.owner,
        access: mask.has('access') ? asked.access : before.access,
        archived: mask.has('archived') ? asked.archived : row.archived,
      };
      checkHotlist(next);
      if (SETTABLE.every((field) => JSON.stringify(next[field]) === JSON.stringify(before[field]))) {
        return { hotlist: presentHotlist(row, context) };
      }
      await checkNameFree(db, next, request.id);
      const now = readClock(store);
      const { rows } = await sql<HotlistRow>`update hotlist set version = version + 1, name = ${next.name},
          name_key = ${foldCase(next.name)}, description = ${next.description}, owner = ${next.owner},
          access = ${JSON.stringify(next.access.map(toStoredHotlistGrant))}::jsonb, viewers = ${listViewers(next)}::text[],
          archived = ${next.archived}, modified = ${now > row.modified ? now : row.modified}
        where id = ${request.id} returning *`.execute(db);
      await tellHotlist(store, db, request.id, context);
      return { hotlist: presentHotlist(rows[0]!, context) };
    }),
  );
}

/** DeleteHotlist, with its entries. */
export async function deleteHotlist(
  store: Store,
  request: DeleteHotlistRequest,
  context: CallContext,
): Promise<DeleteHotlistResponse> {
  checkHotlistId('id', request.id);
  await runTransaction(
    store.db,
    async (em) => {
      const db = em.getKysely<ModelTables>();
      seeHotlist(await findHotlist(db, request.id, true), request.id, context, HotlistPermission.ADMIN);
      await sql`delete from hotlist_entry where hotlist_id = ${request.id}`.execute(db);
      await sql`delete from hotlist where id = ${request.id}`.execute(db);
      await tellHotlist(store, db, request.id, context);
    },
    { signal: context.signal, deadline: context.deadline },
  );
  return {};
}

/** Writes the event of a change to a hotlist or its entries. */
export async function tellHotlist(
  store: Store,
  db: Kysely<ModelTables>,
  hotlist: string,
  context: CallContext,
): Promise<void> {
  const event = {
    id: store.ids.nextRowId(),
    kind: EventKind.HOTLIST_CHANGED,
    issue_id: '0',
    sequence: 0,
    version: '0',
    component: 0,
    hotlist,
    acl: 0,
    author: context.user,
    created: readClock(store),
  };
  await insertEvents([event]).execute(db);
}

type HotlistFields = Pick<Hotlist, 'name' | 'description' | 'owner' | 'access'>;

function checkHotlist({ name, description, owner, access }: HotlistFields): void {
  const found: FieldViolation[] = [];
  checkText(found, 'hotlist.name', name, { maxCharacters: 100, required: true, singleLine: true });
  checkText(found, 'hotlist.description', description, { maxBytes: 64 * 1024 });
  checkUserId(found, 'hotlist.owner', owner);
  if (access.length > MOST_GRANTS) {
    found.push({
      field: 'hotlist.access',
      description: `has ${access.length} lines; at most ${MOST_GRANTS} are allowed`,
    });
  }
  for (const [index, { principal, permission }] of access.entries()) {
    const at = `hotlist.access[${index}]`;
    if (principal === undefined) found.push({ field: at, description: 'names nobody: set user, group or everyone' });
    else if (principal.$case !== 'everyone') checkUserId(found, `${at}.${principal.$case}`, principal.value);
    if (!WORDS.hotlistPermission.has(permission) || permission === HotlistPermission.UNSPECIFIED) {
      found.push({ field: `${at}.permission`, description: 'view, append or admin is expected' });
    }
  }
  refuse(found);
}

async function checkNameFree(
  db: Kysely<ModelTables>,
  { name, owner }: HotlistFields,
  own: string | undefined,
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    select id from hotlist where owner = ${owner} and name_key = ${foldCase(name)}`.execute(db);
  if (rows[0] && rows[0].id !== own) throw nameTaken(name);
}

/** Two that take the same name at once: the key refuses the second. */
async function explainTaken<Answer>({ name }: { name: string }, run: () => Promise<Answer>): Promise<Answer> {
  try {
    return await run();
  } catch (error) {
    throw isUniqueViolation(error, 'hotlist_name') ? nameTaken(name) : error;
  }
}

function nameTaken(name: string): ServiceError {
  const text = `hotlist.name: ${JSON.stringify(name)} is taken by another hotlist of its owner`;
  return new ServiceError('NAME_TAKEN', text);
}

function readMask(paths: readonly string[] | undefined): Set<string> {
  for (const [index, path] of (paths ?? []).entries()) {
    if (SETTABLE.some((field) => field === path)) continue;
    const expected = `${path} can not be set; one of ${SETTABLE.join(', ')} is expected`;
    throw invalidField(`update_mask.paths[${index}]`, expected);
  }
  return new Set(paths);
}

function checkVersion(row: HotlistRow, expected: string, replacesText: boolean): void {
  if (expected === '0') {
    if (!replacesText) return;
    throw new ServiceError('VERSION_REQUIRED', 'expected_version: is required to replace name or description');
  }
  if (expected === row.version) return;
  throw new ServiceError(
    'VERSION_MISMATCH',
    `hotlist ${row.id} is at version ${row.version}, not ${expected}: it was changed in between`,
    { metadata: { current: row.version } },
  );
}
