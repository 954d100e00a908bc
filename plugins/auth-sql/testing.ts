/** Test aids for authenticators on SQL: a real database, a clock of the test's own, the port as core sees it. */
import type { PluginEnvironment, PluginInstance } from '@bugless/kit/plugin';
import {
  type Authenticator,
  AuthenticatorServiceDefinition,
  type CallContext,
  createContext,
  createSystemContext,
  type ErrorReason,
  type Principal,
} from '@bugless/kit/service';
import { connectInProcess } from '@bugless/kit/transport';
import type { Database, DatabaseOptions } from '@bugless/sql';
import { startTestDatabase } from '@bugless/sql/testing';
import { createAuthInstance } from './instance.ts';
import type { AuthStore } from './store.ts';

/** The part of a tap test that is used. */
export interface TestScope {
  teardown(run: () => unknown): unknown;
}

/** A clock that stands still until it is moved. */
export interface TestClock {
  readonly now: () => number;
  advance(millis: number): void;
}

/** Makes a clock that starts at the real time, in whole seconds. */
export function createTestClock(start = Math.floor(Date.now() / 1000) * 1000): TestClock {
  let time = start;
  return {
    now: () => time,
    advance: (millis) => {
      time += millis;
    },
  };
}

/** A started plugin. */
export interface TestAuthenticator {
  readonly authenticator: Authenticator;
  readonly instance: PluginInstance;
  readonly database: Database;
  readonly clock: TestClock;
  /** Everything that was logged, as text. */
  readonly logged: string[];
  /** Another process on the same database. */
  startAnother(): Promise<TestAuthenticator>;
}

/** Starts a plugin on a database of its own; stopped with the test. */
export async function startTestAuthenticator(
  t: TestScope,
  create: (environment: PluginEnvironment, database: Database) => PluginInstance,
  options: Partial<DatabaseOptions> = {},
): Promise<TestAuthenticator> {
  const test = await startTestDatabase(t);
  const clock = createTestClock();
  const logged: string[] = [];
  const start = async (): Promise<TestAuthenticator> => {
    const database = await test.open(options);
    const write = (level: string) => (facts: object, message: string) => {
      logged.push(`${level} ${message} ${JSON.stringify(facts, (_key, value) => toPlain(value))}`);
    };
    const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
    const instance = create({ log, dataDirectory: '/nonexistent', now: clock.now }, database);
    t.teardown(async () => {
      await instance.drain();
      await instance.stop();
    });
    await instance.start();
    const authenticator = connectInProcess(AuthenticatorServiceDefinition, instance.authenticator!);
    return { authenticator, instance, database, clock, logged, startAnother: start };
  };
  return start();
}

/** Starts the shared directory alone, without any way to log in, and answers its store too. */
export async function startTestStore(
  t: TestScope,
  options: Partial<DatabaseOptions> = {},
): Promise<TestAuthenticator & { readonly store: AuthStore }> {
  let store: AuthStore | undefined;
  const parts = () => ({
    methods: {},
    capabilities: {},
    start: async (opened: AuthStore) => {
      store = opened;
    },
  });
  const started = await startTestAuthenticator(
    t,
    (environment, database) => createAuthInstance({}, environment, parts, database),
    options,
  );
  return { ...started, store: store! };
}

/** Expects a failure with a reason. */
export function rejectsWith(
  t: { rejects(promise: Promise<unknown>, expected: Error, message: string): Promise<unknown> },
  promise: Promise<unknown>,
  reason: ErrorReason,
  message: string = reason,
): Promise<unknown> {
  return t.rejects(promise, { name: 'ServiceError', reason } as unknown as Error, message);
}

function toPlain(value: unknown): unknown {
  return value instanceof Error ? { ...value, message: value.message, cause: value.cause } : value;
}

/** The context in which core calls for somebody who has logged in. */
export function toContext(principal: Principal): CallContext {
  return createContext({
    user: principal.user!.id,
    groups: principal.groups,
    admin: principal.user!.admin,
    scopes: principal.scopes,
    scopeComponents: principal.scopeComponents,
  });
}

/** Makes a person and answers the context in which it calls. */
export async function addPerson(
  authenticator: Authenticator,
  username: string,
  values: { admin?: boolean; displayName?: string; email?: string; password?: string } = {},
): Promise<CallContext> {
  const { password = '', ...user } = values;
  const answer = await authenticator.createUser({ user: { username, ...user }, password }, createSystemContext());
  return createContext({ user: answer.user!.id, admin: answer.user!.admin });
}
