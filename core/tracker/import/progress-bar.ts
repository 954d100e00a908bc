/** How often the bar moves, and how often a log without a terminal gets a line, in milliseconds. */
const BAR_INTERVAL = 200;
const LINE_INTERVAL = 5_000;

/** Shows how far a long piece of work has come: a bar on a terminal, a line now and then elsewhere. */
export class ProgressBar {
  readonly #stream: NodeJS.WriteStream;
  readonly #started = Date.now();
  #shown = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** `share` from 0 to 1, `count` of things done so far. */
  show(share: number, count: number): void {
    const now = Date.now();
    if (now - this.#shown < (this.#stream.isTTY ? BAR_INTERVAL : LINE_INTERVAL)) return;
    this.#shown = now;
    const seconds = (now - this.#started) / 1000;
    const left = share > 0.01 ? ` ${formatSeconds((seconds / share) * (1 - share))} left` : '';
    const text = `${(share * 100).toFixed(0).padStart(3)} %  ${count.toLocaleString('en')} issues  ${Math.round(count / Math.max(seconds, 0.001))}/s${left}`;
    if (!this.#stream.isTTY) {
      this.#stream.write(`${text}\n`);
      return;
    }
    const width = Math.max(10, Math.min(40, (this.#stream.columns ?? 80) - text.length - 4));
    const full = Math.round(share * width);
    this.#stream.write(`\r\u001b[K[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${text}`);
  }

  /** Takes the bar away. */
  finish(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001b[K');
  }
}

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
