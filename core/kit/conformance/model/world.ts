import { randomUUID } from 'node:crypto';
import {
  type CallContext,
  type Component,
  createContext,
  createSystemContext,
  type DeepPartial,
  type GetInfoResponse,
  type Issue,
  type Model,
  type ModelCapability,
  Permission,
  type Update,
  type UpdateIssueResponse,
} from '../../service/index.ts';
import { type ConformanceCase, SkipCase } from '../case.ts';
import { walkPages } from '../expectation.ts';

/** A case of the Model's suite. */
export type ModelCase = ConformanceCase<ModelWorld> & { readonly capability?: ModelCapability };

/** Fields of a request, as a caller may leave them out. */
export type IssueFields = DeepPartial<Issue>;

/** An id that no Model has given to anything: large, and still a positive int64. */
export const NOWHERE = '8999999999999999999';

/**
 * What a case acts in: people that nobody else has, and a root component of their
 * own, so that it can run beside others against a store that is not empty.
 *
 * alice and bob may edit there, carol may view, dave belongs to `team`, which may
 * comment; eve may nothing. root administers everything.
 */
export class ModelWorld {
  readonly model: Model;
  readonly info: GetInfoResponse;
  /** Unique text for names of this case. */
  readonly tag: string;
  readonly root: CallContext;
  readonly system: CallContext = createSystemContext();
  readonly anonymous: CallContext = createContext();
  readonly alice: CallContext;
  readonly bob: CallContext;
  readonly carol: CallContext;
  readonly dave: CallContext;
  readonly eve: CallContext;
  readonly team: string;
  #home: Promise<Component> | undefined;

  constructor(model: Model, info: GetInfoResponse) {
    this.model = model;
    this.info = info;
    this.tag = randomUUID().slice(0, 13);
    this.root = this.person({ admin: true });
    this.alice = this.person();
    this.bob = this.person();
    this.carol = this.person();
    this.team = randomUUID();
    this.dave = this.person({ groups: [this.team] });
    this.eve = this.person();
  }

  /** Whether the plugin says that it has a capability. */
  has(capability: ModelCapability): boolean {
    return this.info.capabilities.some((claim) => claim.name === capability && claim.available);
  }

  /** Ends the case as skipped unless the capability is there. */
  need(capability: ModelCapability): void {
    if (this.has(capability)) return;
    const claim = this.info.capabilities.find((candidate) => candidate.name === capability);
    throw new SkipCase(`${capability} is absent: ${claim?.reason ?? 'not named by GetInfo'}`);
  }

  /** A user that nobody has seen before. */
  person(values: Partial<CallContext> = {}): CallContext {
    return createContext({ user: randomUUID(), ...values });
  }

  /** The root component of this case, made when first asked for. */
  home(): Promise<Component> {
    this.#home ??= this.component({});
    return this.#home;
  }

  /** A component made by the administrator; a root with this world's access unless said otherwise. */
  async component(fields: DeepPartial<Component>): Promise<Component> {
    const isRoot = (fields.parent ?? '0') === '0';
    const access = isRoot ? this.access() : [];
    const component = { name: `${this.tag} ${randomUUID().slice(0, 8)}`, access, accessOverridden: isRoot, ...fields };
    const answer = await this.model.createComponent({ component }, this.root);
    return answer.component!;
  }

  /** What home grants. */
  access(): Component['access'] {
    return [
      grantUser(this.alice, Permission.EDIT),
      grantUser(this.bob, Permission.EDIT),
      grantUser(this.carol, Permission.VIEW),
      { principal: { $case: 'group', value: this.team }, permission: Permission.COMMENT },
    ];
  }

  /** An issue of alice's in home, unless said otherwise. */
  async issue(fields: IssueFields = {}, context: CallContext = this.alice): Promise<Issue> {
    const component = fields.component ?? (await this.home()).id;
    const answer = await this.model.createIssue({ issue: { title: 'An issue', ...fields, component } }, context);
    return answer.issue!;
  }

  /** Several issues of alice's, one after the other. */
  async issues(many: readonly IssueFields[]): Promise<Issue[]> {
    const made: Issue[] = [];
    for (const fields of many) made.push(await this.issue(fields));
    return made;
  }

  async get(id: string, context: CallContext = this.root): Promise<Issue> {
    return (await this.model.getIssue({ id }, context)).issue!;
  }

  /** Sets fields, the mask made of their names. */
  async set(issue: Issue, fields: IssueFields, context: CallContext = this.alice): Promise<UpdateIssueResponse> {
    const updateMask = Object.keys(fields).map(toSnakeCase);
    const request = { id: issue.id, expectedVersion: issue.version, issue: fields, updateMask };
    return this.model.updateIssue(request, context);
  }

  /** All updates of an issue, oldest first. */
  async updates(issue: string, context: CallContext = this.root): Promise<Update[]> {
    return walkPages(200, async (pageToken) => {
      const answer = await this.model.listUpdates({ issue, pageSize: 200, pageToken }, context);
      return { rows: answer.updates, nextPageToken: answer.nextPageToken };
    });
  }
}

/** A line of an access list for one user. */
export function grantUser(person: CallContext, permission: Permission): Component['access'][number] {
  return { principal: { $case: 'user', value: person.user }, permission };
}

/** A line of an access list for everyone; `open`: also for those who are not signed in. */
export function grantEveryone(permission: Permission, open = true): Component['access'][number] {
  return { principal: { $case: 'everyone', value: open }, permission };
}

/** `foundIn` → `found_in`. */
export function toSnakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
