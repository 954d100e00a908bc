import { text } from 'node:stream/consumers';
import { WORDS } from '@bugless/kit/domain';
import { createSystemContext, type User, UserKind, UserState } from '@bugless/kit/service';
import { type Command, Option } from 'commander';
import type { Identity } from '../identity/identity.ts';
import { makeResetLink } from './admin.ts';
import { print, printTable, withPlugins } from './session.ts';

interface AddOptions {
  readonly displayName?: string;
  readonly email?: string;
  readonly admin?: boolean;
  readonly passwordStdin?: boolean;
}

/** `bugless user`: people and bots of the directory. */
export function addUserCommand(program: Command): void {
  const user = program.command('user').description('people and bots');

  user
    .command('add')
    .description('create a person; prints a link with which they choose a password')
    .argument('<username>')
    .option('--display-name <name>', 'name shown to others')
    .option('--email <address>')
    .option('--admin', 'make them an administrator')
    .option('--password-stdin', 'read the first password from standard input, instead of printing a link')
    .action(async (username: string, options: AddOptions, command: Command) => {
      const password = options.passwordStdin ? (await text(process.stdin)).replace(/\r?\n$/, '') : '';
      await withPlugins(command, async ({ config, identity }) => {
        const { user: created } = await identity.withCapability('directory').createUser(
          {
            user: {
              kind: UserKind.PERSON,
              username,
              displayName: options.displayName ?? '',
              email: options.email ?? '',
              admin: options.admin ?? false,
            },
            password,
          },
          createSystemContext(),
        );
        print(`Created ${created!.username} (${created!.id})`);
        if (password === '') print(`They choose a password at ${await makeResetLink(created!, config, identity)}`);
      });
    });

  user
    .command('list')
    .description('list users')
    .addOption(new Option('--kind <kind>', 'only people or bots').choices(['person', 'bot']))
    .action(async (options: { kind?: string }, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const rows: string[][] = [['username', 'kind', 'state', 'admin', 'display name', 'id']];
        const kind = (WORDS.userKind.parse(options.kind ?? '') ?? 0) as UserKind;
        for (let pageToken = ''; ; ) {
          const page = await identity
            .withCapability('directory')
            .listUsers({ kind, pageSize: 500, pageToken }, createSystemContext());
          rows.push(...page.users.map(formatRow));
          if (page.nextPageToken === '') break;
          pageToken = page.nextPageToken;
        }
        printTable(rows);
      });
    });

  const setState = (name: string, description: string, state: UserState, done: string) =>
    user
      .command(name)
      .description(description)
      .argument('<username>')
      .action(async (username: string, _options: object, command: Command) => {
        await withPlugins(command, async ({ identity }) => {
          const { id } = await findUser(username, identity);
          await identity
            .withCapability('directory')
            .updateUser({ id, user: { state }, updateMask: ['state'] }, createSystemContext());
          print(`${username} ${done}`);
        });
      });
  setState('deactivate', 'end the logins of a user', UserState.DEACTIVATED, 'can no longer log in');
  setState('activate', 'let a deactivated user in again', UserState.ACTIVE, 'can log in again');
}

/** A user by username or id. @throws Error in one line. */
export async function findUser(username: string, identity: Identity): Promise<User> {
  const byName = (await identity.directory.resolveUsernames([username])).get(username);
  if (byName !== undefined) return byName;
  const byId = (await identity.directory.getUsers([username])).get(username);
  if (byId !== undefined && byId.username !== '') return byId;
  throw new Error(`there is no user ${JSON.stringify(username)}; see: bugless user list`);
}

function formatRow(user: User): string[] {
  return [
    user.username,
    WORDS.userKind.format(user.kind),
    WORDS.userState.format(user.state),
    user.admin ? 'yes' : '',
    user.displayName,
    user.id,
  ];
}
