/** Statuses as data: which are open, how they are grouped, what may follow what, and what follows from it. */
import { Status } from '@bugless/proto';
import { WORDS } from './word.ts';

/** Why a closed issue is closed. */
export type Resolution = 'done' | 'wont_fix' | 'duplicate';

/** What there is to know of one status. */
export interface StatusRule {
  readonly open: boolean;
  /** Undefined while open. */
  readonly resolution: Resolution | undefined;
  /** For people. */
  readonly label: string;
  /** Statuses that may follow this one. */
  readonly next: readonly Status[];
}

const OPEN = [Status.NEW, Status.ASSIGNED, Status.ACCEPTED] as const;
const WONT_FIX = [Status.NOT_REPRODUCIBLE, Status.INTENDED, Status.OBSOLETE, Status.INFEASIBLE] as const;
const CLOSED = [Status.FIXED, Status.VERIFIED, ...WONT_FIX, Status.DUPLICATE] as const;

/**
 * Permissive on purpose: open issues go anywhere but to VERIFIED, which confirms
 * an earlier decision; closed ones can be reopened and their resolution changed.
 */
const UNVERIFIED = [...OPEN, ...CLOSED.filter((status) => status !== Status.VERIFIED)];
const ANYWHERE = [...OPEN, ...CLOSED];

const rule = (label: string, resolution: Resolution | undefined, next: readonly Status[]): StatusRule => ({
  open: resolution === undefined,
  resolution,
  label,
  next,
});

/** The rule of every known status. */
export const STATUS_RULES: ReadonlyMap<Status, StatusRule> = new Map<Status, StatusRule>([
  [Status.NEW, rule('New', undefined, UNVERIFIED)],
  [Status.ASSIGNED, rule('Assigned', undefined, UNVERIFIED)],
  [Status.ACCEPTED, rule('Accepted', undefined, UNVERIFIED)],
  [Status.FIXED, rule('Fixed', 'done', ANYWHERE)],
  [Status.VERIFIED, rule('Verified', 'done', ANYWHERE)],
  [Status.NOT_REPRODUCIBLE, rule("Won't fix (not reproducible)", 'wont_fix', ANYWHERE)],
  [Status.INTENDED, rule("Won't fix (intended)", 'wont_fix', ANYWHERE)],
  [Status.OBSOLETE, rule("Won't fix (obsolete)", 'wont_fix', ANYWHERE)],
  [Status.INFEASIBLE, rule("Won't fix (infeasible)", 'wont_fix', ANYWHERE)],
  [Status.DUPLICATE, rule('Duplicate', 'duplicate', UNVERIFIED)],
]);

/** Words of the query language that stand for several statuses: `status:open`. */
export const STATUS_GROUPS: Readonly<Record<string, readonly Status[]>> = {
  open: OPEN,
  closed: CLOSED,
  wont_fix: WONT_FIX,
};

/** Statuses that a new issue may start in. */
export const INITIAL_STATUSES: readonly Status[] = OPEN;

/** Whether work is left. A status that is not known here counts as open: nothing is hidden by it. */
export function isOpen(status: Status): boolean {
  return STATUS_RULES.get(status)?.open ?? true;
}

/** Whether `to` may follow `from`. Staying is always allowed; out of an unknown status everything is. */
export function canFollow(from: Status, to: Status): boolean {
  return from === to || (STATUS_RULES.get(from)?.next ?? ANYWHERE).includes(to);
}

/** For people: `Won't fix (intended)`; the number of an unknown status. */
export function formatStatus(status: Status): string {
  return STATUS_RULES.get(status)?.label ?? WORDS.status.format(status);
}

/** What decides which status follows by itself. */
export interface StatusSituation {
  /** Status before; of a new issue UNSPECIFIED. */
  readonly before: Status;
  /** The status asked for; undefined: none was. */
  readonly asked: Status | undefined;
  /** Assignee before and after; empty: nobody. */
  readonly assigneeBefore: string;
  readonly assigneeAfter: string;
  /** The canonical issue was named in this change. */
  readonly duplicateNamed: boolean;
}

/**
 * The status after a change. A status asked for is taken. Else: naming the
 * canonical issue makes a duplicate; assigning a NEW issue makes it ASSIGNED;
 * leaving an ASSIGNED or ACCEPTED one without assignee makes it NEW.
 */
export function decideStatus(situation: StatusSituation): Status {
  const { before, asked, assigneeBefore, assigneeAfter, duplicateNamed } = situation;
  if (asked !== undefined) return asked;
  if (duplicateNamed) return Status.DUPLICATE;
  if (before === Status.UNSPECIFIED) return assigneeAfter === '' ? Status.NEW : Status.ASSIGNED;
  if (before === Status.NEW && assigneeBefore === '' && assigneeAfter !== '') return Status.ASSIGNED;
  const taken = before === Status.ASSIGNED || before === Status.ACCEPTED;
  if (taken && assigneeBefore !== '' && assigneeAfter === '') return Status.NEW;
  return before;
}

/** Times that follow from a change of status at `at` (ISO): see `resolved` and `verified` of Issue. */
export function decideTimes(
  before: { readonly status: Status; readonly resolved: string | undefined; readonly verified: string | undefined },
  status: Status,
  at: string | undefined,
): { resolved: string | undefined; verified: string | undefined } {
  if (before.status === status) return { resolved: before.resolved, verified: before.verified };
  const wasClosed = before.status !== Status.UNSPECIFIED && !isOpen(before.status);
  return {
    resolved: isOpen(status) ? undefined : wasClosed ? before.resolved : at,
    verified: status === Status.VERIFIED ? at : undefined,
  };
}
