import { defineMigrations } from '@bugless/sql';
import { STORE_STEP } from './0001-store.ts';
import { COMPONENTS_STEP } from './0002-components.ts';
import { ISSUES_STEP } from './0003-issues.ts';
import { HISTORY_STEP } from './0004-history.ts';
import { TEXT_STEP } from './0005-text.ts';
import { IMPORT_STEP } from './0006-import.ts';
import { OUTBOX_STEP } from './0007-outbox.ts';
import { STARS_STEP } from './0008-stars.ts';
import { ORDER_STEP } from './0009-order.ts';
import { SEARCHES_STEP } from './0010-searches.ts';
import { HOTLISTS_STEP } from './0011-hotlists.ts';
import { FEED_STEP } from './0012-feed.ts';
import { ATTACHMENTS_STEP } from './0013-attachments.ts';
import { SUMMARY_STEP } from './0014-summary.ts';
import { WEBHOOKS_STEP } from './0015-webhooks.ts';

/** The steps in which the schema grew, oldest first. Released ones are never changed: add a file and a line. */
export const MIGRATIONS = defineMigrations('bugless_model', [
  STORE_STEP,
  COMPONENTS_STEP,
  ISSUES_STEP,
  HISTORY_STEP,
  TEXT_STEP,
  IMPORT_STEP,
  OUTBOX_STEP,
  STARS_STEP,
  ORDER_STEP,
  SEARCHES_STEP,
  HOTLISTS_STEP,
  FEED_STEP,
  ATTACHMENTS_STEP,
  SUMMARY_STEP,
  WEBHOOKS_STEP,
]);
