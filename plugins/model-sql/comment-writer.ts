import { checkAction } from '@bugless/kit/domain';
import {
  type CallContext,
  type EditCommentRequest,
  EditCommentRequest as EditCommentRequestCodec,
  type EditCommentResponse,
  EditCommentResponse as EditCommentResponseCodec,
  EventKind,
  type Issue,
  invalidField,
  Permission,
  type RedactCommentRequest,
  type RedactCommentResponse,
  ServiceError,
  type Update,
} from '@bugless/kit/service';
import { sql } from 'kysely';
import { fillAttachments } from './attachment-reader.ts';
import { IssueEntity } from './entity/issue.ts';
import { IssueUpdateEntity } from './entity/issue-update.ts';
import { createDoc, insertDocs, insertEvents, touchKeys } from './issue-derived.ts';
import { checkIssueId, issueNotFound } from './issue-reader.ts';
import { formatAcl } from './issue-row.ts';
import { type HeldIssue, IssueSession } from './issue-session.ts';
import { readTextVersion, runWrite, type WriteScope } from './request-log.ts';
import { readClock, type Store } from './store.ts';
import { toUpdate, updateNotFound } from './update-reader.ts';

/** Longest comment in bytes of UTF-8. */
const MAX_COMMENT_BYTES = 1024 * 1024;

/** EditComment. */
export async function editComment(
  store: Store,
  request: EditCommentRequest,
  context: CallContext,
): Promise<EditCommentResponse> {
  checkIssueId('issue', request.issue);
  checkComment(request.comment);
  if (request.expectedCommentVersion < 1) {
    throw invalidField('expected_comment_version', 'is required: the comment_version that you saw');
  }
  return runWrite(
    store,
    {
      method: 'EditComment',
      requestId: request.requestId,
      request,
      requestCodec: EditCommentRequestCodec,
      responseCodec: EditCommentResponseCodec,
      context,
      shorten: ({ update }) => ({ update: update && { ...update, comment: '' } }),
      complete: async ({ update }, _at, db) => {
        if (update) {
          update.comment = await readTextVersion(db, update.issue, update.sequence, update.commentVersion);
        }
      },
    },
    async (scope) => {
      const { session, held, entity } = await hold(store, scope, request, context);
      checkAuthor(context, held, entity);
      if (entity.redacted) {
        throw new ServiceError(
          'REDACTED',
          `the comment of update ${entity.sequence} was withdrawn and can not be edited`,
        );
      }
      if (entity.comment === '' && entity.sequence > 1) {
        throw new ServiceError('UPDATE_NOT_FOUND', `sequence: update ${entity.sequence} has no comment`);
      }
      if (entity.commentVersion !== request.expectedCommentVersion) {
        throw new ServiceError(
          'VERSION_MISMATCH',
          `expected_comment_version: the comment is at version ${entity.commentVersion}, not ${request.expectedCommentVersion}`,
          { metadata: { current: String(entity.commentVersion) } },
        );
      }
      if (entity.comment === request.comment) return { update: await present(scope, held, entity) };
      const at = await keepVersion(scope, entity, context, readLater(held.issue, readClock(store)));
      entity.comment = request.comment;
      await finish(session, held, entity, at, 0);
      return { update: await present(scope, held, entity) };
    },
  );
}

/** RedactComment. Done twice it is done once. */
export async function redactComment(
  store: Store,
  request: RedactCommentRequest,
  context: CallContext,
): Promise<RedactCommentResponse> {
  checkIssueId('issue', request.issue);
  const write = {
    method: 'RedactComment',
    requestId: '',
    request,
    requestCodec: EditCommentRequestCodec as never,
    responseCodec: EditCommentResponseCodec,
    context,
  };
  return runWrite(store, write, async (scope) => {
    const { session, held, entity } = await hold(store, scope, request, context);
    checkAuthor(context, held, entity);
    if (!entity.redacted) {
      const hadComment = entity.comment !== '';
      const at = await keepVersion(scope, entity, context, readLater(held.issue, readClock(store)));
      entity.comment = '';
      entity.redacted = true;
      await finish(session, held, entity, at, entity.sequence > 1 && hadComment ? -1 : 0);
    }
    return { update: await present(scope, held, entity) };
  });
}

