import type { FastifyInstance } from 'fastify';
import { refuseUnknownRoute } from '../problem.ts';
import type { RouteOptions } from '../services.ts';
import { componentRoutes } from './components.ts';
import { credentialRoutes } from './credentials.ts';
import { docsRoutes } from './docs.ts';
import { eventRoutes } from './events.ts';
import { hotlistRoutes } from './hotlists.ts';
import { issueRoutes } from './issues.ts';
import { collectRoutes } from './openapi.ts';
import { queryRoutes } from './query.ts';
import { updateRoutes } from './updates.ts';
import { userRoutes } from './users.ts';

/** Everything below /api. */
export async function apiRoutes(app: FastifyInstance, { services }: RouteOptions): Promise<void> {
  app.setNotFoundHandler((request) => {
    throw refuseUnknownRoute(request.method, request.url);
  });
  const routes = collectRoutes(app);
  const options = { services, prefix: '/v1' };
  await app.register(issueRoutes, options);
  await app.register(updateRoutes, options);
  await app.register(queryRoutes, options);
  await app.register(eventRoutes, options);
  await app.register(componentRoutes, options);
  await app.register(hotlistRoutes, options);
  await app.register(userRoutes, options);
  await app.register(credentialRoutes, options);
  await app.register(docsRoutes, { services, routes });
}
