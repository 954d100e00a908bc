import type { GetInfoResponse, Model } from '../../service/index.ts';
import type { Reporter, RunOptions, RunSummary } from '../case.ts';
import { findClaim } from '../claim.ts';
import { runCases } from '../run.ts';
import { ACCESS_CASES } from './access.ts';
import { ATTACHMENT_CASES } from './attachments.ts';
import { CALL_CASES } from './calls.ts';
import { COMMENT_CASES } from './comments.ts';
import { COMPONENT_CASES } from './components.ts';
import { CREATE_CASES } from './create.ts';
import { EVENT_CASES } from './events.ts';
import { HISTORY_CASES } from './history.ts';
import { HOTLIST_CASES } from './hotlists.ts';
import { IMPORT_CASES } from './imports.ts';
import { PAGE_CASES } from './pages.ts';
import { PERSONAL_CASES } from './personal.ts';
import { READ_CASES } from './read.ts';
import { REQUEST_CASES } from './request.ts';
import { SEARCH_CASES } from './search.ts';
import { STATUS_CASES } from './status.ts';
import { SUMMARY_CASES } from './summaries.ts';
import { BATCH_CASES, UPDATE_CASES } from './update.ts';
import { VALUE_CASES } from './values.ts';
import { WEBHOOK_CASES } from './webhooks.ts';
import { type ModelCase, ModelWorld } from './world.ts';

/** Every case of a Model, in the order in which they are reported. */
export const MODEL_CASES: readonly ModelCase[] = [
  ...CREATE_CASES,
  ...READ_CASES,
  ...UPDATE_CASES,
  ...BATCH_CASES,
  ...STATUS_CASES,
  ...REQUEST_CASES,
  ...HISTORY_CASES,
  ...COMMENT_CASES,
  ...COMPONENT_CASES,
  ...ACCESS_CASES,
  ...SEARCH_CASES,
  ...PAGE_CASES,
  ...VALUE_CASES,
  ...CALL_CASES,
  ...HOTLIST_CASES,
  ...PERSONAL_CASES,
  ...ATTACHMENT_CASES,
  ...EVENT_CASES,
  ...WEBHOOK_CASES,
  ...SUMMARY_CASES,
  ...IMPORT_CASES,
];

/** A Model to try, over whichever transport, as openPlugin's link gives it. */
export interface OpenedModel {
  readonly model: Model;
  readonly info: GetInfoResponse;
  /** Frees what open took. */
  close(): Promise<void>;
}

/**
 * Runs every case of the Model's contract that the plugin claims to keep. It needs
 * no empty store and leaves its components and issues behind: try it on a copy.
 */
export async function runModelConformance(
  open: () => Promise<OpenedModel>,
  reporter: Reporter,
  options: RunOptions = {},
): Promise<RunSummary> {
  const opened = await open();
  try {
    const { model, info } = opened;
    return await runCases(
      MODEL_CASES,
      async () => new ModelWorld(model, info),
      (name) => findClaim(info, name),
      reporter,
      options,
    );
  } finally {
    await opened.close();
  }
}
