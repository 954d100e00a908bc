import { createSystemContext, type Group, type GroupMember } from '@bugless/kit/service';
import type { Command } from 'commander';
import type { Identity } from '../identity/identity.ts';
import { print, printTable, withPlugins } from './session.ts';
import { findUser } from './user.ts';

/** Members that one call changes. */
const BATCH = 500;

interface MemberOptions {
  /** The names are those of groups. */
  readonly groups?: boolean;
}

/** `bugless group`: sets of users, for access to components. */
export function addGroupCommand(program: Command): void {
  const group = program.command('group').description('groups of users');

  group
    .command('create')
    .description('create a group without members')
    .argument('<group>')
    .option('--description <text>')
    .action(async (name: string, options: { description?: string }, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const { group: created } = await identity
          .withCapability('groups')
          .createGroup({ group: { name, description: options.description ?? '' } }, createSystemContext());
        print(`Created ${created!.name} (${created!.id})`);
      });
    });

  group
    .command('list')
    .description('list groups')
    .action(async (_options: object, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const groups = await listGroups(identity);
        printTable([
          ['group', 'members', 'description', 'id'],
          ...groups.map(({ name, size, description, id }) => [name, String(size), description, id]),
        ]);
      });
    });

  group
    .command('members')
    .description('list the members of a group')
    .argument('<group>')
    .action(async (name: string, _options: object, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const groups = await listGroups(identity);
        const members = await listMembers(findGroup(name, groups).id, identity);
        const users = await identity.directory.getUsers(
          members.flatMap(({ member }) => (member?.$case === 'user' ? [member.value] : [])),
        );
        const rows = members.map(({ member }) => {
          const id = member?.value ?? '';
          return member?.$case === 'group'
            ? ['group', groups.find((other) => other.id === id)?.name ?? '', id]
            : ['user', users.get(id)?.username ?? '', id];
        });
        printTable([['kind', 'name', 'id'], ...rows]);
      });
    });

  const change = (verb: 'add' | 'remove', description: string, done: string) =>
    group
      .command(verb)
      .description(description)
      .argument('<group>')
      .argument('<members...>', 'usernames')
      .option('--groups', 'the members are groups; a group in a group has only users')
      .action(async (name: string, names: string[], options: MemberOptions, command: Command) => {
        await withPlugins(command, async ({ identity }) => {
          const groups = await listGroups(identity);
          const { id } = findGroup(name, groups);
          const members: GroupMember[] = [];
          for (const text of new Set(names)) {
            members.push({
              member: options.groups
                ? { $case: 'group', value: findGroup(text, groups).id }
                : { $case: 'user', value: (await findUser(text, identity)).id },
            });
          }
          for (let start = 0; start < members.length; start += BATCH) {
            const part = members.slice(start, start + BATCH);
            await identity
              .withCapability('groups')
              .changeGroupMembers({ group: id, [verb]: part }, createSystemContext());
          }
          print(`${members.length} ${members.length === 1 ? 'member' : 'members'} ${done} ${name}`);
        });
      });
  change('add', 'put users into a group', 'added to');
  change('remove', 'take users out of a group', 'removed from');

  group
    .command('delete')
    .description('delete a group; what it gave access to stays without it')
    .argument('<group>')
    .action(async (name: string, _options: object, command: Command) => {
      await withPlugins(command, async ({ identity }) => {
        const { id } = findGroup(name, await listGroups(identity));
        await identity.withCapability('groups').deleteGroup({ id }, createSystemContext());
        print(`Deleted ${name}`);
      });
    });
}

async function listGroups(identity: Identity): Promise<Group[]> {
  const all: Group[] = [];
  for (let pageToken = ''; ; ) {
    const page = await identity
      .withCapability('groups')
      .listGroups({ pageSize: 500, pageToken }, createSystemContext());
    all.push(...page.groups);
    if (page.nextPageToken === '') return all;
    pageToken = page.nextPageToken;
  }
}

async function listMembers(group: string, identity: Identity): Promise<GroupMember[]> {
  const all: GroupMember[] = [];
  for (let pageToken = ''; ; ) {
    const page = await identity
      .withCapability('groups')
      .listGroupMembers({ group, pageSize: 500, pageToken }, createSystemContext());
    all.push(...page.members);
    if (page.nextPageToken === '') return all;
    pageToken = page.nextPageToken;
  }
}

/** A group by name (without case) or id. @throws Error in one line. */
function findGroup(name: string, groups: readonly Group[]): Group {
  const found =
    groups.find((group) => group.name.toLowerCase() === name.toLowerCase()) ?? groups.find(({ id }) => id === name);
  if (found === undefined) throw new Error(`there is no group ${JSON.stringify(name)}; see: bugless group list`);
  return found;
}
