/**
 * Enum numbers ↔ the words that the query language, the JSON API and history use
 * for them. The words are the contract's own names in lower case (`P0` → `p0`,
 * `FEATURE_REQUEST` → `feature_request`), so the contract stays the only list.
 */
import {
  AccessLimit,
  CustomFieldKind,
  EventKind,
  FilterOperator,
  HistoryKind,
  HotlistPermission,
  ImportOutcome,
  IssueType,
  IssueView,
  Permission,
  Priority,
  Severity,
  Significance,
  Status,
  TokenScope,
  UserKind,
  UserState,
} from '@bugless/proto';

/** One enum in words. */
export interface WordTable {
  /** What the enum is called in messages to people: `priority`. */
  readonly name: string;
  /** Every known word, in the order of the numbers; without the word of "unspecified". */
  readonly words: readonly string[];
  /** Every known number, in order; without 0 unless it has a word of its own. */
  readonly numbers: readonly number[];
  /** The word; a number that is not known here as its decimals; "unspecified" as the empty string. */
  format(number: number): string;
  /**
   * The number of a word, compared without case, `-` and blanks read as `_`; of
   * decimals that `format` made; 0 of the empty string. Undefined: no such word.
   */
  parse(word: string): number | undefined;
  /** Whether the number has a word. */
  has(number: number): boolean;
}

/** Makes the table of an enum of the contract; `own` gives words that differ from the contract's names. */
export function createWordTable(
  name: string,
  values: Readonly<Record<string, number>>,
  own: Readonly<Record<number, string>> = {},
): WordTable {
  const byNumber = new Map<number, string>();
  for (const [key, number] of Object.entries(values)) {
    const word = own[number] ?? (number === 0 ? '' : key.toLowerCase());
    if (word !== '') byNumber.set(number, word);
  }
  const entries = [...byNumber].sort(([a], [b]) => a - b);
  const byWord = new Map(entries.map(([number, word]) => [word, number]));
  return {
    name,
    words: entries.map(([, word]) => word),
    numbers: entries.map(([number]) => number),
    format: (number) => byNumber.get(number) ?? (number === 0 ? '' : String(number)),
    parse(word) {
      if (word === '') return 0;
      const known = byWord.get(word.toLowerCase().replace(/[-\s]/g, '_'));
      if (known !== undefined) return known;
      // Only what format() makes: int32, no leading zeros, no number that has a word.
      if (!/^-?[1-9][0-9]{0,9}$/.test(word)) return undefined;
      const number = Number(word);
      return number === (number | 0) && !byNumber.has(number) ? number : undefined;
    },
    has: (number) => byNumber.has(number),
  };
}

/** Every enum that people and programs read as words. */
export const WORDS = {
  type: createWordTable('type', IssueType),
  priority: createWordTable('priority', Priority),
  severity: createWordTable('severity', Severity),
  status: createWordTable('status', Status),
  accessLimit: createWordTable('access limit', AccessLimit, {
    [AccessLimit.UNSPECIFIED]: 'default',
    [AccessLimit.COMMENT]: 'limited_comment',
    [AccessLimit.VIEW]: 'limited_view',
  }),
  significance: createWordTable('significance', Significance),
  permission: createWordTable('permission', Permission),
  hotlistPermission: createWordTable('hotlist permission', HotlistPermission),
  tokenScope: createWordTable('token scope', TokenScope),
  userKind: createWordTable('user kind', UserKind),
  userState: createWordTable('user state', UserState),
  customFieldKind: createWordTable('custom field kind', CustomFieldKind),
  eventKind: createWordTable('event kind', EventKind),
  issueView: createWordTable('view', IssueView),
  importOutcome: createWordTable('import outcome', ImportOutcome),
  filterOperator: createWordTable('filter operator', FilterOperator),
  historyKind: createWordTable('history kind', HistoryKind),
} as const;
