import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from '../../json-schema.ts';
import { formatOrder, parseQueryText } from '../query.ts';
import type { RouteOptions } from '../services.ts';
import { OptionalText, strict } from './schema.ts';

const Asked = Type.Object({ q: Type.String({ maxLength: 4000 }) }, strict);
const Parsed = Type.Object(
  {
    query: Type.String({ description: 'The canonical form.' }),
    orderBy: Type.String(),
    jump: OptionalText,
    filter: Type.Object(
      {},
      { additionalProperties: true, description: 'The filter as the Model gets it; empty: everything.' },
    ),
  },
  { title: 'ParsedQuery' },
);

/** /query:parse: what a query means, without searching. */
export const queryRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async (app, { services }) => {
  const parse = async (text: string, request: FastifyRequest) => {
    const { canonical, order, jump, filter } = await parseQueryText(text, request, services);
    return { query: canonical, orderBy: formatOrder(order), jump: jump ?? null, filter: filter ?? {} } as never;
  };
  const answer = { summary: 'Parse a query', response: { 200: Parsed } };

  app.get('/query::parse', { schema: { ...answer, querystring: Asked } }, (request) => parse(request.query.q, request));
  app.post('/query::parse', { schema: { ...answer, body: Asked } }, (request) => parse(request.body.q, request));
};
