import { type CallContext, type Component, type Model, Permission } from '@bugless/kit/service';

/**
 * A new Bugless needs one place to file issues in: creates the component "General", in which everyone
 * signed in may edit, unless any component is there; answers one that is. May be repeated.
 *
 * @param owner opaque user id; the context's user when it has one
 */
export async function prepareFirstComponent(
  model: Model,
  context: CallContext,
  owner = context.user,
): Promise<Component> {
  const { components } = await model.listComponents({ pageSize: 1, includeArchived: true }, context);
  const [first] = components;
  if (first !== undefined) return first;
  const { component } = await model.createComponent(
    {
      requestId: 'first-component',
      component: {
        name: 'General',
        description: 'Issues that have no better place yet.',
        owners: owner === '' ? [] : [owner],
        accessOverridden: true,
        access: [{ principal: { $case: 'everyone', value: false }, permission: Permission.EDIT }],
      },
    },
    context,
  );
  return component!;
}
