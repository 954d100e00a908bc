/** A whole Bugless, as an operator runs it: core, and plugins inside of it or in a process of their own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PASSWORD } from '../../testing.ts';
import { listProcesses, type Run, startBugless, waitUntil } from './process.ts';

/** The part of a tap test that is used. */
interface Test {
  teardown(run: () => unknown): unknown;
}

export interface InstallationOptions {
  /** Both plugins in one process, reached over a unix socket; default: inside of core. */
  readonly remote?: boolean;
  /** Where the data folder is made; default: in the installation's own folder. */
  readonly dataDir?: string;
  /** Further keys of `http`. */
  readonly http?: Readonly<Record<string, unknown>>;
}

const PACKAGES = ['@bugless/model-postgres', '@bugless/auth-password'] as const;

/** Started and set up: `admin` can log in. */
export class Installation {
  readonly folder: string;
  readonly dataDir: string;
  /** Where core is, since its last start. */
  url = '';
  core!: Run;
  /** Undefined: the plugins live in core. */
  plugins: Run | undefined;
  readonly #remote: boolean;

  constructor(options: InstallationOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'bugless-life-'));
    this.dataDir = options.dataDir ?? join(this.folder, 'data');
    this.#remote = options.remote ?? false;
    const transport = this.#remote ? this.address : 'in-process';
    const sections = PACKAGES.map((plugin) => ({ plugin, transport, startTimeout: 30 }));
    const file = {
      http: { port: 0, ...options.http },
      dataDir: this.dataDir,
      model: sections[0],
      authenticators: [{ ...sections[1], config: { bcryptCost: 4 } }],
    };
    // JSON is YAML.
    writeFileSync(join(this.folder, 'bugless.yaml'), JSON.stringify(file, null, 2));
  }

  /** Where the plugins listen when they are remote. */
  get address(): string {
    return `unix://${join(this.folder, 'plugins.sock')}`;
  }

  async startCore(): Promise<void> {
    this.core = startBugless(this.folder, ['serve', '-c', 'bugless.yaml'], { BUGLESS_ADMIN_PASSWORD: PASSWORD });
    const [, port] = await this.core.waitFor(/^Bugless is at http:\/\/localhost:(\d+)$/m);
    this.url = `http://127.0.0.1:${port}`;
  }

  async startPlugins(): Promise<void> {
    if (!this.#remote) return;
    const args = ['plugin', 'serve', ...PACKAGES, '--listen', this.address, '-c', 'bugless.yaml'];
    this.plugins = startBugless(this.folder, args);
    await this.plugins.waitFor(/^Serving /m);
  }

  /** Pid of the postmaster that answers at this moment; 0: none does. */
  get postmaster(): number {
    return Number(this.#readPidFile()[0] ?? 0);
  }

  /** Whether the postmaster says that it takes connections. */
  isDatabaseReady(): boolean {
    return this.#readPidFile()[7]?.trim() === 'ready';
  }

  /** URL of a database of the embedded server. */
  getDatabaseUrl(database: string): string {
    const lines = this.#readPidFile();
    const host = resolve(this.dataDir, 'postgres', lines[4]!.trim());
    return `postgresql://bugless@localhost/${database}?host=${encodeURIComponent(host)}&port=${lines[3]}`;
  }

  #readPidFile(): string[] {
    const file = join(this.dataDir, 'postgres', 'postmaster.pid');
    try {
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    } catch {
      return [];
    }
  }
}

/** Starts one. After the test everything is ended by kill -9, and nothing of it may be left running. */
export async function startInstallation(t: Test, options: InstallationOptions = {}): Promise<Installation> {
  const installation = new Installation(options);
  mkdirSync(installation.dataDir, { recursive: true });
  t.teardown(async () => {
    await installation.core?.end('SIGKILL');
    await installation.plugins?.end('SIGKILL');
    const listLeft = () => [...listProcesses(installation.folder), ...listProcesses(installation.dataDir)];
    await waitUntil('nothing runs', () => listLeft().length === 0).catch(() => {
      throw new Error(`left running:\n${listLeft().join('\n')}`);
    });
    rmSync(installation.folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await installation.startPlugins();
  await installation.startCore();
  return installation;
}