async function hold(
  store: Store,
  scope: WriteScope,
  request: { issue: string; sequence: number },
  context: CallContext,
): Promise<{ session: IssueSession; held: HeldIssue; entity: IssueUpdateEntity }> {
  const session = new IssueSession(store, scope, context);
  await session.lock([request.issue]);
  const held = session.find(request.issue);
  if (!held) throw issueNotFound(request.issue, 'issue');
  const entity = await scope.em.findOne(IssueUpdateEntity, { issueId: request.issue, sequence: request.sequence });
  if (!entity) throw updateNotFound(request.issue, request.sequence);
  return { session, held, entity };
}

/** For the author, who may still comment there, and for ADMIN. */
function checkAuthor(context: CallContext, held: HeldIssue, entity: IssueUpdateEntity): void {
  const own = context.user !== '' && entity.author === context.user;
  checkAction(context, held.permission, own ? 'comment' : 'administer');
}

/** Moves the present text to the earlier ones. Returns the time of the edit. */
async function keepVersion(
  scope: WriteScope,
  entity: IssueUpdateEntity,
  context: CallContext,
  at: string,
): Promise<string> {
  await sql`insert into comment_version (issue_id, sequence, version, author, created, comment) values
    (${entity.issueId}, ${entity.sequence}, ${entity.commentVersion}, ${entity.editor === '' ? entity.author : entity.editor},
     ${entity.edited ?? entity.created}, ${entity.comment})`.execute(scope.db);
  entity.commentVersion += 1;
  entity.edited = at;
  entity.editor = context.user;
  return at;
}

/** Writes the edited comment, the issue's new version, its words and the event. */
async function finish(
  session: IssueSession,
  held: HeldIssue,
  entity: IssueUpdateEntity,
  at: string,
  comments: number,
): Promise<void> {
  const { store, scope, context } = session;
  const issue: Issue = {
    ...held.issue,
    version: String(BigInt(held.issue.version) + 1n),
    commentCount: held.issue.commentCount + comments,
    modified: at,
  };
  held.issue = issue;
  const row = await scope.em.findOneOrFail(IssueEntity, issue.id);
  row.version = issue.version;
  row.commentCount = issue.commentCount;
  row.modified = at;
  await scope.em.flush();
  await touchKeys([issue]).execute(scope.db);
  if (entity.comment === '') {
    await sql`delete from doc where issue_id = ${issue.id} and sequence = ${entity.sequence}`.execute(scope.db);
  } else {
    const doc = createDoc(store, issue, entity.sequence, entity.comment, entity.restricted);
    await insertDocs(store, [doc]).execute(scope.db);
  }
  await insertEvents([
    {
      id: store.ids.nextRowId(),
      kind: EventKind.COMMENT_EDITED,
      issue_id: issue.id,
      sequence: entity.sequence,
      version: issue.version,
      component: Number(issue.component),
      hotlist: '0',
      acl: formatAcl(issue.component, issue.accessLimit),
      author: context.user,
      created: at,
    },
  ]).execute(scope.db);
}

async function present(scope: WriteScope, held: HeldIssue, entity: IssueUpdateEntity): Promise<Update> {
  const update = toUpdate(
    {
      issue_id: entity.issueId,
      sequence: entity.sequence,
      author: entity.author,
      created: entity.created,
      significance: entity.significance,
      restricted: entity.restricted,
      redacted: entity.redacted,
      comment_version: entity.commentVersion,
      edited: entity.edited ?? null,
      editor: entity.editor,
      comment: entity.comment,
      changes: entity.changes ?? null,
    },
    // Who wrote it sees it in the answer.
    held.permission < Permission.EDIT && entity.restricted ? held.permission : Permission.ADMIN,
  );
  await fillAttachments(scope.db, [update], [{ has_files: true }]);
  return update;
}

function readLater(issue: Issue, now: string): string {
  return issue.modified! > now ? issue.modified! : now;
}

function checkComment(comment: string): void {
  if (comment.trim() === '') throw invalidField('comment', 'is required: to withdraw a comment, redact it');
  if (comment.includes('\0')) throw invalidField('comment', 'holds a NUL character; remove it');
  if (!comment.isWellFormed())
    throw invalidField('comment', 'holds half of a surrogate pair; send well-formed Unicode');
  const bytes = Buffer.byteLength(comment);
  if (bytes > MAX_COMMENT_BYTES) {
    throw invalidField('comment', `has ${bytes} bytes of UTF-8; at most ${MAX_COMMENT_BYTES} are allowed`);
  }
}
