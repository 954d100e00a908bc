import { createHash } from 'node:crypto';
import { checkScope, checkText, compareIds, refuse } from '@bugless/kit/domain';
import {
  type CallContext,
  type FieldViolation,
  ImportedIssue,
  type ImportIssuesRequest,
  type ImportIssuesResponse,
  ImportOutcome,
  type ImportResult,
  invalidField,
  ServiceError,
  TokenScope,
} from '@bugless/kit/service';
import { isUniqueViolation, runTransaction, toServiceError } from '@bugless/sql';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { insertImported } from './import-batch.ts';
import { checkImported } from './import-check.ts';
import { joinLinks, listWaiting, type NewLink, readyLinks } from './import-link.ts';
import { planImport } from './import-plan.ts';
import { IssueSession } from './issue-session.ts';
import { toItemError } from './issue-writer.ts';
import { createScope } from './request-log.ts';
import type { ModelTables } from './schema/tables.ts';
import { readClock, type Store } from './store.ts';

/** Bounds of one transaction: issues, and characters of their texts. */
const BATCH_ISSUES = 250;
const BATCH_CHARACTERS = 4 * 1024 * 1024;

/** From so many on it pays to have the text index collect. */
const MANY_ISSUES = 20;

/** One issue of the request on its way. */
export interface ImportItem {
  readonly imported: ImportedIssue;
  readonly hash: Buffer;
  readonly characters: number;
}

/** ImportIssues: in transactions of some hundred issues; when one fails, each of its issues in one of its own. */
export async function importIssues(
  store: Store,
  request: ImportIssuesRequest,
  context: CallContext,
): Promise<ImportIssuesResponse> {
  checkImporter(context);
  checkRequest(request);
  const tree = await store.components.fresh(0);
  const results = new Map<ImportedIssue, ImportResult>();
  const keys = new Set<string>();
  const items: ImportItem[] = [];
  for (const imported of request.issues) {
    try {
      checkImported(imported, tree);
      if (keys.has(imported.key)) throw invalidField('key', `${imported.key} stands in this request twice`);
      keys.add(imported.key);
      const bytes = ImportedIssue.encode(imported).finish();
      items.push({ imported, hash: createHash('sha256').update(bytes).digest(), characters: bytes.length });
    } catch (error) {
      results.set(imported, refuseItem(imported, error));
    }
  }
  if (!request.dryRun && items.length >= MANY_ISSUES) await store.textIndex.collect();
  for (const batch of splitBatches(items)) {
    for (const [imported, result] of await importBatch(store, request, context, batch)) results.set(imported, result);
  }
  return { results: request.issues.map((imported) => results.get(imported)!) };
}

async function importBatch(
  store: Store,
  request: ImportIssuesRequest,
  context: CallContext,
  batch: readonly ImportItem[],
  tries = 1,
): Promise<Map<ImportedIssue, ImportResult>> {
  try {
    const options = { signal: context.signal, deadline: context.deadline };
    return await runTransaction(store.db, (em) => writeBatch(store, em, request, context, batch), options);
  } catch (error) {
    // Another importer was quicker with an issue, or somebody with an id: looking again finds them.
    if (isUniqueViolation(error) && tries < 3) return importBatch(store, request, context, batch, tries + 1);
    const failure = toServiceError(error);
    // Nothing is wrong with any single issue: all would fail in the same way.
    if (['UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'].includes(failure.code)) throw failure;
    if (batch.length === 1) {
      const { imported } = batch[0]!;
      if (failure.reason === 'INTERNAL')
        store.log.warn({ err: error, key: imported.key }, 'an issue could not be imported');
      return new Map([[imported, refuseItem(imported, failure)]]);
    }
    const results = new Map<ImportedIssue, ImportResult>();
    for (const item of batch) {
      for (const [imported, result] of await importBatch(store, request, context, [item]))
        results.set(imported, result);
    }
    return results;
  }
}

