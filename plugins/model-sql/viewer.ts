import { decidePermission, isNamed, limitPermission, listVisibleLimits, NO_PERMISSION } from '@bugless/kit/domain';
import type { AccessLimit, CallContext, Permission } from '@bugless/kit/service';
import type { ComponentTree } from './component-tree.ts';
import { formatAcl, parseAcl } from './issue-row.ts';

/** Classes of issues (`issue.acl`) that somebody sees. */
export interface VisibleClasses {
  /** All issues of these. */
  readonly all: readonly number[];
  /** Of these only the issues that name the user: those with a PARTY key. */
  readonly named: readonly number[];
  /** Sees every issue that there is: no condition is needed. */
  readonly everything: boolean;
}

/** What one caller sees of one version of the component tree. */
export class Sight {
  readonly #tree: ComponentTree;
  readonly #context: CallContext;
  readonly #permissions = new Map<string, Permission>();
  #classes: VisibleClasses | undefined;

  constructor(tree: ComponentTree, context: CallContext) {
    this.#tree = tree;
    this.#context = context;
  }

  /** What the caller may do in a component, token scopes aside; 0: not see it. */
  getPermission(component: string): Permission {
    let permission = this.#permissions.get(component);
    if (permission === undefined) {
      const node = this.#tree.find(component);
      permission = node ? decidePermission(this.#context, node.access) : NO_PERMISSION;
      this.#permissions.set(component, permission);
    }
    return permission;
  }

  /** What the caller may do with an issue of this class; `named`: it names the caller. */
  getIssuePermission(acl: number, named: boolean): Permission {
    const { component, limit } = parseAcl(acl);
    return limitPermission(this.getPermission(component), limit, named);
  }

  /** The same, from the people on the issue. */
  decideIssue(issue: Parameters<typeof isNamed>[1] & { component: string; accessLimit: AccessLimit }): Permission {
    const permission = this.getPermission(issue.component);
    return issue.accessLimit === 0
      ? permission
      : limitPermission(permission, issue.accessLimit, isNamed(this.#context.user, issue));
  }

  /** For queries over many issues. */
  get classes(): VisibleClasses {
    this.#classes ??= this.#collectClasses();
    return this.#classes;
  }

  #collectClasses(): VisibleClasses {
    const all: number[] = [];
    const named: number[] = [];
    let everything = this.#context.scopeComponents.length === 0;
    for (const { component } of this.#tree.walk()) {
      const limits = listVisibleLimits(this.getPermission(component.id));
      for (const limit of limits.all) all.push(formatAcl(component.id, limit));
      if (this.#context.user !== '') for (const limit of limits.named) named.push(formatAcl(component.id, limit));
      if (limits.all.length < 3) everything = false;
    }
    return { all, named, everything };
  }
}
