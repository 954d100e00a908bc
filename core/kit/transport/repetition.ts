/**
 * Which calls a transport may repeat by itself when the link broke before an answer came. The caller cannot
 * know whether such a call was carried out, so: those that change nothing, and writes whose request id
 * makes the second one harmless. A method not listed is a write.
 */
const READ_VERBS: readonly string[] = [
  'Authenticate',
  'BatchGet',
  'Count',
  'Download',
  'Find',
  'Get',
  'List',
  'Resolve',
  'Search',
  'Summarize',
  'Verify',
  'Watch',
];

/** Each try counts for the throttle, so a repetition would not be without effect. */
const NOT_READS: readonly string[] = ['AuthenticatePassword'];

/** Whether an RPC of this name (`GetIssue`) changes nothing. */
export function isRead(method: string): boolean {
  return !NOT_READS.includes(method) && READ_VERBS.some((verb) => method.startsWith(verb));
}

/** Whether a call may be sent again. */
export function isRepeatable(method: string, request: unknown): boolean {
  if (isRead(method)) return true;
  const id = (request as { requestId?: unknown }).requestId;
  return typeof id === 'string' && id !== '';
}
