/** `/readyz`, looked at all the time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Installation } from './installation.ts';

/** What a load balancer sees. */
export class ReadinessWatch {
  readonly #installation: Installation;
  readonly #seen: { asked: number; answered: number; green: boolean }[] = [];
  #over = false;
  readonly #running: Promise<void>;

  constructor(installation: Installation) {
    this.#installation = installation;
    this.#running = this.#watch();
  }

  /** Several questions may be under way: one that waits must not hide what others see. */
  async #watch(): Promise<void> {
    const asked = new Set<Promise<void>>();
    while (!this.#over) {
      if (asked.size < 8) {
        const question = this.#ask().finally(() => asked.delete(question));
        asked.add(question);
      }
      await sleep(20);
    }
    await Promise.all(asked);
  }

  async #ask(): Promise<void> {
    const asked = performance.now();
    const green = await fetch(`${this.#installation.url}/readyz`, { signal: AbortSignal.timeout(5_000) }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return answer.status === 200;
      },
      () => false,
    );
    this.#seen.push({ asked, answered: performance.now(), green });
  }

  /** Whether a question asked since then (performance.now()) was answered with red, or not at all. */
  wasRed(since: number): boolean {
    return this.#seen.some(({ asked, green }) => asked >= since && !green);
  }

  /** Waits for a green answer to a question asked after this moment (performance.now()); the milliseconds until it came. */
  async waitGreen(since: number, limit = 30_000): Promise<number> {
    for (;;) {
      const first = this.#seen.filter(({ asked, green }) => asked >= since && green).map(({ answered }) => answered);
      if (first.length > 0) return Math.min(...first) - since;
      if (performance.now() - since > limit) throw new Error(`readiness stayed red for ${limit} ms`);
      await sleep(5);
    }
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }
}
