import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { UserState } from '../../service/index.ts';
import { SkipCase } from '../case.ts';
import { expectError } from '../expectation.ts';
import type { AuthenticatorCase, AuthenticatorWorld } from './world.ts';

/** An account at the provider, its address verified there. */
export interface BrowserAccount {
  readonly subject: string;
  readonly username: string;
  readonly email: string;
}

/** The part of a browser login that the contract leaves to a person and a provider: whoever runs the suite brings it. */
export interface BrowserDriver {
  /** A connection whose first logins make users, and which links nobody by e-mail. */
  readonly connection: string;
  /** Another one. */
  readonly otherConnection: string;
  /** What the provider knows as the address to come back to. */
  getRedirectUri(connection: string): string;
  /**
   * Opens an address in a fresh browser, logs in at the provider's pages as the account (or says no), and answers the
   * address under `redirectUri` that the browser is sent back to.
   */
  visit(url: string, visit: { account: BrowserAccount; redirectUri: string; denies: boolean }): Promise<string>;
}

const capability = 'login.browser';
const RETURN_TO = '/issues?q=a%20b';

function createBinding(): string {
  return randomBytes(24).toString('base64url');
}

/** Logins of one case. */
class BrowserLogins {
  readonly #world: AuthenticatorWorld;
  readonly driver: BrowserDriver;
  readonly account: BrowserAccount;

  constructor(world: AuthenticatorWorld) {
    if (!world.browser) throw new SkipCase('nobody plays the person and the provider: the suite was given no browser');
    this.#world = world;
    this.driver = world.browser;
    const name = `web-${world.tag}`;
    this.account = { subject: `sub-${name}`, username: name, email: `${name}@example.org` };
  }

  /** Up to the callback. */
  async visit({ denies = false, account = this.account } = {}) {
    const { connection } = this.driver;
    const { authenticator, anonymous, client } = this.#world;
    const [redirectUri, binding] = [this.driver.getRedirectUri(connection), createBinding()];
    const request = { connection, redirectUri, returnTo: RETURN_TO, binding, client };
    const { url, expires } = await authenticator.beginBrowserLogin(request, anonymous);
    assert.ok(Date.parse(expires!) > Date.now(), 'says when the state ends');
    return { connection, binding, callbackUrl: await this.driver.visit(url, { account, redirectUri, denies }), client };
  }

  complete(request: { connection: string; binding: string; callbackUrl: string }) {
    return this.#world.authenticator.completeBrowserLogin(request, this.#world.anonymous);
  }

  async logIn(account = this.account) {
    return (await this.complete(await this.visit({ account }))).principal!;
  }
}

