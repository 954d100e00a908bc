import { readFile } from 'node:fs/promises';
import { ServiceError } from '@bugless/kit/service';

/** bcrypt reads no further than this: what stands behind would not count. */
export const MAX_PASSWORD_BYTES = 72;

/** What a new password has to be. */
export interface PasswordRule {
  /** In characters. */
  readonly minLength: number;
  /** Lower case. */
  readonly forbidden: ReadonlySet<string>;
}

/** One form for each letter, however a keyboard composes it: `é` is `é` on every system. */
export function normalizePassword(password: string): string {
  return password.normalize('NFC');
}

/** Whether bcrypt can tell this password from every other: if not, it is nobody's. */
export function isHashable(password: string): boolean {
  return password !== '' && !password.includes('\0') && Buffer.byteLength(password) <= MAX_PASSWORD_BYTES;
}

/**
 * Checks a new password and returns it in its stored form.
 *
 * Throws INVALID_ARGUMENT (WEAK_PASSWORD) that names `field` and what to do; never quotes the password.
 */
export function checkPassword(rule: PasswordRule, password: string, username: string, field: string): string {
  const refuse = (description: string) =>
    new ServiceError('WEAK_PASSWORD', `${field}: ${description}`, { violations: [{ field, description }] });
  const normal = normalizePassword(password);
  if (normal.includes('\0')) throw refuse('has a NUL character; choose a password without');
  const bytes = Buffer.byteLength(normal);
  if (bytes > MAX_PASSWORD_BYTES) {
    throw refuse(`has ${bytes} bytes in UTF-8; at most ${MAX_PASSWORD_BYTES} count, choose a shorter one`);
  }
  if ([...normal].length < rule.minLength) throw refuse(`is too short; at least ${rule.minLength} characters`);
  const lower = normal.toLowerCase();
  if (lower === username.toLowerCase()) throw refuse('is the username; choose another one');
  if (rule.forbidden.has(lower)) throw refuse('is on the list of passwords that are too common; choose another one');
  return normal;
}

/** Reads a list of forbidden passwords: UTF-8, one a line, compared without case. */
export async function readForbiddenPasswords(file: string): Promise<Set<string>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new Error(`forbiddenPasswordsFile: ${file} cannot be read (${code}); correct the path or leave the key out`, {
      cause: error,
    });
  }
  const lines = text.split(/\r?\n/).map((line) => normalizePassword(line).toLowerCase());
  return new Set(lines.filter((line) => line !== ''));
}
