import { type CallContext, createSystemContext, ServiceError } from '../../service/index.ts';

/** A service that breaks one rule on purpose, to see that the suite notices. */
export interface Mutant<Service extends object> {
  /** What it does wrong. */
  readonly name: string;
  /** Name of the case that has to fail. */
  readonly caughtBy: string;
  /** The methods that it has instead of the good one's. */
  change(good: Service): Partial<Service>;
}

/** The good service with the mutant's methods in place of its own. */
export function applyMutant<Service extends object>(good: Service, mutant: Mutant<Service>): Service {
  return { ...good, ...mutant.change(good) };
}

/** A pattern for `only` that is one name and nothing else. */
export function matchExactly(name: string): RegExp {
  return new RegExp(`^${name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`);
}

/** Who sees and may do everything under the caller's name. */
export function everything({ user, signal, deadline }: CallContext): CallContext {
  return createSystemContext({ user, signal, deadline });
}

/** Catches one reason, and does something else instead. */
export async function instead<T>(call: Promise<T>, reason: string, other: () => Promise<T>): Promise<T> {
  return call.catch((error: unknown) =>
    error instanceof ServiceError && error.reason === reason ? other() : Promise.reject(error),
  );
}
