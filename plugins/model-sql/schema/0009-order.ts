import type { Dialect } from '@bugless/sql';
import { createIndex } from './ddl.ts';

/**
 * An index for every order that a list can be asked for, so that its first page
 * never sorts all issues. Expressions are those of search/order.ts.
 */
export const ORDER_STEP = {
  name: '0009-order',
  up: (dialect: Dialect): string[] => {
    const byState = ['status', 'priority', 'severity', 'type'].map((column) =>
      createIndex(dialect, {
        name: `issue_by_${column}`,
        table: 'issue',
        columns: [column, 'modified desc', 'id desc'],
        include: ['acl', 'is_open', 'archived'],
      }),
    );
    return [
      ...byState,
      createIndex(dialect, {
        name: 'issue_open',
        table: 'issue',
        columns: ['modified desc', 'id desc'],
        include: ['acl', 'archived', 'created', 'status', 'priority', 'severity', 'type', 'assignee', 'reporter'],
        where: 'is_open',
        timeLeads: true,
      }),
      createIndex(dialect, {
        name: 'issue_by_component',
        table: 'issue',
        columns: ['(acl >> 2)', 'modified desc', 'id desc'],
      }),
      createIndex(dialect, { name: 'issue_by_stars', table: 'issue', columns: ['stars', 'modified desc', 'id desc'] }),
      createIndex(dialect, { name: 'issue_by_title', table: 'issue', columns: ['lower(title)', 'id desc'] }),
      createIndex(dialect, {
        name: 'issue_by_resolved',
        table: 'issue',
        columns: [`(coalesce(resolved, timestamptz '0001-01-01 00:00:00+00')) desc`, 'id desc'],
      }),
    ];
  },
};
