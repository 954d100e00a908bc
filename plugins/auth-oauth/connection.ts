import { parseDuration } from '@bugless/auth-sql';
import { TokenScope } from '@bugless/kit/service';
import type { BotConfiguration, ClaimNames, ConnectionConfiguration, ScopeWord } from './configuration.ts';

/** A provider as configured, checked, defaults filled in. */
export interface Connection {
  readonly id: string;
  readonly name: string;
  readonly icon: string;
  readonly type: 'oidc' | 'oauth2';
  /** oidc: as configured; the provider's own spelling is in its metadata. */
  readonly issuer: string;
  /** oauth2 alone. */
  readonly endpoints: { readonly authorization: string; readonly token: string; readonly userinfo: string } | undefined;
  readonly extraEndpoints: ReadonlyMap<string, string>;
  readonly clientId: string;
  /** Undefined: a public client. */
  readonly clientSecret: string | undefined;
  readonly scope: string;
  /** More for the authorization request. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Of one request. */
  readonly timeoutMillis: number;
  readonly claims: ClaimNames;
  readonly allowCreate: boolean;
  /** Lower case; empty: any. */
  readonly allowedDomains: readonly string[];
  /** Empty: any. */
  readonly allowedGroups: readonly string[];
  readonly adminGroups: readonly string[];
  /** Lower case. */
  readonly adminEmails: readonly string[];
  /** Group of the provider → groups here. */
  readonly groupMapping: ReadonlyMap<string, readonly string[]>;
  readonly linkByVerifiedEmail: boolean;
  /** A logout here ends the login at the provider too. */
  readonly logout: boolean;
  /** How often accounts with sessions are asked for again; undefined: never. */
  readonly recheckMillis: number | undefined;
  readonly bots: BotRule | undefined;
  readonly allowInsecure: boolean;
}

/** Which tokens of bots are accepted. */
export interface BotRule {
  readonly audience: string;
  /** Subject → user id. */
  readonly accounts: ReadonlyMap<string, string>;
  readonly scope: TokenScope;
}

const DEFAULT_CLAIMS: Readonly<Record<Connection['type'], ClaimNames>> = {
  oidc: {
    subject: 'sub',
    username: 'preferred_username',
    displayName: 'name',
    email: 'email',
    emailVerified: 'email_verified',
    avatar: 'picture',
    groups: 'groups',
  },
  oauth2: {
    subject: 'id',
    username: 'login',
    displayName: 'name',
    email: 'email',
    emailVerified: '',
    avatar: 'avatar_url',
    groups: '',
  },
};

const SCOPES: Readonly<Record<ScopeWord, TokenScope>> = {
  read: TokenScope.READ,
  comment: TokenScope.COMMENT,
  edit: TokenScope.EDIT,
  admin: TokenScope.ADMIN,
};

/** Whether an address is of this machine. */
export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname);
}

function checkAddress(address: string, key: string, allowInsecure: boolean): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new Error(`${key}: is not an https URL`);
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new Error(`${key}: may have neither a user nor a # part`);
  }
  if (url.protocol === 'http:' && !allowInsecure) {
    throw new Error(`${key}: is not https; allowInsecure lets http through, to addresses of this machine`);
  }
  if (url.protocol === 'http:' && !isLoopback(url)) {
    throw new Error(`${key}: allowInsecure is for addresses of this machine alone; use https`);
  }
  return address;
}

function refuseKeys(
  given: ConnectionConfiguration,
  key: string,
  names: readonly (keyof ConnectionConfiguration)[],
): void {
  const name = names.find((candidate) => given[candidate] !== undefined);
  if (name === undefined) return;
  throw new Error(
    `${key}.${name}: goes with type ${given.type === 'oauth2' ? 'oidc' : 'oauth2'}; take it out or change the type`,
  );
}

function checkEndpoints(given: ConnectionConfiguration, key: string, allowInsecure: boolean): Connection['endpoints'] {
  if (given.type !== 'oauth2') {
    refuseKeys(given, key, ['authorizationEndpoint', 'tokenEndpoint', 'userinfoEndpoint']);
    return undefined;
  }
  refuseKeys(given, key, given.logout === true ? ['bots', 'logout'] : ['bots']);
  const check = (name: 'authorizationEndpoint' | 'tokenEndpoint' | 'userinfoEndpoint') => {
    const address = given[name];
    if (address === undefined) throw new Error(`${key}.${name}: is missing; type oauth2 needs it`);
    return checkAddress(address, `${key}.${name}`, allowInsecure);
  };
  return {
    authorization: check('authorizationEndpoint'),
    token: check('tokenEndpoint'),
    userinfo: check('userinfoEndpoint'),
  };
}

