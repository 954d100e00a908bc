/** The parts of the contracts that a plugin may leave out, and the RPCs that need them. */
export const MODEL_CAPABILITIES = {
  hotlists: 'Hotlists and their entries',
  stars: 'Stars per user',
  saved_searches: 'Saved searches per user',
  attachments: 'Files on issues',
  events: 'The change feed',
  webhooks: 'Webhooks and their delivery state',
  import: 'Issues imported with their history',
  summary: 'Counts for plots',
  comment_editing: 'Editing and redacting comments',
  custom_fields: 'Custom fields on issues',
  access: 'Access lists on components and limits on issues',
  'search.text': 'Text search in title, description and comments',
  'search.ranked': 'Text search ordered by relevance',
  'search.history': 'The operators was() and changed()',
} as const;

/** The parts of the Authenticator that a plugin may leave out. */
export const AUTHENTICATOR_CAPABILITIES = {
  'login.password': 'Username and password',
  'login.browser': 'Login at an OAuth or OpenID provider',
  'login.token': 'API tokens',
  'login.certificate': 'TLS client certificates',
  sessions: 'Sessions',
  tokens: 'Making and ending API tokens',
  setup: 'Making the first administrator',
  passwords: 'Changing and resetting passwords',
  directory: 'Users, and placeholders for imports',
  groups: 'Groups',
  audit: 'The log of security events',
} as const;

/** Name of a capability of a Model. */
export type ModelCapability = keyof typeof MODEL_CAPABILITIES;
/** Name of a capability of an Authenticator. */
export type AuthenticatorCapability = keyof typeof AUTHENTICATOR_CAPABILITIES;

/** What a plugin says of each capability: `true`, or the reason why it is absent. */
export type CapabilityClaims<Name extends string> = { readonly [N in Name]: true | string };
