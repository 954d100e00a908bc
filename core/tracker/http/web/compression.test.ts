import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import Fastify from 'fastify';
import t from 'tap';
import { chooseEncoding, compressAnswers } from './compression.ts';

t.test('the better encoding that a browser takes', async (t) => {
  const rows: readonly [accepted: string | undefined, encoding: string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip, deflate', 'gzip'],
    ['BR;q=0.5, gzip;q=0.8', 'gzip'],
    ['br;q=0, gzip;q=0', undefined],
    ['br;q=0, *', 'gzip'],
    ['*;q=0.1', 'br'],
    ['brotli', undefined],
  ];
  for (const [accepted, encoding] of rows) t.equal(chooseEncoding(accepted), encoding, accepted ?? 'no header');
});

t.test('answers', async (t) => {
  const app = Fastify();
  compressAnswers(app);
  const page = `<p>${'é – lorem ipsum '.repeat(1000)}</p>`;
  app.get('/page', (_request, reply) => reply.type('text/html; charset=utf-8').send(page));
  app.get('/short', (_request, reply) => reply.type('text/html').send('short'));
  app.get('/picture', (_request, reply) => reply.type('image/png').send(Buffer.alloc(10_000)));
  app.get('/ready', (_request, reply) => reply.type('text/css').header('Content-Encoding', 'br').send(page));
  app.get('/varies', (_request, reply) => reply.type('text/css').header('Vary', 'Cookie').send(page));
  t.teardown(() => app.close());
  const get = (url: string, accepted = 'gzip, br', method: 'GET' | 'HEAD' = 'GET') =>
    app.inject({ method, url, headers: { 'accept-encoding': accepted } });

  const brotli = await get('/page');
  t.match(brotli.headers, { 'content-encoding': 'br', vary: 'Accept-Encoding' });
  t.equal(brotliDecompressSync(brotli.rawPayload).toString(), page);
  t.equal(brotli.headers['content-length'], String(brotli.rawPayload.length));
  const gzipped = await get('/page', 'gzip');
  t.equal(gunzipSync(gzipped.rawPayload).toString(), page);
  const plain = await get('/page', 'identity');
  t.equal(plain.body, page);
  t.equal(plain.headers['content-encoding'], undefined);
  t.equal(plain.headers.vary, 'Accept-Encoding', 'a cache keeps them apart');
  for (const url of ['/short', '/picture']) t.equal((await get(url)).headers['content-encoding'], undefined, url);
  t.equal((await get('/ready')).body, page, 'not compressed twice');
  t.equal((await get('/varies')).headers.vary, 'Cookie, Accept-Encoding');
  t.equal((await get('/page', 'br', 'HEAD')).statusCode, 200);
});
