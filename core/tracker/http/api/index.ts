import type { FastifyInstance } from 'fastify';
import { refuseUnknownRoute } from '../problem.ts';
import type { RouteOptions } from '../services.ts';

/** Everything below /api. */
export async function apiRoutes(app: FastifyInstance, options: RouteOptions): Promise<void> {
  app.setNotFoundHandler((request) => {
    throw refuseUnknownRoute(request.method, request.url);
  });
}
