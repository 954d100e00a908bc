import { readFileSync, statSync } from 'node:fs';
import { EmbeddedError } from './error.ts';

/** The user and group that PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Chooses who runs PostgreSQL, which refuses root: undefined means this process's
 * own user. As root it is the owner of the folder if there is one other than root
 * (so an installation keeps its user), else `nobody`.
 *
 * @throws EmbeddedError FOLDER_UNUSABLE when an ordinary user finds somebody else's folder.
 */
export function chooseAccount(folder: string): Account | undefined {
  const own = process.getuid?.() ?? 0;
  const owner = statSync(folder, { throwIfNoEntry: false });
  if (own !== 0) {
    if (owner && owner.uid !== own) {
      throw new EmbeddedError(
        'FOLDER_UNUSABLE',
        `the database folder ${folder} belongs to user id ${owner.uid}, but Bugless runs as ${own}: ` +
          `run it as before (root or that user), or give it away with chown -R ${own}`,
      );
    }
    return undefined;
  }
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return findUser('nobody') ?? { uid: 65_534, gid: 65_534 };
}

function findUser(name: string): Account | undefined {
  let text = '';
  try {
    text = readFileSync('/etc/passwd', 'utf8');
  } catch {
    return undefined;
  }
  const fields = text
    .split('\n')
    .find((line) => line.startsWith(`${name}:`))
    ?.split(':');
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return uid > 0 && gid > 0 ? { uid, gid } : undefined;
}
