import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TestScope } from '@bugless/auth-sql/testing';

/** What the provider is started with. */
export interface OpenidSettings {
  /** In the form of OpenID Connect Dynamic Client Registration 1.0. */
  readonly clients: readonly object[];
  /** Of the JWT access tokens that it gives to clients for themselves. */
  readonly audience: string;
}

/** What it can be told while it runs. */
export type OpenidOrder =
  | { readonly kind: 'account'; readonly subject: string; readonly claims: object | null }
  | { readonly kind: 'keys'; readonly secretly: boolean }
  | { readonly kind: 'clock'; readonly millis: number };

/** A running provider. Whoever names an account at its login page is let in as that account. */
export interface OpenidProvider {
  readonly issuer: string;
  /** What it says of an account from now on, beside `sub`. */
  setAccount(subject: string, claims: object): Promise<void>;
  /** From now on it knows nobody of this name. */
  removeAccount(subject: string): Promise<void>;
  /** Throws its keys away and makes new ones; secretly: publishes others than it signs with. */
  changeKeys(options?: { secretly: boolean }): Promise<void>;
  /** Its clock is so far ahead of the real one. */
  shiftClock(millis: number): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
}

/** Starts a provider; it ends with the test. */
export async function startOpenidProvider(t: TestScope, settings: OpenidSettings): Promise<OpenidProvider> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./openid-process.ts', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaints = '';
  child.stderr!.on('data', (chunk) => {
    complaints += chunk;
  });
  const exited = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  t.teardown(kill);
  child.send(settings);
  const [ready] = await Promise.race([
    once(child, 'message'),
    exited.then(() => {
      throw new Error(`the provider did not start: ${complaints}`);
    }),
  ]);
  // One after the other: answers do not say which order they are of.
  let last: Promise<unknown> = Promise.resolve();
  const order = async (message: OpenidOrder) => {
    last = last.then(() => {
      child.send(message);
      return once(child, 'message');
    });
    await last;
  };
  return {
    issuer: ready.issuer,
    setAccount: (subject, claims) => order({ kind: 'account', subject, claims }),
    removeAccount: (subject) => order({ kind: 'account', subject, claims: null }),
    changeKeys: ({ secretly } = { secretly: false }) => order({ kind: 'keys', secretly }),
    shiftClock: (millis) => order({ kind: 'clock', millis }),
    kill,
  };
}
