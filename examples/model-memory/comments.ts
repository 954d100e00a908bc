import { checkAction, checkScope, checkText, LIMITS, refuse } from '@bugless/kit/domain';
import {
  type CallContext,
  type CommentVersion,
  EventKind,
  type FieldViolation,
  invalidField,
  type ModelImplementation,
  Permission,
  ServiceError,
  TokenScope,
  type Update,
} from '@bugless/kit/service';
import { findIssue, type SeenIssue } from './access.ts';
import { type Environment, requireLogin } from './environment.ts';
import { tellIssue } from './issues.ts';
import { writeOnce } from './request.ts';
import { mayRead, showUpdate } from './show.ts';

/** Comments edited and withdrawn; every text that one had is kept. */
export function createCommentMethods(environment: Environment) {
  const { store } = environment;
  return {
    async editComment(request, context) {
      return writeOnce(environment, context, 'EditComment', request, () => {
        const seen = findIssue(store, request.issue, context);
        const update = findUpdate(seen, request.sequence);
        checkOwner(update, seen, context);
        const violations: FieldViolation[] = [];
        checkText(violations, 'comment', request.comment, { maxBytes: LIMITS.commentBytes, required: true });
        refuse(violations);
        if (request.expectedCommentVersion === 0) throw invalidField('expected_comment_version', 'is required');
        if (update.redacted)
          throw new ServiceError('REDACTED', `comment ${update.sequence} was withdrawn; write a new one`);
        if (request.expectedCommentVersion !== update.commentVersion) {
          const metadata = { current: String(update.commentVersion) };
          throw new ServiceError('VERSION_MISMATCH', `comment ${update.sequence} is at version ${metadata.current}`, {
            metadata,
          });
        }
        if (request.comment === update.comment) return { update: showUpdate(store, update, seen.permission, context) };

        const edited = environment.now();
        const next = {
          ...update,
          comment: request.comment,
          commentVersion: update.commentVersion + 1,
          edited,
          editor: context.user,
        };
        return {
          update: showUpdate(store, replaceComment(environment, seen, update, next, context), seen.permission, context),
        };
      });
    },

    async redactComment({ issue, sequence }, context) {
      requireLogin(context);
      return store.transact(() => {
        const seen = findIssue(store, issue, context);
        const update = findUpdate(seen, sequence);
        checkOwner(update, seen, context);
        const next = update.redacted
          ? update
          : replaceComment(environment, seen, update, { ...update, redacted: true }, context);
        return { update: showUpdate(store, next, seen.permission, context) };
      });
    },

    async listCommentVersions({ issue, sequence }, context) {
      const seen = findIssue(store, issue, context);
      const update = findUpdate(seen, sequence);
      if (update.redacted && seen.permission < Permission.ADMIN)
        throw new ServiceError(
          'FORBIDDEN',
          `comment ${sequence} was withdrawn; its texts are for administrators of the component`,
        );
      if (!update.redacted && !mayRead(update, seen.permission)) return { versions: [] };
      return { versions: [...(seen.record.versions.get(sequence) ?? []), describeVersion(update)] };
    },
  } satisfies Partial<ModelImplementation>;
}

function findUpdate({ record }: SeenIssue, sequence: number): Update {
  const update = record.updates[sequence - 1];
  if (update) return update;
  throw new ServiceError('UPDATE_NOT_FOUND', `issue ${record.issue.id} has no update ${sequence}`);
}

function checkOwner(update: Update, { permission }: SeenIssue, context: CallContext): void {
  if (update.author === context.user) checkScope(context, TokenScope.COMMENT);
  else checkAction(context, permission, 'administer');
}

/** The text as it stands, as a version. */
function describeVersion(update: Update): CommentVersion {
  const { commentVersion: version, comment } = update;
  // The first text is by the author of the update; later ones are by who edited.
  const edited =
    version > 1
      ? { author: update.editor, created: update.edited }
      : { author: update.author, created: update.created };
  return { version, comment, ...edited };
}

function replaceComment(
  environment: Environment,
  { record }: SeenIssue,
  before: Update,
  after: Update,
  context: CallContext,
): Update {
  const { store } = environment;
  const updates = record.updates.with(before.sequence - 1, after);
  const versions = new Map(record.versions);
  if (after.commentVersion !== before.commentVersion)
    versions.set(before.sequence, [...(versions.get(before.sequence) ?? []), describeVersion(before)]);
  const { issue } = record;
  const description = before.sequence === 1 ? after.comment : issue.description;
  const next = { ...issue, description, version: String(BigInt(issue.version) + 1n), modified: environment.now() };
  store.putIssue({ ...record, issue: next, updates, versions });
  tellIssue(store, EventKind.COMMENT_EDITED, next, { ...after, author: context.user });
  return after;
}
