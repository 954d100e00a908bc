import type { PluginEnvironment } from '@bugless/kit/plugin';
import type { CallContext } from '@bugless/kit/service';
import { ServiceError } from '@bugless/kit/service';
import type { Store } from './store.ts';

/** What every method works with. */
export interface Environment {
  readonly store: Store;
  /** Time of a write: ISO, milliseconds, UTC. */
  readonly now: () => string;
}

/** Makes it from what the host gives. */
export function createEnvironment(store: Store, host: Pick<PluginEnvironment, 'now'>): Environment {
  return { store, now: () => new Date(host.now()).toISOString() };
}

/** Throws LOGIN_REQUIRED for callers that are not signed in: nobody writes without a name. */
export function requireLogin(context: CallContext): void {
  if (context.user !== '' || context.system) return;
  throw new ServiceError('LOGIN_REQUIRED', 'log in, or send a token, to change anything');
}
