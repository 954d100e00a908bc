import assert from 'node:assert/strict';
import {
  AccessLimit,
  type CallContext,
  type ErrorReason,
  type Model,
  Permission,
  type ServiceError,
  Status,
  TokenScope,
} from '../../service/index.ts';
import { expectError } from '../expectation.ts';
import { countIn, filterComponent } from './request.ts';
import { grantEveryone, grantUser, type ModelCase, type ModelWorld } from './world.ts';

const capability = 'access';

/** Who tries, from nothing to everything. */
const RANKS = ['nothing', 'VIEW', 'COMMENT', 'CREATE', 'EDIT', 'ADMIN'] as const;

interface Operation {
  readonly name: string;
  /** The least permission that it needs. */
  readonly needs: Permission;
  /** What one who sees nothing is told. */
  readonly hidden: ErrorReason;
  run(world: ModelWorld, at: { issue: string; component: string }, who: CallContext): Promise<unknown>;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'GetIssue',
    needs: Permission.VIEW,
    hidden: 'ISSUE_NOT_FOUND',
    run: (w, at, who) => w.model.getIssue({ id: at.issue }, who),
  },
  {
    name: 'ListUpdates',
    needs: Permission.VIEW,
    hidden: 'ISSUE_NOT_FOUND',
    run: (w, at, who) => w.model.listUpdates({ issue: at.issue }, who),
  },
  {
    name: 'GetComponent',
    needs: Permission.VIEW,
    hidden: 'COMPONENT_NOT_FOUND',
    run: (w, at, who) => w.model.getComponent({ id: at.component }, who),
  },
  {
    name: 'UpdateIssue with a comment alone',
    needs: Permission.COMMENT,
    hidden: 'ISSUE_NOT_FOUND',
    run: (w, at, who) => w.model.updateIssue({ id: at.issue, comment: 'x' }, who),
  },
  {
    name: 'CreateIssue',
    needs: Permission.CREATE,
    hidden: 'COMPONENT_NOT_FOUND',
    run: (w, at, who) => w.model.createIssue({ issue: { title: 'x', component: at.component } }, who),
  },
  {
    name: 'UpdateIssue',
    needs: Permission.EDIT,
    hidden: 'ISSUE_NOT_FOUND',
    run: (w, at, who) => w.model.updateIssue({ id: at.issue, add: { labels: [`by-${who.user.slice(0, 8)}`] } }, who),
  },
  {
    name: 'UpdateComponent',
    needs: Permission.ADMIN,
    hidden: 'COMPONENT_NOT_FOUND',
    run: (w, at, who) =>
      w.model.updateComponent(
        { id: at.component, component: { defaultCc: [who.user] }, updateMask: ['default_cc'] },
        who,
      ),
  },
  {
    name: 'CreateComponent',
    needs: Permission.ADMIN,
    hidden: 'COMPONENT_NOT_FOUND',
    run: (w, at, who) =>
      w.model.createComponent({ component: { name: who.user.slice(0, 20), parent: at.component } }, who),
  },
];

/** An issue in a component where some have one permission and no more: one by name, one through a group. */
interface Rank {
  readonly rank: Permission;
  readonly people: readonly CallContext[];
  readonly component: string;
  readonly issue: string;
}

const ranks = new WeakMap<Model, Promise<Rank[]>>();

/** One for each permission, made once in a run: each operation of the table is tried on all of them. */
function readRanks(world: ModelWorld): Promise<Rank[]> {
  const made = ranks.get(world.model) ?? Promise.all(Object.values(Permission).map((rank) => makeRank(world, rank)));
  ranks.set(world.model, made);
  return made;
}

async function makeRank(world: ModelWorld, rank: Permission): Promise<Rank> {
  const group = `group-${world.tag}-${rank}`;
  const people = [world.person(), world.person({ groups: [group] })];
  const grants = [
    grantUser(people[0]!, rank),
    { principal: { $case: 'group' as const, value: group }, permission: rank },
  ];
  const component = (await world.component({ access: rank === 0 ? [] : grants })).id;
  return { rank, people, component, issue: (await world.issue({ component }, world.root)).id };
}

