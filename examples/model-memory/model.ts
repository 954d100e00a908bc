import type { ModelImplementation } from '@bugless/kit/service';
import { createAttachmentMethods } from './attachments.ts';
import { createCommentMethods } from './comments.ts';
import { createComponentMethods } from './components.ts';
import type { Environment } from './environment.ts';
import { createEventMethods } from './events.ts';
import { createHotlistMethods } from './hotlists.ts';
import { createImportMethods } from './imports.ts';
import { createIssueMethods } from './issues.ts';
import { createPersonalMethods } from './personal.ts';
import { createSearchMethods } from './search.ts';

/** The Model: one file per noun. RPCs that none of them has answer CAPABILITY_ABSENT by themselves. */
export function createModel(environment: Environment): ModelImplementation {
  return {
    ...createIssueMethods(environment),
    ...createCommentMethods(environment),
    ...createSearchMethods(environment),
    ...createComponentMethods(environment),
    ...createHotlistMethods(environment),
    ...createPersonalMethods(environment),
    ...createAttachmentMethods(environment),
    ...createEventMethods(environment),
    ...createImportMethods(environment),
  };
}
