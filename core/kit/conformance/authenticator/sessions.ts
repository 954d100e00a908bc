import assert from 'node:assert/strict';
import { UserState } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { type AuthenticatorCase, NOBODY, untilRefused } from './world.ts';

const capability = 'sessions';

/** Sessions: made, verified, listed, ended. */
export const SESSION_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'sessions: the secret answers for its user',
    capability,
    rule: 'Checks the secret of a session and notes its use. secret: at least 128 bits of chance.',
    async run(world) {
      const ann = await world.person();
      const [first, second] = [await world.session(ann), await world.session(ann)];
      assert.notEqual(first.secret, second.secret);
      assert.ok(first.secret.length >= 22, 'at least 128 bits in base64');
      const principal = await world.verify(first.secret);
      assert.deepEqual([principal.user!.id, principal.credential], [ann.user.id, first.id]);
      assert.ok(principal.expires, 'a session ends');
      for (const secret of ['', 'nonsense', `${first.secret}x`, first.secret.slice(0, -1), first.id])
        await expectError(world.verify(secret), 'SESSION_EXPIRED');
    },
  },
  {
    name: 'sessions: made by core alone, for users who can act',
    capability,
    rule: 'For core alone (system context). Errors: NOT_FOUND (USER_NOT_FOUND), FAILED_PRECONDITION (USER_INACTIVE).',
    async run(world) {
      const ann = await world.person();
      const create = (user: string, context = world.system) =>
        world.authenticator.createSession({ user, client: world.client }, context);
      await expectError(create(NOBODY), 'USER_NOT_FOUND');
      await expectError(create(ann.user.id, ann.context), 'FORBIDDEN');
      await expectError(create(ann.user.id, world.anonymous), ['FORBIDDEN', 'LOGIN_REQUIRED']);
      await world.change(ann.user, { state: UserState.DEACTIVATED }, ['state']);
      await expectError(create(ann.user.id), 'USER_INACTIVE');
    },
  },
  {
    name: 'sessions: listed for their user, without secrets',
    capability,
    rule: 'Lists the sessions of the caller; of another user for administrators. Newest first.',
    async run(world) {
      const [ann, ben, root] = [await world.person(), await world.person(), await world.root()];
      const made = [await world.session(ann), await world.session(ann)];
      const answer = await world.authenticator.listSessions({}, ann.context);
      assert.deepEqual(new Set(answer.sessions.map(({ id }) => id)), new Set(made.map(({ id }) => id)));
      const [newest] = answer.sessions;
      assert.deepEqual(
        [newest!.user, newest!.userAgent, newest!.address],
        [ann.user.id, 'conformance', world.client.address],
      );
      for (const { secret } of made) assert.ok(!JSON.stringify(answer).includes(secret));
      await expectError(world.authenticator.listSessions({ user: ann.user.id }, ben.context), [
        'FORBIDDEN',
        'USER_NOT_FOUND',
      ]);
      await expectError(world.authenticator.listSessions({}, world.anonymous), 'LOGIN_REQUIRED');
      assert.equal((await world.authenticator.listSessions({ user: ann.user.id }, root.context)).sessions.length, 2);
    },
  },
  {
    name: 'sessions: ended by secret, by id, all of a user',
    capability,
    rule: 'Ends sessions, by id or by secret; those not there are ignored. Effective within 5 s.',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      const made = [];
      for (let index = 0; index < 4; index += 1) made.push(await world.session(ann));
      for (const { secret } of made) await world.verify(secret);
      const revoke = async (request: object, context = ann.context) =>
        (await world.authenticator.revokeSessions(request, context)).count;
      assert.equal(await revoke({ secret: made[0]!.secret }, world.system), 1);
      assert.equal(await revoke({ ids: [made[1]!.id, NOBODY] }), 1);
      assert.equal(await revoke({ ids: [made[1]!.id] }), 0, 'may be repeated');
      await revoke({ ids: [made[2]!.id] }, ben.context).catch(() => 0);
      await revoke({ user: ann.user.id }, ben.context).catch(() => 0);
      assert.equal((await world.verify(made[2]!.secret)).user!.id, ann.user.id, 'nobody ends the sessions of others');
      assert.equal(await revoke({ user: ann.user.id }), 2);
      for (const { secret } of made) {
        await untilRefused(() => world.verify(secret));
        await expectError(world.verify(secret), 'SESSION_EXPIRED');
      }
    },
  },
  {
    name: 'sessions: a deactivated user has none',
    capability,
    rule: 'USER_STATE_DEACTIVATED: cannot log in; named everywhere as before.',
    async run(world) {
      const ann = await world.person({ displayName: 'Ann' });
      const { secret } = await world.session(ann);
      await world.verify(secret);
      await world.change(ann.user, { state: UserState.DEACTIVATED }, ['state']);
      await untilRefused(() => world.verify(secret));
      await expectError(world.verify(secret), 'SESSION_EXPIRED');
      assert.equal((await world.read(ann.user.id)).displayName, 'Ann');
      if (!world.has('login.password')) return;
      await expectError(world.login(ann), 'BAD_CREDENTIALS');
      await world.change(ann.user, { state: UserState.ACTIVE }, ['state']);
      assert.equal((await world.login(ann)).user!.id, ann.user.id);
    },
  },
];
