import type { FastifyInstance } from 'fastify';
import type { Asset } from '../../web/assets.ts';
import { ASSET_HASH, ASSETS } from '../../web/assets.ts';

/** Styles, islands and icons, from memory. Their address changes with their content, so they are kept for ever. */
export async function fileRoutes(app: FastifyInstance): Promise<void> {
  app.get('/assets/*', (request, reply) => {
    const path = (request.params as { '*': string })['*'];
    const slash = path.indexOf('/');
    const asset = ASSETS.get(path.slice(slash + 1));
    if (asset === undefined) return reply.callNotFound();
    const current = path.slice(0, slash) === ASSET_HASH;
    reply.header('Cache-Control', current ? 'public, max-age=31536000, immutable' : 'public, max-age=60');
    return sendAsset(asset, request.headers['accept-encoding'] ?? '', reply);
  });
  app.get('/favicon.ico', (request, reply) => {
    reply.header('Cache-Control', 'public, max-age=86400');
    return sendAsset(ASSETS.get('favicon.svg') as Asset, request.headers['accept-encoding'] ?? '', reply);
  });
}

function sendAsset(
  asset: Asset,
  accepted: string,
  reply: { header(name: string, value: string): unknown; type(type: string): { send(body: Buffer): unknown } },
): unknown {
  reply.header('Vary', 'Accept-Encoding');
  const encoding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined;
  if (encoding !== undefined) reply.header('Content-Encoding', encoding);
  return reply.type(asset.type).send(encoding === 'br' ? asset.brotli : encoding === 'gzip' ? asset.gzip : asset.bytes);
}
