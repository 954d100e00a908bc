/** Bounds of a query and of the Filter that it becomes. */
export const QUERY_LIMITS = {
  /** UTF-16 code units. */
  length: 4000,
  /** Levels of the tree. */
  depth: 16,
  terms: 200,
  /** Values of one term. */
  values: 100,
  /** Characters of one text value. */
  textCharacters: 1000,
  orderKeys: 4,
} as const;
