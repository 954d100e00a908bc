import type { FastifyInstance } from 'fastify';
import type { RouteOptions } from './services.ts';

/** `/healthz`: this process answers. `/readyz`: every plugin can serve, and stopping has not begun. */
export async function healthRoutes(app: FastifyInstance, { services }: RouteOptions): Promise<void> {
  app.get('/healthz', async (_request, reply) => reply.header('Cache-Control', 'no-store').send({ status: 'ok' }));

  app.get('/readyz', async (_request, reply) => {
    const plugins = await Promise.all(
      services.plugins.map(async ({ section, id, version, transport, checkReady }) => {
        const reason = await within(2000, checkReady());
        return { section, id, version, transport, ready: reason === undefined, ...(reason && { reason }) };
      }),
    );
    const stopping = services.isStopping();
    const ready = !stopping && plugins.every((plugin) => plugin.ready);
    return reply
      .code(ready ? 200 : 503)
      .header('Cache-Control', 'no-store')
      .send({ status: stopping ? 'stopping' : ready ? 'ready' : 'not ready', plugins });
  });
}

/** Why a check failed, in one line; undefined: it did not. */
async function within(millis: number, check: Promise<void>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${millis / 1000} s`)), millis);
  });
  try {
    await Promise.race([check, late]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    clearTimeout(timer);
  }
}
