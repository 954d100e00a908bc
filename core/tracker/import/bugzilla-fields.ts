/** What Bugzilla's words mean here; shared by the readers of its formats. */
import type { NoteBook } from './note-book.ts';
import type { SourceFields, SourcePerson } from './source.ts';

/** The fields of a bug in Bugzilla's own words; an empty text or `---` is unset. */
export interface BugzillaState {
  readonly summary: string;
  readonly product: string;
  readonly component: string;
  readonly status: string;
  readonly resolution: string;
  readonly priority: string;
  readonly severity: string;
  readonly assignee: SourcePerson | undefined;
  readonly qaContact: SourcePerson | undefined;
  readonly cc: readonly SourcePerson[];
  readonly keywords: readonly string[];
  readonly version: string;
  readonly milestone: string;
  /** Seen by some groups only. */
  readonly restricted: boolean;
  /** All others, by the name of the custom field here. */
  readonly others: Readonly<Record<string, string>>;
}

/** Stands in where an export names nobody. */
export const UNKNOWN: SourcePerson = { key: '(unknown)', displayName: 'Unknown (Bugzilla)', email: '' };

const TYPE_OF_SEVERITY: Readonly<Record<string, string>> = { enhancement: 'feature_request', task: 'process' };

const SEVERITIES: Readonly<Record<string, string>> = {
  blocker: 's0',
  critical: 's1',
  major: 's1',
  normal: 's2',
  minor: 's3',
  trivial: 's4',
  S1: 's1',
  S2: 's2',
  S3: 's3',
  S4: 's4',
};

const PRIORITIES: Readonly<Record<string, string>> = {
  P1: 'p0',
  P2: 'p1',
  P3: 'p2',
  P4: 'p3',
  P5: 'p4',
  Highest: 'p0',
  High: 'p1',
  Normal: 'p2',
  Low: 'p3',
  Lowest: 'p4',
};

const RESOLUTIONS: Readonly<Record<string, string>> = {
  FIXED: 'fixed',
  DUPLICATE: 'duplicate',
  INVALID: 'intended',
  NOTABUG: 'intended',
  ANSWERED: 'intended',
  FEATURE: 'intended',
  WONTFIX: 'infeasible',
  CANTFIX: 'infeasible',
  NOT_ON_ROADMAP: 'infeasible',
  WORKSFORME: 'not_reproducible',
  NOT_REPRODUCIBLE: 'not_reproducible',
  INCOMPLETE: 'not_reproducible',
  INSUFFICIENTDATA: 'not_reproducible',
  NORESPONSE: 'not_reproducible',
};

/** The same value would come back from our word, so that nothing more has to be kept. */
const TOLD_BY_STATUS = new Set(['NEW', 'ASSIGNED', 'RESOLVED']);
const TOLD_BY_RESOLUTION = new Set(['FIXED', 'DUPLICATE']);
const TOLD_BY_SEVERITY = new Set(['blocker', 'critical', 'normal', 'minor', 'trivial', 'enhancement', 'task']);
const TOLD_BY_PRIORITY = /^P[1-5]$/;

/** Elements and fields of Bugzilla that are kept as custom text fields, by the name of these here. */
export const CUSTOM_NAMES: Readonly<Record<string, string>> = {
  classification: 'classification',
  rep_platform: 'platform',
  op_sys: 'os',
  bug_file_loc: 'url',
  status_whiteboard: 'whiteboard',
  alias: 'alias',
  see_also: 'see_also',
  votes: 'votes',
  deadline: 'deadline',
};

/** Values of them that say nothing. */
const SAYS_NOTHING = new Set(['', '---', 'All', 'unspecified', 'Unclassified', '0']);

const UNSET = new Set(['', '---']);
/** Versions and milestones that say nothing. */
const NO_VERSION = new Set(['', '---', 'unspecified']);

function isUnset(value: string): boolean {
  return UNSET.has(value);
}

/**
 * The fields here. A word of ours that stands for several of Bugzilla's keeps the original
 * in the custom field `status`, `resolution`, `priority` or `severity`.
 */
export function buildFields(state: BugzillaState, book: NoteBook): SourceFields {
  const { status, resolution, priority, severity } = state;
  const customFields: Record<string, string> = {};
  for (const [name, text] of Object.entries(state.others)) {
    const value = book.cleanText(text).trim();
    if (!SAYS_NOTHING.has(value)) customFields[name] = value;
  }
  const isVerified = status === 'VERIFIED' && resolution === 'FIXED';
  if (!isUnset(status) && !isVerified && !TOLD_BY_STATUS.has(status)) customFields['status'] = book.cleanText(status);
  if (!isUnset(resolution) && !TOLD_BY_RESOLUTION.has(resolution)) {
    customFields['resolution'] = book.cleanText(resolution);
  }
  if (!isUnset(priority) && !TOLD_BY_PRIORITY.test(priority)) customFields['priority'] = book.cleanText(priority);
  if (!isUnset(severity) && !TOLD_BY_SEVERITY.has(severity)) customFields['severity'] = book.cleanText(severity);
  return {
    title: book.cleanTitle(state.summary),
    component: [state.product || 'Bugzilla', state.component].filter((name) => name !== ''),
    type: TYPE_OF_SEVERITY[severity] ?? 'bug',
    priority: PRIORITIES[priority] ?? 'p2',
    severity: SEVERITIES[severity] ?? 's2',
    status: readStatus(status, resolution, state.assignee !== undefined),
    assignee: state.assignee,
    verifier: state.qaContact,
    cc: book.limitList('people in cc', state.cc, 500),
    collaborators: [],
    labels: book.limitList(
      'labels',
      state.keywords.map((word) => book.cleanLabel(word)),
      50,
    ),
    foundIn: readVersions(state.version, book),
    targetedTo: readVersions(state.milestone, book),
    accessLimit: state.restricted ? 'limited_view' : 'default',
    customFields,
  };
}

function readStatus(status: string, resolution: string, assigned: boolean): string {
  if (status === 'RESOLVED' || status === 'CLOSED') return RESOLUTIONS[resolution] ?? 'obsolete';
  if (status === 'VERIFIED') return resolution === 'FIXED' ? 'verified' : (RESOLUTIONS[resolution] ?? 'obsolete');
  if (status === 'ASSIGNED' || status === 'IN_PROGRESS') return 'accepted';
  return assigned ? 'assigned' : 'new';
}

function readVersions(text: string, book: NoteBook): string[] {
  return NO_VERSION.has(text) ? [] : [book.cleanVersion(text)];
}

/** `2009-09-23 16:51:00 +0200` (or UTC) as ISO 8601 in UTC; undefined: it is none. */
export function readTime(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d))?$/.exec(text.trim());
  if (!match) return undefined;
  const zone = match[3] === undefined || /^[A-Z]+$/.test(match[3]) ? 'Z' : match[3];
  const time = new Date(`${match[1]}T${match[2]}${zone}`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** Free text of tags as labels: by commas where there is one, else by white space. */
export function splitTags(text: string): string[] {
  return text.split(text.includes(',') ? /[,;]+/ : /\s+/).filter((tag) => tag.trim() !== '');
}

/** Words of a list that Bugzilla writes with commas or spaces. */
export function splitList(text: string): string[] {
  return text.split(/[,\s]+/).filter((word) => word !== '');
}
