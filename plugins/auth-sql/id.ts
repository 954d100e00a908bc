import { randomBytes } from 'node:crypto';

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Makes ids: UUIDv7 (RFC 9562), ascending within the process even when the clock stands
 * still or goes back: the 12 bits after the time count (section 6.2, method 1), and a
 * count that is full borrows from the next millisecond.
 */
export function createIdSource(now: () => number = Date.now): () => string {
  let last = -1;
  let counter = 0;
  return () => {
    const random = randomBytes(10);
    const time = Math.trunc(now());
    if (time > last) {
      last = time;
      // The top bit starts at 0, so that a burst has room before it borrows.
      counter = random.readUInt16BE(8) & 0x7ff;
    } else if (counter < 0xfff) {
      counter += 1;
    } else {
      last += 1;
      counter = random.readUInt16BE(8) & 0x7ff;
    }
    const hex = last.toString(16).padStart(12, '0');
    const text = (index: number) => HEX[random[index]!]!;
    return (
      `${hex.slice(0, 8)}-${hex.slice(8)}-7${counter.toString(16).padStart(3, '0')}-` +
      `${HEX[(random[0]! & 0x3f) | 0x80]}${text(1)}-${text(2)}${text(3)}${text(4)}${text(5)}${text(6)}${text(7)}`
    );
  };
}

/** 2025-01-01: what positions count from, so that they last until 2094. */
const POSITION_EPOCH = 1_735_689_600_000n;

/**
 * Makes positions of a log: int64 as a decimal string, ascending within the process and by
 * time among processes (41 bits of milliseconds, 22 of chance). No sequence stands behind
 * them, so CockroachDB has no hot row; two processes may hit on the same one, which the
 * writer has to notice by the primary key.
 */
export function createPositionSource(now: () => number = Date.now): () => string {
  let last = 0n;
  return () => {
    const chance = BigInt(randomBytes(4).readUInt32BE() & 0x3fffff);
    const position = ((BigInt(Math.trunc(now())) - POSITION_EPOCH) << 22n) | chance;
    last = position > last ? position : last + 1n;
    return last.toString();
  };
}
