import { AUTH_SQL_PROPERTIES, type AuthSqlConfiguration, DURATION_PATTERN } from '@bugless/auth-sql';
import type { JsonSchema } from '@bugless/kit/plugin';

/** Configuration of the plugin. */
export interface AuthOauthConfiguration extends AuthSqlConfiguration {
  readonly connections?: readonly ConnectionConfiguration[];
  readonly certificates?: CertificateConfiguration;
}

/** One provider. */
export interface ConnectionConfiguration {
  readonly id: string;
  readonly name: string;
  readonly icon?: string;
  readonly type?: 'oidc' | 'oauth2';
  readonly issuer?: string;
  readonly authorizationEndpoint?: string;
  readonly tokenEndpoint?: string;
  readonly userinfoEndpoint?: string;
  readonly extraEndpoints?: Readonly<Record<string, string>>;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly scopes?: readonly string[];
  readonly timeout?: string;
  readonly claims?: Partial<ClaimNames>;
  readonly allowCreate?: boolean;
  readonly allowedDomains?: readonly string[];
  readonly allowedGroups?: readonly string[];
  readonly adminGroups?: readonly string[];
  readonly adminEmails?: readonly string[];
  readonly groupMapping?: Readonly<Record<string, string | readonly string[]>>;
  readonly linkByVerifiedEmail?: boolean;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly logout?: boolean;
  readonly recheck?: string;
  readonly bots?: BotConfiguration;
  readonly allowInsecure?: boolean;
}

/** Where in the provider's answers to find what; an empty name: nowhere. */
export interface ClaimNames {
  readonly subject: string;
  readonly username: string;
  readonly displayName: string;
  readonly email: string;
  readonly emailVerified: string;
  readonly avatar: string;
  readonly groups: string;
}

/** Which access tokens of the provider bots may come with. */
export interface BotConfiguration {
  readonly audience: string;
  readonly accounts: Readonly<Record<string, string>>;
  readonly scope?: ScopeWord;
}

/** Words of TokenScope. */
export type ScopeWord = 'read' | 'comment' | 'edit' | 'admin';

/** Whom a TLS client certificate belongs to. */
export interface CertificateConfiguration {
  readonly accounts?: Readonly<Record<string, string>>;
  readonly verifiedEmail?: boolean;
  readonly commonName?: boolean;
}

/** Names of groups, addresses and the like: bounded, so that a mistake is told early. */
const text = (description: string) => ({ type: 'string', minLength: 1, maxLength: 2000, description });
const texts = (description: string) => ({ type: 'array', items: { type: 'string', minLength: 1 }, description });
const userId = {
  type: 'string',
  pattern: '^[!-~]{1,64}$',
  description: 'the opaque id of a user, as `bugless user list` and the API show it',
};

const CLAIMS: JsonSchema = {
  type: 'object',
  description:
    'Where the answers of the provider have what: the name of a claim, or a path with dots. Empty: nowhere. A path through a list takes every entry.',
  properties: {
    subject: { type: 'string', description: 'oauth2 alone: what never changes about an account. Default: id.' },
    username: { type: 'string', description: 'Default: preferred_username (oidc), login (oauth2).' },
    displayName: { type: 'string', description: 'Default: name.' },
    email: {
      type: 'string',
      description: 'Default: email. May also lead to a list of {email, primary, verified}, as GitHub has it.',
    },
    emailVerified: { type: 'string', description: 'Default: email_verified (oidc), none (oauth2).' },
    avatar: { type: 'string', description: 'Default: picture (oidc), avatar_url (oauth2).' },
    groups: { type: 'string', description: 'Default: groups (oidc), none (oauth2).' },
  },
};

