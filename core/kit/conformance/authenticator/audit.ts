import assert from 'node:assert/strict';
import { type AuditEvent, TokenScope, UserState } from '../../service/index.ts';
import { expectError, walkPages } from '../expectation.ts';
import type { AuthenticatorCase } from './world.ts';

const capability = 'audit';

/** The log of security events. */
export const AUDIT_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'audit: what happened stands there, and no secret',
    capability,
    rule: 'Lists security events, newest first. details: facts by name, never a secret.',
    async run(world) {
      const [ann, root] = [await world.person(), await world.root()];
      const secrets = [ann.password];
      if (world.has('login.password')) {
        await world.login(ann);
        await world.login(ann, 'a-wrong-password').catch(() => undefined);
        secrets.push('a-wrong-password');
      }
      if (world.has('sessions')) {
        const { secret } = await world.session(ann);
        secrets.push(secret);
        await world.authenticator.revokeSessions({ secret }, ann.context);
      }
      if (world.has('tokens')) {
        const made = await world.authenticator.createToken({ name: 'x', scopes: [TokenScope.READ] }, ann.context);
        secrets.push(made.secret, made.secret.slice(12));
        await world.authenticator.revokeToken({ id: made.token!.id }, ann.context);
      }
      if (world.has('passwords')) {
        const { code } = await world.authenticator.createPasswordReset({ user: ann.user.id }, root.context);
        const newPassword = world.makePassword();
        await world.authenticator.resetPassword({ code, newPassword, client: world.client }, world.anonymous);
        secrets.push(code, newPassword);
      }
      await world.change(ann.user, { state: UserState.DEACTIVATED }, ['state']);
      const events = await walkPages(3, async (pageToken) => {
        const answer = await world.authenticator.listAuditEvents(
          { user: ann.user.id, pageSize: 3, pageToken },
          root.context,
        );
        return { rows: answer.events, nextPageToken: answer.nextPageToken };
      });
      const kinds = new Set(events.map(({ kind }) => kind));
      const expected = ['user_created', 'user_deactivated'];
      if (world.has('login.password')) expected.push('login', 'login_failed');
      if (world.has('tokens')) expected.push('token_created', 'token_revoked');
      if (world.has('passwords')) expected.push('reset_created', 'password_changed');
      for (const kind of expected) assert.ok(kinds.has(kind), `${kind} is missing among ${[...kinds].join(', ')}`);
      const ids = events.map(({ id }) => BigInt(id));
      assert.ok(
        ids.every((id, index) => index === 0 || id < ids[index - 1]!),
        'newest first, each once',
      );
      const text = JSON.stringify(events);
      for (const secret of secrets) assert.ok(!text.includes(secret), 'a secret stands in the log');
      const login = events.find(({ kind }: AuditEvent) => kind === 'login');
      if (world.has('login.password')) assert.equal(login!.address, world.client.address);
    },
  },
  {
    name: 'audit: for administrators, by kind',
    capability,
    rule: 'For administrators. Only of this kind.',
    async run(world) {
      const [ann, root] = [await world.person(), await world.root()];
      await expectError(world.authenticator.listAuditEvents({}, ann.context), 'FORBIDDEN');
      await expectError(world.authenticator.listAuditEvents({}, world.anonymous), 'LOGIN_REQUIRED');
      const { events } = await world.authenticator.listAuditEvents(
        { kind: 'user_created', user: ann.user.id },
        root.context,
      );
      assert.deepEqual(
        events.map(({ kind, user, author }) => [kind, user, author]),
        [['user_created', ann.user.id, root.user.id]],
      );
    },
  },
];
