import type { WordTable } from '@bugless/kit/domain';
import type { FastifyRequest } from 'fastify';
import { Type } from '../../json-schema.ts';
import type { Services } from '../services.ts';
import { resolveUserReference } from '../user-reference.ts';
import { readWord } from './issue-input.ts';
import { strict, UserReference, Word } from './schema.ts';

/** One line of an access list in a request: exactly one of user, group and everyone. */
export interface GrantInput {
  readonly user?: string;
  readonly group?: string;
  readonly everyone?: boolean;
  readonly permission: string;
}

/** The same as the contracts have it. */
export interface Grant<Permission> {
  readonly principal:
    | { $case: 'user'; value: string }
    | { $case: 'group'; value: string }
    | { $case: 'everyone'; value: boolean }
    | undefined;
  readonly permission: Permission;
}

/** The schema of a grant whose permissions are the words of a table. */
export function GrantSchema(title: string, permissions: WordTable) {
  return Type.Object(
    {
      user: Type.Optional(UserReference),
      group: Type.Optional(Type.String({ maxLength: 64 })),
      everyone: Type.Optional(
        Type.Boolean({ description: 'Everyone signed in; with true also visitors, who get at most view.' }),
      ),
      permission: Word(permissions),
    },
    { ...strict, title, description: 'Exactly one of user, group and everyone.' },
  );
}

/**
 * An access list as the Model takes it.
 *
 * @throws ServiceError INVALID_FIELD for users who do not exist.
 */
export async function readGrants<Permission>(
  grants: readonly GrantInput[],
  permissions: WordTable,
  request: FastifyRequest,
  services: Services,
): Promise<Grant<Permission>[]> {
  const result: Grant<Permission>[] = [];
  for (const [index, { user, group, everyone, permission: word }] of grants.entries()) {
    const path = `access[${index}]`;
    const permission = readWord(permissions, word, `${path}.permission`) as Permission;
    if (user !== undefined) {
      const value = await resolveUserReference(user, request, services, `${path}.user`);
      result.push({ principal: { $case: 'user', value }, permission });
    } else if (group !== undefined) result.push({ principal: { $case: 'group', value: group }, permission });
    else if (everyone !== undefined) result.push({ principal: { $case: 'everyone', value: everyone }, permission });
    else result.push({ principal: undefined, permission });
  }
  return result;
}

/** A grant as plain data. */
export function formatGrant(
  grant: { principal?: { $case: string; value: unknown } | undefined; permission: number },
  permissions: WordTable,
): object {
  return {
    ...(grant.principal !== undefined && { [grant.principal.$case]: grant.principal.value }),
    permission: permissions.format(grant.permission),
  };
}
