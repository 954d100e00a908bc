/**
 * What follows from a change of an issue and is written in the same transaction: rows to
 * find it by, words, changes for history searches, and the outbox. Takes many issues at once.
 */
import { CUSTOM_PREFIX, getField, isOpen, tokenize } from '@bugless/kit/domain';
import { EventKind, type Issue, type Update } from '@bugless/kit/service';
import type { Kysely } from '@mikro-orm/sql';
import { sql } from 'kysely';
import { formatTextArray } from './entity/value-type.ts';
import { writeDays } from './issue-day.ts';
import { bucketOf, cutText, formatAcl, listKeys } from './issue-row.ts';
import type { WriteScope } from './request-log.ts';
import { KEY_KIND } from './schema/key-kind.ts';
import type { ModelTables } from './schema/tables.ts';
import type { Store } from './store.ts';
import { formatWordVector } from './word-vector.ts';

/** One issue that was changed. */
export interface IssueChange {
  /** Before; undefined: it is new. */
  readonly before: Issue | undefined;
  readonly after: Issue;
  /** New updates, with their sequence. */
  readonly updates: readonly Update[];
  /** Users known to have a row as commenter. */
  readonly commenters?: ReadonlySet<string> | undefined;
  /** Its history is old news: only the first update makes an event. */
  readonly imported?: boolean;
}

/** Longest value that history searches compare, in characters. */
const CHANGE_CHARACTERS = 100;

/** Adds all of it to the batch; what has to come before is written at once. */
export async function writeDerived(store: Store, scope: WriteScope, changes: readonly IssueChange[]): Promise<void> {
  await deleteKeys(scope.db, changes);
  await moveDocs(scope.db, changes);
  const touched = changes.filter((change) => change.before !== undefined).map((change) => change.after);
  if (touched.length > 0) await scope.batch.add({ table: 'issue_key', statement: touchKeys(touched) });
  const keys = collectKeys(changes);
  if (keys.length > 0) await scope.batch.add({ table: 'issue_key', statement: insertKeys(keys) });
  const docs = collectDocs(store, changes);
  if (docs.length > 0) await scope.batch.add({ table: 'doc', statement: insertDocs(store, docs) });
  const fields = collectFieldChanges(changes);
  if (fields.length > 0) await scope.batch.add({ table: 'field_change', statement: insertFieldChanges(fields) });
  await writeDays(store, scope, changes);
  await scope.batch.add({ table: 'outbox', statement: insertEvents(collectEvents(store, changes)) });
}

/** Brings the copies in issue_key up to date. */
export function touchKeys(issues: readonly Issue[]) {
  return sql`update issue_key k set modified = v.modified, acl = v.acl, is_open = v.is_open, archived = v.archived
    from unnest(${issues.map((issue) => issue.id)}::int8[], ${issues.map((issue) => issue.modified!)}::timestamptz[],
      ${issues.map(aclOf)}::int4[], ${issues.map((issue) => isOpen(issue.status))}::bool[],
      ${issues.map((issue) => issue.archived)}::bool[]) as v (issue_id, modified, acl, is_open, archived)
    where k.issue_id = v.issue_id returning 1`;
}

function insertFieldChanges(fields: readonly ModelTables['field_change'][]) {
  return sql`insert into field_change (issue_id, sequence, field, old_value, new_value, created, author)
    select * from unnest(${fields.map((row) => row.issue_id)}::int8[], ${fields.map((row) => row.sequence)}::int4[],
      ${fields.map((row) => row.field)}::text[], ${fields.map((row) => row.old_value)}::text[],
      ${fields.map((row) => row.new_value)}::text[], ${fields.map((row) => row.created)}::timestamptz[],
      ${fields.map((row) => row.author)}::text[])
    on conflict do nothing returning 1`;
}

const aclOf = (issue: Issue): number => formatAcl(issue.component, issue.accessLimit);

/** Words of one text that are kept where they are kept as a list; in order, so that phrases can be told. */
const MOST_WORDS = 20_000;

