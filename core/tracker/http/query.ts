import {
  type CompiledQuery,
  compileQuery,
  findField,
  formatFieldWord,
  formatQuery,
  hasTextTerm,
  parseQuery,
  type QueryResolver,
  RELEVANCE,
} from '@bugless/kit/domain';
import {
  createContext,
  type Filter,
  type Issue,
  type IssueView,
  type OrderKey,
  ServiceError,
} from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';
import type { Services } from './services.ts';

/** A query as it was understood. */
export interface ParsedQuery {
  /** Undefined: everything. */
  readonly filter: Filter | undefined;
  /** Empty: the default order. */
  readonly order: readonly OrderKey[];
  /** The query in its canonical form, to be shown beside the results. */
  readonly canonical: string;
  /** A bare number was asked for: the id of that issue. */
  readonly jump: string | undefined;
  /** The filter depends on the time at which it was made. */
  readonly relative: boolean;
}

/** A search in words. */
export interface TextSearch {
  readonly text: string;
  /** `priority,-modified`; empty: as the query says, else newest change first. */
  readonly orderBy: string;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly view: IssueView;
  readonly includeArchived: boolean;
}

/** A page of what was found. */
export interface FoundIssues {
  readonly issues: readonly Issue[];
  /** Empty: the last page. */
  readonly nextPageToken: string;
  readonly canonical: string;
  readonly order: readonly OrderKey[];
}

/**
 * Parses what a person wrote; names, `me` and relative dates are resolved.
 *
 * @param now milliseconds since the epoch by which relative dates are taken
 * @throws ServiceError BAD_FILTER with the column in its metadata.
 */
export async function parseQueryText(
  text: string,
  request: FastifyRequest,
  services: Services,
  now = services.now(),
): Promise<ParsedQuery> {
  const query = parseQuery(text);
  const compiled: CompiledQuery = await compileQuery(query, { resolver: createResolver(request, services), now });
  return {
    filter: compiled.filter,
    order: compiled.order,
    canonical: formatQuery(query),
    jump: compiled.jump,
    relative: compiled.relative,
  };
}

/**
 * Searches. Pages of a query with relative dates all mean the time of the first one, which travels in
 * the page token.
 *
 * @throws ServiceError BAD_FILTER, BAD_ORDER, BAD_PAGE_TOKEN.
 */
export async function searchByText(
  search: TextSearch,
  request: FastifyRequest,
  services: Services,
): Promise<FoundIssues> {
  const asked = splitPageToken(search.pageToken);
  const now = asked.now ?? services.now();
  const { filter, order: written, canonical, relative } = await parseQueryText(search.text, request, services, now);
  const asWritten = search.orderBy === '' ? written : parseOrder(search.orderBy);
  // Who searches for words wants the best hits; also much cheaper than all hits by date.
  const order = asWritten.length === 0 && canRank(filter, services) ? BEST_FIRST : asWritten;
  const { issues, nextPageToken } = await services.model.searchIssues(
    {
      filter,
      order,
      pageSize: search.pageSize,
      pageToken: asked.token,
      view: search.view,
      includeArchived: search.includeArchived,
    },
    request.caller.context,
  );
  return {
    issues,
    nextPageToken: nextPageToken !== '' && relative ? `${now.toString(36)}~${nextPageToken}` : nextPageToken,
    canonical,
    order,
  };
}

const BEST_FIRST: readonly OrderKey[] = [{ field: RELEVANCE, descending: true }];

/** Whether each hit has to hold a text, so that it can be ranked by it. */
function canRank(filter: Filter | undefined, services: Services): boolean {
  if (services.modelCapabilities.get('search.ranked')?.available !== true) return false;
  const node = filter?.node;
  const operands = node?.$case === 'and' ? node.value.operands : filter === undefined ? [] : [filter];
  return operands.some(({ node }) => node?.$case === 'term' && node.value.values.length === 1 && hasTextTerm({ node }));
}