const CONNECTION: JsonSchema = {
  type: 'object',
  required: ['id', 'name', 'clientId'],
  properties: {
    id: {
      type: 'string',
      pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
      description: 'lower case letters, digits and -; it stands in the callback address and in sessions',
    },
    name: { ...text('What the button on the login page says.'), maxLength: 60 },
    icon: { type: 'string', maxLength: 40, default: '', description: 'Name of an icon that Bugless ships.' },
    type: { enum: ['oidc', 'oauth2'], default: 'oidc', description: 'OpenID Connect, or OAuth 2 without it.' },
    issuer: text(
      'oidc: where discovery starts. oauth2: name of the provider in links; default: the origin of authorizationEndpoint.',
    ),
    authorizationEndpoint: text('oauth2: where the browser is sent.'),
    tokenEndpoint: text('oauth2: where the code is exchanged.'),
    userinfoEndpoint: text('oauth2: who the account is.'),
    extraEndpoints: {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: 5,
      description: 'More to ask with the access token; each answer is put under its key beside the claims.',
    },
    clientId: text('As the provider gave it.'),
    clientSecret: { type: 'string', minLength: 1, 'x-secret': true, description: 'As the provider gave it.' },
    scopes: texts('Scopes to ask for. Default: openid, profile, email (oidc), none (oauth2).'),
    timeout: {
      type: 'string',
      pattern: DURATION_PATTERN,
      default: '5s',
      description: 'How long one answer of the provider may take. A number with s, m, h or d.',
    },
    claims: CLAIMS,
    allowCreate: {
      type: 'boolean',
      default: false,
      description: 'The first login of an account that nobody here has makes a user.',
    },
    allowedDomains: texts('Only accounts whose verified e-mail address is in one of these domains.'),
    allowedGroups: texts('Only accounts in one of these groups of the provider.'),
    adminGroups: texts('Who is in one of these groups of the provider administers, others do not; set at each login.'),
    adminEmails: texts('Whose verified e-mail address is one of these administers, others do not; set at each login.'),
    groupMapping: {
      type: 'object',
      additionalProperties: { type: ['string', 'array'], items: { type: 'string' } },
      description: 'Group of the provider: group or groups here. Membership in these is set at each login.',
    },
    linkByVerifiedEmail: {
      type: 'boolean',
      default: false,
      description: 'The first login joins the user here who has the same e-mail address, verified at both ends.',
    },
    parameters: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description:
        'More parameters of the authorization request, as a provider may want them: prompt, hd, access_type.',
    },
    logout: {
      type: 'boolean',
      default: false,
      description: 'oidc: a logout here ends the login at the provider too, where it offers that.',
    },
    recheck: {
      type: 'string',
      pattern: DURATION_PATTERN,
      description:
        'How often accounts with sessions are asked for again; takes a refresh token. A number with s, m, h or d.',
    },
    bots: {
      type: 'object',
      required: ['audience', 'accounts'],
      description: 'oidc: access tokens (JWT) of the provider that bots here may come with.',
      properties: {
        audience: text('What the tokens have to be made for (aud).'),
        accounts: {
          type: 'object',
          additionalProperties: userId,
          description: 'Subject of the token (sub): id of the bot here.',
        },
        scope: { enum: ['read', 'comment', 'edit', 'admin'], default: 'edit', description: 'What they may do.' },
      },
    },
    allowInsecure: {
      type: 'boolean',
      default: false,
      description: 'Plain http, to addresses of this machine alone: for trying things out.',
    },
  },
};

const CERTIFICATES: JsonSchema = {
  type: 'object',
  description: 'Login by TLS client certificate.',
  properties: {
    accounts: {
      type: 'object',
      additionalProperties: userId,
      description:
        'email:ADDRESS, uri:URI, dns:NAME (subject alternative names) or sha256:FINGERPRINT: id of the user.',
    },
    verifiedEmail: {
      type: 'boolean',
      default: false,
      description: 'An address in the certificate is that of the user who has it, verified.',
    },
    commonName: {
      type: 'boolean',
      default: false,
      description: 'Of a certificate without alternative names, the common name is the username.',
    },
  },
};

/** Its JSON Schema. What it cannot say is checked by connection.ts and certificate.ts. */
export const CONFIGURATION_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...AUTH_SQL_PROPERTIES,
    connections: {
      type: 'array',
      maxItems: 20,
      default: [],
      items: CONNECTION,
      description: 'Providers, in the order of the login page.',
    },
    certificates: CERTIFICATES,
  },
};
