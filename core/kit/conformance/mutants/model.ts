import { randomUUID } from 'node:crypto';
import { FIELDS } from '../../domain/index.ts';
import {
  createSystemContext,
  type DeepPartial,
  type Issue,
  type Model,
  ServiceError,
  type UploadAttachmentRequest,
} from '../../service/index.ts';
import { LIST_MUTANTS } from './list.ts';
import { everything, instead, type Mutant } from './mutant.ts';

const SETTABLE = FIELDS.filter(({ settable }) => settable).map(({ name }) => name);

/** Models that break one rule each. */
export const MODEL_MUTANTS: readonly Mutant<Model>[] = [
  ...LIST_MUTANTS,
  {
    name: 'does not compare versions',
    caughtBy: 'update: another version is a mismatch',
    change: (good) => ({
      updateIssue: async (request, context) => {
        const current =
          request.expectedVersion && (await good.getIssue({ id: request.id }, everything(context))).issue!.version;
        return good.updateIssue({ ...request, expectedVersion: current }, context);
      },
    }),
  },
  {
    name: 'loses edits of others: reads, adds, writes back',
    caughtBy: 'update: concurrent writers lose nothing',
    change: (good) => ({
      updateIssue: async (request, context) => {
        const added = request.add?.labels;
        if (added === undefined) return good.updateIssue(request, context);
        const { issue } = await good.getIssue({ id: request.id }, context);
        const labels = [...issue!.labels, ...added];
        return good.updateIssue({ ...request, add: {}, issue: { labels }, updateMask: ['labels'] }, context);
      },
    }),
  },
  {
    name: 'does a repeated request again',
    caughtBy: 'request id: UpdateIssue ten times is once',
    change: (good) => ({ updateIssue: (request, context) => good.updateIssue({ ...request, requestId: '' }, context) }),
  },
  {
    name: 'takes a used request id for another request',
    caughtBy: 'request id: CreateIssue ten times is once',
    change: (good) => ({
      createIssue: (request, context) =>
        instead(good.createIssue(request, context), 'REQUEST_ID_REUSED', () =>
          good.createIssue({ ...request, requestId: '' }, context),
        ),
    }),
  },
  {
    name: 'answers a repeat with the present state',
    caughtBy: 'request id: the first answer, also after the issue has moved on',
    change: (good) => ({
      updateIssue: async (request, context) => {
        const answer = await good.updateIssue(request, context);
        return { ...answer, issue: (await good.getIssue({ id: request.id }, context)).issue };
      },
    }),
  },
  {
    name: 'tells each event twice',
    caughtBy: 'events: each change once, in order per issue',
    change: (good) => ({
      watchEvents: async function* (request, context) {
        for await (const answer of good.watchEvents(request, context))
          yield { ...answer, events: answer.events.flatMap((event) => [event, event]) };
      },
    }),
  },
  {
    name: 'tells events in the wrong order',
    caughtBy: 'events: each change once, in order per issue',
    change: (good) => ({
      watchEvents: async function* (request, context) {
        for await (const answer of good.watchEvents(request, context))
          yield { ...answer, events: answer.events.toReversed() };
      },
    }),
  },
  {
    name: 'skips events behind a cursor',
    caughtBy: 'events: a walk goes on from any cursor',
    change: (good) => ({
      watchEvents: async function* (request, context) {
        for await (const answer of good.watchEvents(request, context))
          yield { ...answer, events: answer.events.slice(1) };
      },
    }),
  },
  {
    name: 'tells events of what the caller may not see',
    caughtBy: 'events: only what the caller may see',
    change: (good) => ({ watchEvents: (request, context) => good.watchEvents(request, everything(context)) }),
  },
  {
    name: 'names another author',
    caughtBy: 'update: a comment alone',
    change: (good) => ({
      updateIssue: (request) => good.updateIssue(request, createSystemContext({ user: 'somebody' })),
    }),
  },
  {
    name: 'believes the reporter in a request',
    caughtBy: 'create: all other fields are ignored',
    change: (good) => ({
      createIssue: (request, context) => {
        const reporter = request.issue?.reporter || context.user;
        return good.createIssue(request, { ...context, user: reporter });
      },
    }),
  },
  {
    name: 'shares its answers between callers',
    caughtBy: 'calls: what was answered belongs to the caller',
    change: (good) => {
      const kept = new Map<string, Promise<{ issue: Issue | undefined }>>();
      return {
        getIssue: (request, context) => {
          const answer = kept.get(request.id ?? '') ?? good.getIssue(request, context);
          kept.set(request.id ?? '', answer);
          return answer;
        },
      };
    },
  },
  {
    name: 'ignores a field that it does not know',
    caughtBy: 'update: a field that cannot be set is refused by name',
    change: (good) => ({
      updateIssue: (request, context) =>
        good.updateIssue(
          { ...request, updateMask: request.updateMask?.filter((path) => SETTABLE.includes(path)) },
          context,
        ),
    }),
  },
  {
    name: 'writes an update when nothing changes',
    caughtBy: 'update: what changes nothing writes nothing',
    change: (good) => ({
      updateIssue: async (request, context) => {
        const answer = await good.updateIssue(request, context);
        return answer.update ? answer : good.updateIssue({ id: request.id, comment: 'touched' }, context);
      },
    }),
  },
  {
    name: 'writes the comment of a request that it refuses',
    caughtBy: 'update: all or nothing',
    change: (good) => ({
      updateIssue: (request, context) =>
        good.updateIssue(request, context).catch(async (error: unknown) => {
          if (request.comment) await good.updateIssue({ id: request.id, comment: request.comment }, context);
          throw error;
        }),
    }),
  },
  {
    name: 'writes the good part of a batch that is all or nothing',
    caughtBy: 'batch: all or nothing',
    change: (good) => ({
      batchUpdateIssues: (request, context) =>
        good.batchUpdateIssues(request, context).catch(async (error: unknown) => {
          await good.batchUpdateIssues({ ...request, allOrNothing: false }, context);
          throw error;
        }),
    }),
  },
  {
    name: 'forgets when an issue was closed',
    caughtBy: 'status: closing and reopening keep the times',
    change: (good) => ({
      updateIssue: async (request, context) => {
        const answer = await good.updateIssue(request, context);
        return { ...answer, issue: answer.issue && { ...answer.issue, resolved: undefined } };
      },
    }),
  },
  {
    name: 'leaves a change out of history',
    caughtBy: 'history: an issue is the fold of its updates',
    change: (good) => ({
      listUpdates: async (request, context) => {
        const answer = await good.listUpdates(request, context);
        return {
          ...answer,
          updates: answer.updates.map((update) => ({
            ...update,
            changes: update.changes.filter(({ field }) => field !== 'cc'),
          })),
        };
      },
    }),
  },
  {
    name: 'shows restricted comments',
    caughtBy: 'history: a restricted comment is for those with EDIT',
    change: (good) => ({ listUpdates: (request, context) => good.listUpdates(request, everything(context)) }),
  },
  {
    name: 'shows withdrawn texts',
    caughtBy: 'comments: redacted texts are for ADMIN',
    change: (good) => ({
      listCommentVersions: (request, context) => good.listCommentVersions(request, everything(context)),
    }),
  },
  {
    name: 'keeps only the last text of a comment',
    caughtBy: 'comments: an edit keeps the earlier text',
    change: (good) => ({
      listCommentVersions: async (request, context) => ({
        versions: (await good.listCommentVersions(request, context)).versions.slice(-1),
      }),
    }),
  },
  {
    name: 'tells that an issue exists',
    caughtBy: 'access: GetIssue needs VIEW',
    change: (good) => ({
      getIssue: (request, context) =>
        instead(good.getIssue(request, context), 'ISSUE_NOT_FOUND', async () => {
          await good.getIssue(request, everything(context));
          throw new ServiceError('FORBIDDEN', 'you may not see this issue');
        }),
    }),
  },
  {
    name: 'gives tokens all that their user may do',
    caughtBy: 'access: scopes of a token bound what it may do',
    change: (good) => ({ updateIssue: (request, context) => good.updateIssue(request, { ...context, scopes: [] }) }),
  },
  {
    name: 'lets anonymous callers write where everyone may',
    caughtBy: 'access: anonymous callers see what everyone may see and write nothing',
    change: (good) => ({
      updateIssue: (request, context) =>
        good.updateIssue(request, context.user === '' && !context.system ? { ...context, user: 'anonymous' } : context),
    }),
  },
  {
    name: 'shows entries of hotlists that may not be seen',
    caughtBy: 'hotlists: a viewer sees the entries whose issues it may see',
    change: (good) => ({
      listHotlistEntries: (request, context) => good.listHotlistEntries(request, everything(context)),
    }),
  },
  {
    name: 'leaves an issue added again where it was',
    caughtBy: 'hotlists: added on top, added again moves up',
    change: (good) => ({
      addHotlistEntries: async (request, context) => {
        const { entries } = await good.listHotlistEntries({ hotlist: request.hotlist }, context);
        const issues = request.issues?.filter((id) => !entries.some(({ issue }) => issue === id)) ?? [];
        return issues.length > 0 ? good.addHotlistEntries({ ...request, issues }, context) : {};
      },
    }),
  },
  {
    name: 'imports again what is there',
    caughtBy: 'import: a second run adds nothing',
    change: (good) => ({
      importIssues: (request, context) => good.importIssues({ ...request, source: randomUUID() }, context),
    }),
  },
  {
    name: 'imports under the name of who imports',
    caughtBy: 'import: authors, times and history as they were',
    change: (good) => ({
      importIssues: (request, context) => {
        const issues = request.issues?.map((item) => ({
          ...item,
          updates: item.updates?.map((update) => ({ ...update, author: context.user })),
        }));
        return good.importIssues({ ...request, issues }, context);
      },
    }),
  },
  {
    name: 'normalises text',
    caughtBy: 'values: text comes back as it was sent',
    change: (good) => ({
      createIssue: (request, context) =>
        good.createIssue(
          { ...request, issue: { ...request.issue, title: request.issue?.title?.normalize('NFC') } },
          context,
        ),
    }),
  },
  {
    name: 'drops NUL in silence',
    caughtBy: 'values: NUL is refused by name',
    change: (good) => ({
      updateIssue: (request, context) =>
        good.updateIssue({ ...request, comment: request.comment?.replaceAll('\0', '') }, context),
    }),
  },
  {
    name: 'counts ids in doubles',
    caughtBy: 'values: ids above 2^53 are exact',
    change: (good) => ({
      getIssue: (request, context) => good.getIssue({ id: BigInt(Number(request.id)).toString() }, context),
    }),
  },
  {
    name: 'does not look at the deadline',
    caughtBy: 'calls: a deadline that has passed',
    change: (good) => ({ getIssue: (request, context) => good.getIssue(request, { ...context, deadline: undefined }) }),
  },
  {
    name: 'stores a file that arrived damaged',
    caughtBy: 'attachments: a file that arrives damaged is not stored',
    change: (good) => ({ uploadAttachment: (parts, context) => good.uploadAttachment(dropChecksum(parts), context) }),
  },
  {
    name: 'sends a file from its beginning, whatever the offset',
    caughtBy: 'attachments: read from an offset',
    change: (good) => ({
      downloadAttachment: (request, context) => good.downloadAttachment({ ...request, offset: '0' }, context),
    }),
  },
  {
    name: 'gives out files of issues that may not be seen',
    caughtBy: 'attachments: who may what',
    change: (good) => ({
      downloadAttachment: (request, context) => good.downloadAttachment(request, everything(context)),
    }),
  },
  {
    name: 'counts a star twice',
    caughtBy: 'stars: set and taken away, by each user alone',
    change: (good) => {
      let given = 0;
      return {
        setStar: async (request, context) => {
          given += request.starred ? 1 : 0;
          return { stars: (await good.setStar(request, context)).stars + Math.max(0, given - 1) };
        },
      };
    },
  },
];

async function* dropChecksum(
  parts: AsyncIterable<DeepPartial<UploadAttachmentRequest>>,
): AsyncIterable<DeepPartial<UploadAttachmentRequest>> {
  for await (const { part } of parts)
    yield part?.$case === 'header'
      ? { part: { $case: 'header', value: { ...part.value, sha256: Buffer.alloc(0) } } }
      : { part };
}
