import type { VNode } from '../markup.ts';
import { html } from '../markup.ts';
import type { Shell } from '../shell.ts';
import { Page } from '../shell.ts';

interface ErrorProperties {
  readonly shell: Shell;
  readonly status: number;
  /** One line for people. */
  readonly message: string;
  /** What to do about it. */
  readonly recovery: string;
  readonly requestId: string;
  /** Text that the failed form held, so that it can be copied. */
  readonly kept?: string | undefined;
}

const TITLES: Readonly<Record<number, string>> = {
  401: 'Log in first',
  403: 'Not allowed',
  404: 'Not here',
  429: 'Too many requests',
  500: 'Something broke',
  501: 'Not offered here',
  503: 'Not available right now',
};

/** Any failure that has no page of its own. */
export function ErrorPage({ shell, status, message, recovery, requestId, kept }: ErrorProperties): VNode {
  const title = TITLES[status] ?? (status >= 500 ? 'Something broke' : 'That did not work');
  return html`<${Page} shell=${shell} title=${title} kind="narrow">
    <div class="oops">
      <p class="code" aria-hidden="true">${status}</p>
      <h1>${title}</h1>
      <p>${message}</p>
      <p class="lead">${recovery}</p>
      ${kept ? html`<label class="flabel" for="kept">What you wrote is still here</label><textarea id="kept" rows="8" readonly>${kept}</textarea>` : null}
      <p>${status === 401 ? html`<a class="button" href="/login?return_to=${encodeURIComponent(shell.here)}">Log in</a> ` : null}<a class="button second" href="/issues?q=is:open">Open issues</a></p>
      <p><small>Request <code>${requestId}</code></small></p>
    </div>
  <//>`;
}
