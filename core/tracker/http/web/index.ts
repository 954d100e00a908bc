import formbody from '@fastify/formbody';
import type { FastifyInstance } from 'fastify';
import { refuseUnknownRoute } from '../problem.ts';
import type { RouteOptions } from '../services.ts';
import { adminRoutes } from './admin.ts';
import { browserLoginRoutes } from './browser-login.ts';
import { ComponentDirectory } from './component-directory.ts';
import { componentRoutes } from './components.ts';
import { compressAnswers } from './compression.ts';
import { fileRoutes } from './files.ts';
import { hotlistRoutes } from './hotlists.ts';
import { issueRoutes } from './issue.ts';
import { issueListRoutes } from './issue-list.ts';
import { loginRoutes } from './login.ts';
import { newIssueRoutes } from './new-issue.ts';
import { createPages } from './page.ts';
import { settingsRoutes } from './settings.ts';

/** The pages. */
export async function webRoutes(app: FastifyInstance, { services }: RouteOptions): Promise<void> {
  const pages = createPages(services);
  const components = new ComponentDirectory(services);
  app.setErrorHandler((error, request, reply) => pages.sendFailure(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    if (request.url.startsWith('/assets/')) return reply.code(404).type('text/plain').send('There is no such file.\n');
    return pages.sendFailure(refuseUnknownRoute(request.method, request.url), request, reply);
  });
  await app.register(formbody, { bodyLimit: services.config.http.maxBodySize });
  compressAnswers(app);
  await app.register(fileRoutes);
  loginRoutes(app, pages);
  browserLoginRoutes(app, pages);
  issueListRoutes(app, pages, components);
  newIssueRoutes(app, pages, components);
  issueRoutes(app, pages, components);
  componentRoutes(app, pages, components);
  hotlistRoutes(app, pages);
  settingsRoutes(app, pages);
  adminRoutes(app, pages);
}
