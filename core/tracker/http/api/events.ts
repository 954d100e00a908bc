import { WORDS } from '@bugless/kit/domain';
import { createContext, type Event, type WatchEventsResponse } from '@bugless/kit/service';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../json-schema.ts';
import { formatProblem, toServiceError } from '../problem.ts';
import type { RouteOptions } from '../services.ts';
import { formatUpdate } from './issue-json.ts';
import { IdText, strict } from './schema.ts';

/**
 * /events: the change feed as server-sent events. Each has its cursor as `id`, so a browser goes on behind it
 * by itself (Last-Event-ID); signs of life are comments, with the cursor kept in an event `cursor`.
 */
export const eventRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  app.get(
    '/events',
    {
      schema: {
        summary: 'Follow changes',
        description:
          'Server-sent events, each one committed change: `event` is its kind, `id` its cursor. Goes on behind `Last-Event-ID`, or `cursor`; ' +
          'without either only what comes from now on.',
        produces: ['text/event-stream'],
        querystring: Type.Object(
          {
            cursor: Type.Optional(Type.String({ maxLength: 64 })),
            issue: Type.Optional(IdText),
            component: Type.Optional(IdText),
            fromOldest: Type.Optional(Type.Boolean({ default: false })),
          },
          strict,
        ),
      } as object,
    },
    async (request, reply) => {
      const query = request.query as { cursor?: string; issue?: string; component?: string; fromOldest?: boolean };
      const lastId = request.headers['last-event-id'];
      const { context } = request.caller;
      // The stream lives as long as its reader: the deadline of other requests does not hold.
      const watch = createContext({
        user: context.user,
        groups: context.groups,
        admin: context.admin,
        scopes: context.scopes,
        scopeComponents: context.scopeComponents,
        requestId: context.requestId,
        trace: context.trace,
        signal: AbortSignal.any([context.signal!, services.stopSignal]),
      });
      const stream = services.model.watchEvents(
        {
          cursor: typeof lastId === 'string' && lastId !== '' ? lastId : (query.cursor ?? ''),
          issue: query.issue ?? '0',
          component: query.component ?? '0',
          fromOldest: query.fromOldest ?? false,
        },
        watch,
      );
      const iterator = stream[Symbol.asyncIterator]();
      // Refusals come as ordinary answers, but a feed with nothing to tell must open at once.
      let next = iterator.next();
      next.catch(() => undefined);
      const early = await Promise.race([
        next.then((result) => ({ result })),
        new Promise<undefined>((resolve) => setTimeout(resolve, 250)),
      ]);
      if (early?.result.done) return reply.code(204).send();

      reply.hijack();
      const { raw } = reply;
      request.raw.socket.setTimeout(0);
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      raw.write('retry: 2000\n\n');
      try {
        for (;;) {
          const { value, done } = await next;
          if (done || raw.destroyed) break;
          if (!raw.write(formatEvents(value))) await waitForDrain(raw);
          next = iterator.next();
        }
      } catch (error) {
        const failure = toServiceError(error);
        if (failure.reason !== 'CANCELLED' && !raw.destroyed) {
          raw.write(`event: error\ndata: ${JSON.stringify(formatProblem(failure, request.id))}\n\n`);
        }
      } finally {
        iterator.return?.().then(undefined, () => undefined);
        raw.end();
      }
    },
  );
};

function waitForDrain(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      stream.removeListener('drain', go);
      stream.removeListener('close', go);
      resolve();
    };
    stream.once('drain', go);
    stream.once('close', go);
  });
}

function formatEvents({ events, cursor }: WatchEventsResponse): string {
  if (events.length === 0) return cursor === '' ? ':\n\n' : `id: ${cursor}\nevent: cursor\ndata: {}\n\n`;
  return events.map(formatEvent).join('');
}

function formatEvent(event: Event): string {
  const data = {
    kind: WORDS.eventKind.format(event.kind),
    created: event.created ?? null,
    author: event.author || null,
    issue: event.issue === '0' ? null : event.issue,
    version: event.version,
    component: event.component === '0' ? null : event.component,
    hotlist: event.hotlist === '0' ? null : event.hotlist,
    update: event.update === undefined ? null : formatUpdate(event.update),
  };
  return `id: ${event.cursor}\nevent: ${data.kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
