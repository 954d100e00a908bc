import assert from 'node:assert/strict';
import { ERRORS, type ErrorReason, ServiceError } from '../service/index.ts';

/** What an expected error has to say beside its reason. */
export interface ExpectedError {
  /** Path of one violation, as FieldViolation has it. */
  readonly field?: string | RegExp;
  /** Facts that must be among its metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Waits for a call to fail as documented: a ServiceError with one of the reasons,
 * a message of one line, and the field named.
 */
export async function expectError(
  call: Promise<unknown>,
  reason: ErrorReason | readonly ErrorReason[],
  expected: ExpectedError = {},
): Promise<ServiceError> {
  const reasons: readonly string[] = typeof reason === 'string' ? [reason] : reason;
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw new Error(`expected ${reasons.join(' or ')}, got a ${describe(error)}`);
    assert.ok(
      reasons.includes(error.reason),
      `expected ${reasons.join(' or ')}, got ${error.reason}: ${error.message}`,
    );
    assert.equal(error.code, ERRORS[error.reason].code);
    assert.ok(
      error.message.length > 0 && !/[\r\n]/.test(error.message),
      `one line, not ${JSON.stringify(error.message)}`,
    );
    checkField(error, expected.field);
    for (const [key, value] of Object.entries(expected.metadata ?? {}))
      assert.equal(error.metadata[key], value, `metadata.${key} of ${error.reason}`);
    return error;
  }
  throw new Error(`expected ${reasons.join(' or ')}, got the answer ${JSON.stringify(answer)?.slice(0, 300)}`);
}

function checkField(error: ServiceError, field: string | RegExp | undefined): void {
  if (field === undefined) return;
  const seen = error.violations.map((violation) => violation.field);
  const found = seen.some((path) => (typeof field === 'string' ? path === field : field.test(path)));
  assert.ok(found, `${error.reason} has to name ${field}, names ${JSON.stringify(seen)}: ${error.message}`);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name} that is no ServiceError: ${error.message}` : `thrown ${String(error)}`;
}

/** Runs a call several times one after the other and several times at once; returns all answers. */
export async function repeat<T>(times: number, call: () => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (let time = 0; time < Math.ceil(times / 2); time += 1) answers.push(await call());
  answers.push(...(await Promise.all(Array.from({ length: Math.floor(times / 2) }, call))));
  return answers;
}

/** Every row of a list, page by page. Fails when a page is larger than asked for or the list does not end. */
export async function walkPages<Row>(
  pageSize: number,
  read: (pageToken: string) => Promise<{ rows: readonly Row[]; nextPageToken: string }>,
): Promise<Row[]> {
  const rows: Row[] = [];
  let token = '';
  for (let page = 0; page < 1_000; page += 1) {
    const answer = await read(token);
    assert.ok(answer.rows.length <= pageSize, `a page of ${answer.rows.length} rows, asked for ${pageSize}`);
    rows.push(...answer.rows);
    if (answer.nextPageToken === '') return rows;
    assert.notEqual(answer.nextPageToken, token, 'the page token moves on');
    token = answer.nextPageToken;
  }
  throw new Error('a list did not end after 1,000 pages');
}

/** Numbers from a fixed seed, the same in every run (xorshift32, Marsaglia 2003). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** An integer, 0 <= n < below. */
  below(below: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % below;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Some of the items, at most `most`, in their order. */
  some<T>(items: readonly T[], most: number): T[] {
    const wanted = this.below(most + 1);
    return items.filter(() => this.below(items.length) < wanted).slice(0, most);
  }
}
