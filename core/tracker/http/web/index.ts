import type { FastifyInstance } from 'fastify';
import type { RouteOptions } from '../services.ts';

/** The pages. */
export async function webRoutes(_app: FastifyInstance, _options: RouteOptions): Promise<void> {}
