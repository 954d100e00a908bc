import assert from 'node:assert/strict';
import { TokenScope, UserState } from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { type AuthenticatorCase, type AuthenticatorWorld, type Person, untilRefused } from './world.ts';

const capability = 'tokens';
const { READ, COMMENT, EDIT } = TokenScope;

async function makeToken(world: AuthenticatorWorld, person: Person, fields: object = {}) {
  const { token, secret } = await world.authenticator.createToken(
    { name: 'CI', scopes: [EDIT], ...fields },
    person.context,
  );
  return { token: token!, secret };
}

const authenticate = (world: AuthenticatorWorld, token: string) =>
  world.authenticator.authenticateToken({ token, client: world.client }, world.anonymous);

/** API tokens. */
export const TOKEN_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'tokens: shown once, then known by its hint',
    capability,
    rule: '`bl_` + 43 characters + 6 of checksum; not stored, not shown again. hint: the first 12 characters.',
    async run(world) {
      const ann = await world.person();
      const { token, secret } = await makeToken(world, ann, { components: ['9007199254740993'] });
      assert.match(secret, /^bl_[A-Za-z0-9_-]{49}$/);
      assert.deepEqual(
        [token.hint, token.name, token.user, token.creator],
        [secret.slice(0, 12), 'CI', ann.user.id, ann.user.id],
      );
      assert.deepEqual([token.scopes, token.components, token.expires], [[EDIT], ['9007199254740993'], undefined]);
      const list = await world.authenticator.listTokens({}, ann.context);
      assert.deepEqual(
        list.tokens.map(({ id }) => id),
        [token.id],
      );
      assert.ok(!JSON.stringify(list).includes(secret.slice(12)));
    },
  },
  {
    name: 'tokens: a secret answers for its user, within its bounds',
    capability,
    rule: 'Checks an API token. scopes: bounds of the credential; scope_components: components to which it is confined.',
    async run(world) {
      const ann = await world.person();
      const { token, secret } = await makeToken(world, ann, { scopes: [READ, COMMENT], components: ['7'] });
      const { principal } = await authenticate(world, secret);
      assert.deepEqual(
        [principal!.user!.id, principal!.methods, principal!.credential],
        [ann.user.id, ['token'], token.id],
      );
      assert.deepEqual([principal!.scopes, principal!.scopeComponents], [[READ, COMMENT], ['7']]);
    },
  },
  {
    name: 'tokens: a wrong secret is a wrong secret',
    capability,
    rule: 'Errors: UNAUTHENTICATED (BAD_CREDENTIALS).',
    async run(world) {
      const { secret, token } = await makeToken(world, await world.person());
      const last = secret.at(-1) === 'A' ? 'B' : 'A';
      const middle = secret[20] === 'A' ? 'B' : 'A';
      const wrong = [
        '',
        'bl_',
        secret.slice(0, -1),
        secret.slice(0, -1) + last,
        `${secret.slice(0, 20)}${middle}${secret.slice(21)}`,
        `${secret} `,
        token.id,
        token.hint,
      ];
      for (const text of wrong) await expectError(authenticate(world, text), 'BAD_CREDENTIALS');
    },
  },
  {
    name: 'tokens: bounds are checked when it is made',
    capability,
    rule: "scopes: at least one. PERMISSION_DENIED (SCOPE_EXCEEDED): wider than the caller's own. name: 1 to 100 characters.",
    async run(world) {
      const ann = await world.person();
      const create = (fields: object, context = ann.context) =>
        world.authenticator.createToken({ name: 'x', scopes: [READ], ...fields }, context);
      await expectError(create({ scopes: [] }), 'INVALID_FIELD', { field: 'scopes' });
      await expectError(create({ name: '' }), 'INVALID_FIELD', { field: 'name' });
      await expectError(create({ name: 'x'.repeat(101) }), 'INVALID_FIELD', { field: 'name' });
      await expectError(create({ expires: '2020-01-01T00:00:00.000Z' }), 'INVALID_FIELD', { field: 'expires' });
      await expectError(create({ scopes: [EDIT] }, { ...ann.context, scopes: [READ] }), 'SCOPE_EXCEEDED');
      await expectError(create({}, world.anonymous), 'LOGIN_REQUIRED');
    },
  },
  {
    name: 'tokens: for bots that the caller owns, for nobody else',
    capability,
    rule: 'Makes a token for the caller or for a bot it owns.',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      const bot = await world.bot(ann);
      const { token, secret } = await makeToken(world, ann, { user: bot.id });
      assert.deepEqual([token.user, token.creator], [bot.id, ann.user.id]);
      assert.equal((await authenticate(world, secret)).principal!.user!.id, bot.id);
      for (const user of [bot.id, ann.user.id])
        await expectError(makeToken(world, ben, { user }), ['USER_NOT_FOUND', 'FORBIDDEN']);
      const { tokens } = await world.authenticator.listTokens({}, ann.context);
      assert.ok(
        tokens.some(({ id }) => id === token.id),
        'lists tokens of the caller and its bots',
      );
      assert.deepEqual((await world.authenticator.listTokens({}, ben.context)).tokens, []);
    },
  },
  {
    name: 'tokens: revoked is revoked',
    capability,
    rule: 'Ends a token, effective everywhere within 5 s; one not there is no error.',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      const { token, secret } = await makeToken(world, ann);
      const revoke = (context: typeof ann.context) => world.authenticator.revokeToken({ id: token.id }, context);
      await authenticate(world, secret);
      await revoke(ben.context).catch(() => undefined);
      await authenticate(world, secret);
      for (let time = 0; time < 2; time += 1) await revoke(ann.context);
      await untilRefused(() => authenticate(world, secret));
      await expectError(authenticate(world, secret), 'BAD_CREDENTIALS');
      assert.deepEqual((await world.authenticator.listTokens({}, ann.context)).tokens, []);
    },
  },
  {
    name: 'tokens: an end is an end',
    capability,
    rule: 'expires; absent: does not expire.',
    async run(world) {
      const expires = new Date(Date.now() + 900).toISOString();
      const { secret } = await makeToken(world, await world.person(), { expires });
      assert.equal((await authenticate(world, secret)).principal!.expires, expires);
      await new Promise((resolve) => setTimeout(resolve, Date.parse(expires) - Date.now() + 20));
      await expectError(authenticate(world, secret), 'BAD_CREDENTIALS');
    },
  },
  {
    name: 'tokens: of a user who is deactivated',
    capability,
    rule: 'USER_STATE_DEACTIVATED: cannot log in.',
    async run(world) {
      const ann = await world.person();
      const { secret } = await makeToken(world, ann);
      await authenticate(world, secret);
      await world.change(ann.user, { state: UserState.DEACTIVATED }, ['state']);
      await untilRefused(() => authenticate(world, secret));
      await expectError(authenticate(world, secret), 'BAD_CREDENTIALS');
    },
  },
];
