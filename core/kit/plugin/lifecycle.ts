import type { Logger } from './definition.ts';

/**
 * Runs a last step of a plugin's life within a bound. Never rejects: whatever the plugin does, the host has to
 * go on; failures and delays are logged.
 */
export async function finish(
  step: 'drain' | 'stop',
  plugin: string,
  run: () => Promise<void>,
  limitMillis: number,
  log: Logger,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limitMillis);
  });
  try {
    const outcome = await Promise.race([run(), limit]);
    if (outcome === 'late') log.warn({ plugin, limitMillis }, `${step} takes too long; going on without it`);
  } catch (error) {
    log.error({ plugin, err: error }, `${step} failed`);
  } finally {
    clearTimeout(timer);
  }
}
