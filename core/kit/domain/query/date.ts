/** Dates as queries write them, and the arithmetic of calendars in a time zone. */
import { ServiceError } from '../../service/error.ts';

/** A date read: milliseconds since the epoch, start <= t < end. A point in time has end = start. */
export interface DateSpan {
  readonly start: number;
  readonly end: number;
  /** It depends on now. */
  readonly relative: boolean;
}

/** A time in a zone's calendar; month 1–12. */
interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Making one costs ~50 µs, asking it ~2: each zone's is kept. There are some 600 names, so the map is bounded. */
function getFormatter(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone);
  if (formatter === undefined) {
    try {
      formatter = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (cause) {
      const description = `${JSON.stringify(zone)} is no IANA time zone; for example Europe/Berlin or UTC is expected`;
      throw new ServiceError('INVALID_FIELD', `time_zone: ${description}`, {
        violations: [{ field: 'time_zone', description }],
        cause,
      });
    }
    if (formatters.size >= 1000) formatters.clear();
    formatters.set(zone, formatter);
  }
  return formatter;
}

/** Throws INVALID_FIELD (time_zone) unless the name is one of the IANA database. */
export function checkTimeZone(zone: string): void {
  if (zone !== 'UTC') getFormatter(zone);
}

const QUARTER = 900_000;
const ALIGNED_SINCE = Date.UTC(1980, 0, 1);
const offsets = new Map<string, number>();