interface DocRow {
  issue_id: string;
  sequence: number;
  bucket: number;
  acl: number;
  restricted: boolean;
  words: string;
}

function collectDocs(store: Store, changes: readonly IssueChange[]): DocRow[] {
  const docs: DocRow[] = [];
  for (const { before, after, updates } of changes) {
    if (before?.title !== after.title) docs.push(createDoc(store, after, 0, after.title, false));
    for (const update of updates) {
      if (update.comment !== '') docs.push(createDoc(store, after, update.sequence, update.comment, update.restricted));
    }
  }
  return docs;
}

/** The row of one text; sequence 0: the title. */
export function createDoc(store: Store, issue: Issue, sequence: number, text: string, restricted: boolean): DocRow {
  const words = tokenize(text);
  return {
    issue_id: issue.id,
    sequence,
    bucket: bucketOf(store.dialect, issue.id),
    acl: aclOf(issue),
    restricted,
    words:
      store.dialect.textSearch === 'tsvector'
        ? formatWordVector(words, sequence === 0 ? 'A' : '')
        : formatTextArray(words.slice(0, MOST_WORDS)),
  };
}

/** INSERT of words, without a trailing clause; a text that is there is replaced. */
export function insertDocs(store: Store, docs: readonly DocRow[]) {
  const type = sql.raw(store.dialect.textSearch === 'tsvector' ? 'tsvector' : 'text[]');
  return sql`insert into doc (issue_id, sequence, bucket, acl, restricted, words)
      select v.issue_id, v.sequence, v.bucket, v.acl, v.restricted, v.words::${type}
      from unnest(${docs.map((doc) => doc.issue_id)}::int8[], ${docs.map((doc) => doc.sequence)}::int4[],
        ${docs.map((doc) => doc.bucket)}::int8[], ${docs.map((doc) => doc.acl)}::int4[],
        ${docs.map((doc) => doc.restricted)}::bool[], ${docs.map((doc) => doc.words)}::text[])
        as v (issue_id, sequence, bucket, acl, restricted, words)
      on conflict (issue_id, sequence) do update set words = excluded.words, acl = excluded.acl, restricted = excluded.restricted
      returning 1`;
}

function collectFieldChanges(changes: readonly IssueChange[]): ModelTables['field_change'][] {
  const rows: ModelTables['field_change'][] = [];
  for (const { after, updates } of changes) {
    for (const { sequence, author, created, changes: fields } of updates) {
      const add = (field: string, oldValue: string, newValue: string): void => {
        rows.push({
          issue_id: after.id,
          sequence,
          field,
          old_value: cutText(oldValue, CHANGE_CHARACTERS),
          new_value: cutText(newValue, CHANGE_CHARACTERS),
          created: created!,
          author,
        });
      };
      for (const { field, oldValues, newValues } of fields) {
        const several = field.startsWith(CUSTOM_PREFIX)
          ? oldValues.length > 1 || newValues.length > 1
          : (getField(field)?.collection ?? oldValues.length + newValues.length > 2);
        if (several) {
          for (const value of oldValues) add(field, value, '');
          for (const value of newValues) add(field, '', value);
        } else {
          add(field, oldValues[0] ?? '', newValues[0] ?? '');
        }
      }
    }
  }
  return rows;
}

/** A row of the outbox; its id comes from the database where undefined. */
export type EventRow = Omit<ModelTables['outbox'], 'id'> & { id: string | undefined };

function collectEvents(store: Store, changes: readonly IssueChange[]): EventRow[] {
  return changes.flatMap(({ before, after, updates, imported }) =>
    (imported ? updates.slice(0, 1) : updates).map((update, index) => ({
      id: store.ids.nextRowId(),
      kind: before === undefined && index === 0 ? EventKind.ISSUE_CREATED : EventKind.ISSUE_UPDATED,
      issue_id: after.id,
      sequence: update.sequence,
      version: String(BigInt(after.version) - BigInt(updates.length - 1 - index)),
      component: Number(after.component),
      hotlist: '0',
      acl: aclOf(after),
      author: update.author,
      created: update.created!,
    })),
  );
}

