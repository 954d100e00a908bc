import assert from 'node:assert/strict';
import type { Group } from '../../service/index.ts';
import { expectError, repeat, walkPages } from '../expectation.ts';
import { type AuthenticatorCase, type AuthenticatorWorld, NOBODY } from './world.ts';

const capability = 'groups';

const asUser = (id: string) => ({ member: { $case: 'user', value: id } as const });
const asGroup = (id: string) => ({ member: { $case: 'group', value: id } as const });

async function makeGroup(world: AuthenticatorWorld, name: string): Promise<Group> {
  return (
    await world.authenticator.createGroup({ group: { name: `${name}-${world.tag}` } }, (await world.root()).context)
  ).group!;
}

async function changeMembers(world: AuthenticatorWorld, group: string, changes: object): Promise<void> {
  await world.authenticator.changeGroupMembers({ group, ...changes }, (await world.root()).context);
}

/** Groups and their members. */
export const GROUP_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'groups: made, changed, deleted by administrators',
    capability,
    rule: 'Creates a group; for administrators. Errors: ALREADY_EXISTS (NAME_TAKEN), ABORTED (VERSION_MISMATCH).',
    async run(world) {
      const [ann, root] = [await world.person(), await world.root()];
      const group = await makeGroup(world, 'ops');
      assert.deepEqual([group.version, group.size], ['1', 0]);
      await expectError(makeGroup(world, 'OPS'), 'NAME_TAKEN');
      await expectError(
        world.authenticator.createGroup({ group: { name: `x-${world.tag}` } }, ann.context),
        'FORBIDDEN',
      );
      const update = (fields: object, expectedVersion: string, context = root.context) =>
        world.authenticator.updateGroup(
          { id: group.id, expectedVersion, group: fields, updateMask: ['description'] },
          context,
        );
      await expectError(update({ description: 'x' }, '1', ann.context), 'FORBIDDEN');
      const { group: after } = await update({ description: 'On call' }, '1');
      assert.deepEqual([after!.description, after!.name, after!.version], ['On call', group.name, '2']);
      await expectError(update({ description: 'y' }, '1'), 'VERSION_MISMATCH', { metadata: { current: '2' } });
      await expectError(world.authenticator.deleteGroup({ id: group.id }, ann.context), 'FORBIDDEN');
      for (let time = 0; time < 2; time += 1) await world.authenticator.deleteGroup({ id: group.id }, root.context);
      await expectError(world.authenticator.listGroupMembers({ group: group.id }, root.context), 'GROUP_NOT_FOUND');
      await expectError(update({ description: 'z' }, '2'), 'GROUP_NOT_FOUND');
    },
  },
  {
    name: 'groups: made once per request id',
    capability,
    rule: 'May be repeated with a request id.',
    async run(world) {
      const { context } = await world.root();
      const request = { group: { name: `once-${world.tag}` }, requestId: `group-${world.tag}` };
      const answers = await repeat(6, () => world.authenticator.createGroup(request, context));
      assert.equal(new Set(answers.map(({ group }) => group!.id)).size, 1);
    },
  },
  {
    name: 'groups: members come and go',
    capability,
    rule: 'Adds and removes members; for administrators. May be repeated. Errors: NOT_FOUND (GROUP_NOT_FOUND, USER_NOT_FOUND).',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      const group = await makeGroup(world, 'team');
      for (let time = 0; time < 2; time += 1)
        await changeMembers(world, group.id, { add: [asUser(ann.user.id), asUser(ben.user.id)] });
      const members = async () => {
        const rows = await walkPages(1, async (pageToken) => {
          const answer = await world.authenticator.listGroupMembers(
            { group: group.id, pageSize: 1, pageToken },
            ann.context,
          );
          return { rows: answer.members, nextPageToken: answer.nextPageToken };
        });
        return rows.map(({ member }) => member!.value).toSorted();
      };
      assert.deepEqual(await members(), [ann.user.id, ben.user.id].toSorted());
      const { groups } = await world.authenticator.listGroups({ user: ann.user.id }, ann.context);
      assert.deepEqual(
        groups.map(({ id, size }) => [id, size]),
        [[group.id, 2]],
      );
      for (let time = 0; time < 2; time += 1) await changeMembers(world, group.id, { remove: [asUser(ben.user.id)] });
      assert.deepEqual(await members(), [ann.user.id]);
      await expectError(changeMembers(world, group.id, { add: [asUser(NOBODY)] }), 'USER_NOT_FOUND');
      await expectError(changeMembers(world, NOBODY, { add: [asUser(ann.user.id)] }), 'GROUP_NOT_FOUND');
      const forbidden = world.authenticator.changeGroupMembers(
        { group: group.id, add: [asUser(ben.user.id)] },
        ben.context,
      );
      await expectError(forbidden, 'FORBIDDEN');
      assert.deepEqual(await members(), [ann.user.id]);
    },
  },
  {
    name: 'groups: nested once',
    capability,
    rule: 'Groups nest once: a group in a group has only users. Errors: FAILED_PRECONDITION (TREE_TOO_DEEP).',
    async run(world) {
      const ann = await world.person();
      const [outer, inner, third] = [
        await makeGroup(world, 'outer'),
        await makeGroup(world, 'inner'),
        await makeGroup(world, 'third'),
      ];
      await changeMembers(world, inner.id, { add: [asUser(ann.user.id)] });
      await changeMembers(world, outer.id, { add: [asGroup(inner.id)] });
      await expectError(changeMembers(world, inner.id, { add: [asGroup(third.id)] }), 'TREE_TOO_DEEP');
      await expectError(changeMembers(world, third.id, { add: [asGroup(outer.id)] }), 'TREE_TOO_DEEP');
      await expectError(changeMembers(world, outer.id, { add: [asGroup(outer.id)] }), 'TREE_TOO_DEEP');
      await expectError(changeMembers(world, inner.id, { add: [asGroup(outer.id)] }), 'TREE_TOO_DEEP');
      if (!world.has('sessions')) return;
      const { secret } = await world.session(ann);
      assert.deepEqual((await world.verify(secret)).groups.toSorted(), [outer.id, inner.id].toSorted());
    },
  },
  {
    name: 'groups: a principal says of which it is',
    capability,
    rule: 'Principal.groups: opaque ids of its groups, nested ones included.',
    async run(world) {
      if (!world.has('login.password')) return;
      const ann = await world.person();
      const group = await makeGroup(world, 'named');
      assert.deepEqual((await world.login(ann)).groups, []);
      await changeMembers(world, group.id, { add: [asUser(ann.user.id)] });
      assert.deepEqual((await world.login(ann)).groups, [group.id]);
    },
  },
];
