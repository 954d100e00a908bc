import { createSystemContext, type User } from '@bugless/kit/service';
import type { Command } from 'commander';
import type { Config } from '../config/index.ts';
import type { Identity } from '../identity/identity.ts';
import { print, withPlugins } from './session.ts';
import { findUser } from './user.ts';

/** `bugless admin`: what an operator does when nobody can log in. */
export function addAdminCommand(program: Command): void {
  const admin = program.command('admin').description('for the operator of this Bugless');

  admin
    .command('reset-link')
    .description('make a one-time link with which a user sets a new password')
    .argument('<username>')
    .action(async (username: string, _options: object, command: Command) => {
      await withPlugins(command, async ({ config, identity }) => {
        print(await makeResetLink(await findUser(username, identity), config, identity));
      });
    });

  admin
    .command('setup-link')
    .description('make a new one-time link for the first administrator')
    .action(async (_options: object, command: Command) => {
      await withPlugins(command, async ({ config, identity }) => {
        const code = await identity.createSetupCode();
        print(`${getPublicUrl(config)}/setup?code=${encodeURIComponent(code)}`);
      });
    });
}

/** The address at which a user sets a new password, once. */
export async function makeResetLink(user: User, config: Config, identity: Identity): Promise<string> {
  const { code } = await identity
    .withCapability('passwords')
    .createPasswordReset({ user: user.id }, createSystemContext());
  return `${getPublicUrl(config)}/reset?code=${encodeURIComponent(code)}`;
}

function getPublicUrl({ http }: Config): string {
  return http.publicUrl ?? `${http.tls === undefined ? 'http' : 'https'}://localhost:${http.port}`;
}