function checkIssuer(given: ConnectionConfiguration, key: string, allowInsecure: boolean): string {
  if (given.type === 'oauth2') return given.issuer ?? new URL(given.authorizationEndpoint!).origin;
  if (given.issuer === undefined) throw new Error(`${key}.issuer: is missing; type oidc needs it`);
  if (given.issuer.includes('/.well-known/')) {
    throw new Error(`${key}.issuer: is the address of the discovery document; give the part before /.well-known/`);
  }
  return checkAddress(given.issuer, `${key}.issuer`, allowInsecure);
}

function checkBots(bots: BotConfiguration | undefined, clientId: string, key: string): BotRule | undefined {
  if (!bots) return undefined;
  if (bots.audience === clientId) {
    // An ID token of any person has this audience.
    throw new Error(`${key}.audience: is the clientId; tokens of bots need an audience of their own`);
  }
  return {
    audience: bots.audience,
    accounts: new Map(Object.entries(bots.accounts)),
    scope: SCOPES[bots.scope ?? 'edit'],
  };
}

/** Set by the flow itself. */
const RESERVED = new Set([
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
]);

function checkParameters(given: Readonly<Record<string, string>>, key: string): ReadonlyMap<string, string> {
  const reserved = Object.keys(given).find((name) => RESERVED.has(name));
  if (reserved !== undefined) throw new Error(`${key}.${reserved}: is set by Bugless; take it out`);
  return new Map(Object.entries(given));
}

/** Checks one connection. Throws one line that names the key. */
function checkConnection(given: ConnectionConfiguration, key: string): Connection {
  const type = given.type ?? 'oidc';
  const allowInsecure = given.allowInsecure ?? false;
  const endpoints = checkEndpoints(given, key, allowInsecure);
  if (type === 'oidc' && given.claims?.subject !== undefined) {
    throw new Error(`${key}.claims.subject: goes with type oauth2; OpenID Connect has sub`);
  }
  if (type === 'oauth2' && given.claims?.subject === '') throw new Error(`${key}.claims.subject: is empty`);
  const scopes = given.scopes ?? (type === 'oidc' ? ['openid', 'profile', 'email'] : []);
  const claims = { ...DEFAULT_CLAIMS[type], ...given.claims };
  const grouped = (['allowedGroups', 'adminGroups', 'groupMapping'] as const).find((name) => given[name] !== undefined);
  if (grouped !== undefined && claims.groups === '') {
    throw new Error(`${key}.${grouped}: needs claims.groups, which says where the groups of an account stand`);
  }
  return {
    id: given.id,
    name: given.name,
    icon: given.icon ?? '',
    type,
    issuer: checkIssuer(given, key, allowInsecure),
    endpoints,
    extraEndpoints: new Map(
      Object.entries(given.extraEndpoints ?? {}).map(([name, address]) => [
        name,
        checkAddress(address, `${key}.extraEndpoints.${name}`, allowInsecure),
      ]),
    ),
    clientId: given.clientId,
    clientSecret: given.clientSecret,
    scope: [...new Set(type === 'oidc' ? ['openid', ...scopes] : scopes)].join(' '),
    parameters: checkParameters(given.parameters ?? {}, `${key}.parameters`),
    timeoutMillis: parseDuration(given.timeout ?? '5s'),
    claims,
    allowCreate: given.allowCreate ?? false,
    allowedDomains: (given.allowedDomains ?? []).map((domain) => domain.toLowerCase().replace(/^@/, '')),
    allowedGroups: given.allowedGroups ?? [],
    adminGroups: given.adminGroups ?? [],
    adminEmails: (given.adminEmails ?? []).map((address) => address.toLowerCase()),
    groupMapping: new Map(
      Object.entries(given.groupMapping ?? {}).map(([name, own]) => [name, typeof own === 'string' ? [own] : own]),
    ),
    linkByVerifiedEmail: given.linkByVerifiedEmail ?? false,
    logout: given.logout ?? false,
    recheckMillis: given.recheck === undefined ? undefined : parseDuration(given.recheck),
    bots: checkBots(given.bots, given.clientId, `${key}.bots`),
    allowInsecure,
  };
}

/** Checks what the schema cannot. Throws one line that names the key and says what to change. */
export function checkConnections(given: readonly ConnectionConfiguration[]): ReadonlyMap<string, Connection> {
  const connections = new Map<string, Connection>();
  for (const [index, configuration] of given.entries()) {
    const key = `connections[${index}]`;
    if (connections.has(configuration.id))
      throw new Error(`${key}.id: ${configuration.id} is used twice; choose another one`);
    connections.set(configuration.id, checkConnection(configuration, key));
  }
  return connections;
}
