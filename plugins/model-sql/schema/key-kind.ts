/** Kinds of rows in issue_key: what an issue is found by, beside its own columns. Numbers are stored: never reuse one. */
export const KEY_KIND = {
  /** A label, folded. */
  LABEL: 1,
  /** A user in cc. */
  CC: 2,
  /** A user among the collaborators. */
  COLLABORATOR: 3,
  /** The verifier. */
  VERIFIER: 4,
  /** A version in found_in, folded. */
  FOUND_IN: 5,
  /** A version in targeted_to, folded. */
  TARGETED_TO: 6,
  /** A version in verified_in, folded. */
  VERIFIED_IN: 7,
  /** A custom field's value: `NAME=value`, value folded, cut to 200 characters. */
  CUSTOM_FIELD: 8,
  /** A user who commented (not the description). */
  COMMENTER: 9,
  /** A user named on an issue with an access limit; only there, since only there being named matters. */
  PARTY: 10,
} as const;
