import {
  applyChanges,
  checkText,
  closesLoop,
  createEmptyIssue,
  createUpdate,
  diffIssues,
  EDITABLE_COLLECTIONS,
  foldUpdates,
  getField,
  isId,
  LIMITS,
  refuse,
  sortElements,
} from '@bugless/kit/domain';
import {
  type CallContext,
  EventKind,
  type FieldChange,
  type FieldViolation,
  type ImportedIssue,
  ImportOutcome,
  type ImportResult,
  type Issue,
  type ModelImplementation,
  ServiceError,
  Significance,
  type Update,
} from '@bugless/kit/service';
import { type Environment, requireLogin } from './environment.ts';
import { appendUpdate, checkBatch, describeError, tellIssue } from './issues.ts';
import type { IssueRecord, PendingLink, Store } from './store.ts';

/** Issues of other trackers, with their history, authors and times. */
export function createImportMethods(environment: Environment) {
  const { store } = environment;
  return {
    async importIssues({ source, issues, dryRun }, context) {
      requireLogin(context);
      if (!context.admin && !context.system) throw new ServiceError('FORBIDDEN', 'importing is for administrators');
      const violations: FieldViolation[] = [];
      checkText(violations, 'source', source, { maxCharacters: 100, required: true, singleLine: true });
      refuse(violations);
      checkBatch('issues', issues.length);
      const results = issues.map((item, index) =>
        importOne(environment, source, item, `issues[${index}]`, context, dryRun),
      );
      return { results };
    },
  } satisfies Partial<ModelImplementation>;

  function importOne(
    environment: Environment,
    source: string,
    item: ImportedIssue,
    path: string,
    context: CallContext,
    dryRun: boolean,
  ): ImportResult {
    const { key } = item;
    const content = JSON.stringify(item);
    const known = store.imports.get(placeKey(source, key));
    if (known) {
      const same = known.content === content;
      return { key, id: known.id, outcome: same ? ImportOutcome.UNCHANGED : ImportOutcome.CHANGED, error: undefined };
    }
    try {
      const id = store.transact(() => {
        const made = writeIssue(environment, source, item, path, context);
        store.put(store.imports, placeKey(source, key), { id: made, content });
        if (dryRun) throw new DryRun();
        return made;
      });
      return { key, id, outcome: ImportOutcome.CREATED, error: undefined };
    } catch (error) {
      if (error instanceof DryRun) return { key, id: '0', outcome: ImportOutcome.CREATED, error: undefined };
      if (!(error instanceof ServiceError)) throw error;
      return { key, id: '0', outcome: ImportOutcome.REFUSED, error: describeError(error) };
    }
  }
}

/** Undoes the transaction of a dry run, after everything in it was checked. */
class DryRun extends Error {}

const placeKey = (source: string, key: string): string => JSON.stringify([source, key]);

function writeIssue(
  environment: Environment,
  source: string,
  item: ImportedIssue,
  path: string,
  context: CallContext,
): string {
  const { store } = environment;
  const given = checkItem(store, item, path);
  const id = given.id === '0' ? store.mintId() : given.id;
  const { links, pending } = findLinks(store, source, item, path);
  const wanted: Issue = { ...sortCollections(given), id, ...links };

  const updates = listUpdates(item, wanted).map(
    (update, index): Update => ({ ...update, issue: id, sequence: index + 1 }),
  );
  const folded = foldUpdates(updates);
  const changes = diffIssues(folded, wanted);
  if (changes.length > 0) updates.push(makeSilent(id, updates.length + 1, changes, environment.now(), context.user));
  const issue: Issue = {
    ...applyChanges(folded, changes, folded.modified),
    id,
    version: String(updates.length),
    reporter: given.reporter || updates[0]!.author,
    created: given.created ?? updates[0]!.created,
    modified: given.modified ?? updates.at(-1)!.created,
    ...(given.resolved === undefined ? {} : { resolved: given.resolved }),
    ...(given.verified === undefined ? {} : { verified: given.verified }),
  };
  checkLoops(store, issue, path);
  store.putIssue({ issue, updates, versions: new Map(), fans: new Set<string>() });
  for (const link of pending) {
    const place = placeKey(source, link.key);
    store.put(store.pending, place, [...(store.pending.get(place) ?? []), { issue: id, field: link.field }]);
  }
  tellIssue(store, EventKind.ISSUE_CREATED, issue, updates[0]!);
  completeLinks(environment, placeKey(source, item.key), id, context);
  return id;
}

