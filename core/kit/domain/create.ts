/** What CreateIssue makes: a new issue and its update 1, or the refusal. Pure. */
import type { Component, CreateIssueRequest, Issue, Update } from '@bugless/proto';
import { IssueType, Priority, Severity, Significance, Status } from '@bugless/proto';
import { type FieldViolation, ServiceError } from '../service/error.ts';
import { createUpdate, type PlannedWrite, SETTABLE, type UpdateSituation } from './change.ts';
import { checkText, LIMITS, refuse } from './check.ts';
import { applyChanges, createEmptyIssue, diffIssues } from './fold.ts';
import { checkCustomFields, checkField, sortIssue } from './issue-check.ts';
import { collectReferences } from './reference.ts';
import { decideStatus, INITIAL_STATUSES } from './status.ts';
import { WORDS } from './word.ts';

/** What the rules have to know of the surroundings of a creation. */
export interface CreateSituation extends UpdateSituation {
  /** The component of the new issue; undefined: there is none that the caller may see. */
  readonly component: Component | undefined;
}

/** The write of a creation: it always leaves an update. */
export interface PlannedCreation extends PlannedWrite {
  readonly update: Update;
}

/**
 * Plans CreateIssue. Defaults of the component and of the contract are filled in.
 *
 * Errors: INVALID_FIELD with every violation, COMPONENT_NOT_FOUND, COMPONENT_ARCHIVED.
 */
export function planCreate(request: CreateIssueRequest, situation: CreateSituation): PlannedCreation {
  const { component, author, now } = situation;
  const asked = request.issue ?? createEmptyIssue();
  const violations: FieldViolation[] = [];
  const assignee = asked.assignee === '' ? (component?.defaultAssignee ?? '') : asked.assignee;
  const wanted: Issue = {
    ...createEmptyIssue(),
    title: asked.title,
    description: asked.description,
    type: asked.type || IssueType.BUG,
    priority: asked.priority || Priority.P2,
    severity: asked.severity || Severity.S2,
    component: asked.component,
    assignee,
    verifier: asked.verifier,
    collaborators: asked.collaborators,
    cc: [...asked.cc, ...(component?.defaultCc ?? [])],
    labels: asked.labels,
    foundIn: asked.foundIn,
    targetedTo: asked.targetedTo,
    parent: asked.parent,
    blockedBy: asked.blockedBy,
    customFields: asked.customFields,
    accessLimit: asked.accessLimit,
    status: decideStatus({
      before: Status.UNSPECIFIED,
      asked: asked.status || undefined,
      assigneeBefore: '',
      assigneeAfter: assignee,
      duplicateNamed: false,
    }),
  };
  for (const field of SETTABLE) checkField(violations, 'issue', field, wanted);
  if (WORDS.status.has(wanted.status) && !INITIAL_STATUSES.includes(wanted.status)) {
    const words = INITIAL_STATUSES.map(WORDS.status.format).join(', ');
    violations.push({ field: 'issue.status', description: `a new issue starts as one of ${words}` });
  }
  checkText(violations, 'issue.description', wanted.description, { maxBytes: LIMITS.commentBytes });
  checkCustomFields(violations, wanted, situation.customFields);
  refuse(violations);
  if (component === undefined) {
    throw new ServiceError('COMPONENT_NOT_FOUND', `issue.component: there is no component ${wanted.component}`);
  }
  if (component.archived) {
    throw new ServiceError('COMPONENT_ARCHIVED', `component ${component.id} is archived and takes no new issues`);
  }
  const sorted = sortIssue(wanted);
  const changes = diffIssues(createEmptyIssue(), sorted);
  const issue: Issue = {
    ...applyChanges(createEmptyIssue(), changes, now),
    version: '1',
    description: wanted.description,
    reporter: author,
    created: now,
    modified: now,
  };
  const update = createUpdate({
    author,
    at: now,
    comment: wanted.description,
    changes,
    restricted: request.restricted,
  });
  update.significance = Significance.MAJOR;
  return {
    issue,
    update,
    references: collectReferences(createEmptyIssue(), issue, request.issue, undefined, situation.customFields),
  };
}
