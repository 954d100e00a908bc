/** Suites that every Model and every Authenticator must pass, whatever runs them. See README.md. */

export type { BrowserAccount, BrowserDriver } from './authenticator/browser.ts';
export type { AuthenticatorRunOptions, OpenedAuthenticator } from './authenticator/suite.ts';
export { AUTHENTICATOR_CASES, runAuthenticatorConformance } from './authenticator/suite.ts';
export type { CaseResult, ConformanceCase, Outcome, Reporter, RunOptions, RunSummary } from './case.ts';
export { SkipCase } from './case.ts';
export type { OpenedModel } from './model/suite.ts';
export { MODEL_CASES, runModelConformance } from './model/suite.ts';
export { AUTHENTICATOR_MUTANTS } from './mutants/authenticator.ts';
export { BROWSER_MUTANTS } from './mutants/browser.ts';
export { MODEL_MUTANTS } from './mutants/model.ts';
export { applyMutant, type Mutant, matchExactly } from './mutants/mutant.ts';
export { formatSummary, printReporter } from './print.ts';
export type { PluginUnderTest, TapTest, TransportName } from './tap.ts';
export { conformAuthenticator, conformModel, TRANSPORTS, tapReporter } from './tap.ts';