function checkItem(store: Store, item: ImportedIssue, path: string): Issue {
  const given = item.issue ?? createEmptyIssue();
  const violations: FieldViolation[] = [];
  checkText(violations, `${path}.key`, item.key, { maxCharacters: 200, required: true, singleLine: true });
  checkText(violations, `${path}.issue.title`, given.title, {
    maxCharacters: LIMITS.titleCharacters,
    required: true,
    singleLine: true,
  });
  checkText(violations, `${path}.issue.description`, given.description, { maxBytes: LIMITS.commentBytes });
  for (const [index, { comment }] of item.updates.entries())
    checkText(violations, `${path}.updates[${index}].comment`, comment, { maxBytes: LIMITS.commentBytes });
  refuse(violations);
  if (!store.components.has(given.component))
    throw refuseAt('COMPONENT_NOT_FOUND', `${path}.issue.component`, `there is no component ${given.component}`);
  if (given.id !== '0' && (store.issues.has(given.id) || !isId(given.id)))
    throw refuseAt('ID_TAKEN', `${path}.issue.id`, `${given.id} belongs to another issue`);
  return given;
}

function refuseAt(
  reason: 'COMPONENT_NOT_FOUND' | 'ID_TAKEN' | 'CYCLE' | 'INVALID_FIELD',
  field: string,
  description: string,
): ServiceError {
  return new ServiceError(reason, `${field}: ${description}`, { violations: [{ field, description }] });
}

function sortCollections(issue: Issue): Issue {
  const sorted = { ...issue, parent: '0', duplicateOf: '0', blockedBy: [] as string[] };
  for (const [name, property] of EDITABLE_COLLECTIONS)
    if (property !== 'blockedBy') sorted[property] = sortElements(getField(name)!, issue[property]);
  return sorted;
}

/** The history as given; without one, a creation that sets everything. */
function listUpdates(item: ImportedIssue, wanted: Issue): Update[] {
  const [first, ...rest] = item.updates;
  if (first)
    return [{ ...first, comment: first.comment || wanted.description }, ...rest].map((update) => ({
      ...update,
      commentVersion: 1,
    }));
  const changes = diffIssues(createEmptyIssue(), wanted);
  return [
    createUpdate({
      author: wanted.reporter,
      at: wanted.created ?? '',
      comment: wanted.description,
      changes,
      restricted: false,
    }),
  ];
}

function makeSilent(issue: string, sequence: number, changes: FieldChange[], at: string, author: string): Update {
  const update = createUpdate({ author, at, comment: '', changes, restricted: false });
  return { ...update, issue, sequence, significance: Significance.SILENT };
}

interface FoundLinks {
  /** Those whose other end is here. */
  readonly links: Pick<Issue, 'parent' | 'blockedBy' | 'duplicateOf'>;
  /** Those whose other end is awaited. */
  readonly pending: readonly { field: PendingLink['field']; key: string }[];
}

function findLinks(store: Store, source: string, item: ImportedIssue, path: string): FoundLinks {
  const links = { parent: '0', blockedBy: [] as string[], duplicateOf: '0' };
  const pending: { field: PendingLink['field']; key: string }[] = [];
  for (const [index, { field, key }] of item.links.entries()) {
    if (field !== 'parent' && field !== 'blocked_by' && field !== 'duplicate_of')
      throw refuseAt('INVALID_FIELD', `${path}.links[${index}].field`, 'takes parent, blocked_by or duplicate_of');
    if (key === item.key) throw refuseAt('CYCLE', `${path}.links[${index}]`, 'an issue cannot refer to itself');
    const target = store.imports.get(placeKey(source, key))?.id;
    if (target === undefined) pending.push({ field, key });
    else Object.assign(links, addLink(links, field, target));
  }
  return { links, pending };
}

function addLink(issue: FoundLinks['links'], field: PendingLink['field'], target: string): Partial<Issue> {
  if (field === 'parent') return { parent: target };
  if (field === 'duplicate_of') return { duplicateOf: target };
  return { blockedBy: sortElements(getField('blocked_by')!, [...issue.blockedBy, target]) };
}

function checkLoops(store: Store, issue: Issue, path: string): void {
  const follow = (list: (issue: Issue) => readonly string[]) => (id: string) => {
    const record = store.issues.get(id);
    return record ? list(record.issue) : [];
  };
  for (const list of [
    (each: Issue) => [each.parent],
    (each: Issue) => each.blockedBy,
    (each: Issue) => [each.duplicateOf],
  ])
    if (closesLoop(issue.id, list(issue), follow(list))) throw refuseAt('CYCLE', `${path}.links`, 'they close a loop');
}

/** Makes the links that awaited this issue, each with a silent update of the issue that has it. */
function completeLinks(environment: Environment, place: string, id: string, context: CallContext): void {
  const { store, now } = environment;
  for (const link of store.pending.get(place) ?? []) {
    const record = store.issues.get(link.issue) as IssueRecord;
    const { issue } = record;
    const linked = { ...issue, ...addLink(issue, link.field, id) };
    // Two trackers' rules differ: a link that would close a loop here is left out.
    try {
      checkLoops(store, linked, 'links');
    } catch {
      continue;
    }
    const changes = diffIssues(issue, linked);
    if (changes.length === 0) continue;
    const next = { ...linked, version: String(BigInt(issue.version) + 1n) };
    const update = makeSilent(issue.id, 0, changes, now(), context.user);
    appendUpdate(store, { record }, { issue: next, update, references: [] });
  }
  store.put(store.pending, place, undefined);
}
