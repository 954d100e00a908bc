import assert from 'node:assert/strict';
import { type ServiceError, UserState } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import type { AuthenticatorCase } from './world.ts';

const capability = 'login.password';

/** Logins by password, and what the login page is told. */
export const LOGIN_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'login: the login page is told of the ways in',
    capability,
    rule: 'Tells which ways to log in there are, for the login page. No caller needed.',
    async run(world) {
      const { methods } = await world.authenticator.listLoginMethods({}, world.anonymous);
      assert.ok(methods.some(({ kind, name }) => kind === 'password' && name !== ''));
    },
  },
  {
    name: 'login: name and password give a principal',
    capability,
    rule: 'Every login ends in a Principal. username: compared without case.',
    async run(world) {
      const ann = await world.person({ displayName: 'Ann', email: `ann-${world.tag}@example.org` });
      for (const username of [ann.user.username, ann.user.username.toUpperCase()]) {
        const request = { username, password: ann.password, client: world.client };
        const { principal } = await world.authenticator.authenticatePassword(request, world.anonymous);
        assert.deepEqual([principal!.user!.id, principal!.user!.displayName], [ann.user.id, 'Ann']);
        assert.equal(principal!.user!.email, `ann-${world.tag}@example.org`, 'the user, as it sees itself');
        assert.deepEqual([principal!.methods, principal!.scopes], [['password'], []]);
        assert.ok(Math.abs(Date.parse(principal!.authenticated!) - Date.now()) < 60_000);
      }
    },
  },
  {
    name: 'login: whatever is wrong, the answer is the same',
    capability,
    rule: 'A login that fails for whatever reason is UNAUTHENTICATED (BAD_CREDENTIALS): nobody learns whether the name exists.',
    async run(world) {
      const [ann, gone] = [await world.person(), await world.person()];
      const bot = await world.bot(ann);
      await world.change(gone.user, { state: UserState.DEACTIVATED }, ['state']);
      const tries: readonly [string, string][] = [
        [ann.user.username, 'wrong'],
        [ann.user.username, ''],
        [ann.user.username, ann.password.slice(0, -1)],
        [ann.user.username, `${ann.password}x`],
        [`nobody-${world.tag}`, ann.password],
        ['', ''],
        ['not a username!', 'x'],
        [gone.user.username, gone.password],
        [bot.username, ''],
        [ann.user.username, 'x'.repeat(1_001)],
      ];
      const answers = new Set<string>();
      for (const [index, [username, password]] of tries.entries()) {
        const client = { ...world.client, address: `10.9.${index}.${index}` };
        const call = world.authenticator.authenticatePassword({ username, password, client }, world.anonymous);
        const { message, metadata, violations } = await expectError(call, 'BAD_CREDENTIALS');
        answers.add(JSON.stringify([message, metadata, violations]));
      }
      assert.equal(answers.size, 1, [...answers].join('\n'));
    },
  },
  {
    name: 'login: guessing is slowed down, and nobody else with it',
    capability,
    rule: 'RESOURCE_EXHAUSTED (THROTTLED) with RetryInfo; each try counts for the throttle.',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      let throttled: ServiceError | undefined;
      for (let attempt = 0; attempt < 40 && !throttled; attempt += 1)
        await world.login(ann, 'wrong').catch((error: ServiceError) => {
          if (error.reason !== 'BAD_CREDENTIALS') throttled = error;
        });
      assert.equal(throttled?.reason, 'THROTTLED');
      assert.ok((throttled?.retryAfterMillis ?? 0) > 0, 'says how long to wait');
      const client = { ...world.client, address: '10.200.1.1' };
      const request = { username: ben.user.username, password: ben.password, client };
      await world.authenticator.authenticatePassword(request, world.anonymous);
    },
  },
  {
    name: 'login: a password that is kept only in part is refused',
    capability: 'passwords',
    rule: 'INVALID_ARGUMENT (WEAK_PASSWORD).',
    async run(world) {
      const root = await world.root();
      for (const password of ['x'.repeat(73), `${'é'.repeat(36)}x`, 'with\0nul-inside-it', 'a']) {
        const user = { username: `weak-${world.tag}` };
        await expectError(world.authenticator.createUser({ user, password }, root.context), [
          'WEAK_PASSWORD',
          'INVALID_FIELD',
        ]);
      }
      const long = `Aß9-${'é'.repeat(33)}`;
      const ann = await world.person();
      const { code } = await world.authenticator.createPasswordReset({ user: ann.user.id }, root.context);
      await world.authenticator.resetPassword({ code, newPassword: long, client: world.client }, world.anonymous);
      assert.equal((await world.login(ann, long)).user!.id, ann.user.id);
      await expectError(world.login(ann, long.slice(0, -1)), 'BAD_CREDENTIALS');
    },
  },
];
