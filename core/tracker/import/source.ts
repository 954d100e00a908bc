/**
 * What a reader of another tracker's export yields: issues in a form that
 * belongs to no tracker, people still by the name they had there.
 */

/** Somebody as the other tracker knew them. */
export interface SourcePerson {
  /** Unique in the source: login or address. */
  readonly key: string;
  /** What a username is made of; default the key. */
  readonly username?: string;
  readonly displayName: string;
  /** Empty: unknown. */
  readonly email: string;
}

/** The fields of an issue, enums as the query language's words, times as ISO 8601 in UTC. */
export interface SourceFields {
  readonly title: string;
  /** Names from the root component down. */
  readonly component: readonly string[];
  readonly type: string;
  readonly priority: string;
  readonly severity: string;
  readonly status: string;
  readonly assignee: SourcePerson | undefined;
  readonly verifier: SourcePerson | undefined;
  readonly cc: readonly SourcePerson[];
  readonly collaborators: readonly SourcePerson[];
  readonly labels: readonly string[];
  readonly foundIn: readonly string[];
  readonly targetedTo: readonly string[];
  /** `default`, `limited_comment` or `limited_view`. */
  readonly accessLimit: string;
  /** Values by the name of a custom text field, which the importer defines on the root component. */
  readonly customFields: Record<string, string>;
}

/** One step of the history. */
export interface SourceUpdate {
  readonly author: SourcePerson;
  readonly created: string;
  /** Markdown or plain text; empty: none. */
  readonly comment: string;
  readonly restricted: boolean;
  /** Fields as they are after this step, where it changed any. */
  readonly state: SourceFields | undefined;
  /** Nobody did this: it makes the history end as the source shows the issue. */
  readonly silent?: boolean;
}

/** One issue with its history. */
export interface SourceIssue {
  /** Unique in the source; decimal where the source counts its issues. */
  readonly key: string;
  readonly reporter: SourcePerson;
  readonly created: string;
  readonly modified: string;
  readonly fields: SourceFields;
  /** Oldest first; the first one creates the issue, its comment is the description. At least one. */
  readonly updates: readonly SourceUpdate[];
  /** References by key. */
  readonly links: readonly { readonly field: 'parent' | 'blocked_by' | 'duplicate_of'; readonly key: string }[];
  /** Where the source contradicts itself on this issue, one line each. */
  readonly disagreements?: readonly string[];
}

/** What a reader met, in the order of the export. */
export type SourceItem =
  | { readonly kind: 'issue'; readonly issue: SourceIssue; readonly notes: readonly SourceNote[] }
  /** Could not be read. */
  | { readonly kind: 'refused'; readonly file: string; readonly reason: string }
  /** Nothing to import, rightly: an id that does not exist, a pull request when these are not wanted. */
  | { readonly kind: 'skipped'; readonly file: string; readonly reason: string };

/** Something that was mended or left out of an issue that was read all the same. */
export interface SourceNote {
  /** Short and the same for each case, so that a report can count it: `NUL characters removed`. */
  readonly what: string;
  /** How often in this issue. */
  readonly count: number;
}

/** Reads one kind of export. */
export interface SourceReader {
  /** Yields each issue once. */
  read(): AsyncIterable<SourceItem>;
  /** Share of the export read so far, 0 to 1. */
  progress(): number;
}
