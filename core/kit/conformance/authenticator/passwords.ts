import assert from 'node:assert/strict';
import { expectError } from '../expectation.ts';
import { type AuthenticatorCase, NOBODY, untilRefused } from './world.ts';

const capability = 'passwords';

/** Passwords changed and reset. */
export const PASSWORD_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'passwords: changed by proving the old one',
    capability,
    rule: "Changes the caller's own password, proving the old one. Ends its other sessions.",
    async run(world) {
      const ann = await world.person();
      const [kept, other] = [await world.session(ann), await world.session(ann)];
      const newPassword = world.makePassword();
      const change = (fields: object, context = ann.context) =>
        world.authenticator.changePassword(
          { oldPassword: ann.password, newPassword, sessionSecret: kept.secret, client: world.client, ...fields },
          context,
        );
      await expectError(change({ oldPassword: 'wrong' }), 'BAD_CREDENTIALS');
      await expectError(change({ newPassword: 'a' }), 'WEAK_PASSWORD');
      await expectError(change({ newPassword: 'x'.repeat(73) }), 'WEAK_PASSWORD');
      await expectError(change({}, world.anonymous), 'LOGIN_REQUIRED');
      assert.equal((await world.verify(other.secret)).user!.id, ann.user.id);
      await change({});
      assert.equal((await world.login(ann, newPassword)).user!.id, ann.user.id);
      await expectError(world.login(ann), 'BAD_CREDENTIALS');
      await untilRefused(() => world.verify(other.secret));
      await expectError(world.verify(other.secret), 'SESSION_EXPIRED');
      assert.equal((await world.verify(kept.secret)).user!.id, ann.user.id);
    },
  },
  {
    name: 'passwords: a reset code is good once',
    capability,
    rule: 'Makes a one-time code; it ends earlier ones. Sets a password with such a code. Ends all sessions of the user.',
    async run(world) {
      const [ann, root] = [await world.person(), await world.root()];
      const session = await world.session(ann);
      const make = async () => world.authenticator.createPasswordReset({ user: ann.user.id }, root.context);
      const { code: old } = await make();
      const { code, expires } = await make();
      assert.ok(Date.parse(expires!) > Date.now());
      const newPassword = world.makePassword();
      const reset = (fields: object) =>
        world.authenticator.resetPassword({ code, newPassword, client: world.client, ...fields }, world.anonymous);
      for (const wrong of [old, '', 'nonsense', `${code}x`])
        await expectError(reset({ code: wrong }), 'BAD_CREDENTIALS');
      await expectError(reset({ newPassword: 'a' }), 'WEAK_PASSWORD');
      const { principal } = await reset({});
      assert.equal(principal!.user!.id, ann.user.id);
      await expectError(reset({ newPassword: world.makePassword() }), 'BAD_CREDENTIALS');
      assert.equal((await world.login(ann, newPassword)).user!.id, ann.user.id);
      await expectError(world.login(ann), 'BAD_CREDENTIALS');
      await untilRefused(() => world.verify(session.secret));
      await expectError(world.verify(session.secret), 'SESSION_EXPIRED');
    },
  },
  {
    name: 'passwords: reset codes are for administrators',
    capability,
    rule: 'For administrators. Errors: NOT_FOUND (USER_NOT_FOUND).',
    async run(world) {
      const [ann, ben, root] = [await world.person(), await world.person(), await world.root()];
      await expectError(world.authenticator.createPasswordReset({ user: ben.user.id }, ann.context), 'FORBIDDEN');
      await expectError(world.authenticator.createPasswordReset({ user: NOBODY }, root.context), 'USER_NOT_FOUND');
    },
  },
  {
    name: 'passwords: of concurrent uses of a code one counts',
    capability,
    rule: 'Makes a one-time code.',
    async run(world) {
      const [ann, root] = [await world.person(), await world.root()];
      const { code } = await world.authenticator.createPasswordReset({ user: ann.user.id }, root.context);
      const tries = Array.from({ length: 4 }, () => world.makePassword());
      const reset = (newPassword: string) =>
        world.authenticator.resetPassword({ code, newPassword, client: world.client }, world.anonymous).then(
          () => newPassword,
          () => '',
        );
      const done = (await Promise.all(tries.map(reset))).filter((password) => password !== '');
      assert.equal(done.length, 1);
      assert.equal((await world.login(ann, done[0])).user!.id, ann.user.id);
    },
  },
];
