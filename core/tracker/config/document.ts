import { createRequire } from 'node:module';
import type { Document, ParsedNode } from 'yaml';
import { ConfigError } from './error.ts';

/** Loaded with the first file: a start without one needs no YAML. */
const loadYaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml');

/** A YAML file, and where in it each key stands. */
export interface ConfigDocument {
  /** The file's name as it is shown to people. */
  readonly name: string;
  readonly value: unknown;
  /** `name:line` of the key (or element) at a path; of the nearest one above when it is not there. */
  locate(path: readonly (string | number)[]): string;
}

/**
 * Reads YAML 1.2 (JSON is YAML too).
 *
 * @throws ConfigError naming file, line and column when it is malformed.
 */
export function parseConfigDocument(name: string, text: string): ConfigDocument {
  const { LineCounter, parseDocument } = loadYaml();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.slice(0, 5).map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return `${name}:${line}:${col}: not valid YAML: ${firstLine(error.message)}`;
      }),
    );
  }
  return {
    name,
    value: document.toJS({ maxAliasCount: 100 }) ?? {},
    locate: (path) => `${name}:${lines.linePos(findOffset(document, path)).line || 1}`,
  };
}

function findOffset(document: Document.Parsed, path: readonly (string | number)[]): number {
  const { isMap, isScalar, isSeq } = loadYaml();
  let node: ParsedNode | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) return offset;
      offset = (pair.key as ParsedNode).range?.[0] ?? offset;
      node = pair.value as ParsedNode | null;
    } else if (isSeq(node)) {
      const item = node.items[Number(step)] as ParsedNode | undefined;
      if (item === undefined) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else return offset;
  }
  return offset;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
