/** The tree of a parsed query: what was written, by canonical field names, before names and dates are resolved. */
import type { OrderKey } from '@bugless/proto';

/** Where something stands in the query text: 1-based column and length, both in UTF-16 code units (as String.length counts). */
export interface Span {
  readonly column: number;
  readonly length: number;
}

/** A word or a text in quotes. */
export interface WordValue {
  readonly type: 'word';
  /** Without quotes and without the marks that `prefix` and `subtree` stand for. */
  readonly text: string;
  /** Written in quotes: a phrase, and never a keyword. */
  readonly quoted: boolean;
  /** A `*` follows. */
  readonly prefix: boolean;
  /** A `+` follows: the component and all below it. */
  readonly subtree: boolean;
  readonly span: Span;
}

/** `a..b`; an end left out was written `*`. */
export interface RangeValue {
  readonly type: 'range';
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly span: Span;
}

/** `group(name)`. */
export interface GroupValue {
  readonly type: 'group';
  readonly name: string;
  readonly span: Span;
}

/** A value behind a field. */
export type QueryValue = WordValue | RangeValue | GroupValue;

/** A comparison as written. */
export type Comparison = ':' | '=' | '!=' | '>' | '>=' | '<' | '<=';

/** A node of the tree. `and` and `or` hold two or more operands, never one of their own type. */
export type QueryNode =
  | { readonly type: 'and' | 'or'; readonly operands: readonly QueryNode[]; readonly span: Span }
  | { readonly type: 'not'; readonly operand: QueryNode; readonly span: Span }
  /** A bare word or phrase. */
  | { readonly type: 'text'; readonly value: WordValue; readonly span: Span }
  | TermNode
  | HistoryNode;

/** `field:value`; `has:f` is `f:any`, `is:f` is `f:true`, `is:closed` is `open:false`. */
export interface TermNode {
  readonly type: 'term';
  /** Canonical name. */
  readonly field: string;
  readonly comparison: Comparison;
  readonly values: readonly QueryValue[];
  readonly span: Span;
}

/** `was(…)` or `changed(…)`. */
export interface HistoryNode {
  readonly type: 'history';
  readonly kind: 'was' | 'changed';
  /** Canonical name. */
  readonly field: string;
  readonly from: readonly QueryValue[];
  readonly to: readonly QueryValue[];
  readonly by: readonly QueryValue[];
  readonly after: QueryValue | undefined;
  readonly before: QueryValue | undefined;
  readonly during: QueryValue | undefined;
  readonly span: Span;
}

/** A whole query. */
export interface Query {
  /** Undefined: matches everything. */
  readonly root: QueryNode | undefined;
  readonly order: readonly OrderKey[];
  /** The query is nothing but the number of an issue: the id to jump to. */
  readonly jump: string | undefined;
  /** Length of the text in UTF-16 code units. */
  readonly length: number;
}
