import { randomBytes, randomUUID } from 'node:crypto';
import {
  type Authenticator,
  type AuthenticatorCapability,
  type CallContext,
  createContext,
  createSystemContext,
  type DeepPartial,
  type GetInfoResponse,
  type Principal,
  type User,
  UserKind,
} from '../../service/index.ts';
import type { ConformanceCase } from '../case.ts';
import type { BrowserDriver } from './browser.ts';

/** A case of the Authenticator's suite. */
export type AuthenticatorCase = ConformanceCase<AuthenticatorWorld> & { readonly capability?: AuthenticatorCapability };

/** Somebody who was made for a case. */
export interface Person {
  readonly user: User;
  readonly password: string;
  /** In which it calls. */
  readonly context: CallContext;
}

/** An id that no user has: a UUIDv7 of another time. */
export const NOBODY = '01890000-0000-7000-8000-000000000000';

/** What a case acts in: an administrator and users of its own, made when asked for. */
export class AuthenticatorWorld {
  readonly authenticator: Authenticator;
  readonly info: GetInfoResponse;
  /** Who plays the person and the provider in browser logins; undefined: nobody. */
  readonly browser: BrowserDriver | undefined;
  /** Unique, and good in usernames. */
  readonly tag: string;
  /** Where this case's logins come from: an address of its own, so that throttles of others do not touch it. */
  readonly client: { readonly address: string; readonly userAgent: string };
  readonly system: CallContext = createSystemContext();
  readonly anonymous: CallContext = createContext();
  #root: Promise<Person> | undefined;

  constructor(authenticator: Authenticator, info: GetInfoResponse, browser?: BrowserDriver) {
    this.authenticator = authenticator;
    this.info = info;
    this.browser = browser;
    this.tag = randomUUID().slice(0, 8);
    this.client = { address: `10.${[...randomBytes(3)].join('.')}`, userAgent: 'conformance' };
  }

  has(capability: AuthenticatorCapability): boolean {
    return this.info.capabilities.some((claim) => claim.name === capability && claim.available);
  }

  /** A password that no rule calls weak, another one each time. */
  makePassword(): string {
    return `Horse-${randomUUID().slice(0, 18)}-staple`;
  }

  /** The administrator of this case. */
  root(): Promise<Person> {
    this.#root ??= this.make({ username: `root-${this.tag}`, admin: true }, this.system);
    return this.#root;
  }

  /** A person, by the administrator. */
  async person(fields: DeepPartial<User> = {}): Promise<Person> {
    return this.make(fields, (await this.root()).context);
  }

  /** A bot of somebody. */
  async bot(owner: Person): Promise<User> {
    const username = `bot-${this.tag}-${randomUUID().slice(0, 6)}`;
    return (await this.authenticator.createUser({ user: { username, kind: UserKind.BOT } }, owner.context)).user!;
  }

  async make(fields: DeepPartial<User>, context: CallContext): Promise<Person> {
    const password = this.makePassword();
    const user = { username: `u-${this.tag}-${randomUUID().slice(0, 6)}`, kind: UserKind.PERSON, ...fields };
    const answer = await this.authenticator.createUser(
      { user, password: this.has('login.password') ? password : '' },
      context,
    );
    const made = answer.user!;
    return { user: made, password, context: createContext({ user: made.id, admin: made.admin }) };
  }

  /** Changes a user as the administrator. */
  async change(user: User, fields: DeepPartial<User>, updateMask: string[]): Promise<User> {
    const current = await this.read(user.id);
    const request = { id: user.id, expectedVersion: current.version, user: fields, updateMask };
    return (await this.authenticator.updateUser(request, (await this.root()).context)).user!;
  }

  /** A user as the administrator sees it. */
  async read(id: string, context?: CallContext): Promise<User> {
    const answer = await this.authenticator.batchGetUsers({ ids: [id] }, context ?? (await this.root()).context);
    return answer.users[0]!;
  }

  /** Logs in by password. */
  async login(person: Person, password = person.password): Promise<Principal> {
    const request = { username: person.user.username, password, client: this.client };
    return (await this.authenticator.authenticatePassword(request, this.anonymous)).principal!;
  }

  /** A session of somebody who has just logged in. */
  async session(person: Person): Promise<{ secret: string; id: string }> {
    const request = { user: person.user.id, methods: ['password'], client: this.client };
    const { secret, session } = await this.authenticator.createSession(request, this.system);
    return { secret, id: session!.id };
  }

  /** Whom the secret of a session belongs to. */
  async verify(secret: string): Promise<Principal> {
    return (await this.authenticator.verifySession({ secret, client: this.client }, this.system)).principal!;
  }
}

/** Waits until a call fails, at most so long: what ends a credential is effective everywhere within 5 s. */
export async function untilRefused(call: () => Promise<unknown>, millis = 5_500): Promise<void> {
  const end = Date.now() + millis;
  for (;;) {
    const goes = await call().then(
      () => true,
      () => false,
    );
    if (!goes || Date.now() > end) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