/** Logins at a provider. */
export const BROWSER_CASES: readonly AuthenticatorCase[] = [
  {
    name: 'browser: the login page is told of the connections',
    capability,
    rule: 'For `browser`: the connection to begin with; else empty.',
    async run(world) {
      const { driver } = new BrowserLogins(world);
      const { methods } = await world.authenticator.listLoginMethods({}, world.anonymous);
      const found = methods.find(({ kind, connection }) => kind === 'browser' && connection === driver.connection);
      assert.ok(found?.name, 'with a name for people');
      assert.ok(methods.every(({ kind, connection }) => (kind === 'browser') === (connection !== '')));
    },
  },
  {
    name: 'browser: an account is one user for good',
    capability,
    rule: 'Completes it with what the provider sent back. return_to: as given to BeginBrowserLogin.',
    async run(world) {
      const logins = new BrowserLogins(world);
      const { principal, returnTo } = await logins.complete(await logins.visit());
      assert.equal(returnTo, RETURN_TO);
      assert.deepEqual(principal!.methods, [`browser:${logins.driver.connection}`]);
      assert.equal(principal!.user!.email, logins.account.email, 'the user, as it sees itself');
      const renamed = await world.change(principal!.user!, { username: `now-${world.tag}` }, ['username']);
      assert.equal((await logins.logIn()).user!.id, renamed.id, 'after a rename here');
      const account = { ...logins.account, username: `new-${world.tag}`, email: `new-${world.tag}@example.org` };
      assert.equal((await logins.logIn(account)).user!.id, renamed.id, 'after a rename there');
      const other = await logins.logIn({ ...logins.account, subject: `other-${world.tag}` });
      assert.notEqual(other.user!.id, renamed.id, 'another account of the same name and address is somebody else');
    },
  },
  {
    name: 'browser: a callback counts once',
    capability,
    rule: 'Not to be repeated: the state is used up.',
    async run(world) {
      const logins = new BrowserLogins(world);
      const seen = await logins.visit();
      await logins.complete(seen);
      await expectError(logins.complete(seen), 'STATE_MISMATCH');
    },
  },
  {
    name: 'browser: a callback counts in its own browser',
    capability,
    rule: "binding: secret of the browser's binding cookie.",
    async run(world) {
      const logins = new BrowserLogins(world);
      for (const binding of [createBinding(), '']) {
        const seen = await logins.visit();
        await expectError(logins.complete({ ...seen, binding }), 'STATE_MISMATCH');
        await expectError(logins.complete(seen), 'STATE_MISMATCH');
      }
    },
  },
  {
    name: 'browser: a callback counts for its own connection',
    capability,
    rule: 'UNAUTHENTICATED (STATE_MISMATCH); begin anew.',
    async run(world) {
      const logins = new BrowserLogins(world);
      const { driver } = logins;
      const seen = await logins.visit();
      const { search } = new URL(seen.callbackUrl);
      const callbackUrl = driver.getRedirectUri(driver.otherConnection) + search;
      await expectError(
        logins.complete({ ...seen, connection: driver.otherConnection, callbackUrl }),
        'STATE_MISMATCH',
      );
    },
  },
  {
    name: 'browser: a state that nobody gave',
    capability,
    rule: 'UNAUTHENTICATED (STATE_MISMATCH); begin anew.',
    async run(world) {
      const logins = new BrowserLogins(world);
      for (const state of [undefined, 'x', createBinding()]) {
        const seen = await logins.visit();
        const url = new URL(seen.callbackUrl);
        if (state === undefined) url.searchParams.delete('state');
        else url.searchParams.set('state', state);
        await expectError(logins.complete({ ...seen, callbackUrl: url.href }), 'STATE_MISMATCH');
      }
    },
  },
  {
    name: 'browser: a connection that is not there',
    capability,
    rule: 'NOT_FOUND (CONNECTION_NOT_FOUND).',
    async run(world) {
      const connection = `none-${world.tag}`;
      const request = { connection, redirectUri: 'https://core.example/back', returnTo: '/', binding: createBinding() };
      await expectError(world.authenticator.beginBrowserLogin(request, world.anonymous), 'CONNECTION_NOT_FOUND');
    },
  },
  {
    name: 'browser: denied at the provider',
    capability,
    rule: 'UNAUTHENTICATED (LOGIN_DENIED); begin anew.',
    async run(world) {
      const logins = new BrowserLogins(world);
      const denied = await logins.visit({ denies: true });
      await expectError(logins.complete(denied), 'LOGIN_DENIED');
      await expectError(logins.complete(denied), 'STATE_MISMATCH');
    },
  },
  {
    name: 'browser: an address joins nobody by itself',
    capability,
    rule: 'A user is an opaque id; e-mail addresses are changeable attributes.',
    async run(world) {
      const logins = new BrowserLogins(world);
      const ann = await world.person({ username: logins.account.username, email: logins.account.email });
      await world.change(ann.user, { emailVerified: true }, ['email_verified']);
      assert.notEqual((await logins.logIn()).user!.id, ann.user.id);
    },
  },
  {
    name: 'browser: who cannot act cannot log in',
    capability,
    rule: 'USER_STATE_DEACTIVATED: cannot log in. UNAUTHENTICATED (NOT_ALLOWED).',
    async run(world) {
      const logins = new BrowserLogins(world);
      const { user } = await logins.logIn();
      await world.change(user!, { state: UserState.DEACTIVATED }, ['state']);
      await expectError(logins.logIn(), ['NOT_ALLOWED', 'BAD_CREDENTIALS']);
      await world.change(user!, { state: UserState.ACTIVE }, ['state']);
      assert.equal((await logins.logIn()).user!.id, user!.id);
    },
  },
];
