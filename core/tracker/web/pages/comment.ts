import type { CommentVersion, Issue, Update } from '@bugless/kit/service';
import { renderMarkdown } from '../markdown/renderer.ts';
import type { VNode } from '../markup.ts';
import { html, trusted } from '../markup.ts';
import type { FormErrors } from '../parts/form.ts';
import { ErrorSummary, Field, Hidden } from '../parts/form.ts';
import { Person } from '../parts/person.ts';
import { Time } from '../parts/time.ts';
import type { People, Shell } from '../shell.ts';
import { Page } from '../shell.ts';

interface CommentProperties {
  readonly shell: Shell;
  readonly issue: Issue;
  readonly update: Update;
  /** Oldest first; empty when the viewer may not see them. */
  readonly versions: readonly CommentVersion[];
  readonly people: People;
  readonly editable: boolean;
  readonly draft?: string | undefined;
  readonly errors?: FormErrors | undefined;
}

/** One comment: editing it, withdrawing it, and the texts it had. */
export function CommentPage({
  shell,
  issue,
  update,
  versions,
  people,
  editable,
  draft,
  errors,
}: CommentProperties): VNode {
  const name = update.sequence === 1 ? 'Description' : `Comment ${update.sequence}`;
  const action = `/issues/${issue.id}/updates/${update.sequence}`;
  return html`<${Page} shell=${shell} title="${name} of ${issue.id}" kind="narrow">
    <div class="crumbs"><a href="/issues/${issue.id}#c${update.sequence}">#${issue.id} ${issue.title}</a></div>
    <h1>${name}</h1>
    <p class="lead">by ${Person(update.author, people)}, ${Time(update.created, shell.now)}</p>
    <${ErrorSummary} errors=${errors} />
    ${
      editable && !update.redacted
        ? html`<form method="post" action=${action}>
            ${Hidden(shell, { version: String(update.commentVersion) })}
            ${Field({ name: 'comment', label: 'Text', value: draft ?? update.comment, rows: 12, required: true, hint: 'Markdown. Earlier texts stay visible below.' })}
            <p class="actions"><button>Save</button><a class="button second" href="/issues/${issue.id}#c${update.sequence}">Cancel</a><span class="push"></span></p>
          </form>
          <form method="post" action="${action}/redact" class="actions">${Hidden(shell)}<button class="danger">Withdraw this comment</button><small>Its text is then shown to administrators alone.</small></form>`
        : null
    }
    ${
      versions.length < 2 && !update.redacted
        ? null
        : html`<section><h2>Earlier texts</h2>${[...versions]
            .reverse()
            .map(
              (version) =>
                html`<div class="panel"><p class="lead">Version ${version.version}, ${Person(version.author, people)} ${Time(version.created, shell.now)}</p><div class="prose">${trusted(renderMarkdown(version.comment))}</div></div>`,
            )}</section>`
    }
  <//>`;
}