/** Who may do what: components, limits of single issues, anonymous callers, scopes of tokens. */
export const ACCESS_CASES: readonly ModelCase[] = [
  ...OPERATIONS.map((operation): ModelCase => {
    return {
      name: `access: ${operation.name} needs ${Object.keys(Permission)[operation.needs]}`,
      capability,
      rule: 'What the caller may not see is NOT_FOUND; what it sees but may not do is PERMISSION_DENIED (FORBIDDEN).',
      async run(world) {
        for (const { rank, people, issue, component } of await readRanks(world)) {
          for (const who of people) {
            const call = operation.run(world, { issue, component }, who);
            if (rank === 0) await expectError(call, operation.hidden);
            else if (rank < operation.needs) await expectError(call, 'FORBIDDEN');
            else await call.catch((error: ServiceError) => assert.fail(`${RANKS[rank]}: ${error.message}`));
          }
          await operation.run(world, { issue, component }, world.root);
        }
      },
    };
  }),
  {
    name: 'access: anonymous callers see what everyone may see and write nothing',
    capability,
    rule: 'everyone: with true, also callers that are not signed in get at most VIEW. UNAUTHENTICATED (LOGIN_REQUIRED): an anonymous caller tried to write.',
    async run(world) {
      const open = await world.component({ access: [grantEveryone(Permission.EDIT)] });
      const members = await world.component({ access: [grantEveryone(Permission.EDIT, false)] });
      const issue = await world.issue({ component: open.id });
      const hidden = await world.issue({ component: members.id }, world.eve);
      assert.equal((await world.get(issue.id, world.anonymous)).title, issue.title);
      await expectError(world.model.getIssue({ id: hidden.id }, world.anonymous), 'ISSUE_NOT_FOUND');
      assert.equal((await countIn(world, open.id, world.anonymous)).count, 1);
      assert.equal((await countIn(world, members.id, world.anonymous)).count, 0);
      await expectError(world.model.updateIssue({ id: issue.id, comment: 'x' }, world.anonymous), 'LOGIN_REQUIRED');
      await expectError(
        world.model.createIssue({ issue: { title: 'x', component: open.id } }, world.anonymous),
        'LOGIN_REQUIRED',
      );
      const component = { name: world.tag, parent: open.id };
      await expectError(world.model.createComponent({ component }, world.anonymous), 'LOGIN_REQUIRED');
      if (world.has('stars'))
        await expectError(world.model.setStar({ issue: issue.id, starred: true }, world.anonymous), 'LOGIN_REQUIRED');
    },
  },
  {
    name: 'access: an issue limited in view',
    capability,
    rule: 'ACCESS_LIMIT_VIEW: only people named on the issue and those with ADMIN on its component see it.',
    async run(world) {
      const component = (await world.home()).id;
      const named = { assignee: world.bob.user, cc: [world.carol.user] };
      const issue = await world.issue({ ...named, title: 'limited', accessLimit: AccessLimit.VIEW });
      const other = world.person();
      await world.component({ access: [grantUser(other, Permission.EDIT)] });
      for (const who of [world.alice, world.bob, world.carol, world.root]) {
        assert.equal((await world.get(issue.id, who)).title, 'limited');
        assert.equal((await countIn(world, component, who)).count, 1);
      }
      for (const who of [world.dave, world.eve, other, world.anonymous]) {
        await expectError(world.model.getIssue({ id: issue.id }, who), 'ISSUE_NOT_FOUND');
        await expectError(world.model.listUpdates({ issue: issue.id }, who), 'ISSUE_NOT_FOUND');
        assert.equal((await countIn(world, component, who)).count, 0);
        const found = await world.model.searchIssues({ filter: filterComponent(component) }, who);
        assert.deepEqual([found.issues, found.nextPageToken], [[], '']);
      }
    },
  },
  {
    name: 'access: being named opens no component',
    capability,
    rule: 'An access limit narrows what the component allows; it never widens it.',
    async run(world) {
      const issue = await world.issue({ cc: [world.eve.user], accessLimit: AccessLimit.VIEW });
      await expectError(world.model.getIssue({ id: issue.id }, world.eve), 'ISSUE_NOT_FOUND');
    },
  },
  {
    name: 'access: an issue limited in comments',
    capability,
    rule: 'ACCESS_LIMIT_COMMENT: people named on the issue may comment; others who may view it only view it.',
    async run(world) {
      const issue = await world.issue({ accessLimit: AccessLimit.COMMENT });
      const named = await world.issue({ accessLimit: AccessLimit.COMMENT, cc: [world.dave.user] });
      await world.get(issue.id, world.dave);
      await expectError(world.model.updateIssue({ id: issue.id, comment: 'x' }, world.dave), 'FORBIDDEN');
      await world.model.updateIssue({ id: named.id, comment: 'x' }, world.dave);
    },
  },
  {
    name: 'access: counts and pages never leak',
    capability,
    rule: 'Each call sees only what that user may: access control is part of the query, so pages and counts never leak.',
    async run(world) {
      const root = await world.home();
      const secret = await world.component({ parent: root.id, accessOverridden: true, access: [] });
      for (let index = 0; index < 9; index += 1)
        await world.issue({ title: `t${index}`, component: index % 3 === 0 ? root.id : secret.id }, world.root);
      const filter = filterComponent(root.id, true);
      for (const [who, expected] of [
        [world.carol, 3],
        [world.root, 9],
        [world.eve, 0],
      ] as const) {
        assert.deepEqual(await world.model.countIssues({ filter }, who), { count: expected, more: false });
        const { issues, nextPageToken } = await world.model.searchIssues({ filter, pageSize: 3 }, who);
        assert.equal(issues.length, Math.min(3, expected));
        assert.equal(
          nextPageToken !== '',
          expected > 3,
          'there is a next page only if there are more that may be seen',
        );
      }
      assert.deepEqual(await world.model.countIssues({ filter, limit: 3 }, world.carol), { count: 3, more: false });
    },
  },
  {
    name: 'access: a page token carries no authority',
    capability,
    rule: 'page_token: it is opaque, carries no authority.',
    async run(world) {
      const root = await world.home();
      const secret = (await world.component({ parent: root.id, accessOverridden: true, access: [] })).id;
      for (let index = 0; index < 6; index += 1) await world.issue({ component: secret }, world.root);
      const request = { filter: filterComponent(secret), pageSize: 2 };
      const { nextPageToken } = await world.model.searchIssues(request, world.root);
      assert.notEqual(nextPageToken, '');
      const answer = world.model.searchIssues({ ...request, pageToken: nextPageToken }, world.eve);
      const seen = await answer.then(
        ({ issues }) => issues,
        (error: ServiceError) => (error.reason === 'BAD_PAGE_TOKEN' ? [] : Promise.reject(error)),
      );
      assert.deepEqual(seen, []);
    },
  },
  {
    name: 'access: references to what may not be seen are left out',
    capability,
    rule: 'blocked_by, blocking: ids that the caller may not see are left out.',
    async run(world) {
      const secret = (await world.component({ access: [] })).id;
      const hidden = await world.issue({ component: secret }, world.root);
      const issue = await world.issue({ blockedBy: [hidden.id] }, world.root);
      assert.deepEqual((await world.get(issue.id)).blockedBy, [hidden.id]);
      assert.deepEqual((await world.get(issue.id, world.alice)).blockedBy, []);
      const { issue: after } = await world.model.updateIssue({ id: issue.id, comment: 'x' }, world.alice);
      assert.deepEqual(after!.blockedBy, []);
      assert.deepEqual(
        (await world.get(issue.id)).blockedBy,
        [hidden.id],
        'an edit by somebody who does not see it keeps it',
      );
    },
  },
  {
    name: 'access: what may not be seen cannot be referred to',
    capability,
    rule: 'What the caller may not see is NOT_FOUND, as if it did not exist.',
    async run(world) {
      const hidden = await world.issue({ component: (await world.component({ access: [] })).id }, world.root);
      const issue = await world.issue();
      const requests = [
        { add: { blockedBy: [hidden.id] } },
        { issue: { parent: hidden.id }, updateMask: ['parent'] },
        { issue: { status: Status.DUPLICATE, duplicateOf: hidden.id }, updateMask: ['status', 'duplicate_of'] },
      ];
      for (const request of requests)
        await expectError(world.model.updateIssue({ id: issue.id, ...request }, world.alice), [
          'ISSUE_NOT_FOUND',
          'INVALID_FIELD',
        ]);
    },
  },
  {
    name: 'access: a change of access holds at once',
    capability,
    rule: 'Changes a component, access included.',
    async run(world) {
      const home = await world.home();
      const issue = await world.issue();
      await world.get(issue.id, world.carol);
      const request = { id: home.id, component: { access: [] }, updateMask: ['access'], expectedVersion: '1' };
      await world.model.updateComponent(request, world.root);
      await expectError(world.model.getIssue({ id: issue.id }, world.carol), 'ISSUE_NOT_FOUND');
      assert.equal((await countIn(world, home.id, world.carol)).count, 0);
    },
  },
  {
    name: 'access: scopes of a token bound what it may do',
    capability,
    rule: 'scopes: the bounds of the credential. read, comment, edit, admin; each includes those before it. PERMISSION_DENIED (SCOPE_EXCEEDED).',
    async run(world) {
      const issue = await world.issue();
      const component = issue.component;
      const as = (scope: TokenScope) => ({ ...world.alice, scopes: [scope] });
      const read = as(TokenScope.READ);
      await world.get(issue.id, read);
      await expectError(world.model.updateIssue({ id: issue.id, comment: 'x' }, read), 'SCOPE_EXCEEDED');
      await expectError(world.model.createIssue({ issue: { title: 'x', component } }, read), 'SCOPE_EXCEEDED');
      const comment = as(TokenScope.COMMENT);
      await world.model.updateIssue({ id: issue.id, comment: 'x' }, comment);
      await world.model.createIssue({ issue: { title: 'x', component } }, comment);
      await expectError(world.model.updateIssue({ id: issue.id, add: { labels: ['x'] } }, comment), 'SCOPE_EXCEEDED');
      await world.model.updateIssue({ id: issue.id, add: { labels: ['x'] } }, as(TokenScope.EDIT));
    },
  },
  {
    name: 'access: components of a token bound what it sees',
    capability,
    rule: 'scope_components: components to which the credential is confined, each with all below it; empty: all.',
    async run(world) {
      const [inside, outside] = [await world.home(), await world.component({})];
      const below = await world.component({ parent: inside.id });
      const issues = [];
      for (const { id } of [inside, below, outside]) issues.push(await world.issue({ component: id }));
      const confined = { ...world.alice, scopes: [TokenScope.ADMIN], scopeComponents: [inside.id] };
      for (const issue of issues.slice(0, 2)) await world.get(issue.id, confined);
      await expectError(world.model.getIssue({ id: issues[2]!.id }, confined), ['ISSUE_NOT_FOUND', 'SCOPE_EXCEEDED']);
      assert.equal((await countIn(world, outside.id, confined)).count, 0);
      assert.equal((await countIn(world, below.id, confined)).count, 1);
    },
  },
];
