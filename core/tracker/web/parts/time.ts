import type { VNode } from '../markup.ts';
import { trusted } from '../markup.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** How long ago, short: `now`, `5 min`, `3 h`, `6 d`, `4 Mar`, `4 Mar 2023`. */
export function tellAge(time: string, now: number): string {
  const then = Date.parse(time);
  const age = now - then;
  if (age < MINUTE) return 'now';
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h`;
  if (age < 14 * DAY) return `${Math.floor(age / DAY)} d`;
  const day = `${Number(time.slice(8, 10))} ${MONTHS[Number(time.slice(5, 7)) - 1]}`;
  return time.startsWith(String(new Date(now).getUTCFullYear())) ? day : `${day} ${time.slice(0, 4)}`;
}

/** A moment to the minute: `2026-03-04 15:07 UTC`. */
export function tellTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;
}

/** HTML of a relative time whose exact one is its title. */
export function timeHtml(time: string, now: number): string {
  return `<time datetime="${time}" title="${tellTime(time)}">${tellAge(time, now)}</time>`;
}

/** A relative time whose exact one is its title. Absent: nothing. */
export function Time(time: string | undefined, now: number): VNode | null {
  if (time === undefined) return null;
  return trusted(timeHtml(time, now));
}
