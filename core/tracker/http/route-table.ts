/**
 * Who may use which route, at a glance. A route that is not listed here cannot be
 * registered; what a row says is enforced before its handler runs. The Model decides
 * about single issues, components and hotlists; this table only bounds the kinds of callers.
 */
import { TokenScope } from '@bugless/kit/service';

/** The least that a caller has to be. */
export type Who = 'anyone' | 'user' | 'admin';

/** What answers look like: `api` JSON and problem+json, `page` HTML and forms, `system` probes and files. */
export type Surface = 'api' | 'page' | 'system';

/** What one route asks of its caller. */
export interface RouteRule {
  readonly surface: Surface;
  readonly who: Who;
  /** The least scope of a token. */
  readonly scope: TokenScope;
}

const { READ, COMMENT, EDIT, ADMIN } = TokenScope;
const api = (who: Who, scope: TokenScope): RouteRule => ({ surface: 'api', who, scope });
const page = (who: Who, scope: TokenScope): RouteRule => ({ surface: 'page', who, scope });
const system = (who: Who): RouteRule => ({ surface: 'system', who, scope: READ });

/** Method and path as registered → what it asks. */
export const ROUTES: Readonly<Record<string, RouteRule>> = {
  // Probes and files
  'GET /healthz': system('anyone'),
  'GET /readyz': system('anyone'),
  'GET /assets/*': system('anyone'),
  'GET /favicon.ico': system('anyone'),

  // JSON API: issues
  'GET /api/v1/issues': api('anyone', READ),
  'POST /api/v1/issues': api('user', COMMENT),
  'GET /api/v1/issues:count': api('anyone', READ),
  'GET /api/v1/issues:batchGet': api('anyone', READ),
  'POST /api/v1/issues:batchGet': api('anyone', READ),
  'POST /api/v1/issues:batchUpdate': api('user', COMMENT),
  'GET /api/v1/issues/:id': api('anyone', READ),
  'PATCH /api/v1/issues/:id': api('user', COMMENT),
  'GET /api/v1/issues/:id/updates': api('anyone', READ),
  'POST /api/v1/issues/:id/updates': api('user', COMMENT),
  'PATCH /api/v1/issues/:id/updates/:sequence': api('user', COMMENT),
  'POST /api/v1/issues/:id/updates/:sequence/redact': api('user', COMMENT),
  'GET /api/v1/issues/:id/updates/:sequence/versions': api('anyone', READ),
  'PUT /api/v1/issues/:id/star': api('user', COMMENT),
  'DELETE /api/v1/issues/:id/star': api('user', COMMENT),
  'GET /api/v1/query:parse': api('anyone', READ),
  'POST /api/v1/query:parse': api('anyone', READ),
  'GET /api/v1/events': api('anyone', READ),

  // JSON API: components and hotlists
  'GET /api/v1/components': api('anyone', READ),
  'POST /api/v1/components': api('user', EDIT),
  'GET /api/v1/components/:id': api('anyone', READ),
  'PATCH /api/v1/components/:id': api('user', EDIT),
  'POST /api/v1/components/:id/move': api('user', EDIT),
  'GET /api/v1/hotlists': api('anyone', READ),
  'POST /api/v1/hotlists': api('user', EDIT),
  'GET /api/v1/hotlists/:id': api('anyone', READ),
  'PATCH /api/v1/hotlists/:id': api('user', EDIT),
  'DELETE /api/v1/hotlists/:id': api('user', EDIT),
  'GET /api/v1/hotlists/:id/entries': api('anyone', READ),
  'POST /api/v1/hotlists/:id/entries': api('user', EDIT),
  'PATCH /api/v1/hotlists/:id/entries/:issue': api('user', EDIT),
  'DELETE /api/v1/hotlists/:id/entries/:issue': api('user', EDIT),

  // JSON API: identity
  'POST /api/v1/sessions': api('anyone', READ),
  'GET /api/v1/sessions': api('user', ADMIN),
  'DELETE /api/v1/sessions/:id': api('user', READ),
  'GET /api/v1/users': api('user', READ),
  'POST /api/v1/users': api('admin', ADMIN),
  'GET /api/v1/users/me': api('user', READ),
  'GET /api/v1/users/:id': api('user', READ),
  'PATCH /api/v1/users/:id': api('user', ADMIN),
  'GET /api/v1/tokens': api('user', ADMIN),
  'POST /api/v1/tokens': api('user', ADMIN),
  'DELETE /api/v1/tokens/:id': api('user', ADMIN),
  'GET /api/v1/bots': api('user', READ),
  'POST /api/v1/bots': api('user', ADMIN),

  // JSON API: its own description
  'GET /api/v1/openapi.json': api('anyone', READ),
  'GET /api/docs': page('anyone', READ),

  // Pages
  'GET /': page('anyone', READ),
  'GET /login': page('anyone', READ),
  'POST /login': page('anyone', READ),
  'GET /login/:connection': page('anyone', READ),
  'GET /login/:connection/callback': page('anyone', READ),
  'POST /logout': page('anyone', READ),
  'GET /setup': page('anyone', READ),
  'POST /setup': page('anyone', READ),
  'GET /issues': page('anyone', READ),
  'GET /issues/new': page('user', READ),
  'POST /issues/new': page('user', COMMENT),
  'GET /issues/:id': page('anyone', READ),
  'POST /issues/:id': page('user', COMMENT),
  'POST /theme': page('anyone', READ),
  'GET /reset': page('anyone', READ),
  'POST /reset': page('anyone', READ),
  'POST /issues/bulk': page('user', COMMENT),
  'POST /issues/:id/star': page('user', COMMENT),
  'GET /issues/:id/updates/:sequence': page('anyone', READ),
  'POST /issues/:id/updates/:sequence': page('user', COMMENT),
  'POST /issues/:id/updates/:sequence/redact': page('user', COMMENT),
  'POST /searches': page('user', EDIT),
  'POST /searches/delete': page('user', EDIT),
  'GET /components': page('anyone', READ),
  'GET /components/new': page('user', READ),
  'POST /components/new': page('user', EDIT),
  'GET /components/:id': page('anyone', READ),
  'POST /components/:id': page('user', EDIT),
  'POST /components/:id/move': page('user', EDIT),
  'POST /components/:id/archive': page('user', EDIT),
  'GET /hotlists': page('anyone', READ),
  'POST /hotlists': page('user', EDIT),
  'GET /hotlists/:id': page('anyone', READ),
  'POST /hotlists/:id': page('user', EDIT),
  'GET /settings': page('user', ADMIN),
  'POST /settings': page('user', ADMIN),
  'POST /settings/password': page('user', ADMIN),
  'GET /settings/sessions': page('user', ADMIN),
  'POST /settings/sessions': page('user', ADMIN),
  'GET /settings/tokens': page('user', ADMIN),
  'POST /settings/tokens': page('user', ADMIN),
  'POST /settings/tokens/revoke': page('user', ADMIN),
  'GET /settings/bots': page('user', ADMIN),
  'POST /settings/bots': page('user', ADMIN),
  'GET /admin': page('admin', ADMIN),
  'GET /admin/users': page('admin', ADMIN),
  'POST /admin/users': page('admin', ADMIN),
  'GET /admin/users/:id': page('admin', ADMIN),
  'POST /admin/users/:id': page('admin', ADMIN),
  'GET /admin/groups': page('admin', ADMIN),
  'POST /admin/groups': page('admin', ADMIN),
  'GET /admin/groups/:id': page('admin', ADMIN),
  'POST /admin/groups/:id': page('admin', ADMIN),
  'GET /admin/audit': page('admin', ADMIN),
};
