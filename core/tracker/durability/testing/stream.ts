/** Several clients that write all the time, and what they were told. */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.ts';
import type { Installation } from './installation.ts';

/** Something that was acknowledged. */
export interface Acknowledged {
  readonly key: string;
  readonly path: string;
  readonly body: object;
  /** The issue. */
  readonly id: string;
  /** Of the update that holds the comment; 1: the issue itself. */
  readonly sequence: number;
}

/** The writes that were acknowledged, and the clients that make more of them. */
export class WriteStream {
  readonly issues: Acknowledged[] = [];
  readonly comments: Acknowledged[] = [];
  readonly clients: readonly Client[];
  readonly #component: string;
  #over = false;
  #running: Promise<unknown> | undefined;

  constructor(installation: Installation, token: string, component: string, count = 4) {
    this.#component = component;
    this.clients = Array.from({ length: count }, () => {
      const client = new Client(installation);
      client.token = token;
      return client;
    });
  }

  start(): void {
    this.#running = Promise.all(this.clients.map((client, index) => this.#work(client, index)));
    // Told by stop().
    this.#running.catch(() => undefined);
  }

  /** Finishes what is under way. Rejects when a client gave up or was told what it must not be told. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  /** Waits until so many more issues were acknowledged; rejects when the clients have ended. */
  async waitForMore(count: number): Promise<void> {
    const wanted = this.issues.length + count;
    let ended: unknown;
    const end = this.#running?.then(
      () => new Error('the clients have stopped'),
      (error: unknown) => error,
    );
    end?.then((reason) => {
      ended = reason;
    });
    for (const until = Date.now() + 60_000; this.issues.length < wanted; await sleep(5)) {
      if (ended !== undefined) throw ended;
      if (Date.now() > until) throw new Error(`only ${this.issues.length} of ${wanted} issues within a minute`);
    }
  }

  /** How often requests were sent again, by reason. */
  countRepeated(): Record<string, number> {
    const all: Record<string, number> = {};
    for (const { repeated } of this.clients) {
      for (const [reason, count] of repeated) all[reason] = (all[reason] ?? 0) + count;
    }
    return all;
  }

  /** An issue, a comment on it, and one on somebody's that also changes it; then again. */
  async #work(client: Client, index: number): Promise<void> {
    for (let number = 1; !this.#over; number += 1) {
      const name = `s${index}n${number}`;
      const own = await this.#create(client, name);
      await this.#comment(client, own, `${name}a`, {});
      const other = this.issues[randomInt(this.issues.length)]!.id;
      await this.#comment(client, other, `${name}b`, { add: { labels: [`l${name}`] }, priority: `p${number % 5}` });
    }
  }

  async #create(client: Client, name: string): Promise<string> {
    const path = '/api/v1/issues';
    const body = { title: `Issue ${name}`, description: `About ${name}.`, component: this.#component };
    const { id } = (await client.insist('POST', path, body, `i${this.#component}-${name}`)).body;
    this.issues.push({ key: `i${this.#component}-${name}`, path, body, id, sequence: 1 });
    return id;
  }

  async #comment(client: Client, id: string, name: string, changes: object): Promise<void> {
    const path = `/api/v1/issues/${id}/updates`;
    const body = { comment: `Comment ${name}`, ...changes };
    const { sequence } = (await client.insist('POST', path, body, `c${this.#component}-${name}`)).body;
    this.comments.push({ key: `c${this.#component}-${name}`, path, body, id, sequence });
  }
}
