import type { Dialect } from '@bugless/sql';
import { createIndex } from './ddl.ts';

/**
 * An index for every order that a list can be asked for, so that its first page
 * never sorts all issues. Expressions are those of search/order.ts.
 */
export const ORDER_STEP = {
  name: '0009-order',
  up: (dialect: Dialect): string[] => {
    const include = ['acl', 'is_open', 'archived'];
    // Ties are broken by id, newest first; where they are by `modified` the rows of one value are sorted.
    const byId = ['status', 'priority', 'severity', 'type', 'assignee'].map((column) =>
      createIndex(dialect, {
        name: `issue_order_${column}`,
        table: 'issue',
        columns: [column, 'id desc'],
        include: [...include, 'modified'],
      }),
    );
    const byModified = ['status', 'priority'].map((column) =>
      createIndex(dialect, {
        name: `issue_by_${column}`,
        table: 'issue',
        columns: [column, 'modified desc', 'id desc'],
        include,
      }),
    );
    return [
      ...byId,
      ...byModified,
      createIndex(dialect, {
        name: 'issue_open',
        table: 'issue',
        columns: ['modified desc', 'id desc'],
        include: ['acl', 'archived', 'created', 'status', 'priority', 'severity', 'type', 'assignee', 'reporter'],
        where: 'is_open',
        timeLeads: true,
      }),
      createIndex(dialect, {
        name: 'issue_order_component',
        table: 'issue',
        columns: ['(acl >> 2)', 'id desc'],
        include: [...include, 'modified'],
      }),
      createIndex(dialect, { name: 'issue_order_stars', table: 'issue', columns: ['stars', 'id'], include }),
      createIndex(dialect, { name: 'issue_order_title', table: 'issue', columns: ['lower(title)', 'id desc'] }),
      createIndex(dialect, {
        name: 'issue_order_resolved',
        table: 'issue',
        columns: [`(coalesce(resolved, timestamptz '0001-01-01 00:00:00+00')) desc`, 'id desc'],
        include: ['resolved', ...include],
      }),
    ];
  },
};
