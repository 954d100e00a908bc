import { randomUUID } from 'node:crypto';
import type { TokenScope } from '@bugless/proto';

/**
 * Who acts, and under which limits: the second argument of every call. Made by
 * core from the caller's credential; carried beside the request (context.proto).
 */
export interface CallContext {
  /** Opaque user id; empty: an anonymous visitor. */
  readonly user: string;
  /** Opaque group ids, nested ones included. */
  readonly groups: readonly string[];
  /** Administers this Bugless. */
  readonly admin: boolean;
  /** Core itself acts. */
  readonly system: boolean;
  /** Bounds of the credential; empty: none. */
  readonly scopes: readonly TokenScope[];
  /** Components to which the credential is confined; empty: all. */
  readonly scopeComponents: readonly string[];
  /** Names the request in every log. */
  readonly requestId: string;
  /** W3C traceparent; empty: not traced. */
  readonly trace: string;
  /** Milliseconds since the epoch after which nobody waits any more; undefined: no limit. */
  readonly deadline: number | undefined;
  /** Aborts when the caller goes away or the deadline passes. */
  readonly signal: AbortSignal | undefined;
}

/** Fills a context: an anonymous caller without limits, unless said otherwise. */
export function createContext(values: Partial<CallContext> = {}): CallContext {
  return {
    user: values.user ?? '',
    groups: values.groups ?? [],
    admin: values.admin ?? false,
    system: values.system ?? false,
    scopes: values.scopes ?? [],
    scopeComponents: values.scopeComponents ?? [],
    requestId: values.requestId ?? randomUUID(),
    trace: values.trace ?? '',
    deadline: values.deadline,
    signal: values.signal,
  };
}

/** The context in which core itself acts: may do everything, is nobody. */
export function createSystemContext(values: Partial<CallContext> = {}): CallContext {
  return createContext({ ...values, system: true });
}
