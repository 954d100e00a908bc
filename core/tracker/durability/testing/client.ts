/** A program that uses the JSON API over real connections. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PASSWORD } from '../../testing.ts';
import type { Installation } from './installation.ts';

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely
  readonly body: any;
}

/** Answers after which the same request is sent again, as the reference says. */
const REPEATABLE = new Set([429, 499, 503, 504]);

/** One user's way to talk to an installation, wherever its core is at the moment. */
export class Client {
  readonly installation: Installation;
  token = '';
  /** Requests that had to be sent again, by what came: a reason, or `link` for none. */
  readonly repeated = new Map<string, number>();

  constructor(installation: Installation) {
    this.installation = installation;
  }

  /** Sends once. Rejects when no whole answer comes. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    millis = 15_000,
  ): Promise<Answer> {
    const answer = await fetch(`${this.installation.url}${path}`, {
      method,
      signal: AbortSignal.timeout(millis),
      headers: {
        ...(this.token && { authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const type = answer.headers.get('content-type') ?? '';
    const text = await answer.text();
    return { status: answer.status, type, body: type.includes('json') ? JSON.parse(text) : text };
  }

  /**
   * Sends, with this key when it writes, again and again until it is answered.
   *
   * @throws Error for an answer that is no success and says nothing of trying again, and when time is over.
   */
  async insist(method: string, path: string, body?: unknown, key?: string, millis = 60_000): Promise<Answer> {
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
    let last = '';
    for (const until = Date.now() + millis; Date.now() < until; await sleep(40 + Math.random() * 40)) {
      let answer: Answer;
      try {
        answer = await this.send(method, path, body, headers);
      } catch (error) {
        last = 'link';
        // What fetch throws when it was given nonsense is a mistake here.
        if ((error as Error).name !== 'TimeoutError' && (error as Error).message !== 'fetch failed') {
          if (!/terminated|aborted|other side/.test((error as Error).message)) throw error;
        }
        this.repeated.set(last, (this.repeated.get(last) ?? 0) + 1);
        continue;
      }
      if (answer.status < 300) return answer;
      last = answer.body.reason ?? String(answer.status);
      if (!REPEATABLE.has(answer.status) && last !== 'CONFLICT') {
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
      this.repeated.set(last, (this.repeated.get(last) ?? 0) + 1);
    }
    throw new Error(`${method} ${path}: no success within ${millis} ms, last: ${last}`);
  }

  /** Logs in as the administrator. */
  async login(): Promise<this> {
    const login = await this.insist('POST', '/api/v1/sessions', { username: 'admin', password: PASSWORD });
    this.token = login.body.token;
    return this;
  }

  /** Every page of a list. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async listAll(path: string, name: string): Promise<any[]> {
    const all: unknown[] = [];
    for (let token = ''; ; ) {
      const mark = path.includes('?') ? '&' : '?';
      const page = await this.insist('GET', `${path}${mark}pageSize=100&pageToken=${encodeURIComponent(token)}`);
      all.push(...page.body[name]);
      token = page.body.nextPageToken;
      if (token === '') return all;
    }
  }
}
