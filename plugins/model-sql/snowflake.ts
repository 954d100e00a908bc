/**
 * Snowflake ids, 63 bits: 41 of milliseconds since 2026-01-01, 10 of the node
 * that made it, 12 of a counter. Roughly in order of time, and made without asking the database.
 */
import { ServiceError } from '@bugless/kit/service';

/** Milliseconds since 1970 of the first possible id. */
export const SNOWFLAKE_EPOCH = Date.UTC(2026, 0, 1);
/** Nodes that can make ids at the same time. */
export const SNOWFLAKE_NODES = 1024;
const SEQUENCES = 4096;

/** What a maker of ids may use, and until when. */
export interface NodeLease {
  /** 0 … 1023; nobody else has it before `expires`. */
  readonly node: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** Makes ids for one leased node, never one twice, also when the clock goes backwards. */
export class SnowflakeMaker {
  readonly #now: () => number;
  readonly #onMissing: () => void;
  #lease: NodeLease | undefined;
  #last = 0;
  #sequence = 0;

  /** `onMissing` is told when an id could not be given for want of a lease. */
  constructor(now: () => number, onMissing: () => void = () => {}) {
    this.#now = now;
    this.#onMissing = onMissing;
  }

  /** Takes a lease, or a later end of the one it has. undefined: the lease was lost. */
  setLease(lease: NodeLease | undefined): void {
    this.#lease = lease;
  }

  /**
   * The next id, a decimal string. Time stands still while the clock is behind the last id.
   * Throws NOT_READY when no id may be made: the lease is missing, or ends before the id's time.
   */
  next(): string {
    const now = this.#now();
    if (now > this.#last) {
      this.#last = now;
      this.#sequence = 0;
    } else {
      this.#sequence += 1;
      if (this.#sequence === SEQUENCES) {
        this.#last += 1;
        this.#sequence = 0;
      }
    }
    const lease = this.#lease;
    // The next holder of the node starts after `expires`; an id from beyond it could be made twice.
    if (lease === undefined || this.#last >= lease.expires) {
      this.#onMissing();
      throw new ServiceError('NOT_READY', 'No node number is leased at the moment, so no id can be given; try again.');
    }
    const millis = BigInt(this.#last - SNOWFLAKE_EPOCH);
    return ((millis << 22n) | (BigInt(lease.node) << 12n) | BigInt(this.#sequence)).toString();
  }
}
