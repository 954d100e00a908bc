import type { CallContext, ModelImplementation } from '@bugless/kit/service';
import { toServiceError } from '@bugless/sql';
import { downloadAttachment, listAttachments } from './attachment-reader.ts';
import { deleteAttachment, uploadAttachment } from './attachment-writer.ts';
import { editComment, redactComment } from './comment-writer.ts';
import { getComponent, listComponents } from './component-reader.ts';
import { createComponent, moveComponent, updateComponent } from './component-writer.ts';
import { leaseDeliveries, listDeliveries, redeliver, reportDelivery } from './delivery-writer.ts';
import { watchEvents } from './event-reader.ts';
import {
  addHotlistEntries,
  annotateHotlistEntry,
  moveHotlistEntry,
  removeHotlistEntries,
} from './hotlist-entry-writer.ts';
import { getHotlist, listHotlistEntries, listHotlists } from './hotlist-reader.ts';
import { createHotlist, deleteHotlist, updateHotlist } from './hotlist-writer.ts';
import { importIssues } from './import-writer.ts';
import { batchGetIssues, getIssue } from './issue-reader.ts';
import { batchUpdateIssues, createIssue, updateIssue } from './issue-writer.ts';
import { deleteSavedSearch, listSavedSearches, saveSearch } from './saved-search.ts';
import { countIssues, searchIssues } from './search/search.ts';
import { setStar } from './star-writer.ts';
import type { Store } from './store.ts';
import { summarizeIssues } from './summary.ts';
import { listCommentVersions, listUpdates } from './update-reader.ts';
import { createWebhook, deleteWebhook, listWebhooks, updateWebhook } from './webhook-writer.ts';

/**
 * The Model on a store: every RPC that it has, and the function that answers it.
 * `getStore` may throw NOT_READY; `running` holds what has not answered yet.
 */
export function createModel(getStore: () => Store, running: Set<Promise<unknown>> = new Set()): ModelImplementation {
  const on =
    <Request, Response>(answer: (store: Store, request: Request, context: CallContext) => Promise<Response>) =>
    async (request: Request, context: CallContext): Promise<Response> => {
      const answering = answer(getStore(), request, context);
      running.add(answering);
      try {
        return await answering;
      } catch (error) {
        // No driver's word leaves the plugin.
        throw toServiceError(error);
      } finally {
        running.delete(answering);
      }
    };
  /** The same for what may be followed by events. */
  const write = <Request, Response>(
    answer: (store: Store, request: Request, context: CallContext) => Promise<Response>,
  ) =>
    on(async (store: Store, request: Request, context: CallContext) => {
      const response = await answer(store, request, context);
      store.feed.nudge();
      return response;
    });
  const stream = <Request, Response>(
    answer: (store: Store, request: Request, context: CallContext) => AsyncIterable<Response>,
  ) =>
    async function* (request: Request, context: CallContext): AsyncGenerator<Response, void, undefined> {
      const { promise, resolve } = Promise.withResolvers<void>();
      running.add(promise);
      try {
        yield* answer(getStore(), request, context);
      } catch (error) {
        throw toServiceError(error);
      } finally {
        running.delete(promise);
        resolve();
      }
    };
  return {
    createIssue: write(createIssue),
    getIssue: on(getIssue),
    batchGetIssues: on(batchGetIssues),
    updateIssue: write(updateIssue),
    batchUpdateIssues: write(batchUpdateIssues),
    listUpdates: on(listUpdates),
    editComment: write(editComment),
    redactComment: write(redactComment),
    listCommentVersions: on(listCommentVersions),
    searchIssues: on(searchIssues),
    countIssues: on(countIssues),
    summarizeIssues: on(summarizeIssues),
    setStar: on(setStar),

    createComponent: write(createComponent),
    getComponent: on(getComponent),
    listComponents: on(listComponents),
    updateComponent: write(updateComponent),
    moveComponent: write(moveComponent),

    createHotlist: write(createHotlist),
    getHotlist: on(getHotlist),
    listHotlists: on(listHotlists),
    updateHotlist: write(updateHotlist),
    deleteHotlist: write(deleteHotlist),
    listHotlistEntries: on(listHotlistEntries),
    addHotlistEntries: write(addHotlistEntries),
    removeHotlistEntries: write(removeHotlistEntries),
    moveHotlistEntry: write(moveHotlistEntry),
    annotateHotlistEntry: write(annotateHotlistEntry),

    saveSearch: on(saveSearch),
    listSavedSearches: on(listSavedSearches),
    deleteSavedSearch: on(deleteSavedSearch),

    uploadAttachment: write(uploadAttachment),
    downloadAttachment: stream(downloadAttachment),
    listAttachments: on(listAttachments),
    deleteAttachment: on(deleteAttachment),

    watchEvents: stream(watchEvents),

    createWebhook: on(createWebhook),
    listWebhooks: on(listWebhooks),
    updateWebhook: on(updateWebhook),
    deleteWebhook: on(deleteWebhook),
    listDeliveries: on(listDeliveries),
    redeliver: on(redeliver),
    leaseDeliveries: on(leaseDeliveries),
    reportDelivery: on(reportDelivery),

    importIssues: write(importIssues),
  };
}
