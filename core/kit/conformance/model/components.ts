import assert from 'node:assert/strict';
import { CustomFieldKind, Permission } from '../../service/index.ts';
import { expectError, walkPages } from '../expectation.ts';
import { grantEveryone, type ModelCase, type ModelWorld, NOWHERE } from './world.ts';

async function listNames(world: ModelWorld, request: object, context = world.root): Promise<string[]> {
  const rows = await walkPages(3, async (pageToken) => {
    const answer = await world.model.listComponents({ ...request, pageSize: 3, pageToken }, context);
    return { rows: answer.components, nextPageToken: answer.nextPageToken };
  });
  return rows.map((component) => component.path.slice(1).join('>'));
}

/** The tree of components. */
export const COMPONENT_CASES: readonly ModelCase[] = [
  {
    name: 'components: created as asked for',
    rule: 'path: names from the root, this one last; ancestry: its path of ids; owners: the creator, when left empty.',
    async run(world) {
      const root = await world.home();
      const fields = {
        name: 'Web',
        parent: root.id,
        description: '# Web',
        defaultAssignee: world.bob.user,
        defaultCc: [world.alice.user],
      };
      const { component } = await world.model.createComponent({ component: fields }, world.root);
      assert.deepEqual(component!.path, [root.name, 'Web']);
      assert.deepEqual(component!.ancestry, [root.id, component!.id]);
      assert.deepEqual([component!.version, component!.parent, component!.description], ['1', root.id, '# Web']);
      assert.deepEqual(
        [component!.owners, component!.archived, component!.accessOverridden],
        [[world.root.user], false, false],
      );
      assert.deepEqual([component!.defaultAssignee, component!.defaultCc], [world.bob.user, [world.alice.user]]);
      assert.ok(component!.created);
      assert.deepEqual((await world.model.getComponent({ id: component!.id }, world.root)).component, component);
    },
  },
  {
    name: 'components: a name is unique below its parent',
    rule: 'Unique below its parent (compared without case). Errors: ALREADY_EXISTS (NAME_TAKEN).',
    async run(world) {
      const parent = (await world.home()).id;
      const first = await world.component({ name: 'Login', parent });
      await expectError(world.component({ name: 'LOGIN', parent }), 'NAME_TAKEN');
      await world.component({ name: 'Login', parent: first.id });
      const other = await world.component({ name: 'Logout', parent });
      const rename = { id: other.id, expectedVersion: '1', component: { name: 'login' }, updateMask: ['name'] };
      await expectError(world.model.updateComponent(rename, world.root), 'NAME_TAKEN');
      const deep = await world.component({ name: 'login', parent: other.id });
      await expectError(
        world.model.moveComponent({ id: deep.id, newParent: parent, expectedVersion: '1' }, world.root),
        'NAME_TAKEN',
      );
    },
  },
  {
    name: 'components: a bad name is refused',
    rule: '1 to 100 characters without `>`, `"` and line breaks.',
    async run(world) {
      const parent = (await world.home()).id;
      for (const name of ['', 'a>b', 'a"b', 'a\nb', 'x'.repeat(101)])
        await expectError(world.component({ name, parent }), 'INVALID_FIELD', { field: 'component.name' });
    },
  },
  {
    name: 'components: the parent has to be there',
    rule: 'Errors: NOT_FOUND (COMPONENT_NOT_FOUND).',
    async run(world) {
      await expectError(world.component({ parent: NOWHERE, accessOverridden: false }), 'COMPONENT_NOT_FOUND');
      await expectError(world.model.getComponent({ id: NOWHERE }, world.root), 'COMPONENT_NOT_FOUND');
      await expectError(world.model.listComponents({ below: NOWHERE }, world.root), 'COMPONENT_NOT_FOUND');
      const update = {
        id: NOWHERE,
        component: { description: 'x' },
        updateMask: ['description'],
        expectedVersion: '1',
      };
      await expectError(world.model.updateComponent(update, world.root), 'COMPONENT_NOT_FOUND');
    },
  },
  {
    name: 'components: listed by path, in pages',
    rule: 'Lists components that the caller may see, by path. Only this component and those below it.',
    async run(world) {
      const root = await world.home();
      const make = (name: string, parent: string) => world.component({ name, parent });
      const web = await make('Web', root.id);
      await make('Alpha', root.id);
      const login = await make('Login', web.id);
      await make('Web 2', root.id);
      await make('Cookie', login.id);
      await make('About', web.id);
      const expected = ['', 'Alpha', 'Web', 'Web>About', 'Web>Login', 'Web>Login>Cookie', 'Web 2'];
      assert.deepEqual(await listNames(world, { below: root.id }), expected);
      assert.deepEqual(await listNames(world, { below: login.id }), ['Web>Login', 'Web>Login>Cookie']);
      assert.deepEqual(await listNames(world, { below: root.id, name: 'OO' }), ['Web>Login>Cookie']);
    },
  },
  {
    name: 'components: archived ones are hidden unless asked for',
    rule: 'Takes no new issues and is hidden from pickers. include_archived.',
    async run(world) {
      const root = await world.home();
      await world.component({ name: 'Old', parent: root.id, archived: true });
      assert.deepEqual(await listNames(world, { below: root.id }), ['']);
      assert.deepEqual(await listNames(world, { below: root.id, includeArchived: true }), ['', 'Old']);
    },
  },
  {
    name: 'components: updated by mask and version',
    rule: 'Errors: ABORTED (VERSION_MISMATCH). Replacing free text needs the version.',
    async run(world) {
      const { id } = await world.home();
      const update = (request: object) => world.model.updateComponent({ id, ...request }, world.root);
      const text = { component: { description: 'Better', defaultAssignee: 'ignored' }, updateMask: ['description'] };
      await expectError(update(text), 'VERSION_REQUIRED');
      await expectError(update({ ...text, expectedVersion: '9' }), 'VERSION_MISMATCH', { metadata: { current: '1' } });
      const { component } = await update({ ...text, expectedVersion: '1' });
      assert.deepEqual([component!.description, component!.defaultAssignee, component!.version], ['Better', '', '2']);
      await expectError(update({ expectedVersion: '2', updateMask: ['parent'] }), 'INVALID_FIELD', {
        field: /^update_mask/,
      });
    },
  },
  {
    name: 'components: moved with all below it',
    rule: 'Moves a component with all below it.',
    async run(world) {
      const root = await world.home();
      const [a, b] = [
        await world.component({ name: 'A', parent: root.id }),
        await world.component({ name: 'B', parent: root.id }),
      ];
      const child = await world.component({ name: 'Child', parent: a.id });
      const leaf = await world.component({ name: 'Leaf', parent: child.id });
      const issue = await world.issue({ component: leaf.id });
      const { component } = await world.model.moveComponent(
        { id: child.id, newParent: b.id, expectedVersion: '1' },
        world.root,
      );
      assert.deepEqual([component!.parent, component!.path], [b.id, [root.name, 'B', 'Child']]);
      const { component: moved } = await world.model.getComponent({ id: leaf.id }, world.root);
      assert.deepEqual(moved!.ancestry, [root.id, b.id, child.id, leaf.id]);
      assert.equal((await world.get(issue.id)).component, leaf.id);
      assert.deepEqual(await listNames(world, { below: b.id }), ['B', 'B>Child', 'B>Child>Leaf']);
    },
  },
  {
    name: 'components: the tree has no loops and an end',
    rule: 'Errors: FAILED_PRECONDITION (CYCLE, TREE_TOO_DEEP).',
    async run(world) {
      const a = await world.home();
      const b = await world.component({ parent: a.id });
      const move = (id: string, newParent: string) =>
        world.model.moveComponent({ id, newParent, expectedVersion: '1' }, world.root);
      await expectError(move(a.id, b.id), 'CYCLE');
      await expectError(move(a.id, a.id), 'CYCLE');
      await expectError(move(b.id, NOWHERE), 'COMPONENT_NOT_FOUND');
      let parent = b.id;
      let deepest: Promise<unknown> = Promise.resolve();
      for (let depth = 0; depth < 64; depth += 1) {
        const made = world.component({ parent });
        deepest = made;
        const next = await made.then(
          (component) => component.id,
          () => '',
        );
        if (next === '') break;
        parent = next;
      }
      await expectError(deepest, 'TREE_TOO_DEEP');
    },
  },
  {
    name: 'components: made and changed with ADMIN alone',
    capability: 'access',
    rule: 'Needs ADMIN on the parent; a root needs an administrator.',
    async run(world) {
      const home = await world.home();
      const create = (parent: string, who = world.alice) =>
        world.model.createComponent({ component: { name: world.tag, parent } }, who);
      await expectError(create(home.id), 'FORBIDDEN');
      await expectError(create('0'), 'FORBIDDEN');
      await expectError(create(home.id, world.eve), 'COMPONENT_NOT_FOUND');
      const update = { id: home.id, component: { archived: true }, updateMask: ['archived'], expectedVersion: '1' };
      await expectError(world.model.updateComponent(update, world.alice), 'FORBIDDEN');
      const owned = await world.component({ owners: [world.alice.user] });
      await create(owned.id);
      await expectError(
        world.model.moveComponent({ id: owned.id, newParent: home.id, expectedVersion: '1' }, world.alice),
        'FORBIDDEN',
      );
    },
  },
  {
    name: 'components: custom fields',
    capability: 'custom_fields',
    rule: 'Fields that issues of this component and those below it can have.',
    async run(world) {
      const customFields = [
        { name: 'Browser', kind: CustomFieldKind.ENUM, options: ['Firefox', 'Chromium'] },
        { name: 'Seen', kind: CustomFieldKind.DATE },
        { name: 'Cost', kind: CustomFieldKind.NUMBER },
        { name: 'OS', kind: CustomFieldKind.MULTI_ENUM, options: ['Linux', 'Windows', 'macOS'] },
        { name: 'Note', kind: CustomFieldKind.TEXT },
      ];
      const root = await world.component({ customFields });
      const component = (await world.component({ parent: root.id })).id;
      const values = [
        { field: 'Browser', values: ['Firefox'] },
        { field: 'Cost', values: ['12.5'] },
        { field: 'OS', values: ['Linux', 'macOS'] },
        { field: 'Seen', values: ['2026-02-28'] },
      ];
      const issue = await world.issue({ component, customFields: values });
      assert.deepEqual((await world.get(issue.id)).customFields, values);
      const { issue: after, update } = await world.model.updateIssue(
        {
          id: issue.id,
          issue: { customFields: [{ field: 'Browser', values: ['Chromium'] }] },
          updateMask: ['custom_fields.Browser', 'custom_fields.Cost'],
        },
        world.alice,
      );
      assert.deepEqual(after!.customFields, [{ field: 'Browser', values: ['Chromium'] }, values[2], values[3]]);
      assert.deepEqual(
        update!.changes.toSorted((x, y) => x.field.localeCompare(y.field)),
        [
          { field: 'field.Browser', oldValues: ['Firefox'], newValues: ['Chromium'] },
          { field: 'field.Cost', oldValues: ['12.5'], newValues: [] },
        ],
      );
      const refused: readonly [string, string[]][] = [
        ['Browser', ['Lynx']],
        ['Browser', ['Firefox', 'Chromium']],
        ['Seen', ['2026-02-30']],
        ['Cost', ['a lot']],
        ['OS', ['Linux', 'BeOS']],
        ['Unknown', ['x']],
      ];
      for (const [field, bad] of refused) {
        const request = {
          id: issue.id,
          issue: { customFields: [{ field, values: bad }] },
          updateMask: [`custom_fields.${field}`],
        };
        await expectError(world.model.updateIssue(request, world.alice), 'INVALID_FIELD');
      }
    },
  },
  {
    name: 'components: a required custom field',
    capability: 'custom_fields',
    rule: 'required: a new issue needs a value.',
    async run(world) {
      const customFields = [{ name: 'Where', kind: CustomFieldKind.TEXT, required: true }];
      const component = (await world.component({ customFields })).id;
      await expectError(world.issue({ component }), 'INVALID_FIELD', { field: /custom_fields/ });
      await world.issue({ component, customFields: [{ field: 'Where', values: ['here'] }] });
    },
  },
  {
    name: 'components: the kind of a custom field is fixed once issues use it',
    capability: 'custom_fields',
    rule: 'Errors: FAILED_PRECONDITION (FIELD_IN_USE). kind: fixed once issues use it.',
    async run(world) {
      const customFields = [{ name: 'Cost', kind: CustomFieldKind.NUMBER }];
      const { id } = await world.component({ customFields });
      await world.issue({ component: id, customFields: [{ field: 'Cost', values: ['3'] }] });
      const request = {
        id,
        expectedVersion: '1',
        component: { customFields: [{ name: 'Cost', kind: CustomFieldKind.DATE }] },
        updateMask: ['custom_fields'],
      };
      await expectError(world.model.updateComponent(request, world.root), 'FIELD_IN_USE');
    },
  },
  {
    name: 'components: templates are kept',
    rule: 'Templates for new issues.',
    async run(world) {
      const templates = [{ name: 'Crash', issue: { title: 'Crash in ', description: '## Steps', labels: ['crash'] } }];
      const { id } = await world.component({ templates });
      const { component } = await world.model.getComponent({ id }, world.root);
      const [template] = component!.templates;
      assert.deepEqual(
        [template!.name, template!.issue?.title, template!.issue?.labels],
        ['Crash', 'Crash in ', ['crash']],
      );
    },
  },
  {
    name: 'components: access is inherited unless overridden',
    capability: 'access',
    rule: 'False: the grants of the nearest ancestor that overrides hold here.',
    async run(world) {
      const home = await world.home();
      const child = await world.component({ parent: home.id });
      const closed = await world.component({ parent: home.id, accessOverridden: true, access: [] });
      const below = await world.component({ parent: closed.id });
      const open = await world.component({
        parent: closed.id,
        accessOverridden: true,
        access: [grantEveryone(Permission.VIEW)],
      });
      const see = (id: string, who = world.carol) => world.model.getComponent({ id }, who);
      await see(child.id);
      for (const { id } of [closed, below]) await expectError(see(id), 'COMPONENT_NOT_FOUND');
      await see(open.id);
      const { component } = await see(child.id, world.alice);
      assert.deepEqual(component!.permissions, [
        Permission.VIEW,
        Permission.COMMENT,
        Permission.CREATE,
        Permission.EDIT,
      ]);
    },
  },
];
