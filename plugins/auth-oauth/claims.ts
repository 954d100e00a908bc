import type { Connection } from './connection.ts';

/** What a provider says about an account, in our words. */
export interface Profile {
  /** Unique and never reused at the provider; ASCII. */
  readonly subject: string;
  /** Wanted username; may be empty, taken or not valid here. */
  readonly username: string;
  readonly displayName: string;
  readonly email: string;
  /** The provider says that the address is theirs. */
  readonly emailVerified: boolean;
  readonly avatar: string;
  readonly groups: readonly string[];
}

/** Answers of a provider: ID token, userinfo and extra endpoints, put together. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_GROUPS = 2000;

/**
 * What stands at a path: a claim of just that name if there is one (names of claims are often
 * URLs, with dots), else step by step. A list on the way is walked through entry by entry.
 */
export function readClaim(claims: unknown, path: string): unknown {
  if (path === '') return undefined;
  if (Array.isArray(claims)) {
    const found = claims.map((entry) => readClaim(entry, path)).filter((value) => value !== undefined);
    return found.flat();
  }
  if (typeof claims !== 'object' || claims === null) return undefined;
  if (Object.hasOwn(claims, path)) return (claims as Claims)[path];
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
    const head = path.slice(0, dot);
    if (Object.hasOwn(claims, head)) return readClaim((claims as Claims)[head], path.slice(dot + 1));
  }
  return undefined;
}

function readText(claims: Claims, path: string): string {
  const value = readClaim(claims, path);
  return typeof value === 'string' ? value.trim() : '';
}

function readSubject(claims: Claims, path: string): string {
  const value = readClaim(claims, path);
  // A larger number has lost digits by the time it is read: two accounts could become one.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' ? value : '';
}

interface Address {
  readonly email: string;
  readonly verified: boolean;
}

/** One address, or the best of a list of {email, primary, verified}: primary first, unverified only if nothing else. */
function readAddress(claims: Claims, names: Connection['claims']): Address {
  const value = readClaim(claims, names.email);
  if (typeof value === 'string') {
    const flag = readClaim(claims, names.emailVerified);
    return { email: value.trim(), verified: flag === true || flag === 'true' };
  }
  if (!Array.isArray(value)) return { email: '', verified: false };
  const entries = value.filter(
    (entry): entry is { email: string; primary?: unknown; verified?: unknown } => typeof entry?.email === 'string',
  );
  const rate = (entry: (typeof entries)[number]) =>
    (entry.verified === true ? 2 : 0) + (entry.primary === true ? 1 : 0);
  const [best] = entries.sort((a, b) => rate(b) - rate(a));
  return { email: best?.email.trim() ?? '', verified: best?.verified === true };
}

function readGroups(claims: Claims, path: string): string[] {
  const value = readClaim(claims, path);
  const list = typeof value === 'string' ? [value] : Array.isArray(value) ? value : [];
  return [...new Set(list.filter((entry): entry is string => typeof entry === 'string'))].slice(0, MAX_GROUPS);
}

/** Reads a profile. A claim of another form than expected counts as absent. */
export function readProfile(claims: Claims, names: Connection['claims']): Profile {
  const { email, verified } = readAddress(claims, names);
  return {
    subject: readSubject(claims, names.subject),
    username: readText(claims, names.username),
    displayName: readText(claims, names.displayName),
    email,
    emailVerified: verified && email !== '',
    avatar: readText(claims, names.avatar),
    groups: readGroups(claims, names.groups),
  };
}

/** Whether a connection lets an account in; undefined: yes, else why not, for people. */
export function findRefusal(connection: Connection, profile: Profile): string | undefined {
  const { allowedDomains, allowedGroups } = connection;
  if (allowedDomains.length > 0) {
    if (!profile.emailVerified) return 'it has no verified e-mail address';
    const domain = profile.email.slice(profile.email.lastIndexOf('@') + 1).toLowerCase();
    if (!allowedDomains.includes(domain)) return 'its e-mail address is in none of the domains that may log in';
  }
  if (allowedGroups.length > 0 && !allowedGroups.some((group) => profile.groups.includes(group))) {
    return 'it is in none of the groups that may log in';
  }
  return undefined;
}

/** Whether the account administers; undefined: this connection does not decide it. */
export function decideAdmin(connection: Connection, profile: Profile): boolean | undefined {
  const { adminGroups, adminEmails } = connection;
  if (adminGroups.length === 0 && adminEmails.length === 0) return undefined;
  if (adminGroups.some((group) => profile.groups.includes(group))) return true;
  return profile.emailVerified && adminEmails.includes(profile.email.toLowerCase());
}

/** Groups here that the connection decides about, and whether the account is in each. */
export function decideGroups(connection: Connection, profile: Profile): Map<string, boolean> {
  const decided = new Map<string, boolean>();
  for (const [name, own] of connection.groupMapping) {
    for (const group of own) decided.set(group, decided.get(group) === true || profile.groups.includes(name));
  }
  return decided;
}
