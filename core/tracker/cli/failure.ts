/** Exit codes: what scripts may rely on. */
export const EXIT = { OK: 0, FAILURE: 1, USAGE: 2 } as const;

/** A wrong use of the command line, told in one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a failure looks like on a terminal: one line each, a stack only with --debug. */
export function formatFailure(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return `${formatStack(error)}\n`;
  // Problems: of the configuration, or of a plugin that it names.
  const { problems } = error as { problems?: readonly string[] };
  const lines = problems ?? [error instanceof Error ? error.message : String(error)];
  return lines.map((line) => `bugless: ${line.replace(/\s*\n\s*/g, ' ')}\n`).join('');
}

function formatStack(error: Error): string {
  const text = error.stack ?? error.message;
  return error.cause instanceof Error ? `${text}\ncaused by: ${formatStack(error.cause)}` : text;
}
