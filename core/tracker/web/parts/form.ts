import { randomUUID } from 'node:crypto';
import type { VNode } from '../markup.ts';
import { html, markup } from '../markup.ts';
import type { Shell } from '../shell.ts';

/** What a field's name complains about, by field name; the empty name: the form as a whole. */
export type FormErrors = Readonly<Record<string, string>>;

/**
 * The hidden fields of a form that writes: its CSRF token, and a request id made with the page, so that a form
 * sent twice is done once.
 */
export function Hidden(shell: Shell, values: Readonly<Record<string, string>> = {}): VNode {
  return markup`<input type="hidden" name="_csrf" value="${shell.csrf}"><input type="hidden" name="request" value="${values.request ?? randomUUID()}">${Object.entries(
    values,
  ).map(([name, value]) =>
    name === 'request' ? markup`` : markup`<input type="hidden" name="${name}" value="${value}">`,
  )}`;
}

/** A choice of a select. */
export type Choice = readonly [value: string, name: string];

/** A select without its label. */
export function Select(properties: {
  name: string;
  id?: string;
  choices: readonly Choice[];
  value?: string;
  label?: string;
}): VNode {
  const { name, choices, value, label } = properties;
  return markup`<select name="${name}" id="${properties.id ?? name}"${label === undefined ? null : markup` aria-label="${label}"`}>${choices.map(
    ([choice, text]) =>
      choice === value
        ? markup`<option value="${choice}" selected>${text}</option>`
        : markup`<option value="${choice}">${text}</option>`,
  )}</select>`;
}

interface FieldProperties {
  readonly name: string;
  readonly label: string;
  readonly value?: string | undefined;
  readonly errors?: FormErrors | undefined;
  readonly hint?: string | undefined;
  readonly type?: string;
  readonly choices?: readonly Choice[];
  readonly rows?: number;
  readonly required?: boolean;
  readonly autocomplete?: string;
  readonly placeholder?: string;
  readonly autofocus?: boolean;
  readonly maxlength?: number;
  /** What an island completes: `user`, `issue`, `label`. */
  readonly complete?: string;
}

/** A labelled input, select or textarea with its hint and its error, tied together for readers. */
export function Field(properties: FieldProperties): VNode {
  const { name, label, value, errors, hint, choices, rows, type, complete } = properties;
  const error = errors?.[name];
  const described = [error && `${name}-error`, hint && `${name}-hint`].filter(Boolean).join(' ') || undefined;
  const common = {
    id: name,
    name,
    required: properties.required,
    placeholder: properties.placeholder,
    autofocus: properties.autofocus,
    maxlength: properties.maxlength,
    'aria-invalid': error ? 'true' : undefined,
    'aria-describedby': described,
    'data-complete': complete,
    autocomplete: properties.autocomplete ?? (complete ? 'off' : undefined),
  };
  const control = choices
    ? html`<select ...${common}>${choices.map(([choice, text]) => html`<option value=${choice} selected=${choice === value}>${text}</option>`)}</select>`
    : rows
      ? html`<textarea ...${common} rows=${rows}>${value ?? ''}</textarea>`
      : html`<input ...${common} type=${type ?? 'text'} value=${value ?? ''} />`;
  return html`<div class="f">
    <label for=${name}>${label}${properties.required ? html`<span class="req" aria-hidden="true"> *</span>` : null}</label>
    ${control}
    ${hint ? html`<p class="hint" id="${name}-hint">${hint}</p>` : null}
    ${error ? html`<p class="error" id="${name}-error">${error}</p>` : null}
  </div>`;
}

/** What is wrong with a form, above it. Nothing wrong: nothing. */
export function ErrorSummary({ errors }: { errors: FormErrors | undefined }): VNode | null {
  const entries = Object.entries(errors ?? {});
  if (entries.length === 0) return null;
  return html`<div class="notice bad" role="alert" tabindex="-1">${entries.map(
    ([name, text]) => html`<p>${name === '' ? text : html`<a href="#${name}">${text}</a>`}</p>`,
  )}</div>`;
}

/** Good news after a redirect. */
export function Notice({ text }: { text: string | undefined }): VNode | null {
  return text ? html`<p class="notice good" role="status">${text}</p>` : null;
}
