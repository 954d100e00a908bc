import type { Server } from 'node:https';
import cookie from '@fastify/cookie';
import { Ajv, type ValidateFunction } from 'ajv';
import Fastify, {
  type FastifyHttpsOptions,
  type FastifyInstance,
  type FastifySchemaCompiler,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import { readTrustedProxies } from '../config/trusted-proxies.ts';
import { apiRoutes } from './api/index.ts';
import { guard } from './guard.ts';
import { healthRoutes } from './health.ts';
import { sendProblem } from './problem.ts';
import { isRequestId, makeRequestId } from './request-context.ts';
import { logRequests } from './request-log.ts';
import type { Services } from './services.ts';
import { readTlsOptions } from './tls.ts';
import { webRoutes } from './web/index.ts';

/** Assembles the HTTP server; listens nowhere yet. */
export async function createServer(services: Services): Promise<FastifyInstance> {
  const { http } = services.config;
  const isProxy = readTrustedProxies(http.trustProxy);
  const tls = readTlsOptions(http);
  const options: FastifyServerOptions = {
    loggerInstance: services.log,
    // One line per answer comes from request-log.ts, and every line names its request itself.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    trustProxy: http.trustProxy !== false && isProxy,
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return http.trustProxy !== false && isRequestId(given) ? given : makeRequestId();
    },
    bodyLimit: http.maxBodySize,
    requestTimeout: http.requestTimeout * 1000,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => {
      sendProblem(error, request, reply as never);
    },
  };
  // Routes see no difference.
  const app =
    tls === undefined
      ? Fastify(options)
      : (Fastify({ ...options, https: tls } as FastifyHttpsOptions<Server>) as object as FastifyInstance);

  app.setValidatorCompiler(makeValidatorCompiler());
  app.setSerializerCompiler(() => JSON.stringify);
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));

  await app.register(cookie);
  await app.register(logRequests, { services });
  await app.register(guard, { services });
  await app.register(healthRoutes, { services });
  await app.register(apiRoutes, { services, prefix: '/api' });
  await app.register(webRoutes, { services });
  return app;
}

/**
 * Checks what comes in against the routes' schemas. Each is compiled when its route is first called: all of
 * them at once would be a quarter of a second of every start.
 */
function makeValidatorCompiler(): FastifySchemaCompiler<unknown> {
  // Bodies are taken as they are; only what stands in an address is text that has to become a number.
  const options = {
    allErrors: true,
    removeAdditional: false,
    useDefaults: true,
    strictTypes: false,
    verbose: true,
  } as const;
  const strict = new Ajv({ ...options, coerceTypes: false });
  const lenient = new Ajv({ ...options, coerceTypes: 'array' });
  for (const ajv of [strict, lenient]) ajv.addFormat('date-time', (text) => !Number.isNaN(Date.parse(text)));
  return ({ schema, httpPart }) => {
    const ajv = httpPart === 'body' ? strict : lenient;
    let compiled: ValidateFunction | undefined;
    const validate = (data: unknown): boolean => {
      compiled ??= ajv.compile(schema as object);
      const valid = compiled(data);
      validate.errors = compiled.errors;
      return valid;
    };
    validate.errors = undefined as ValidateFunction['errors'];
    return validate;
  };
}
