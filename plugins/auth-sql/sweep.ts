import { REQUEST_RETENTION_MILLIS } from './request-log.ts';
import { type AuthStore, toTime } from './store.ts';
import type { Tables } from './tables.ts';

/** Time between two sweeps of one process. */
const SWEEP_MILLIS = 30 * 60_000;
/** Expired tokens stay in lists for so long. */
const EXPIRED_TOKEN_MILLIS = 30 * 86_400_000;

/** Removes what is over: nothing of it has any effect any more. */
export async function sweepStore(store: AuthStore): Promise<void> {
  const k = store.database.kysely<Tables>();
  const now = store.now();
  const { sessionIdleMillis, auditRetentionMillis } = store.settings;
  await k.deleteFrom('auth_session').where('expires', '<=', toTime(now)).execute();
  await k
    .deleteFrom('auth_session')
    .where('used', '<=', toTime(now - sessionIdleMillis))
    .execute();
  await k
    .deleteFrom('auth_token')
    .where('expires', '<', toTime(now - EXPIRED_TOKEN_MILLIS))
    .execute();
  await k.deleteFrom('auth_code').where('expires', '<=', toTime(now)).execute();
  await k.deleteFrom('auth_throttle').where('expires', '<=', toTime(now)).execute();
  await k.deleteFrom('auth_login_state').where('expires', '<=', toTime(now)).execute();
  await k
    .deleteFrom('auth_request')
    .where('created', '<', toTime(now - REQUEST_RETENTION_MILLIS))
    .execute();
  await k
    .deleteFrom('auth_audit')
    .where('created', '<', toTime(now - auditRetentionMillis))
    .execute();
}

/** Sweeps now and then until stopped; a failed sweep is logged and made up for by the next. */
export function startSweeping(store: AuthStore): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  const run = () => {
    running = sweepStore(store).catch((error) => {
      store.log.warn({ err: error }, 'removing what has expired did not work; trying again later');
    });
  };
  const timer = setInterval(run, SWEEP_MILLIS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
