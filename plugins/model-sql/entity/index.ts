import { ComponentEntity } from './component.ts';
import { IssueEntity } from './issue.ts';
import { IssueUpdateEntity } from './issue-update.ts';

/** Everything that is written through the unit of work. */
export const ENTITIES = [IssueEntity, IssueUpdateEntity, ComponentEntity] as const;
