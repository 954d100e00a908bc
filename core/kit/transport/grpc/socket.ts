import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { MAX_SOCKET_PATH } from '../address.ts';

/**
 * Puts a unix socket at its path without a moment in which others may connect: the server binds inside a
 * folder that only its user can enter, then the socket, mode 0600, is moved into place. A socket file that
 * nobody listens at any more, as after kill -9, is replaced.
 *
 * @param bind binds to the path that it is given.
 * @returns what takes the socket away again, unless another server has put its own there since.
 * @throws Error when another process listens at the path, or it is no socket.
 */
export async function placeSocket(path: string, bind: (path: string) => Promise<void>): Promise<() => Promise<void>> {
  await checkFree(path);
  const parent = dirname(path);
  let folder: string;
  try {
    folder = await mkdtemp(join(parent, '.b'));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be written to';
    throw new Error(`cannot listen at ${path}: the folder ${parent} ${reason}`);
  }
  try {
    const hidden = join(folder, 's');
    if (Buffer.byteLength(hidden) > MAX_SOCKET_PATH) {
      const longest = MAX_SOCKET_PATH - Buffer.byteLength(join('.bXXXXXX', 's')) - 1;
      throw new Error(`cannot listen at ${path}: its folder's path is longer than ${longest} bytes`);
    }
    await bind(hidden);
    await chmod(hidden, 0o600);
    await rename(hidden, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const placed = await lstat(path);
  return async () => {
    const present = await lstat(path).catch(() => undefined);
    if (present?.ino === placed.ino && present.dev === placed.dev) await rm(path, { force: true });
  };
}

async function checkFree(path: string): Promise<void> {
  const present = await lstat(path).catch(() => undefined);
  if (present === undefined) return;
  if (!present.isSocket()) throw new Error(`cannot listen at ${path}: ${basename(path)} is there and is no socket`);
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => socket.removeAllListeners());
    setTimeout(() => socket.destroy(), 1_000).unref();
    socket.once('connect', () => socket.destroy());
  });
  if (answered) throw new Error(`cannot listen at ${path}: another process listens there`);
}