/** What clocks of a zone show at a time, as if it were UTC. */
function readClock(time: number, zone: string): number {
  if (zone === 'UTC') return time;
  // Asking Intl is most of what a date costs. Since 1980 clocks changed only at full quarters of an
  // hour of UTC, so one answer serves the quarter.
  if (time < ALIGNED_SINCE) return askClock(time, zone);
  const quarter = Math.floor(time / QUARTER);
  const key = `${zone} ${quarter}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    offset = askClock(quarter * QUARTER, zone) - quarter * QUARTER;
    if (offsets.size >= 5000) offsets.clear();
    offsets.set(key, offset);
  }
  return time + offset;
}

function askClock(time: number, zone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of getFormatter(zone).formatToParts(time)) parts[type] = Number(value);
  const millisecond = ((time % 1000) + 1000) % 1000;
  return Date.UTC(parts.year!, parts.month! - 1, parts.day, parts.hour, parts.minute, parts.second, millisecond);
}

function readLocal(time: number, zone: string): LocalTime {
  const date = new Date(readClock(time, zone));
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
  };
}

/**
 * The time at which clocks of a zone show something. Shown twice (the hour that
 * autumn repeats): the first; never shown (the hour that spring skips): as much
 * later as the clocks go forward. As ECMAScript's Temporal does by default.
 */
function resolveLocal(local: LocalTime, zone: string): number {
  const { year, month, day, hour, minute, second, millisecond } = local;
  const shown = Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
  if (zone === 'UTC') return shown;
  const day24 = 86_400_000;
  const before = readClock(shown - day24, zone) - (shown - day24);
  const after = readClock(shown + day24, zone) - (shown + day24);
  const candidates = [shown - before, shown - after].filter((time) => readClock(time, zone) === shown);
  return candidates.length === 0 ? shown - before : Math.min(...candidates);
}

const midnight = (year: number, month: number, day: number): LocalTime => ({
  year,
  month,
  day,
  hour: 0,
  minute: 0,
  second: 0,
  millisecond: 0,
});

function daysOfMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Moves a time by months and days of the calendar; a day that the month lacks becomes its last. */
function shift(time: number, zone: string, months: number, days: number): number {
  const local = readLocal(time, zone);
  const month0 = local.year * 12 + local.month - 1 + months;
  const year = Math.floor(month0 / 12);
  const month = (month0 % 12) + 1;
  const day = Math.min(local.day, daysOfMonth(year, month)) + days;
  return resolveLocal({ ...local, year, month, day }, zone);
}

const ABSOLUTE =
  /^([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,3}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?)?$/i;
const AGO = /^([0-9]{1,5})(h|d|w|m|y)$/i;
const DAY = /^(today|yesterday|tomorrow)(?:([+-])([0-9]{1,5}))?$/i;

/** What dates may look like, for messages. */
export const DATE_FORMS = '2026, 2026-01, 2026-01-31, 2026-01-31T10:00, 12h, 7d, 2w, 3m, 1y, today, today-7, now';

/** Reads a date: absolute, so long ago (`7d`), or a day named (`today-7`). Undefined: it is none. */
export function readDate(text: string, now: number, zone: string): DateSpan | undefined {
  const absolute = ABSOLUTE.exec(text);
  if (absolute !== null) return readAbsolute(absolute, zone);
  if (/^now$/i.test(text)) return { start: now, end: now, relative: true };
  const ago = AGO.exec(text);
  if (ago !== null) {
    const count = Number(ago[1]);
    const unit = ago[2]!.toLowerCase();
    const months = unit === 'm' ? count : unit === 'y' ? count * 12 : 0;
    const days = unit === 'd' ? count : unit === 'w' ? count * 7 : 0;
    // No unit reaches further back than the calendar of the contract.
    if (months > 12_000) return undefined;
    const start = unit === 'h' ? now - count * 3_600_000 : shift(now, zone, -months, -days);
    return { start, end: start, relative: true };
  }
  const day = DAY.exec(text);
  if (day === null) return undefined;
  const name = day[1]!.toLowerCase();
  const moved = Number(`${day[2] ?? ''}${day[3] ?? 0}`) + (name === 'today' ? 0 : name === 'yesterday' ? -1 : 1);
  const local = readLocal(now, zone);
  const at = (days: number) => resolveLocal(midnight(local.year, local.month, local.day + days), zone);
  return { start: at(moved), end: at(moved + 1), relative: true };
}

function readAbsolute(found: RegExpExecArray, zone: string): DateSpan | undefined {
  const [, y, mo, d, h, mi, s, ms, offset] = found;
  const year = Number(y);
  const month = Number(mo ?? 1);
  const day = Number(d ?? 1);
  if (year < 1000 || year > 9998 || month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month))
    return undefined;
  const absolute = { relative: false };
  if (h === undefined) {
    const next =
      d !== undefined
        ? midnight(year, month, day + 1)
        : mo !== undefined
          ? midnight(year, month + 1, 1)
          : midnight(year + 1, 1, 1);
    return { start: resolveLocal(midnight(year, month, day), zone), end: resolveLocal(next, zone), ...absolute };
  }
  const hour = Number(h);
  const minute = Number(mi);
  const second = Number(s ?? 0);
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const millisecond = Number((ms ?? '0').padEnd(3, '0'));
  const local = { year, month, day, hour, minute, second, millisecond };
  const length = s === undefined ? 60_000 : ms === undefined ? 1000 : 10 ** (3 - ms.length);
  const shift = offset === undefined ? undefined : readOffset(offset);
  if (shift !== undefined && Number.isNaN(shift)) return undefined;
  const start = shift === undefined ? resolveLocal(local, zone) : resolveLocal(local, 'UTC') - shift;
  return { start, end: start + length, ...absolute };
}

/** `+02:00` in milliseconds; NaN: out of range. */
function readOffset(offset: string): number {
  if (/^z$/i.test(offset)) return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(-2));
  if (hours > 18 || minutes > 59) return Number.NaN;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** The day that begins at a time in a zone, YYYY-MM-DD; undefined: none begins then. */
export function formatDayStart(time: number, zone: string): string | undefined {
  const local = readLocal(time, zone);
  if (local.hour !== 0 || local.minute !== 0 || local.second !== 0 || local.millisecond !== 0) return undefined;
  if (resolveLocal(midnight(local.year, local.month, local.day), zone) !== time) return undefined;
  return new Date(readClock(time, zone)).toISOString().slice(0, 10);
}

/** The day before the one that begins at a time. */
export function formatDayBefore(time: number, zone: string): string | undefined {
  const day = formatDayStart(time, zone);
  return day === undefined ? undefined : new Date(Date.parse(day) - 86_400_000).toISOString().slice(0, 10);
}

/** The days of a zone's calendar that a span touches, as the same days of UTC: for dates that have no zone. */
export function toLocalDays(span: DateSpan, zone: string): DateSpan {
  const day = 86_400_000;
  const first = Math.floor(readClock(span.start, zone) / day) * day;
  const last = Math.floor(readClock(Math.max(span.end - 1, span.start), zone) / day) * day;
  return { ...span, start: first, end: last + day };
}
