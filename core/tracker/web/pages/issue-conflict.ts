import type { Update } from '@bugless/kit/service';
import type { VNode } from '../markup.ts';
import { html } from '../markup.ts';
import { Hidden } from '../parts/form.ts';
import { Person } from '../parts/person.ts';
import { Time } from '../parts/time.ts';
import type { Meanings } from '../parts/timeline.ts';
import { Changes, CommentText } from '../parts/timeline.ts';
import type { Shell } from '../shell.ts';
import { Page } from '../shell.ts';
import { nameField } from '../wording.ts';
import type { FormValues } from './issue-form.ts';

interface ConflictProperties extends Meanings {
  readonly shell: Shell;
  readonly id: string;
  /** The version that the issue has now. */
  readonly version: string;
  /** What the form started with, what was sent, and what the issue holds now. */
  readonly base: FormValues;
  readonly sent: FormValues;
  readonly current: FormValues;
  /** Fields that the sender changed. */
  readonly changed: readonly string[];
  /** Updates that came in between, oldest first. */
  readonly between: readonly Update[];
  /** Text of a choice, by field and value: `status`, `4` → `Fixed`. */
  readonly tell: (field: string, value: string) => string;
}

/** Somebody else changed the issue first: shows both, keeps all that was written, lets the sender decide. */
export function IssueConflictPage(properties: ConflictProperties): VNode {
  const { shell, id, version, base, sent, current, changed, between, people, tell } = properties;
  const comment = sent.comment ?? '';
  return html`<${Page} shell=${shell} title="Somebody else changed ${id}" kind="narrow">
    <h1>Somebody else changed this issue meanwhile</h1>
    <p class="lead">Nothing of yours is lost, and nothing was written yet. Look at both and decide.</p>
    <form method="post" action="/issues/${id}">
      ${Hidden(shell, { version, base: JSON.stringify(current) })}
      <section class="panel"><h2>Your changes</h2><div class="scrollx">
        <table class="compare"><thead><tr><th scope="col">Field</th><th scope="col">When you began</th><th scope="col">Now</th><th scope="col">Yours</th></tr></thead>
        <tbody>${changed.map(
          (
            field,
          ) => html`<tr><th scope="row">${nameField(field)}</th><td>${tell(field, base[field] ?? '') || '—'}</td><td>${tell(field, current[field] ?? '') || '—'}</td>
          <td><b>${tell(field, sent[field] ?? '') || '—'}</b><input type="hidden" name=${field} value=${sent[field] ?? ''} /></td></tr>`,
        )}</tbody></table></div></section>
      ${comment === '' ? null : html`<div class="f"><label for="comment">Your comment</label><textarea id="comment" name="comment" rows="6">${comment}</textarea></div>`}
      ${sent.restricted ? html`<input type="hidden" name="restricted" value="yes" />` : null}
      ${sent.action ? html`<input type="hidden" name="action" value=${sent.action} />` : null}
      <p class="actions"><button>Save mine over it</button><a class="button second" href="/issues/${id}">Leave it as it is now</a></p>
    </form>
    ${
      between.length === 0
        ? null
        : html`<section class="panel"><h2>What happened meanwhile</h2>${between.map(
            (update) =>
              html`<div class="f"><p>${Person(update.author, people)} <span class="when">${Time(update.created, shell.now)}</span></p>${update.changes.length > 0 ? Changes(update, properties) : null}${update.comment === '' ? null : CommentText(update)}</div>`,
          )}</section>`
    }
  <//>`;
}
