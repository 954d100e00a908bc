import { ERRORS, ServiceError } from '@bugless/kit/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { VNode } from '../../web/markup.ts';
import { renderDocument } from '../../web/markup.ts';
import { ErrorPage } from '../../web/pages/error.ts';
import type { Features, Shell, Theme } from '../../web/shell.ts';
import { logFailure, setFailureHeaders, toServiceError } from '../problem.ts';
import type { Services } from '../services.ts';
import { getCsrfToken } from '../session.ts';
import { readRaw } from './body.ts';
import { SavedSearches } from './saved-searches.ts';

/** Name of the cookie that keeps a browser's choice of colours. */
export const THEME_COOKIE = 'bugless_theme';

/** What every page route uses: shells, answers, failures. */
export interface Pages {
  readonly services: Services;
  readonly savedSearches: SavedSearches;
  /** What a page is drawn with, for who asked. */
  createShell(request: FastifyRequest, reply: FastifyReply): Promise<Shell>;
  send(reply: FastifyReply, page: VNode, status?: number): FastifyReply;
  /** Answers a failure as a page. */
  sendFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply>;
}

/** Makes them, once for a server. */
export function createPages(services: Services): Pages {
  const features = listFeatures(services);
  const savedSearches = new SavedSearches(services, features.savedSearches);

  async function createShell(request: FastifyRequest, reply: FastifyReply): Promise<Shell> {
    const { user, context } = request.caller;
    return {
      viewer: user && {
        id: user.id,
        name: user.displayName || user.username,
        username: user.username,
        admin: context.admin,
      },
      csrf: getCsrfToken(request, reply, services),
      theme: readTheme(request),
      here: request.method === 'GET' ? request.url : '/',
      now: services.now(),
      features,
      savedSearches: user ? await savedSearches.list(request.caller.context) : [],
    };
  }

  return {
    services,
    savedSearches,
    createShell,
    send: (reply, page, status = 200) => reply.code(status).type('text/html; charset=utf-8').send(renderDocument(page)),
    async sendFailure(error, request, reply) {
      const failure = toServiceError(error);
      logFailure(failure, request);
      setFailureHeaders(failure, reply);
      if (failure.reason === 'LOGIN_REQUIRED' && request.method === 'GET') {
        return reply.redirect(`/login?return_to=${encodeURIComponent(request.url)}`, 303);
      }
      reply.removeHeader('WWW-Authenticate');
      const row = ERRORS[failure.reason];
      const kept = request.method === 'POST' ? readRaw(request, 'comment') || readRaw(request, 'description') : '';
      // The failure may lie in what a shell is made from: then it is drawn without.
      const shell = await createShell(request, reply).catch(() => anonymousShell(request, services, features));
      const page = ErrorPage({
        shell,
        status: row.http,
        message: failure.message,
        recovery: row.recovery,
        requestId: request.id,
        kept,
      });
      return reply.code(row.http).type('text/html; charset=utf-8').send(renderDocument(page));
    },
  };
}

function anonymousShell(request: FastifyRequest, services: Services, features: Features): Shell {
  return {
    viewer: undefined,
    csrf: '',
    theme: readTheme(request),
    here: '/',
    now: services.now(),
    features,
    savedSearches: [],
  };
}

function readTheme(request: FastifyRequest): Theme {
  const theme = request.cookies?.[THEME_COOKIE];
  return theme === 'light' || theme === 'dark' ? theme : 'auto';
}

function listFeatures({ modelCapabilities, identity }: Services): Features {
  const has = (name: string): boolean => modelCapabilities.get(name)?.available ?? false;
  const can = (name: Parameters<typeof identity.withCapability>[0]): boolean => {
    try {
      identity.withCapability(name);
      return true;
    } catch (error) {
      if (error instanceof ServiceError) return false;
      throw error;
    }
  };
  return {
    hotlists: has('hotlists'),
    stars: has('stars'),
    savedSearches: has('saved_searches'),
    events: has('events'),
    commentEditing: has('comment_editing'),
    access: has('access'),
    customFields: has('custom_fields'),
    tokens: can('tokens'),
    passwords: can('passwords'),
    groups: can('groups'),
    audit: can('audit'),
  };
}
