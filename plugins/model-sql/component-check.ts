import { checkCount, checkEnum, checkText, checkUserId, isId, refuse, WORDS } from '@bugless/kit/domain';
import { type Component, CustomFieldKind, type FieldViolation, ServiceError } from '@bugless/kit/service';
import { type ComponentNode, type ComponentTree, foldName, MAX_DEPTH } from './component-tree.ts';

/** Limits of the contract (component.proto), and some that keep a row small. */
const MAX = {
  name: 100,
  descriptionBytes: 64 * 1024,
  owners: 100,
  defaultCc: 100,
  access: 500,
  customFields: 100,
  templates: 50,
};
const MAX_OPTIONS = 500;

/** Checks what a component says of itself; throws INVALID_FIELD with every violation. */
export function checkComponent(component: Component, fields: ReadonlySet<string>): void {
  const found: FieldViolation[] = [];
  const at = (name: string): string => `component.${name}`;
  if (fields.has('name')) {
    checkText(found, at('name'), component.name, { maxCharacters: MAX.name, required: true, singleLine: true });
    if (/[>"]/.test(component.name))
      found.push({ field: at('name'), description: 'holds > or ", which paths are written with' });
  }
  if (fields.has('description'))
    checkText(found, at('description'), component.description, { maxBytes: MAX.descriptionBytes });
  if (fields.has('owners')) checkUsers(found, at('owners'), component.owners, MAX.owners);
  if (fields.has('default_assignee') && component.defaultAssignee !== '') {
    checkUserId(found, at('default_assignee'), component.defaultAssignee);
  }
  if (fields.has('default_cc')) checkUsers(found, at('default_cc'), component.defaultCc, MAX.defaultCc);
  if (fields.has('access')) checkAccess(found, at('access'), component);
  if (fields.has('custom_fields')) checkDefinitions(found, at('custom_fields'), component);
  if (fields.has('templates')) checkTemplates(found, at('templates'), component);
  refuse(found);
}

function checkUsers(found: FieldViolation[], field: string, users: readonly string[], max: number): void {
  checkCount(found, field, users.length, max);
  for (const [index, user] of users.entries()) checkUserId(found, `${field}[${index}]`, user);
}

function checkAccess(found: FieldViolation[], field: string, { access }: Component): void {
  checkCount(found, field, access.length, MAX.access);
  for (const [index, { principal, permission }] of access.entries()) {
    const place = `${field}[${index}]`;
    if (!principal) found.push({ field: place, description: 'one of user, group and everyone is expected' });
    else if (principal.$case !== 'everyone') checkUserId(found, `${place}.${principal.$case}`, principal.value);
    checkEnum(found, `${place}.permission`, permission, WORDS.permission);
  }
}

function checkDefinitions(found: FieldViolation[], field: string, { customFields }: Component): void {
  checkCount(found, field, customFields.length, MAX.customFields);
  const names = new Set<string>();
  for (const [index, definition] of customFields.entries()) {
    const place = `${field}[${index}]`;
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(definition.name)) {
      found.push({ field: `${place}.name`, description: '1 to 64 of letters, digits, _ and - are expected' });
    }
    const key = definition.name.toLowerCase();
    if (names.has(key)) found.push({ field: `${place}.name`, description: `${definition.name} stands there twice` });
    names.add(key);
    checkEnum(found, `${place}.kind`, definition.kind, WORDS.customFieldKind);
    checkText(found, `${place}.description`, definition.description, { maxCharacters: 1_000 });
    const choice = definition.kind === CustomFieldKind.ENUM || definition.kind === CustomFieldKind.MULTI_ENUM;
    if (choice && definition.options.length === 0)
      found.push({ field: `${place}.options`, description: 'at least one is expected' });
    if (!choice && definition.options.length > 0)
      found.push({ field: `${place}.options`, description: 'only enum and multi_enum have options' });
    checkCount(found, `${place}.options`, definition.options.length, MAX_OPTIONS);
    for (const [option, text] of definition.options.entries()) {
      checkText(found, `${place}.options[${option}]`, text, { maxCharacters: 100, required: true, singleLine: true });
    }
  }
}

function checkTemplates(found: FieldViolation[], field: string, { templates }: Component): void {
  checkCount(found, field, templates.length, MAX.templates);
  const names = new Set<string>();
  for (const [index, { name, issue }] of templates.entries()) {
    checkText(found, `${field}[${index}].name`, name, { maxCharacters: 100, required: true, singleLine: true });
    if (names.has(foldName(name)))
      found.push({ field: `${field}[${index}].name`, description: `${name} stands there twice` });
    names.add(foldName(name));
    if (issue) {
      checkText(found, `${field}[${index}].issue.title`, issue.title, { maxCharacters: 500 });
      checkText(found, `${field}[${index}].issue.description`, issue.description, { maxBytes: 64 * 1024 });
    }
  }
}

/** Checks a place in the tree: its name is free there, it is not too deep, and custom fields are unique along every path. */
export function checkPlace(
  tree: ComponentTree,
  parent: string,
  component: Component,
  self: ComponentNode | undefined,
): void {
  const above = parent === '0' ? undefined : tree.find(parent);
  const siblings = above ? above.children : tree.roots;
  const taken = siblings.find((node) => foldName(node.component.name) === foldName(component.name));
  if (taken && taken !== self) {
    const where = above ? `component ${parent}` : 'the roots';
    throw new ServiceError('NAME_TAKEN', `component.name: ${where} has a component ${taken.component.name} already`);
  }
  const depth = (above?.component.ancestry.length ?? 0) + 1;
  const height = self
    ? Math.max(...[...tree.walk([self])].map(({ component: each }) => each.ancestry.length)) -
      self.component.ancestry.length
    : 0;
  if (depth + height > MAX_DEPTH) {
    throw new ServiceError(
      'TREE_TOO_DEEP',
      `a component may stand at most ${MAX_DEPTH} deep; here it would be ${depth + height}`,
    );
  }
  checkFieldNames(tree, above, component, self);
}

function checkFieldNames(
  tree: ComponentTree,
  above: ComponentNode | undefined,
  component: Component,
  self: ComponentNode | undefined,
): void {
  const found: FieldViolation[] = [];
  const names = new Map((above?.customFields ?? []).map(({ name }) => [name.toLowerCase(), 'above']));
  for (const [index, { name }] of component.customFields.entries()) {
    if (names.has(name.toLowerCase())) {
      found.push({ field: `component.custom_fields[${index}].name`, description: `a component above defines ${name}` });
    }
  }
  const own = new Set([...names.keys(), ...component.customFields.map(({ name }) => name.toLowerCase())]);
  for (const node of self ? tree.walk(self.children) : []) {
    const clash = node.component.customFields.find(({ name }) => own.has(name.toLowerCase()));
    if (clash) {
      found.push({
        field: 'component.custom_fields',
        description: `component ${node.component.id} below defines ${clash.name} too`,
      });
    }
  }
  refuse(found);
}

/** Throws INVALID_FIELD for what is no id. */
export function checkComponentId(field: string, id: string): void {
  if (!isId(id)) refuse([{ field, description: `${JSON.stringify(id)} is no id: a positive number is expected` }]);
}

/** The answer for a component that is not there, or not there for this caller. */
export function componentNotFound(id: string, field = 'id'): ServiceError {
  return new ServiceError('COMPONENT_NOT_FOUND', `${field}: there is no component ${id}`);
}
