import type { LoginMethod } from '@bugless/kit/service';
import type { VNode } from '../markup.ts';
import { html } from '../markup.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden, Notice } from '../parts/form.ts';
import type { Shell } from '../shell.ts';
import { Card } from '../shell.ts';

interface LoginProperties {
  readonly shell: Shell;
  readonly methods: readonly LoginMethod[];
  /** Path to go to afterwards. */
  readonly returnTo: string;
  readonly username?: string;
  readonly errors?: FormErrors;
  readonly notice?: string | undefined;
}

/** Logging in, by every way that there is. */
export function LoginPage({ shell, methods, returnTo, username, errors, notice }: LoginProperties): VNode {
  const password = methods.some((method) => method.kind === 'password');
  const browser = methods.filter((method) => method.kind === 'browser');
  return html`<${Card} shell=${shell} title="Log in">
    <h1>Log in</h1>
    <${Notice} text=${notice} />
    <${ErrorSummary} errors=${errors} />
    ${
      password
        ? html`<form method="post" action="/login">
            ${Hidden(shell, { return_to: returnTo })}
            ${Field({ name: 'username', label: 'Username', value: username, required: true, autocomplete: 'username', autofocus: !username })}
            ${Field({ name: 'password', label: 'Password', type: 'password', required: true, autocomplete: 'current-password' })}
            <button>Log in</button>
          </form>`
        : null
    }
    ${password && browser.length > 0 ? html`<p class="or">or</p>` : null}
    ${
      browser.length > 0
        ? html`<div class="methods">${browser.map(
            (method) =>
              html`<a class="button second" href="/login/${encodeURIComponent(method.connection)}?return_to=${encodeURIComponent(returnTo)}">${method.name}</a>`,
          )}</div>`
        : null
    }
    ${methods.length === 0 ? html`<p class="lead">No way to log in is configured.</p>` : null}
  <//>`;
}

/** Logged out here; the provider comes next, by itself or by the link. */
export function LogoutPage({ shell, logoutUrl }: { shell: Shell; logoutUrl: string }): VNode {
  return html`<${Card} shell=${shell} title="Logged out">
    <h1>Logged out</h1>
    <p class="lead">You are logged out of this Bugless. Your login at the provider is about to end too.</p>
    <p><a class="button" href=${logoutUrl}>Go on to the provider</a></p>
  <//>`;
}

interface SetupProperties {
  readonly shell: Shell;
  readonly code: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly errors?: FormErrors;
}

/** Making the first administrator, from the one-time link. */
export function SetupPage({ shell, code, values = {}, errors }: SetupProperties): VNode {
  return html`<${Card} shell=${shell} title="Set up">
    <h1>Welcome</h1>
    <p class="lead">Make the first administrator of this Bugless.</p>
    <${ErrorSummary} errors=${errors} />
    <form method="post" action="/setup">
      ${Hidden(shell)}
      ${code === '' || errors?.code ? Field({ name: 'code', label: 'Setup code', value: code, errors, required: true, hint: 'It stands in the setup link that the server printed.' }) : html`<input type="hidden" name="code" value=${code} />`}
      ${Field({ name: 'username', label: 'Username', value: values.username, errors, required: true, autocomplete: 'username', maxlength: 64, autofocus: true })}
      ${Field({ name: 'display_name', label: 'Name', value: values.display_name, errors, autocomplete: 'name', maxlength: 200, hint: 'As others see it; may be changed later.' })}
      ${Field({ name: 'email', label: 'E-mail', type: 'email', value: values.email, errors, autocomplete: 'email' })}
      ${Field({ name: 'password', label: 'Password', type: 'password', errors, required: true, autocomplete: 'new-password' })}
      <button>Create administrator</button>
    </form>
  <//>`;
}

interface ResetProperties {
  readonly shell: Shell;
  readonly code: string;
  readonly errors?: FormErrors;
}

/** Setting a new password, from a one-time link. */
export function ResetPage({ shell, code, errors }: ResetProperties): VNode {
  return html`<${Card} shell=${shell} title="New password">
    <h1>New password</h1>
    <p class="lead">It ends all other sessions of yours.</p>
    <${ErrorSummary} errors=${errors} />
    <form method="post" action="/reset">
      ${Hidden(shell, { code })}
      ${Field({ name: 'password', label: 'New password', type: 'password', errors, required: true, autocomplete: 'new-password', autofocus: true })}
      <button>Set password</button>
    </form>
  <//>`;
}