async function writeBatch(
  store: Store,
  em: SqlEntityManager,
  request: ImportIssuesRequest,
  context: CallContext,
  batch: readonly ImportItem[],
): Promise<Map<ImportedIssue, ImportResult>> {
  const scope = createScope(store, em);
  const { db } = scope;
  const { source, dryRun } = request;
  const results = new Map<ImportedIssue, ImportResult>();
  const known = await findKnown(db, source, batch);
  const taken = await findTaken(db, batch);
  const fresh: ImportItem[] = [];
  for (const item of batch) {
    const { imported, hash } = item;
    const before = known.get(imported.key);
    const given = imported.issue!.id;
    if (before) {
      const same = before.content_hash.equals(hash);
      results.set(imported, {
        key: imported.key,
        id: before.issue_id,
        outcome: same ? ImportOutcome.UNCHANGED : ImportOutcome.CHANGED,
        error: undefined,
      });
    } else if (given !== '0' && taken.has(given)) {
      results.set(
        imported,
        refuseItem(imported, new ServiceError('ID_TAKEN', `issue.id: there is an issue ${given} already`)),
      );
    } else {
      if (given !== '0') taken.add(given);
      fresh.push(item);
    }
  }
  if (fresh.length === 0 || dryRun) {
    for (const { imported } of fresh) results.set(imported, created(imported.key, '0'));
    return results;
  }
  const drawn = await store.ids.take(db, fresh.filter(({ imported }) => imported.issue!.id === '0').length);
  const highest = fresh
    .map(({ imported }) => imported.issue!.id)
    .sort(compareIds)
    .at(-1)!;
  if (highest !== '0') await store.ids.skip(db, highest);
  const ids = new Map([...known].map(([key, row]) => [key, row.issue_id] as const));
  const later: NewLink[] = [];
  const now = readClock(store);
  const session = new IssueSession(store, scope, context);
  const waiting = await listWaiting(
    db,
    source,
    fresh.map(({ imported }) => imported.key),
  );
  const planned = fresh.map(({ imported, hash }) => {
    const id = imported.issue!.id === '0' ? drawn.shift()! : imported.issue!.id;
    // Only to issues written before: so no loop can come of it.
    const links = readyLinks(imported, id, ids, later);
    ids.set(imported.key, id);
    results.set(imported, created(imported.key, id));
    return { key: imported.key, hash, ...planImport(imported, id, links, context.user, now) };
  });
  if (later.length > 0 || waiting.length > 0) await session.lockLinks();
  await insertImported(store, scope, source, planned, now);
  await joinLinks(session, source, ids, [...waiting, ...later]);
  return results;
}

async function findKnown(
  db: Kysely<ModelTables>,
  source: string,
  batch: readonly ImportItem[],
): Promise<Map<string, Pick<ModelTables['import_issue'], 'issue_id' | 'content_hash'>>> {
  const keys = new Set(batch.flatMap(({ imported }) => [imported.key, ...imported.links.map(({ key }) => key)]));
  const { rows } = await sql<ModelTables['import_issue']>`select key, issue_id, content_hash from import_issue
    where source = ${source} and key = any(array(select unnest(${[...keys]}::text[])))`.execute(db);
  return new Map(rows.map((row) => [row.key, row]));
}

async function findTaken(db: Kysely<ModelTables>, batch: readonly ImportItem[]): Promise<Set<string>> {
  const given = batch.map(({ imported }) => imported.issue!.id).filter((id) => id !== '0');
  if (given.length === 0) return new Set();
  const { rows } = await sql<{
    id: string;
  }>`select id from issue where id = any(array(select unnest(${given}::int8[])))`.execute(db);
  return new Set(rows.map(({ id }) => id));
}

function checkImporter(context: CallContext): void {
  if (context.user === '' && !context.system) {
    throw new ServiceError('LOGIN_REQUIRED', 'log in, or send a token, to import issues');
  }
  if (!context.admin && !context.system) throw new ServiceError('FORBIDDEN', 'only administrators may import issues');
  checkScope(context, TokenScope.ADMIN);
}

function checkRequest({ source, issues }: ImportIssuesRequest): void {
  const found: FieldViolation[] = [];
  checkText(found, 'source', source, { maxCharacters: 100, required: true, singleLine: true });
  if (issues.length === 0 || issues.length > 500) {
    found.push({ field: 'issues', description: `has ${issues.length} elements; 1 to 500 are expected` });
  }
  refuse(found);
}

function* splitBatches(items: readonly ImportItem[]): Generator<ImportItem[]> {
  let batch: ImportItem[] = [];
  let characters = 0;
  for (const item of items) {
    if (batch.length === BATCH_ISSUES || (batch.length > 0 && characters + item.characters > BATCH_CHARACTERS)) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(item);
    characters += item.characters;
  }
  if (batch.length > 0) yield batch;
}

const created = (key: string, id: string): ImportResult => ({
  key,
  id,
  outcome: ImportOutcome.CREATED,
  error: undefined,
});

function refuseItem(imported: ImportedIssue, error: unknown): ImportResult {
  if (!(error instanceof ServiceError)) throw error;
  return { key: imported.key, id: '0', outcome: ImportOutcome.REFUSED, error: toItemError(error) };
}
