import { type Authenticator, type CallContext, createSystemContext, type User, UserState } from '@bugless/kit/service';
import type { Directory } from './identity.ts';

/** Milliseconds for which a user may be shown as it was. */
const LIFE = 2000;
/** Users kept at most. */
const CAPACITY = 20_000;
/** Ids in one call, as the contract allows. */
const BATCH = 500;

interface Entry {
  readonly user: User;
  readonly ends: number;
}

/**
 * The directory over those authenticators that have one. Asks as core itself; e-mail addresses are taken out,
 * as these users are shown to anybody.
 */
export function createDirectory(authenticators: readonly Authenticator[], now: () => number): Directory {
  const entries = new Map<string, Entry>();
  let pending = new Set<string>();
  let next: Promise<ReadonlyMap<string, User>> | undefined;

  /** All lookups of one turn of the event loop travel as one. */
  function enqueue(ids: readonly string[]): Promise<ReadonlyMap<string, User>> {
    for (const id of ids) pending.add(id);
    next ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        const batch = [...pending];
        pending = new Set();
        next = undefined;
        fetchUsers(batch).then(resolve, reject);
      });
    });
    return next;
  }

  async function fetchUsers(ids: readonly string[]): Promise<ReadonlyMap<string, User>> {
    const found = new Map<string, User>();
    const context = createSystemContext({ deadline: now() + 10_000 });
    for (let start = 0; start < ids.length; start += BATCH) {
      const slice = ids.slice(start, start + BATCH);
      const answers = await Promise.all(
        authenticators.map((authenticator) => authenticator.batchGetUsers({ ids: slice }, context)),
      );
      for (const { users } of answers) {
        for (const user of users) {
          const known = found.get(user.id);
          if (known === undefined || known.state === UserState.DELETED) found.set(user.id, hideEmail(user));
        }
      }
    }
    const ends = now() + LIFE;
    for (const [id, user] of found) {
      entries.delete(id);
      entries.set(id, { user, ends });
    }
    for (const id of entries.keys()) {
      if (entries.size <= CAPACITY) break;
      entries.delete(id);
    }
    return found;
  }

  return {
    async getUsers(ids) {
      const time = now();
      const result = new Map<string, User>();
      const missing: string[] = [];
      for (const id of ids) {
        if (id === '' || result.has(id)) continue;
        const entry = entries.get(id);
        if (entry !== undefined && entry.ends > time) result.set(id, entry.user);
        else missing.push(id);
      }
      if (missing.length > 0) {
        const fetched = await enqueue(missing);
        for (const id of missing) {
          const user = fetched.get(id);
          if (user !== undefined) result.set(id, user);
        }
      }
      return result;
    },

    async resolveUsernames(usernames) {
      const result = new Map<string, User>();
      const names = [...new Set(usernames)].filter((name) => name !== '' && name.length <= 64);
      const context = createSystemContext({ deadline: now() + 10_000 });
      for (let start = 0; start < names.length; start += BATCH) {
        const slice = names.slice(start, start + BATCH);
        const answers = await Promise.all(
          authenticators.map((authenticator) => authenticator.resolveUsernames({ usernames: slice }, context)),
        );
        for (const { results } of answers) {
          for (const [index, { user }] of results.entries()) {
            const name = slice[index];
            if (user !== undefined && name !== undefined && !result.has(name)) result.set(name, hideEmail(user));
          }
        }
      }
      return result;
    },

    async findUsers(prefix: string, count: number, context: CallContext) {
      const answers = await Promise.all(
        authenticators.map((authenticator) => authenticator.findUsers({ prefix, count }, context)),
      );
      const users = new Map<string, User>();
      for (const user of answers.flatMap((answer) => answer.users)) if (!users.has(user.id)) users.set(user.id, user);
      return [...users.values()].slice(0, count);
    },
  };
}

function hideEmail(user: User): User {
  return user.email === '' ? user : { ...user, email: '', emailVerified: false };
}
