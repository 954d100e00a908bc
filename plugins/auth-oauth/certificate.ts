import { X509Certificate } from 'node:crypto';
import {
  type AuthStore,
  findUsersByVerifiedEmail,
  readPrincipal,
  type Tables,
  toUsernameKey,
  writeStore,
} from '@bugless/auth-sql';
import {
  type AuthenticateCertificateRequest,
  type CallContext,
  type Principal,
  ServiceError,
} from '@bugless/kit/service';
import type { CertificateConfiguration } from './configuration.ts';

/** A certificate longer than this is not looked at. */
const MAX_BYTES = 65_536;

/** Whom certificates belong to, as configured. */
export interface CertificateRule {
  /** `email:…`, `uri:…`, `dns:…` or `sha256:…` → user id. */
  readonly accounts: ReadonlyMap<string, string>;
  readonly verifiedEmail: boolean;
  readonly commonName: boolean;
}

/** How a certificate can be named in the configuration. */
interface CertificateNames {
  readonly fingerprint: string;
  /** In the order of the certificate. */
  readonly alternative: readonly { readonly kind: 'email' | 'uri' | 'dns'; readonly value: string }[];
  /** Empty: none, or several. */
  readonly commonName: string;
  /** There are alternative names of whatever kind. */
  readonly hasAlternative: boolean;
}

const badCertificate = () => new ServiceError('BAD_CREDENTIALS', 'the certificate belongs to nobody here');

/** One form of each name: domains and addresses without case, fingerprints in lower case without colons. */
function normalizeName(name: string): string | undefined {
  const [, kind, value] = /^(email|uri|dns|sha256):(.+)$/s.exec(name) ?? [];
  if (kind === undefined || value === undefined) return undefined;
  if (kind === 'uri') return name;
  if (kind !== 'sha256') return `${kind}:${value.toLowerCase()}`;
  const digits = value.replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? `sha256:${digits}` : undefined;
}

/** Checks what the schema cannot. Throws one line that names the key. */
export function checkCertificates(given: CertificateConfiguration): CertificateRule {
  const accounts = new Map<string, string>();
  for (const [name, user] of Object.entries(given.accounts ?? {})) {
    const normal = normalizeName(name);
    if (normal === undefined) {
      throw new Error(
        `certificates.accounts: ${JSON.stringify(name)} is none of email:ADDRESS, uri:URI, dns:NAME, sha256:64 HEX DIGITS`,
      );
    }
    accounts.set(normal, user);
  }
  return { accounts, verifiedEmail: given.verifiedEmail ?? false, commonName: given.commonName ?? false };
}

/** Subject alternative names as Node prints them: `DNS:a, URI:"b, c"`, quoted as JSON where there could be doubt. */
export function parseAlternativeNames(text: string): { kind: string; value: string }[] {
  const names: { kind: string; value: string }[] = [];
  const form = /([^:,]+):(?:("(?:[^"\\]|\\.)*")|([^",][^,]*)?)(?:, |$)/gsy;
  while (form.lastIndex < text.length) {
    const match = form.exec(text);
    // Not understood as a whole: not believed in part.
    if (!match) return [];
    names.push({
      kind: match[1]!,
      value: match[2] === undefined ? (match[3] ?? '') : (JSON.parse(match[2]) as string),
    });
  }
  return names;
}

const KINDS: Readonly<Record<string, 'email' | 'uri' | 'dns'>> = { email: 'email', URI: 'uri', DNS: 'dns' };

function readNames(certificate: X509Certificate): CertificateNames {
  const text = certificate.subjectAltName;
  const commonName: unknown = certificate.toLegacyObject().subject?.CN;
  return {
    fingerprint: normalizeName(`sha256:${certificate.fingerprint256}`)!,
    alternative: parseAlternativeNames(text ?? '').flatMap(({ kind, value }) => {
      const known = KINDS[kind];
      return known === undefined || value === '' ? [] : [{ kind: known, value }];
    }),
    commonName: typeof commonName === 'string' ? commonName : '',
    hasAlternative: text !== undefined,
  };
}

async function findByUsername(store: AuthStore, username: string): Promise<string | undefined> {
  if (/\p{Cc}/u.test(username)) return undefined;
  const row = await store.database
    .kysely<Tables>()
    .selectFrom('auth_user')
    .select('id')
    .where('username_key', '=', toUsernameKey(username))
    .executeTakeFirst();
  return row?.id;
}

/** Who a certificate belongs to: by fingerprint, then by its names, each as far as configured. Two answers are none. */
async function findOwner(
  store: AuthStore,
  rule: CertificateRule,
  names: CertificateNames,
): Promise<string | undefined> {
  const exact = rule.accounts.get(names.fingerprint);
  if (exact !== undefined) return exact;
  const owners = new Set<string>();
  for (const { kind, value } of names.alternative) {
    const owner = rule.accounts.get(normalizeName(`${kind}:${value}`)!);
    if (owner !== undefined) owners.add(owner);
    if (kind !== 'email' || !rule.verifiedEmail) continue;
    for (const row of await findUsersByVerifiedEmail(store, value)) owners.add(row.id);
  }
  if (owners.size > 0) return owners.size === 1 ? [...owners][0] : undefined;
  // RFC 9525, section 2: the common name is no name where there are others.
  if (!rule.commonName || names.hasAlternative || names.commonName === '') return undefined;
  return findByUsername(store, names.commonName);
}

function parseCertificate(bytes: Uint8Array): X509Certificate | undefined {
  if (bytes.length === 0 || bytes.length > MAX_BYTES) return undefined;
  try {
    return new X509Certificate(bytes);
  } catch {
    return undefined;
  }
}

/** Answers AuthenticateCertificate. Core has verified the chain; the dates are checked again, connections live long. */
export async function authenticateCertificate(
  store: AuthStore,
  rule: CertificateRule,
  request: AuthenticateCertificateRequest,
  context: CallContext,
): Promise<{ principal: Principal }> {
  const certificate = parseCertificate(request.certificate);
  if (!certificate) throw badCertificate();
  const names = readNames(certificate);
  const now = store.now();
  const { validFromDate, validToDate } = certificate;
  const valid = validFromDate.getTime() <= now && now < validToDate.getTime();
  const owner = valid ? await findOwner(store, rule, names) : undefined;
  const principal = owner === undefined ? undefined : await readPrincipal(store, owner, ['certificate']);
  if (!principal) {
    const address = request.client?.address ?? '';
    const details = { method: 'certificate', fingerprint: names.fingerprint };
    await writeStore(
      store,
      context,
      (work) => work.audit({ kind: 'login_failed', user: owner ?? '', address, details }),
      {
        keepPrincipals: true,
      },
    );
    throw badCertificate();
  }
  return { principal: { ...principal, expires: validToDate.toISOString() } };
}
