import assert from 'node:assert/strict';
import { UserKind, UserState } from '../../service/index.ts';
import { expectError, repeat, walkPages } from '../expectation.ts';
import { type AuthenticatorCase, NOBODY } from './world.ts';

const capability = 'directory';
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The directory: users and bots, and how they are found. */
export const USER_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'users: made with what was given, the rest filled in',
    capability,
    rule: 'id: minted once (UUIDv7). In a new user: PERSON. display_name falls back to the username.',
    async run(world) {
      const root = await world.root();
      const { user } = await world.authenticator.createUser({ user: { username: `Ann.${world.tag}` } }, root.context);
      assert.match(user!.id, UUID_V7);
      assert.deepEqual([user!.version, user!.kind, user!.state], ['1', UserKind.PERSON, UserState.ACTIVE]);
      assert.deepEqual(
        [user!.username, user!.displayName, user!.admin, user!.owner],
        [`Ann.${world.tag}`, `Ann.${world.tag}`, false, ''],
      );
      assert.deepEqual((await world.read(user!.id)).id, user!.id);
    },
  },
  {
    name: 'users: people by administrators, bots by anyone',
    capability,
    rule: 'Creates a user: a person (administrators) or a bot (anyone, who then owns it).',
    async run(world) {
      const ann = await world.person();
      const create = (user: object, context = ann.context) => world.authenticator.createUser({ user }, context);
      await expectError(create({ username: `x-${world.tag}` }), 'FORBIDDEN');
      await expectError(create({ username: `x-${world.tag}`, kind: UserKind.BOT }, world.anonymous), 'LOGIN_REQUIRED');
      const bot = await world.bot(ann);
      assert.deepEqual([bot.kind, bot.owner, bot.admin], [UserKind.BOT, ann.user.id, false]);
      const grabbing = { username: `y-${world.tag}`, kind: UserKind.BOT, admin: true };
      const made = await create(grabbing).then(
        ({ user }) => user!.admin,
        () => false,
      );
      assert.equal(made, false, 'nobody makes a bot an administrator by itself');
    },
  },
  {
    name: 'users: names are unique without case and well formed',
    capability,
    rule: 'Unique, compared without case; 1 to 64 of letters, digits, `.`, `_`, `-`, `+`, `@`. Errors: ALREADY_EXISTS (NAME_TAKEN).',
    async run(world) {
      const root = await world.root();
      const create = (username: string) => world.authenticator.createUser({ user: { username } }, root.context);
      await create(`ben+1@${world.tag}`);
      await expectError(create(`BEN+1@${world.tag}`.toUpperCase()), 'NAME_TAKEN');
      for (const username of ['', 'two words', 'x'.repeat(65), 'a/b', 'nul\0'])
        await expectError(create(username), 'INVALID_FIELD', { field: 'user.username' });
      const taken = await Promise.allSettled(Array.from({ length: 4 }, () => create(`race-${world.tag}`)));
      assert.equal(taken.filter(({ status }) => status === 'fulfilled').length, 1);
    },
  },
  {
    name: 'users: made once per request id',
    capability,
    rule: 'May be repeated with a request id.',
    async run(world) {
      const root = await world.root();
      const request = { user: { username: `once-${world.tag}` }, requestId: `user-${world.tag}` };
      const answers = await repeat(10, () => world.authenticator.createUser(request, root.context));
      assert.equal(new Set(answers.map(({ user }) => user!.id)).size, 1);
      const other = { ...request, user: { username: `other-${world.tag}` } };
      await expectError(world.authenticator.createUser(other, root.context), 'REQUEST_ID_REUSED');
    },
  },
  {
    name: 'users: a rename keeps the id',
    capability,
    rule: 'A user is an opaque id minted once, with changeable visible attributes.',
    async run(world) {
      const ann = await world.person();
      const username = `renamed-${world.tag}`;
      const renamed = await world.change(ann.user, { username, displayName: 'New' }, ['username', 'display_name']);
      assert.deepEqual(
        [renamed.id, renamed.username, renamed.displayName, renamed.version],
        [ann.user.id, username, 'New', '2'],
      );
      const { results } = await world.authenticator.resolveUsernames(
        { usernames: [username, ann.user.username] },
        ann.context,
      );
      assert.deepEqual(
        results.map(({ user }) => user?.id),
        [ann.user.id, undefined],
      );
      if (world.has('login.password')) {
        assert.equal((await world.login({ ...ann, user: renamed })).user!.id, ann.user.id);
        await expectError(world.login(ann), 'BAD_CREDENTIALS');
      }
    },
  },
  {
    name: 'users: many at once, in the order of the request',
    capability,
    rule: 'Returns users in the order of the request; an unknown id answers as a tombstone (state DELETED).',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      const ids = [ben.user.id, NOBODY, ann.user.id, ben.user.id];
      const { users } = await world.authenticator.batchGetUsers({ ids }, ann.context);
      assert.deepEqual(
        users.map(({ id }) => id),
        ids,
      );
      assert.deepEqual([users[1]!.state, users[1]!.username, users[1]!.email], [UserState.DELETED, '', '']);
      assert.deepEqual([users[0]!.username, users[3]!.username], [ben.user.username, ben.user.username]);
      await expectError(world.authenticator.batchGetUsers({ ids: [] }, ann.context), 'INVALID_FIELD', { field: 'ids' });
    },
  },
  {
    name: 'users: a deleted one is a tombstone',
    capability,
    rule: 'USER_STATE_DELETED: only the id and this state are left.',
    async run(world) {
      const ann = await world.person({ displayName: 'Ann', email: `del-${world.tag}@example.org` });
      await world.change(ann.user, { state: UserState.DELETED }, ['state']);
      const { id, state, username, displayName, email } = await world.read(ann.user.id);
      assert.deepEqual([id, state, username, displayName, email], [ann.user.id, UserState.DELETED, '', '', '']);
      if (world.has('login.password')) await expectError(world.login(ann), 'BAD_CREDENTIALS');
    },
  },
  {
    name: 'users: addresses are private',
    capability,
    rule: 'email: shown to the user itself and to administrators.',
    async run(world) {
      const email = `ann-${world.tag}@example.org`;
      const [ann, ben, root] = [await world.person({ email }), await world.person(), await world.root()];
      const seen = async (context: typeof ann.context) => (await world.read(ann.user.id, context)).email;
      assert.deepEqual(
        [await seen(ann.context), await seen(root.context), await seen(ben.context)],
        [email, email, ''],
      );
      const { results } = await world.authenticator.resolveUsernames({ usernames: [ann.user.username] }, ben.context);
      const { users } = await world.authenticator.findUsers({ prefix: ann.user.username }, ben.context);
      assert.ok(!JSON.stringify([results, users]).includes(email));
    },
  },
  {
    name: 'users: who may change what',
    capability,
    rule: 'Changes a user: itself (display name, e-mail, avatar), its bots, or anyone for administrators.',
    async run(world) {
      const [ann, ben] = [await world.person(), await world.person()];
      const bot = await world.bot(ann);
      const update = (id: string, user: object, updateMask: string[], context = ann.context, expectedVersion = '1') =>
        world.authenticator.updateUser({ id, expectedVersion, user, updateMask }, context);
      const { user } = await update(ann.user.id, { displayName: 'Ann', avatar: 'https://example.org/a.png' }, [
        'display_name',
        'avatar',
      ]);
      assert.deepEqual([user!.displayName, user!.avatar, user!.version], ['Ann', 'https://example.org/a.png', '2']);
      assert.equal((await update(bot.id, { displayName: 'Bot' }, ['display_name'])).user!.displayName, 'Bot');
      await expectError(update(ann.user.id, { displayName: 'Me' }, ['display_name'], ben.context, '2'), 'FORBIDDEN');
      await expectError(update(bot.id, { displayName: 'Me' }, ['display_name'], ben.context, '2'), 'FORBIDDEN');
      await expectError(update(ann.user.id, { admin: true }, ['admin'], ann.context, '2'), 'FORBIDDEN');
      await expectError(
        update(ann.user.id, { emailVerified: true }, ['email_verified'], ann.context, '2'),
        'FORBIDDEN',
      );
      await expectError(
        update(ann.user.id, { displayName: 'Late' }, ['display_name'], ann.context, '1'),
        'VERSION_MISMATCH',
        { metadata: { current: '2' } },
      );
      await expectError(update(ann.user.id, {}, ['nonsense'], ann.context, '2'), 'INVALID_FIELD', {
        field: /^update_mask/,
      });
      await expectError(
        update(NOBODY, { displayName: 'x' }, ['display_name'], (await world.root()).context),
        'USER_NOT_FOUND',
      );
      const read = await world.read(ann.user.id);
      assert.deepEqual([read.displayName, read.admin, read.version], ['Ann', false, '2']);
    },
  },
  {
    name: 'users: found by the beginning of a name',
    capability,
    rule: 'Finds users whose username or display name (any word of it) begins with a text; needs a signed-in caller. At most 20.',
    async run(world) {
      const ann = await world.person({ username: `zoe-${world.tag}`, displayName: `Zoë Q${world.tag} Blum` });
      const find = async (prefix: string, count = 0) =>
        (await world.authenticator.findUsers({ prefix, count }, ann.context)).users.map(({ id }) => id);
      for (const prefix of [
        `zoe-${world.tag}`,
        `ZOE-${world.tag.slice(0, 6)}`,
        `q${world.tag}`,
        `Q${world.tag.slice(0, 7)}`,
      ])
        assert.ok((await find(prefix)).includes(ann.user.id), prefix);
      assert.deepEqual(await find(`oe-${world.tag}`), []);
      assert.deepEqual(await find('%'), []);
      await expectError(world.authenticator.findUsers({ prefix: '' }, ann.context), 'INVALID_FIELD', {
        field: 'prefix',
      });
      await expectError(world.authenticator.findUsers({ prefix: 'a' }, world.anonymous), 'LOGIN_REQUIRED');
      const root = await world.root();
      for (let index = 0; index < 22; index += 1)
        await world.authenticator.createUser({ user: { username: `m${world.tag}-${index}` } }, root.context);
      assert.equal((await find(`m${world.tag}`, 100)).length, 20);
      assert.equal((await find(`m${world.tag}`, 3)).length, 3);
    },
  },
  {
    name: 'users: names that nobody has',
    capability,
    rule: 'Turns usernames into users, in the order of the request; unknown ones have no user.',
    async run(world) {
      const ann = await world.person();
      const usernames = [`nobody-${world.tag}`, ann.user.username.toUpperCase()];
      const { results } = await world.authenticator.resolveUsernames({ usernames }, ann.context);
      assert.deepEqual(
        results.map(({ username }) => username),
        usernames,
      );
      assert.deepEqual(
        results.map(({ user }) => user?.id),
        [undefined, ann.user.id],
      );
    },
  },
  {
    name: 'users: listed by administrators, in pages',
    capability,
    rule: 'Lists all users by username, for administrators. Anyone may list its own bots.',
    async run(world) {
      const [ann, ben, root] = [await world.person(), await world.person(), await world.root()];
      const bots: string[] = [];
      for (let index = 0; index < 5; index += 1) bots.push((await world.bot(ann)).id);
      const read = async (context: typeof ann.context) => {
        const rows = await walkPages(2, async (pageToken) => {
          const answer = await world.authenticator.listUsers({ owner: ann.user.id, pageSize: 2, pageToken }, context);
          return { rows: answer.users, nextPageToken: answer.nextPageToken };
        });
        assert.deepEqual(
          rows.map(({ username }) => username),
          rows.map(({ username }) => username).toSorted(),
        );
        return rows.map(({ id }) => id).toSorted();
      };
      assert.deepEqual(await read(root.context), bots.toSorted());
      assert.deepEqual(await read(ann.context), bots.toSorted());
      await expectError(read(ben.context), 'FORBIDDEN');
      await expectError(world.authenticator.listUsers({}, ann.context), 'FORBIDDEN');
    },
  },
  {
    name: 'placeholders: made once for each key of a source',
    capability,
    rule: 'Makes a placeholder for each (source, key), or returns the user that it already stands for.',
    async run(world) {
      const [ann, root] = [await world.person(), await world.root()];
      const placeholders = [
        { key: 'ann@old', username: ann.user.username, displayName: 'Ann of old' },
        { key: 'b c', username: 'not valid!', displayName: 'B C' },
        { key: 'd', username: `d-${world.tag}` },
      ];
      const make = async (source = world.tag) =>
        (await world.authenticator.createPlaceholders({ source, placeholders }, root.context)).users;
      const first = await make();
      assert.deepEqual(
        first.map(({ state }) => state),
        Array(3).fill(UserState.PLACEHOLDER),
      );
      assert.deepEqual([first[0]!.displayName, first[2]!.username], ['Ann of old', `d-${world.tag}`]);
      assert.notEqual(first[0]!.username, ann.user.username, 'made unique');
      for (const { username } of first) assert.match(username, /^[\p{L}\p{N}._+@-]{1,64}$/u, 'made valid');
      assert.deepEqual(
        (await make()).map(({ id }) => id),
        first.map(({ id }) => id),
      );
      const others = await make(`${world.tag} other`);
      assert.equal(new Set([...first, ...others].map(({ id }) => id)).size, 6, 'keys are unique within their source');
      await expectError(
        world.authenticator.createPlaceholders({ source: world.tag, placeholders }, ann.context),
        'FORBIDDEN',
      );
      if (world.has('sessions')) await expectError(world.session({ ...ann, user: first[0]! }), 'USER_INACTIVE');
    },
  },
  {
    name: 'placeholders: claimed by the real person',
    capability,
    rule: "From then on its id answers with that user's visible identity. Errors: FAILED_PRECONDITION (NOT_A_PLACEHOLDER).",
    async run(world) {
      const [ann, root] = [await world.person({ displayName: 'The real Ann' }), await world.root()];
      const placeholders = [{ key: 'ann', username: `old-${world.tag}`, displayName: 'Ann of old' }];
      const make = async () =>
        (await world.authenticator.createPlaceholders({ source: world.tag, placeholders }, root.context)).users[0]!;
      const { id: placeholder } = await make();
      const claim = (request: object, context = root.context) =>
        world.authenticator.claimPlaceholder({ placeholder, user: ann.user.id, ...request }, context);
      await expectError(claim({}, ann.context), 'FORBIDDEN');
      await expectError(claim({ placeholder: ann.user.id }), 'NOT_A_PLACEHOLDER');
      await expectError(claim({ user: NOBODY }), 'USER_NOT_FOUND');
      await expectError(claim({ placeholder: NOBODY }), 'USER_NOT_FOUND');
      for (let time = 0; time < 2; time += 1) await claim({});
      const seen = await world.read(placeholder);
      assert.deepEqual([seen.displayName, seen.username], ['The real Ann', ann.user.username]);
      assert.ok([placeholder, ann.user.id].includes((await make()).id), 'the key stands for the same user');
    },
  },
];
