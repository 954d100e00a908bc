import { createEmptyIssue, diffIssues, foldUpdates, getField, sortElements, WORDS } from '@bugless/kit/domain';
import type { Authenticator, CallContext, DeepPartial, ImportedIssue, Model } from '@bugless/kit/service';
import { ImportOutcome, type Issue, Significance, Update } from '@bugless/kit/service';
import { People } from './people.ts';
import { Places } from './places.ts';
import { ImportReport } from './report.ts';
import type { SourceFields, SourceIssue, SourceReader, SourceUpdate } from './source.ts';

/** A batch is sent when it holds so many issues, or so many UTF-16 code units of text. */
const BATCH_ISSUES = 200;
const BATCH_TEXT = 4 * 1024 * 1024;

/** What an import needs. */
export interface ImportOptions {
  readonly reader: SourceReader;
  /** Names the other tracker: `bugzilla:bugs.example.org`. With it and their keys issues are known again. */
  readonly source: string;
  readonly model: Model;
  readonly authenticator: Authenticator;
  /** An administrator's, or core's own. */
  readonly context: CallContext;
  /** Component under which the source's components go; `0`: they are roots. */
  readonly into: string;
  /** Give issues the number that they had; refused one by one where it is taken. */
  readonly keepIds: boolean;
  /** Read and check everything, write nothing. */
  readonly dryRun: boolean;
  /** Called after each batch. */
  readonly onProgress: (report: ImportReport) => void;
}

/**
 * Imports all that a reader yields. May be repeated after any end, kill -9 included: people,
 * components and issues already there are found again by their keys.
 */
export async function importIssues(options: ImportOptions): Promise<ImportReport> {
  const report = new ImportReport();
  const people = new People(options.authenticator, options.source, options.context);
  const places = new Places(options.model, options.source, options.context, options.into);
  await places.load();

  // While one batch is being written, the next one is read and prepared.
  let writing: Promise<void> = Promise.resolve();
  const write = async (batch: readonly SourceIssue[]) => {
    await people.prepare(batch, options.dryRun);
    await places.prepare(batch, options.dryRun);
    const issues = batch.map((issue) => buildImportedIssue(issue, people, places, options));
    await writing;
    report.people = people.size;
    report.components = places.made;
    writing = sendBatch(issues, options, report);
    // A failure is thrown by the next await; until then it must not count as unhandled.
    writing.catch(() => {});
  };

  let batch: SourceIssue[] = [];
  let text = 0;
  for await (const item of options.reader.read()) {
    if (item.kind === 'refused') report.refused.push(item);
    else if (item.kind === 'skipped') report.skip(item.reason);
    else {
      report.read += 1;
      report.note(item.notes);
      report.disagree(item.issue);
      report.comments += item.issue.updates.filter((update) => update.comment !== '').length;
      batch.push(item.issue);
      text += item.issue.updates.reduce((sum, update) => sum + update.comment.length, 0);
      if (batch.length < BATCH_ISSUES && text < BATCH_TEXT) continue;
      await write(batch);
      batch = [];
      text = 0;
    }
  }
  if (batch.length > 0) await write(batch);
  await writing;
  if (report.isEmpty()) throw new Error('nothing was found there that this format could be read from');
  return report;
}

async function sendBatch(
  issues: DeepPartial<ImportedIssue>[],
  { source, model, context, dryRun, onProgress }: ImportOptions,
  report: ImportReport,
): Promise<void> {
  const { results } = await model.importIssues({ source, issues, dryRun }, context);
  for (const result of results) {
    if (result.outcome === ImportOutcome.CREATED) report.created += 1;
    else if (result.outcome === ImportOutcome.UNCHANGED) report.unchanged += 1;
    else if (result.outcome === ImportOutcome.CHANGED) report.changed += 1;
    else report.refused.push({ file: `issue ${result.key}`, reason: result.error?.message ?? 'refused' });
  }
  onProgress(report);
}

function buildImportedIssue(
  source: SourceIssue,
  people: People,
  places: Places,
  { keepIds, dryRun }: ImportOptions,
): DeepPartial<ImportedIssue> {
  const reporter = people.getId(source.reporter);
  let before = createEmptyIssue();
  const updates = source.updates.map((update, index): Update => {
    const after = update.state ? buildState(update.state, reporter, people, places) : before;
    // The reporter is who made update 1.
    const changes = diffIssues({ ...before, reporter }, after);
    before = after;
    return Update.fromPartial({
      sequence: index + 1,
      author: people.getId(update.author),
      created: update.created,
      comment: update.comment,
      restricted: update.restricted,
      significance: decideSignificance(update, index),
      changes,
    });
  });
  return {
    key: source.key,
    issue: {
      ...foldUpdates(updates),
      // The fields that a dry run did not define would be refused.
      ...(dryRun ? { customFields: [] } : {}),
      id: keepIds && /^[1-9][0-9]{0,17}$/.test(source.key) ? source.key : '0',
      reporter,
      description: updates[0]!.comment,
      created: source.created,
      modified: source.modified,
    },
    updates,
    links: source.links,
  };
}

/** Unspecified: the Model decides by what it changes. */
function decideSignificance({ silent }: SourceUpdate, index: number): Significance {
  if (silent) return Significance.SILENT;
  return index === 0 ? Significance.MAJOR : Significance.UNSPECIFIED;
}

function buildState(fields: SourceFields, reporter: string, people: People, places: Places): Issue {
  const ids = (persons: SourceFields['cc']) => [...new Set(persons.map((person) => people.getId(person)))].sort();
  const sorted = (name: string, values: readonly string[]) =>
    sortElements(
      getField(name)!,
      values.filter((value) => value !== ''),
    );
  return {
    ...createEmptyIssue(),
    title: fields.title,
    type: WORDS.type.parse(fields.type) as Issue['type'],
    priority: WORDS.priority.parse(fields.priority) as Issue['priority'],
    severity: WORDS.severity.parse(fields.severity) as Issue['severity'],
    status: WORDS.status.parse(fields.status) as Issue['status'],
    accessLimit: WORDS.accessLimit.parse(fields.accessLimit) as Issue['accessLimit'],
    component: places.getId(fields.component),
    reporter,
    assignee: fields.assignee ? people.getId(fields.assignee) : '',
    verifier: fields.verifier ? people.getId(fields.verifier) : '',
    cc: ids(fields.cc),
    collaborators: ids(fields.collaborators),
    labels: sorted('labels', fields.labels),
    foundIn: sorted('found_in', fields.foundIn),
    targetedTo: sorted('targeted_to', fields.targetedTo),
    customFields: Object.entries(fields.customFields)
      .filter(([, value]) => value !== '')
      .map(([field, value]) => ({ field, values: [value] }))
      .sort((a, b) => (a.field < b.field ? -1 : 1)),
  };
}
