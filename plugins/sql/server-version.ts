import { DatabaseError } from './database-error.ts';
import type { Dialect, Engine } from './dialect.ts';

/** What the server says that it is. */
export interface ServerVersion {
  readonly engine: Engine;
  readonly major: number;
  readonly minor: number;
  /** As the server writes it: `18.4`, `v23.2.5`. */
  readonly text: string;
}

/**
 * Reads the answer of `select version()`.
 *
 * @throws DatabaseError WRONG_ENGINE when it is neither engine.
 */
export function parseVersion(answer: string): ServerVersion {
  const parts = /^(PostgreSQL|CockroachDB\b.*?) (v?(\d+)(?:\.(\d+))?\S*)/.exec(answer);
  if (!parts) {
    throw new DatabaseError('WRONG_ENGINE', 'the server is neither PostgreSQL nor CockroachDB: check the url');
  }
  return {
    engine: parts[1] === 'PostgreSQL' ? 'postgres' : 'cockroachdb',
    text: parts[2] as string,
    major: Number(parts[3]),
    minor: Number(parts[4] ?? 0),
  };
}

/**
 * Checks that the declared engine is the real one and new enough.
 *
 * @returns a warning when the version runs but is older than supported.
 * @throws DatabaseError WRONG_ENGINE, OLD_SERVER.
 */
export function checkVersion(
  found: ServerVersion,
  declared: Dialect,
  titles: Record<Engine, string>,
): string | undefined {
  if (found.engine !== declared.engine) {
    throw new DatabaseError(
      'WRONG_ENGINE',
      `the server is ${titles[found.engine]} ${found.text}, but this plugin is for ${declared.title}: ` +
        'use the plugin for that engine, or another url',
    );
  }
  if (isOlder(found, declared.minimumVersion)) {
    throw new DatabaseError(
      'OLD_SERVER',
      `the server is ${declared.title} ${found.text}, and at least ${declared.minimumVersion.join('.')} is needed: upgrade it`,
    );
  }
  if (isOlder(found, declared.supportedVersion)) {
    return `${declared.title} ${found.text} is older than ${declared.supportedVersion.join('.')}, the oldest supported version`;
  }
  return undefined;
}

function isOlder({ major, minor }: ServerVersion, [leastMajor, leastMinor]: readonly [number, number]): boolean {
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}
