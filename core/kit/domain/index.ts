/** The rules of Bugless: no I/O, no clock, the same in every Model and every frontend. */

export type { AccessSource, Action, ComponentAccess, NamedPeople, VisibleLimits } from './access.ts';
export {
  ACTIONS,
  checkAction,
  checkHotlistAction,
  checkScope,
  collectAccess,
  decideHotlistPermission,
  decideIssuePermission,
  decidePermission,
  hasScope,
  isNamed,
  limitPermission,
  listComponentPermissions,
  listHotlistPermissions,
  listIssuePermissions,
  listVisibleLimits,
  NO_PERMISSION,
} from './access.ts';
export type { PlannedWrite, UpdateSituation } from './change.ts';
export { createUpdate, decideSignificance, mergeDuplicate, planUpdate, SETTABLE } from './change.ts';
export type { TextRule } from './check.ts';
export {
  checkCount,
  checkCustomValues,
  checkEnum,
  checkId,
  checkLabel,
  checkText,
  checkUserId,
  isDay,
  isDecimal,
  isId,
  LIMITS,
  refuse,
} from './check.ts';
export type { CreateSituation, PlannedCreation } from './create.ts';
export { planCreate } from './create.ts';
export type { FieldKind, IssueField } from './field.ts';
export {
  CUSTOM_PREFIX,
  createCustomField,
  EDITABLE_COLLECTIONS,
  FIELDS,
  findField,
  formatFieldWord,
  getField,
  parseCustomName,
  RELEVANCE,
} from './field.ts';
export {
  applyChanges,
  compareIds,
  createEmptyIssue,
  diffIssues,
  foldCase,
  foldUpdates,
  readValues,
  sortCustomFields,
  sortElements,
} from './fold.ts';
export type { OrderValue, PagePosition } from './page-token.ts';
export { decodePageToken, encodePageToken, fingerprintRequest } from './page-token.ts';
export type * from './query/ast.ts';
export type { CompiledQuery, CompileOptions, QueryResolver } from './query/compile.ts';
export { compileQuery, EVERYTHING, hideArchived } from './query/compile.ts';
export { checkTimeZone, readDate } from './query/date.ts';
export { QueryError } from './query/error.ts';
export { checkFilter, checkOrder, hasTextTerm } from './query/filter-check.ts';
export type { FilterNames, FormatOptions } from './query/format.ts';
export { formatFilter, formatOrder, formatQuery } from './query/format.ts';
export { QUERY_LIMITS } from './query/limit.ts';
export type { IssueFacts } from './query/match.ts';
export { matchFilter } from './query/match.ts';
export {
  compareCodePoints,
  compareIssues,
  comparePositions,
  DEFAULT_ORDER,
  readOrderValues,
  readPosition,
} from './query/order.ts';
export { parseQuery } from './query/parser.ts';
export type { WordPattern } from './query/text.ts';
export { MAX_WORD, matchWords, readWordPattern, tokenize } from './query/text.ts';
export type { Reference } from './reference.ts';
export { closesLoop } from './reference.ts';
export type { Resolution, StatusRule, StatusSituation } from './status.ts';
export {
  canFollow,
  decideStatus,
  decideTimes,
  formatStatus,
  INITIAL_STATUSES,
  isOpen,
  STATUS_GROUPS,
  STATUS_RULES,
} from './status.ts';
export { findNearest } from './suggestion.ts';
export type { WordTable } from './word.ts';
export { createWordTable, WORDS } from './word.ts';