/** INSERT into the outbox, without a trailing clause. */
export function insertEvents(events: readonly EventRow[]) {
  const given = events[0]?.id !== undefined;
  const id = given ? sql`, id` : sql``;
  const ids = given ? sql`, ${events.map((event) => event.id!)}::int8[]` : sql``;
  return sql`insert into outbox (kind, issue_id, sequence, version, component, hotlist, acl, author, created${id})
      select * from unnest(${events.map((event) => event.kind)}::int2[], ${events.map((event) => event.issue_id)}::int8[],
        ${events.map((event) => event.sequence)}::int4[], ${events.map((event) => event.version)}::int8[],
        ${events.map((event) => event.component)}::int4[], ${events.map((event) => event.hotlist)}::int8[],
        ${events.map((event) => event.acl)}::int4[], ${events.map((event) => event.author)}::text[],
        ${events.map((event) => event.created)}::timestamptz[]${ids}) returning 1`;
}

type KeyRow = { issue: Issue; kind: number; key: string };

function collectKeys(changes: readonly IssueChange[]): KeyRow[] {
  return changes.flatMap(({ before, after, updates, commenters }): KeyRow[] => {
    const known = new Set(before ? listKeys(before).map(nameKey) : []);
    const came = listKeys(after).filter((key) => !known.has(nameKey(key)));
    const wrote = new Set(updates.filter((update) => update.comment !== '').map((update) => update.author));
    for (const author of wrote) {
      if (author !== '' && !commenters?.has(author)) came.push({ kind: KEY_KIND.COMMENTER, key: author });
    }
    return came.map((key) => ({ issue: after, ...key }));
  });
}

function insertKeys(keys: readonly KeyRow[]) {
  return sql`insert into issue_key (issue_id, kind, key, modified, acl, is_open, archived)
    select * from unnest(${keys.map(({ issue }) => issue.id)}::int8[], ${keys.map(({ kind }) => kind)}::int2[],
      ${keys.map(({ key }) => key)}::text[], ${keys.map(({ issue }) => issue.modified!)}::timestamptz[],
      ${keys.map(({ issue }) => aclOf(issue))}::int4[], ${keys.map(({ issue }) => isOpen(issue.status))}::bool[],
      ${keys.map(({ issue }) => issue.archived)}::bool[])
    on conflict (issue_id, kind, key) do nothing returning 1`;
}

async function deleteKeys(db: Kysely<ModelTables>, changes: readonly IssueChange[]): Promise<void> {
  const gone = changes.flatMap(({ before, after }): KeyRow[] => {
    if (!before) return [];
    const kept = new Set(listKeys(after).map(nameKey));
    return listKeys(before)
      .filter((key) => !kept.has(nameKey(key)))
      .map((key) => ({ issue: after, ...key }));
  });
  if (gone.length === 0) return;
  await sql`delete from issue_key where (issue_id, kind, key) in (
    select * from unnest(${gone.map(({ issue }) => issue.id)}::int8[], ${gone.map(({ kind }) => kind)}::int2[],
      ${gone.map(({ key }) => key)}::text[]))`.execute(db);
}

async function moveDocs(db: Kysely<ModelTables>, changes: readonly IssueChange[]): Promise<void> {
  const moved = changes.filter(({ before, after }) => before !== undefined && aclOf(before) !== aclOf(after));
  if (moved.length === 0) return;
  await sql`update doc d set acl = v.acl from unnest(${moved.map(({ after }) => after.id)}::int8[],
    ${moved.map(({ after }) => aclOf(after))}::int4[]) as v (issue_id, acl) where d.issue_id = v.issue_id`.execute(db);
}

const nameKey = ({ kind, key }: { kind: number; key: string }): string => `${kind} ${key}`;
