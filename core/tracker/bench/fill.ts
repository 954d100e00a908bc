import { readFileSync } from 'node:fs';
import { createContext, createSystemContext, type Model, Permission } from '@bugless/kit/service';
import type { Config } from '../config/index.ts';
import { openLog } from '../log.ts';
import { openPlugins } from '../plugins.ts';
import { type Distribution, MIDDLING, makeIssue, readDistribution } from './sample.ts';

const COMPONENTS = 128;
const BATCH = 500;
const PARALLEL = 2;

/** Fills an empty tracker with a sample by the import path. Returns issues per second. */
export async function fillTracker(config: Config, count: number, distributionFile?: string): Promise<number> {
  const shape: Distribution =
    distributionFile === undefined ? MIDDLING : readDistribution(JSON.parse(readFileSync(distributionFile, 'utf8')));
  const { logger } = openLog({ ...config.log, level: 'warn' });
  const plugins = await openPlugins(config, logger);
  try {
    const components = await makeComponents(plugins.model);
    const started = performance.now();
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) {
        const start = next;
        next = Math.min(count, next + BATCH);
        const issues = Array.from({ length: next - start }, (_, offset) =>
          makeIssue(start + offset, components, shape),
        );
        const { results } = await plugins.model.importIssues({ source: 'bench', issues }, createSystemContext());
        const refused = results.find((result) => result.error !== undefined);
        if (refused) throw new Error(`issue ${refused.key}: ${refused.error!.message}`);
        if (next % 20_000 < BATCH) process.stderr.write(`  ${next.toLocaleString('en')} issues\n`);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return count / ((performance.now() - started) / 1000);
  } finally {
    await plugins.drain();
    await plugins.stop();
  }
}

async function makeComponents(model: Model): Promise<string[]> {
  const context = createContext({ user: 'bench', admin: true });
  const make = async (name: string, parent: string, access: object[]): Promise<string> => {
    const { component } = await model.createComponent(
      { component: { name, parent, access, accessOverridden: access.length > 0 } },
      context,
    );
    return component!.id;
  };
  const everyone = [{ principal: { $case: 'everyone', value: false }, permission: Permission.EDIT }];
  const root = await make('Bench', '0', everyone);
  const ids: string[] = [];
  for (let index = 0; index < COMPONENTS; index += 1) {
    ids.push(await make(`Component ${index}`, index % 8 === 0 ? root : ids[index - (index % 8)]!, []));
  }
  return ids;
}
