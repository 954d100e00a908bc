import { ServiceError } from '@bugless/kit/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Services } from './services.ts';
import { checkCsrfToken } from './session.ts';

/**
 * Refuses writes that another site made the browser send. Two locks: the browser's own word on where
 * the request comes from (Sec-Fetch-Site, or Origin), and a token that only our pages know. A bearer token is
 * never sent by a browser on its own, so it needs neither. A client certificate is, so the first lock is there for it
 * in the API too; programs pass it, as they say nothing of sites.
 *
 * Takes `_csrf` out of a form's fields, so that handlers never see it.
 *
 * @throws ServiceError BAD_CSRF_TOKEN.
 */
export function makeCsrfCheck(services: Services) {
  return async (request: FastifyRequest, _reply: FastifyReply): Promise<void> => {
    const isPage = request.routeOptions.config.rule?.surface === 'page';
    const { credential } = request.caller;
    if (!isPage && credential !== 'cookie' && credential !== 'certificate') return;
    if (!isSameOrigin(request, services)) {
      throw new ServiceError('BAD_CSRF_TOKEN', 'This request came from another site; use a page of this one.');
    }
    if (!isPage && credential === 'certificate') return;
    const fields = request.body as Record<string, unknown> | undefined | null;
    const header = request.headers['x-csrf-token'];
    const token = header ?? (isPage ? fields?._csrf : undefined);
    if (!checkCsrfToken(request, services, token)) {
      throw new ServiceError(
        'BAD_CSRF_TOKEN',
        isPage
          ? 'The form is out of date; reload the page and send it again.'
          : 'With a session cookie, writes need the header X-CSRF-Token; or use a bearer token.',
      );
    }
    if (isPage && typeof fields === 'object' && fields !== null) delete fields._csrf;
  };
}

function isSameOrigin(request: FastifyRequest, services: Services): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin } = request.headers;
  // Neither header: not a browser of this decade; the token alone decides.
  if (origin === undefined) return true;
  if (origin === services.getPublicUrl()) return true;
  return origin === `${request.protocol}://${request.host}`;
}
