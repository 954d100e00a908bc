/**
 * Places of entries in a hotlist: texts that sort byte by byte, so that an entry is
 * put anywhere without a change to the others. Eight digits of a whole number, then perhaps digits
 * of a fraction. New entries on top take the next lower whole number; only what is put between two
 * neighbours needs a fraction, which grows by one digit about every six times that this
 * happens at the same spot.
 */
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE = DIGITS.length;
const WHOLE_DIGITS = 8;
/** Where the first entry of a list goes: half of what eight digits can say. */
const MIDDLE = BASE ** WHOLE_DIGITS / 2;

/** Longer positions are a reason to give all of the list anew. */
export const LONGEST_POSITION = 200;

/** A position between two others; undefined: there is none on that side. `before` < `after`. */
export function placeBetween(before: string | undefined, after: string | undefined): string {
  if (before === undefined) return formatWhole(after === undefined ? MIDDLE : readWhole(after) - 1);
  const low = readWhole(before);
  if (after === undefined || readWhole(after) > low + 1) return formatWhole(low + 1);
  const high = readWhole(after) === low ? after.slice(WHOLE_DIGITS) : undefined;
  return formatWhole(low) + halve(before.slice(WHOLE_DIGITS), high);
}

/** So many positions on top of a list whose first entry has this one, ascending. */
export function placeOnTop(first: string | undefined, count: number): string[] {
  const end = first === undefined ? MIDDLE : readWhole(first);
  return Array.from({ length: count }, (_, index) => formatWhole(end - count + index));
}

/** Fresh positions for a whole list, ascending. */
export function placeAll(count: number): string[] {
  return Array.from({ length: count }, (_, index) => formatWhole(MIDDLE + index));
}

/** The shortest fraction between two, never ending in the digit 0. `high` undefined: 1. */
function halve(low: string, high: string | undefined): string {
  let bound = high;
  let result = '';
  for (let place = 0; ; place += 1) {
    const least = place < low.length ? DIGITS.indexOf(low[place]!) : 0;
    const most = bound === undefined ? BASE : DIGITS.indexOf(bound[place]!);
    if (most - least > 1) return result + DIGITS[(least + most) >> 1];
    result += DIGITS[least];
    // From the first digit on that is less than the bound's, any digits may follow.
    if (most !== least) bound = undefined;
  }
}

function readWhole(position: string): number {
  let whole = 0;
  for (const digit of position.slice(0, WHOLE_DIGITS)) whole = whole * BASE + DIGITS.indexOf(digit);
  return whole;
}

function formatWhole(whole: number): string {
  let rest = whole;
  let text = '';
  for (let place = 0; place < WHOLE_DIGITS; place += 1) {
    text = DIGITS[rest % BASE] + text;
    rest = Math.floor(rest / BASE);
  }
  return text;
}
