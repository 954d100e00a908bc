/** The rules of Bugless: no I/O, no clock, the same in every Model and every frontend. */

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
export type { WordTable } from './word.ts';
export { createWordTable, WORDS } from './word.ts';
