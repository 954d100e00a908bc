import type { Authenticator, GetInfoResponse } from '../../service/index.ts';
import type { Reporter, RunOptions, RunSummary } from '../case.ts';
import { findClaim } from '../claim.ts';
import { runCases } from '../run.ts';
import { AUDIT_CASES } from './audit.ts';
import { BROWSER_CASES, type BrowserDriver } from './browser.ts';
import { GROUP_CASES } from './groups.ts';
import { LOGIN_CASES } from './login.ts';
import { PASSWORD_CASES } from './passwords.ts';
import { SESSION_CASES } from './sessions.ts';
import { SETUP_CASES } from './setup.ts';
import { TOKEN_CASES } from './tokens.ts';
import { USER_CASES } from './users.ts';
import { type AuthenticatorCase, AuthenticatorWorld } from './world.ts';

/** Every case of an Authenticator, in the order in which they are reported. */
export const AUTHENTICATOR_CASES: readonly AuthenticatorCase[] = [
  ...SETUP_CASES,
  ...LOGIN_CASES,
  ...BROWSER_CASES,
  ...SESSION_CASES,
  ...TOKEN_CASES,
  ...USER_CASES,
  ...PASSWORD_CASES,
  ...GROUP_CASES,
  ...AUDIT_CASES,
];

/** An Authenticator to try, over whichever transport, as openPlugin's link gives it. */
export interface OpenedAuthenticator {
  readonly authenticator: Authenticator;
  readonly info: GetInfoResponse;
  /** Frees what open took. */
  close(): Promise<void>;
}

/** Which cases run, and how. */
export interface AuthenticatorRunOptions extends RunOptions {
  /** Plays the person and the provider; without it the cases of browser logins are skipped. */
  readonly browser?: BrowserDriver;
}

/**
 * Runs every case of the Authenticator's contract that the plugin claims to keep.
 * On a store without an administrator it makes one; it leaves its users behind:
 * try it on a copy.
 */
export async function runAuthenticatorConformance(
  open: () => Promise<OpenedAuthenticator>,
  reporter: Reporter,
  options: AuthenticatorRunOptions = {},
): Promise<RunSummary> {
  const opened = await open();
  try {
    const { authenticator, info } = opened;
    const makeWorld = async () => new AuthenticatorWorld(authenticator, info, options.browser);
    return await runCases(AUTHENTICATOR_CASES, makeWorld, (name) => findClaim(info, name), reporter, options);
  } finally {
    await opened.close();
  }
}