/** `priority,-modified` → keys. @throws ServiceError BAD_ORDER. */
export function parseOrder(text: string): OrderKey[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const descending = part.startsWith('-');
      const name = part.replace(/^[-+]/, '');
      const field = findField(name);
      if (name !== RELEVANCE && (field === undefined || !field.orderable)) {
        throw new ServiceError('BAD_ORDER', `orderBy: cannot order by ${JSON.stringify(name.slice(0, 64))}.`, {
          violations: [{ field: 'orderBy', description: `cannot order by ${JSON.stringify(name.slice(0, 64))}` }],
        });
      }
      return { field: field?.name ?? name, descending };
    });
}

/** Keys → `priority,-modified`. */
export function formatOrder(order: readonly OrderKey[]): string {
  return order.map(({ field, descending }) => (descending ? '-' : '') + formatFieldWord(field)).join(',');
}

function splitPageToken(token: string): { now: number | undefined; token: string } {
  const match = /^([\da-z]{1,11})~(.*)$/s.exec(token);
  return match === null ? { now: undefined, token } : { now: Number.parseInt(match[1]!, 36), token: match[2]! };
}

/** Looks up what a query names, as its caller may see it. */
function createResolver(request: FastifyRequest, services: Services): QueryResolver {
  const { identity, model } = services;
  const { context, user } = request.caller;
  return {
    me: user?.id,

    async findUser(name) {
      const users = await identity.directory.resolveUsernames([name]);
      const found = users.get(name)?.id;
      if (found !== undefined) return found;
      const byId = (await identity.directory.getUsers([name])).get(name);
      return byId === undefined || byId.username === '' ? undefined : byId.id;
    },

    async findGroupMembers(name) {
      const authenticator = identity.withCapability('groups');
      const asCore = createContext({ ...pick(context), system: true });
      for (let pageToken = ''; ; ) {
        const page = await authenticator.listGroups({ pageToken, pageSize: 500 }, asCore);
        const group = page.groups.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
        if (group !== undefined) return listMembers(group.id);
        if (page.nextPageToken === '') return undefined;
        pageToken = page.nextPageToken;
      }

      async function listMembers(id: string, depth = 0): Promise<string[]> {
        const members: string[] = [];
        for (let pageToken = ''; ; ) {
          const page = await authenticator.listGroupMembers({ group: id, pageToken, pageSize: 500 }, asCore);
          for (const { member } of page.members) {
            if (member?.$case === 'user') members.push(member.value);
            else if (member?.$case === 'group' && depth === 0) members.push(...(await listMembers(member.value, 1)));
          }
          if (page.nextPageToken === '') return members;
          pageToken = page.nextPageToken;
        }
      }
    },

    async findComponent(path) {
      const names = path.map((name) => name.trim());
      const wanted = names.map((name) => name.toLowerCase()).join('>');
      for (let pageToken = ''; ; ) {
        const page = await model.listComponents(
          { name: names.at(-1) ?? '', includeArchived: true, pageSize: 500, pageToken },
          context,
        );
        const exact = page.components.find(
          (component) => component.path.map((name) => name.toLowerCase()).join('>') === wanted,
        );
        if (exact !== undefined) return exact.id;
        // One name alone may stand for a component anywhere in the tree.
        const below = page.components.filter(({ name }) => names.length === 1 && name.toLowerCase() === wanted);
        if (below.length === 1) return below[0]?.id;
        if (page.nextPageToken === '') return undefined;
        pageToken = page.nextPageToken;
      }
    },

    async findHotlist(name) {
      const { hotlists } = await model.listHotlists({ name, includeArchived: true, pageSize: 500 }, context);
      const same = hotlists.filter((hotlist) => hotlist.name.toLowerCase() === name.toLowerCase());
      return (same.find((hotlist) => hotlist.owner === user?.id) ?? same[0])?.id;
    },

    async findCustomField(name) {
      for (let pageToken = ''; ; ) {
        const page = await model.listComponents({ includeArchived: true, pageSize: 500, pageToken }, context);
        for (const { customFields } of page.components) {
          const found = customFields.find((field) => field.name.toLowerCase() === name.toLowerCase());
          if (found !== undefined) return found;
        }
        if (page.nextPageToken === '') return undefined;
        pageToken = page.nextPageToken;
      }
    },
  };
}

function pick(context: { requestId: string; trace: string; deadline: number | undefined }) {
  const { requestId, trace, deadline } = context;
  return { requestId, trace, deadline };
}
