/** kill -9 of core, of the plugins and of the database, while clients write. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { Client } from './testing/client.ts';
import { type Installation, startInstallation } from './testing/installation.ts';
import { waitUntil } from './testing/process.ts';
import { checkNothingLost, checkPoolWhole, checkRepetition } from './testing/proof.ts';
import { ReadinessWatch } from './testing/readiness.ts';
import { WriteStream } from './testing/stream.ts';

// On a machine that has no time; elsewhere a fifth of it.
t.setTimeout(240_000);

/** Promised are 2 s on a machine that has time; this much more is allowed to one that has none. */
const READY_LIMIT = 8_000;

/** What is killed; resolves when it is back. */
interface Disaster {
  readonly name: string;
  /** Whether readiness surely turns red: not when it is over sooner than it can be asked. */
  readonly red: boolean;
  readonly strike: (installation: Installation) => Promise<void>;
}

const core: Disaster = {
  name: 'core',
  red: true,
  strike: async (installation) => {
    await installation.core.end('SIGKILL');
    await sleep(100);
    await installation.startCore();
  },
};

const plugins: Disaster = {
  name: 'plugin process',
  red: true,
  strike: async (installation) => {
    await installation.plugins!.end('SIGKILL');
    await sleep(200);
    await installation.startPlugins();
  },
};

const postmaster: Disaster = {
  name: 'postmaster',
  red: true,
  strike: async (installation) => {
    const { postmaster: before } = installation;
    process.kill(before, 'SIGKILL');
    const isBack = () => installation.postmaster !== before && installation.isDatabaseReady();
    await waitUntil('another postmaster is ready', isBack);
  },
};

/** A backend of the Model's pool, at work if one is. */
async function findBackend(database: pg.Client): Promise<number> {
  const { rows } = await database.query(`select pid from pg_stat_activity
    where application_name = 'bugless-model' order by state <> 'idle' desc, random() limit 1`);
  return rows[0].pid;
}

async function withDatabase(installation: Installation, work: (database: pg.Client) => Promise<void>): Promise<void> {
  const database = new pg.Client({ connectionString: installation.getDatabaseUrl('bugless_model') });
  database.on('error', () => undefined);
  await database.connect();
  await work(database);
  await database.end().catch(() => undefined);
}

const backend: Disaster = {
  name: 'one backend by kill -9, which makes PostgreSQL restart the others',
  red: false,
  strike: async (installation) => {
    await withDatabase(installation, async (database) => {
      const ended = new Promise((resolve) => database.once('end', resolve));
      process.kill(await findBackend(database), 'SIGKILL');
      await ended;
    });
    await waitUntil('PostgreSQL is ready again', async () => {
      const again = new pg.Client({ connectionString: installation.getDatabaseUrl('bugless_model') });
      again.on('error', () => undefined);
      const isBack = await again.connect().then(
        () => true,
        () => false,
      );
      await again.end().catch(() => undefined);
      return isBack;
    });
  },
};

const session: Disaster = {
  name: 'one session by pg_terminate_backend',
  red: false,
  strike: (installation) =>
    withDatabase(installation, async (database) => {
      await database.query('select pg_terminate_backend($1)', [await findBackend(database)]);
    }),
};

const scenarios: readonly { name: string; remote: boolean; disasters: readonly Disaster[] }[] = [
  { name: 'plugins in a process of their own', remote: true, disasters: [core, plugins, postmaster, backend, session] },
  { name: 'everything in one process', remote: false, disasters: [core, postmaster] },
];

for (const { name, remote, disasters } of scenarios) {
  t.test(name, async (t) => {
    const installation = await startInstallation(t, { remote });
    const client = await new Client(installation).login();
    const component = (await client.insist('POST', '/api/v1/components', { name: 'Stream' })).body.id;
    const watch = new ReadinessWatch(installation);
    t.teardown(() => watch.stop());
    await watch.waitGreen(performance.now());
    const stream = new WriteStream(installation, client.token, component);
    stream.start();
    await stream.waitForMore(8);

    for (const { name, red, strike } of disasters) {
      const struck = performance.now();
      await strike(installation);
      const back = performance.now();
      const millis = await watch.waitGreen(back);
      if (red) t.ok(watch.wasRed(struck), `${name}: readiness was red meanwhile`);
      t.ok(millis < READY_LIMIT, `${name}: ready again ${Math.round(millis)} ms after its return`);
      t.comment(`${name}: away for ${Math.round(back - struck)} ms, ready ${Math.round(millis)} ms later`);
      await stream.waitForMore(8);
    }
    await stream.stop();
    await watch.stop();

    await checkRepetition(t, client, stream);
    const found = await checkNothingLost(t, client, component, stream);
    await checkPoolWhole(t, installation, client, stream.issues[0]!.id);
    t.comment(
      `acknowledged ${stream.issues.length} issues, ${stream.comments.length} comments; ` +
        `found ${found.issues}, ${found.comments}; sent again: ${JSON.stringify(stream.countRepeated())}`,
    );
  });
}
