import assert from 'node:assert/strict';
import { UserState } from '../../service/index.ts';
import { SkipCase } from '../case.ts';
import { expectError } from '../expectation.ts';
import type { AuthenticatorCase } from './world.ts';

const capability = 'setup';

/** The first administrator. Runs before all others: it needs a store without one. */
export const SETUP_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'setup: the first administrator, once',
    capability,
    alone: true,
    rule: 'Creates the first administrator. No caller needed: the code proves it. A new code ends earlier ones. The code is used up.',
    async run(world) {
      const { authenticator, anonymous, system, client } = world;
      if (!(await authenticator.getSetup({}, anonymous)).needed)
        throw new SkipCase('the store has an administrator already');
      await expectError(authenticator.createSetupCode({}, anonymous), ['FORBIDDEN', 'LOGIN_REQUIRED']);
      const { code: old } = await authenticator.createSetupCode({}, system);
      const { code } = await authenticator.createSetupCode({}, system);
      const password = world.makePassword();
      const complete = (fields: object) =>
        authenticator.completeSetup(
          { code, username: `first-${world.tag}`, displayName: 'First', password, client, ...fields },
          anonymous,
        );
      for (const wrong of [old, '', 'nonsense']) await expectError(complete({ code: wrong }), 'BAD_CREDENTIALS');
      await expectError(complete({ password: 'a' }), 'WEAK_PASSWORD');
      assert.equal((await authenticator.getSetup({}, anonymous)).needed, true);
      const { principal } = await complete({});
      assert.deepEqual(
        [principal!.user!.admin, principal!.user!.displayName, principal!.methods],
        [true, 'First', ['setup']],
      );
      assert.equal((await authenticator.getSetup({}, anonymous)).needed, false);
      await expectError(complete({ username: `second-${world.tag}` }), ['ALREADY_SET_UP', 'BAD_CREDENTIALS']);
      await expectError(authenticator.createSetupCode({}, system), 'ALREADY_SET_UP');

      // It is the only one, so here it can be seen that the last one stays.
      const { id, version } = principal!.user!;
      const self = { ...anonymous, user: id, admin: true };
      const update = (user: object, path: string) =>
        authenticator.updateUser({ id, expectedVersion: version, user, updateMask: [path] }, self);
      await expectError(update({ admin: false }, 'admin'), 'LAST_ADMIN');
      await expectError(update({ state: UserState.DEACTIVATED }, 'state'), 'LAST_ADMIN');
      const request = { username: `first-${world.tag}`, password, client };
      if (world.has('login.password'))
        assert.equal((await authenticator.authenticatePassword(request, anonymous)).principal!.user!.admin, true);
    },
  },
  {
    name: 'setup: not again',
    capability,
    rule: 'Errors: FAILED_PRECONDITION (ALREADY_SET_UP).',
    async run(world) {
      await world.root();
      assert.equal((await world.authenticator.getSetup({}, world.anonymous)).needed, false);
      await expectError(world.authenticator.createSetupCode({}, world.system), 'ALREADY_SET_UP');
      const request = {
        code: 'x',
        username: `late-${world.tag}`,
        password: world.makePassword(),
        client: world.client,
      };
      await expectError(world.authenticator.completeSetup(request, world.anonymous), [
        'ALREADY_SET_UP',
        'BAD_CREDENTIALS',
      ]);
    },
  },
];
