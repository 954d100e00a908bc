import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import type { RouteOptions } from './services.ts';

/** One line for every answer: who, what, how it went, how long it took. Failures of ours are warnings. */
export const logRequests = fp(
  async (app: FastifyInstance, { services }: RouteOptions) => {
    const { requests } = services.config.log;
    app.addHook('onResponse', (request, reply, done) => {
      const { statusCode } = reply;
      // Probes and files would drown the rest.
      const isSystem = request.routeOptions.config.rule?.surface === 'system';
      if (!isSystem && (requests || statusCode >= 500)) {
        const facts = {
          requestId: request.id,
          method: request.method,
          // Not the query: it may hold what people search for, or a setup code.
          path: request.url.split('?', 1)[0],
          status: statusCode,
          millis: Math.round(reply.elapsedTime * 10) / 10,
          user: request.caller?.context.user || undefined,
          address: request.ip,
        };
        if (statusCode >= 500) services.log.warn(facts, 'request failed');
        else services.log.info(facts, 'request');
      }
      done();
    });
  },
  { name: 'request-log', fastify: '5.x' },
);
