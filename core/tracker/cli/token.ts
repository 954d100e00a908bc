import { WORDS } from '@bugless/kit/domain';
import { createSystemContext, type TokenScope } from '@bugless/kit/service';
import { type Command, InvalidArgumentError } from 'commander';
import { print, printTable, withPlugins } from './session.ts';
import { findUser } from './user.ts';

interface CreateOptions {
  readonly user: string;
  readonly scope: TokenScope[];
  readonly days?: number;
}

/** `bugless token`: credentials for programs. */
export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('credentials for programs');

  token
    .command('create')
    .description('make a token; prints its secret, this once, on standard output')
    .argument('<name>', 'what it is for')
    .requiredOption('--user <username>', 'whom it acts as')
    .option('--scope <words...>', 'read, comment, edit or admin', collectScopes, [])
    .option('--days <days>', 'expires after so many days', parseDays)
    .action(async (name: string, options: CreateOptions, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const user = await findUser(options.user, identity);
        const { secret } = await identity.withCapability('tokens').createToken(
          {
            user: user.id,
            name,
            scopes: options.scope.length === 0 ? [WORDS.tokenScope.parse('edit') as TokenScope] : options.scope,
            expires:
              options.days === undefined ? undefined : new Date(Date.now() + options.days * 86_400_000).toISOString(),
          },
          createSystemContext({ user: user.id }),
        );
        print(secret);
      });
    });

  token
    .command('list')
    .description('list the tokens of a user and its bots')
    .requiredOption('--user <username>')
    .action(async (options: { user: string }, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const user = await findUser(options.user, identity);
        const { tokens } = await identity
          .withCapability('tokens')
          .listTokens({ user: user.id }, createSystemContext({ user: user.id }));
        printTable([
          ['id', 'hint', 'name', 'scopes', 'expires', 'last used'],
          ...tokens.map(({ id, hint, name, scopes, expires, used }) => [
            id,
            hint,
            name,
            scopes.map((scope) => WORDS.tokenScope.format(scope)).join(' '),
            expires ?? 'never',
            used ?? 'never',
          ]),
        ]);
      });
    });

  token
    .command('revoke')
    .description('end a token')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        await identity.withCapability('tokens').revokeToken({ id }, createSystemContext());
        print(`Revoked ${id}`);
      });
    });
}

function collectScopes(word: string, before: TokenScope[]): TokenScope[] {
  const scope = WORDS.tokenScope.parse(word);
  if (scope === undefined || scope === 0) {
    throw new InvalidArgumentError(`expected one of: ${WORDS.tokenScope.words.join(', ')}.`);
  }
  return [...before, scope as TokenScope];
}

function parseDays(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('expected a number from 1 to 99999.');
  return Number(text);
}
