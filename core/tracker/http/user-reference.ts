import { type FieldViolation, ServiceError } from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';
import type { Services } from './services.ts';

/** Opaque ids are UUIDs everywhere that Bugless mints them. */
const OPAQUE_ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** Users as people write them, by the path of the field for messages: `{ assignee: ['me'], 'add.cc': ['ann', 'bob'] }`. */
export type UserReferences = Readonly<Record<string, readonly string[]>>;

/**
 * Turns ids, usernames and `me` into opaque ids; '' stays ''. A reference that is no username may still be an id
 * of an authenticator with another form of ids.
 *
 * @throws ServiceError INVALID_FIELD naming each field with somebody unknown; LOGIN_REQUIRED for `me` of nobody.
 */
export async function resolveUserReferences<References extends UserReferences>(
  references: References,
  request: FastifyRequest,
  services: Services,
): Promise<{ [Field in keyof References]: string[] }> {
  const names = new Set<string>();
  for (const texts of Object.values(references)) {
    for (const text of texts)
      if (text !== '' && text !== 'me' && !OPAQUE_ID.test(text)) names.add(text.replace(/^@/, ''));
  }
  const { directory } = services.identity;
  const byName = names.size === 0 ? undefined : await directory.resolveUsernames(names);
  const others = [...names].filter((name) => !byName?.has(name));
  const byId = others.length === 0 ? undefined : await directory.getUsers(others);

  const violations: FieldViolation[] = [];
  const resolve = (field: string, text: string, index: number, single: boolean): string => {
    if (text === '') return '';
    if (text === 'me') {
      if (request.caller.user === undefined) throw new ServiceError('LOGIN_REQUIRED', 'Log in to be `me`.');
      return request.caller.user.id;
    }
    if (OPAQUE_ID.test(text)) return text.toLowerCase();
    const user = byName?.get(text.replace(/^@/, '')) ?? byId?.get(text);
    // Tombstones answer for ids that never were.
    if (user !== undefined && user.username !== '') return user.id;
    violations.push({
      field: single ? field : `${field}[${index}]`,
      description: `there is no user ${JSON.stringify(text.slice(0, 64))}`,
    });
    return '';
  };
  const result = Object.fromEntries(
    Object.entries(references).map(([field, texts]) => [
      field,
      texts.map((text, index) =>
        resolve(field, text, index, /(^|\.)(assignee|verifier|user|owner|defaultAssignee)$/.test(field)),
      ),
    ]),
  );
  const [first] = violations;
  if (first !== undefined) {
    throw new ServiceError('INVALID_FIELD', `${first.field}: ${first.description}`, { violations });
  }
  return result as { [Field in keyof References]: string[] };
}

/** One of them. @throws as above. */
export async function resolveUserReference(
  text: string,
  request: FastifyRequest,
  services: Services,
  field = 'user',
): Promise<string> {
  const resolved = await resolveUserReferences({ [field]: [text] }, request, services);
  return resolved[field]?.[0] ?? '';
}
